"""Rollups are the flows' sums, exactly: against an evaluator that adds one flow after the other and shares no code."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollups.rollups import Rollups
from schema.batch import Array, Flows, Nullable, Symbols
from schema.columns import BY_NAME
from schema.rollups import ROLLUPS, SUMS
from schema.tables import STORED_TABLES, Category
from tests.rollups.flow_dicts import NOON, TENANTS, batch, block, dicts
from tests.rollups.slow_sums import COLUMNS, Flow, added, sums

TABLES = tuple(COLUMNS)
FLOW: Flow = {
    "time_received": NOON, "exporter": bytes(16), "flow_type": 2, "sampling_rate": 1, "in_if": 1, "out_if": 2,
    "in_if_form": 0, "out_if_form": 0, "src_as": 64500, "dst_as": 64501, "proto": 6, "application": 0,
    "flow_direction": 0, "direction": 1, "src_tenant": "acme", "dst_tenant": "unassigned", "bytes": 100, "packets": 1,
}  # fmt: skip


def rolled(*batches: Flows) -> dict[str, list[Flow]]:
    rollups = Rollups()
    for flows in batches:
        rollups.add(flows)
    rows = rollups.rows()
    return {table: dicts(table, rows[table]) for table in rows}


def check(flows: list[Flow], *batches: Flows) -> None:
    found = rolled(*batches)
    for table in TABLES if flows else ():
        assert added(table, found[table]) == sums(table, flows), table
        assert len(found[table]) == len(sums(table, flows)), f"{table} has a key in two rows"
        assert {row["retention_class"] for row in found[table]} == {"rollups"}
    assert flows or found == {}


def test_the_tables_are_what_the_evaluator_adds_up() -> None:
    assert tuple(table.name for table in ROLLUPS) == TABLES
    for table in ROLLUPS:
        assert {*COLUMNS[table.name], "retention_class"} == set(table.dimensions)
        assert set(table.order_by) == set(table.dimensions) - {"retention_class"}
        assert table.order_by[-1] == "time_received"
        (stored,) = (each for each in STORED_TABLES if each.name == table.name)
        assert (stored.category, stored.sums) == (Category.ROLLUPS, SUMS)


@given(block())
@settings(max_examples=100, deadline=None)
def test_a_block_comes_to_what_its_flows_come_to(drawn: tuple[list[Flow], frozenset[str], list[str]]) -> None:
    flows, lacking, names = drawn
    check(flows, batch(flows, lacking, names))


@given(st.lists(block(), max_size=4), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_blocks_in_any_order_together_or_apart_come_to_the_same(
    drawn: list[tuple[list[Flow], frozenset[str], list[str]]], random: object
) -> None:
    flows = [flow for each, _, _ in drawn for flow in each]
    batches = [batch(*each) for each in drawn]
    check(flows, *batches)
    check(flows, *reversed(batches))
    apart = [rolled(each) for each in batches]
    for table in TABLES:
        assert added(table, [row for found in apart for row in found.get(table, [])]) == sums(table, flows)


@pytest.mark.parametrize("seed", range(3))
def test_many_flows_of_few_and_of_many_kinds_lose_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = 12_000
    kinds = (3, 300, 2**32)[seed]
    flows = Flows(rows, {"time_received": NOON + rng.integers(0, 130_000, rows)})
    for name in ("in_if", "out_if", "src_as", "dst_as", "sampling_rate"):
        flows.arrays[name] = rng.integers(0, kinds, rows).astype(np.uint32)
    flows.arrays |= {
        "exporter": rng.integers(0, 2, (rows, 16)).astype(np.uint8),
        "application": rng.integers(0, 2**64 - 1, rows, np.uint64, endpoint=True),
        "bytes": rng.integers(0, 2**63, rows).astype(np.uint64),
        "packets": rng.integers(0, 100, rows).astype(np.uint64),
    }
    flows.symbols["src_tenant"] = Symbols(rng.integers(0, 5, rows).astype(np.int32), TENANTS)
    check(_dicts(flows), flows)


def _dicts(flows: Flows) -> list[Flow]:
    absent = {name: type(value)() if name != "src_tenant" else "" for name, value in FLOW.items()}
    columns = {name: values.tolist() for name, values in flows.arrays.items()}
    columns["exporter"] = [bytes(octets) for octets in flows.arrays["exporter"]]
    columns |= {name: [each.names[code] for code in each.codes] for name, each in flows.symbols.items()}
    absent["exporter"] = bytes(16)
    return [{**absent, **dict(zip(columns, row, strict=True))} for row in zip(*columns.values(), strict=True)]


def test_octets_beyond_floating_point_are_counted_to_the_last_one() -> None:
    flows = [{**FLOW, "bytes": 2**53 + 1}] * 3
    check(flows, batch(flows))
    assert [row["bytes"] for row in rolled(batch(flows))["traffic_1m"]] == [3 * (2**53 + 1)]


def test_a_minute_and_an_hour_begin_and_end_to_the_millisecond() -> None:
    times = (NOON - 1, NOON, NOON + 59_999, NOON + 60_000, NOON + 3_599_999, NOON + 3_600_000)
    found = rolled(batch([{**FLOW, "time_received": time} for time in times]))
    assert sorted((row["time_received"] - NOON, row["flows"]) for row in found["traffic_1m"]) == [
        (-60_000, 1), (0, 2), (60_000, 1), (3_540_000, 1), (3_600_000, 1),
    ]  # fmt: skip
    assert sorted((row["time_received"] - NOON, row["flows"]) for row in found["traffic_1h"]) == [
        (-3_600_000, 1), (0, 4), (3_600_000, 1),
    ]  # fmt: skip


def test_rates_are_kept_apart_and_nothing_is_scaled() -> None:
    found = rolled(batch([{**FLOW, "sampling_rate": rate} for rate in (0, 1, 1000, 1000)]))
    expected = [(0, 1, 100), (1, 1, 100), (1000, 2, 200)]
    assert sorted((row["sampling_rate"], row["flows"], row["bytes"]) for row in found["traffic_1h"]) == expected


def test_each_side_of_a_flow_is_of_its_own_interface_and_system() -> None:
    (source, destination) = sorted(rolled(batch([FLOW]))["as_1m"], key=lambda row: -row["src_as"])
    shown = ("side", "src_as", "in_if", "dst_as", "out_if", "flows", "bytes")
    assert [source[name] for name in shown] == ["source", 64500, 1, 0, 0, 1, 100]
    assert [destination[name] for name in shown] == ["destination", 0, 0, 64501, 2, 1, 100]


def test_columns_of_other_types_than_flows_have_are_as_the_tables_want_them() -> None:
    flows = batch([FLOW, {**FLOW, "src_tenant": "grüezi"}])
    rollups = Rollups()
    rollups.add(flows)
    for table in ROLLUPS:
        for name, values in rollups.rows()[table.name].columns.items():
            assert not isinstance(values, Nullable)
            array: Array = values.codes if isinstance(values, Symbols) else values
            assert len(array) == rollups.rows()[table.name].rows
            assert array.dtype == next(column.dtype for column in table.columns if column.name == name)
            assert name in BY_NAME or name in (*SUMS, "side")


def test_no_flows_have_no_rows_and_flows_without_a_time_are_refused() -> None:
    rollups = Rollups()
    rollups.add(Flows(0))
    assert (rollups.flows, rollups.rows()) == (0, {})
    with pytest.raises(KeyError, match="time_received"):
        rollups.add(Flows(1))
