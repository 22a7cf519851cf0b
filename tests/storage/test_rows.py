"""Counters and discarded packets: as they go in they come out, NULL and fractions too, once for each table."""

from __future__ import annotations

import json

import numpy as np
import pytest

from schema.batch import Nullable, Rows, Symbols
from schema.columns import Kind
from schema.counters import COUNTER_TABLES
from schema.render import rows_of
from schema.tables import DISCARDS, STORED_TABLES, StoredTable
from storage.embedded import Node
from storage.native import encode_rows
from storage.writer import Writer
from tests.storage.batches import NOW_MS, at, every_column_of, rows_at
from tests.storage.test_write import shown

tables = pytest.mark.parametrize("table", STORED_TABLES, ids=lambda table: table.name)
INTERFACE, HOST = (next(table for table in STORED_TABLES if table.name == name) for name in
                   ("counters_interface", "counters_host"))  # fmt: skip


def write(node: Node, table: StoredTable, rows: Rows, segment: int = 0) -> None:
    with node.connect("ingest") as client:
        Writer(client).write_rows(table.name, rows, f"segment {segment}")


def stored(node: Node, table: StoredTable, order: str) -> dict[str, list[object]]:
    names = [column.name for column in table.columns]
    with node.connect("query") as client:
        rows = client.query(f"SELECT {', '.join(names)} FROM {table.name} ORDER BY {order}").rows
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))


def counts(node: Node) -> dict[str, int]:
    with node.connect("query") as client:
        return {table.name: client.query(f"SELECT count() FROM {table.name}").rows[0][0] for table in STORED_TABLES}


@tables
def test_no_two_columns_of_a_table_have_one_name(table: StoredTable) -> None:
    names = [column.name for column in table.columns]
    assert sorted(names) == sorted(set(names))
    assert {"time_received", "retention_class", *table.order_by} <= set(names)


def test_every_counter_that_may_be_unknown_can_be_null() -> None:
    for table in COUNTER_TABLES:
        for column in table.columns:
            assert column.nullable == (column.name in table.parts) == column.clickhouse.startswith("Nullable(")


@tables
def test_every_column_comes_back_as_it_went_in(database: Node, table: StoredTable) -> None:
    rows = every_column_of(table, 500)
    write(database, table, rows)
    number = rows.columns["flows" if table.sums else "observation_domain"]  # tells rows apart
    assert isinstance(number, np.ndarray)
    found = stored(database, table, "flows" if table.sums else "observation_domain")
    order = np.argsort(number)
    for column in table.columns:
        expected = shown(column, rows.columns[column.name])
        assert found[column.name] == [expected[place] for place in order], column.name


@tables
def test_columns_that_are_absent_are_null_or_zero(database: Node, table: StoredTable) -> None:
    rows = rows_at([NOW_MS, NOW_MS + 1], ["basic", "basic"])
    assert encode_rows(table, rows)[0] == ["time_received", "retention_class"]
    write(database, table, rows)
    found = stored(database, table, "time_received")
    for column in table.columns:
        if column.name in rows.columns:
            assert found[column.name] == shown(column, rows.columns[column.name])
        elif column.nullable:
            assert found[column.name] == [None, None], column.name
        elif column.kind is Kind.SYMBOL:
            assert found[column.name] == ["", ""], column.name
        else:
            assert found[column.name] == shown(column, column.zeros(2)), column.name


def test_values_that_are_all_known_need_no_word_on_it_and_unknown_columns_are_passed_over(database: Node) -> None:
    rows = rows_at([NOW_MS] * 3, ["basic"] * 3)
    rows.columns["if_in_octets"] = np.array([0, 1, 2**64 - 1], "u8")
    rows.columns["if_in_errors"] = Nullable(np.array([7, 0, 2], "u4"), np.array([True, False, False]))
    rows.columns["of_no_table"] = np.zeros(3, "u4")
    write(database, INTERFACE, rows)
    with database.connect("query") as client:
        found = client.query("SELECT if_in_octets, if_in_errors FROM counters_interface ORDER BY 1").rows
        assert found == [(0, None), (1, 0), (2**64 - 1, 2)]
        assert client.query("SELECT sum(if_in_errors), count(if_in_errors) FROM counters_interface").rows == [(2, 2)]


def test_arrays_that_are_views_of_others_come_back(database: Node) -> None:
    rows = rows_at([NOW_MS] * 4, ["basic"] * 4)
    wide = np.arange(32, dtype=">u4").reshape(4, 8)
    absent = np.array([[True, False]] * 4)
    rows.columns |= {
        "observation_domain": wide[:, 0],
        "if_index": Nullable(wide[:, 3], absent[:, 1]),
        "if_type": Nullable(wide[::-1, 5], absent[:, 0]),
    }
    write(database, INTERFACE, rows)
    with database.connect("query") as client:
        found = client.query("SELECT observation_domain, if_index, if_type FROM counters_interface ORDER BY 1").rows
    assert found == [(0, 3, None), (8, 11, None), (16, 19, None), (24, 27, None)]


