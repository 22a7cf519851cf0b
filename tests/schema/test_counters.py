"""The tables of counters: their columns are told apart, and each is of a field that its structure has."""

from __future__ import annotations

import pytest

from schema.counters import COMMON, COUNTER_TABLES, CounterTable, snake
from schema.sflow_structures import counter_structures, element_structures, flow_structures, key_of
from tests.decoders.counter_wire import LANE, WIRE, fields

TABLES = pytest.mark.parametrize("table", COUNTER_TABLES, ids=lambda table: table.name)


@TABLES
def test_names_are_unique_in_each_table(table: CounterTable) -> None:
    names = [column.name for column in table.columns]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and name.islower() for name in names)
    assert table.columns[: len(COMMON)] == COMMON
    assert set(table.order_by) <= set(names)


@TABLES
def test_counters_may_be_unknown_and_say_what_they_are(table: CounterTable) -> None:
    counters = [column for column in table.columns if column.name in table.parts]
    assert [column.name for column in counters] == list(table.parts)
    for column in counters:
        assert column.nullable
        assert column.clickhouse in ("Nullable(UInt32)", "Nullable(UInt64)", "Nullable(Float32)")
        assert column.doc.endswith(".")
        key, part = table.parts[column.name]
        assert part.name in column.doc
        assert counter_structures()[key].name in column.doc
        assert column.unit == part.unit


def test_the_columns_of_each_structure_are_those_of_the_wire() -> None:
    parts = {(table.name, column): key for table in COUNTER_TABLES for column, (key, _) in table.parts.items()}
    for key, (table, text) in WIRE.items():
        assert [parts[table, column] for _, column in fields(text)] == [key] * len(fields(text))
    written = sum(len(fields(text)) for _, text in WIRE.values()) + len(fields(LANE))
    adaptor, queues = 2, 2 * 8
    assert len(parts) == written + adaptor + queues


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("ifInOctets", "if_in_octets"),
        ("dot3StatsFCSErrors", "dot3_stats_fcs_errors"),
        ("dot3StatsSQETestErrors", "dot3_stats_sqe_test_errors"),
        ("LACPDUsRx", "lacpdus_rx"),
        ("markerResponsePDUsTx", "marker_response_pdus_tx"),
        ("actorSystemID", "actor_system_id"),
        ("ipReasmOKs", "ip_reasm_oks"),
        ("ipDefaultTTL", "ip_default_ttl"),
        ("nrVirtCpu", "nr_virt_cpu"),
        ("mem_total", "mem_total"),
        ("tx_power_max", "tx_power_max"),
    ],
)
def test_names_become_those_of_columns(name: str, column: str) -> None:
    assert snake(name) == column


def test_structures_go_by_enterprise_and_format() -> None:
    assert key_of(5703 << 12 | 1) == (5703, 1)
    assert counter_structures()[5703, 1].name == "nvidia_gpu"
    assert counter_structures()[4413, 1].name != flow_structures()[4413, 1].name
    assert counter_structures()[0, 2003].parts[-1].optional
    assert not counter_structures()[0, 2003].parts[-4].optional
    assert all(structure.name and structure.parts for structure in element_structures().values())
