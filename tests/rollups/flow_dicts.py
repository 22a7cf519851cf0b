"""Flows as dicts, drawn by hypothesis; the same as a batch of columns; and rows of rollups as dicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from schema.batch import Array, Flows, Rows, Symbols
from schema.columns import BY_NAME, Kind
from schema.rollups import ROLLUPS, SIDES
from tests.rollups.slow_sums import Flow

NOON = 3_800_000_000_000 // 3_600_000 * 3_600_000  # an hour of 2090 begins
TENANTS = ("", "acme", "grüezi", "unassigned", "it's")
_EXPORTERS = (bytes(10) + b"\xff\xff\xc0\x00\x02\x01", bytes(10) + b"\xff\xff\xc0\x00\x02\x02", bytes(16), b"\x20" * 16)


def _numbers(bits: int) -> st.SearchStrategy[int]:
    few = st.sampled_from((0, 1, 2, 6, 443, 64500))
    return st.one_of(few.filter(lambda value: value < 2**bits), st.integers(2**bits - 3, 2**bits - 1))


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "time_received": st.one_of(
        st.integers(NOON - 3, NOON + 3), st.sampled_from([NOON + 59_999, NOON + 60_000, NOON - 86_400_000, 0, 60_000])
    ),
    "exporter": st.sampled_from(_EXPORTERS),
    "flow_type": st.integers(0, 4),
    "sampling_rate": _numbers(32),
    "in_if": _numbers(32),
    "out_if": _numbers(32),
    "in_if_form": st.sampled_from((0, 3)),
    "out_if_form": st.integers(0, 3),
    "src_as": _numbers(32),
    "dst_as": _numbers(32),
    "proto": _numbers(8),
    "application": _numbers(64),
    "flow_direction": st.integers(0, 1),
    "direction": st.integers(0, 4),
    "src_tenant": st.sampled_from(TENANTS),
    "dst_tenant": st.sampled_from(TENANTS),
    "bytes": st.one_of(_numbers(64), st.integers(0, 1500)),
    "packets": st.one_of(_numbers(64), st.integers(0, 20)),
}
_ABSENT = {"src_tenant": "", "dst_tenant": "", "exporter": bytes(16)}
CAN_LACK = sorted(_VALUES.keys() - {"time_received"})


def flows_of(lacking: frozenset[str]) -> st.SearchStrategy[list[Flow]]:
    """Return flows in which the columns `lacking` are absent, which is zero."""
    values = {name: st.just(_ABSENT.get(name, 0)) if name in lacking else drawn for name, drawn in _VALUES.items()}
    return st.lists(st.fixed_dictionaries(values), max_size=40)


@st.composite
def blocks(draw: st.DrawFn) -> list[Flows]:
    """Return batches, none the same in what columns it lacks and in how it numbers its tenants."""
    return [batch(*draw(block())) for _ in range(draw(st.integers(0, 4)))]


@st.composite
def block(draw: st.DrawFn) -> tuple[list[Flow], frozenset[str], list[str]]:
    """Return flows, the columns to leave out, and the tenants' names in an order of the block's own."""
    lacking = draw(st.frozensets(st.sampled_from(CAN_LACK), max_size=4))
    return draw(flows_of(lacking)), lacking, draw(st.permutations(TENANTS))


def batch(flows: Sequence[Flow], lacking: frozenset[str] = frozenset(), names: Sequence[str] = TENANTS) -> Flows:
    """Return the flows as columns, without those that are `lacking`."""
    out = Flows(len(flows))
    for name in _VALUES.keys() - lacking:
        values = [flow[name] for flow in flows]
        column = BY_NAME[name]
        if column.kind is Kind.SYMBOL:
            out.symbols[name] = Symbols(np.array([names.index(value) for value in values], np.int32), names)
        elif column.kind is Kind.ADDRESS:
            out.arrays[name] = np.frombuffer(b"".join(values), np.uint8).reshape(-1, 16)
        else:
            out.arrays[name] = np.array(values, column.dtype)
    return out


def dicts(table: str, rows: Rows) -> list[Flow]:
    """Return rows of a rollup as dicts with all of its columns."""
    (found,) = (each for each in ROLLUPS if each.name == table)
    columns: dict[str, list[Any]] = {}
    for column in found.columns:
        given = rows.columns.get(column.name)
        if isinstance(given, Symbols):
            columns[column.name] = [given.names[code] for code in given.codes.tolist()]
        elif isinstance(given, np.ndarray):
            assert given.dtype == column.dtype, column.name
            columns[column.name] = _values(column.kind, given)
        else:
            columns[column.name] = [_ABSENT.get(column.name, 0)] * rows.rows
    if "side" in columns:
        columns["side"] = [SIDES[code] for code in columns["side"]]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(kind: Kind, given: Array) -> list[Any]:
    return [bytes(octets) for octets in given] if kind is Kind.ADDRESS else given.tolist()