def test_a_hundred_thousand_rows_add_up(database: Node) -> None:
    rows = every_column_of(INTERFACE, 100_000)
    octets, mac, name = (rows.columns[column] for column in ("if_in_octets", "lag_actor_system_id", "name"))
    assert isinstance(octets, Nullable)
    assert isinstance(mac, Nullable)
    assert isinstance(name, Symbols)
    write(database, INTERFACE, rows)
    with database.connect("query") as client:
        found = client.query(
            "SELECT count(), sum(if_in_octets), countIf(if_in_octets IS NULL), max(lag_actor_system_id), "
            "countIf(name = '') FROM counters_interface"
        ).rows
    total = int(np.sum(octets.values[~octets.absent], dtype=np.uint64))
    empty = [code for code, text in enumerate(name.names) if not text]
    assert found == [
        (
            100_000,
            total,  # modulo 2**64, on both sides
            int(octets.absent.sum()),
            int(mac.values[~mac.absent].max()),
            int(np.isin(name.codes, empty).sum()),
        )
    ]


def test_a_token_counts_once_in_each_table(database: Node) -> None:
    for _ in range(2):
        with database.connect("ingest") as client:
            writer = Writer(client)
            writer.write(at([NOW_MS]), "segment 1")
            for size, table in enumerate(STORED_TABLES, 1):
                writer.write_rows(table.name, every_column_of(table, size), "segment 1")
    sizes = {table.name: size for size, table in enumerate(STORED_TABLES, 1)}
    assert counts(database) == sizes
    with database.connect("query") as client:
        assert client.query("SELECT count() FROM flows").rows == [(1,)]
    for table in STORED_TABLES:
        write(database, table, every_column_of(table, 1), segment=2)
    assert counts(database) == {name: size + 1 for name, size in sizes.items()}


def test_a_replay_over_several_partitions_is_dropped(database: Node) -> None:
    rows = every_column_of(DISCARDS, 5000)
    rows.columns["time_received"] = NOW_MS - np.arange(5000) * 60_000  # over four days, in two classes
    for _ in range(2):
        write(database, DISCARDS, rows)
    assert counts(database)[DISCARDS.name] == 5000


@pytest.mark.parametrize("missing", ["time_received", "retention_class"])
def test_rows_that_would_expire_at_once_are_refused(database: Node, missing: str) -> None:
    rows = every_column_of(DISCARDS, 3)
    del rows.columns[missing]
    with pytest.raises(ValueError, match="needs the columns time_received and retention_class"):
        write(database, DISCARDS, rows)
    assert set(counts(database).values()) == {0}


def test_nothing_is_written_of_no_rows_and_to_no_other_table(database: Node) -> None:
    for table in STORED_TABLES:
        write(database, table, Rows(0))
    with pytest.raises(KeyError):
        write(database, StoredTable("flows", DISCARDS.category, (), (), ""), rows_at([NOW_MS], ["basic"]))
    assert set(counts(database).values()) == {0}


def test_null_has_no_place_where_zero_stands_for_it() -> None:
    rows = rows_at([NOW_MS], ["basic"])
    rows.columns["sequence"] = Nullable(np.zeros(1, "u4"), np.ones(1, np.bool_))
    with pytest.raises(ValueError, match="sequence has no NULL"):
        encode_rows(INTERFACE, rows)


def test_rows_are_shown_with_null_fractions_and_what_they_have() -> None:
    rows = rows_at([0, 1_795_000_000_007], ["basic", "standard"])
    rows.columns |= {
        "exporter": np.array([[0] * 10 + [255, 255, 192, 0, 2, 1], [0x20, 1, 0xD, 0xB8] + [0] * 11 + [1]], "u1"),
        "if_in_octets": np.array([2**64 - 1, 0], "u8"),
        "lag_actor_system_id": Nullable(np.array([0x0200_5E00_5301, 9], "u8"), np.array([False, True])),
        "of_no_table": np.zeros(2),
    }
    assert list(rows_of(INTERFACE, rows)) == [
        {
            "time_received": "1970-01-01T00:00:00.000Z",
            "exporter": "192.0.2.1",
            "retention_class": "basic",
            "if_in_octets": 2**64 - 1,
            "lag_actor_system_id": "02:00:5e:00:53:01",
        },
        {
            "time_received": "2026-11-18T11:06:40.007Z",
            "exporter": "2001:db8::1",
            "retention_class": "standard",
            "if_in_octets": 0,
            "lag_actor_system_id": None,
        },
    ]
    loads = np.array([0.1, 2.5, np.nan, np.inf, 7], "f4")
    host = Rows(5, {"load_one": Nullable(loads, np.arange(5) == 4), "load_five": loads[::-1]})
    found = list(rows_of(HOST, host))
    assert [row["load_one"] for row in found] == [0.1, 2.5, None, None, None]
    assert [row["load_five"] for row in found] == [7, None, None, 2.5, 0.1]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


@tables
def test_every_column_is_shown_in_the_tables_order(table: StoredTable) -> None:
    rows = every_column_of(table, 20)
    found = list(rows_of(table, rows))
    assert [list(row) for row in found] == [[column.name for column in table.columns]] * 20
    for column in table.columns:
        given = rows.columns[column.name]
        if isinstance(given, Nullable):
            assert [row[column.name] is None for row in found] == [
                absent or not np.isfinite(value) for value, absent in zip(given.values, given.absent, strict=True)
            ]
    assert list(rows_of(table, Rows(0, {}))) == []
