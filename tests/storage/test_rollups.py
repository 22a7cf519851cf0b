"""Rollups on a real ClickHouse are the GROUP BY of flows: after replays, late blocks, and merges."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from rollups.rollups import Rollups
from schema.batch import Array, Flows, Nullable, Rows, Symbols
from schema.columns import BY_NAME
from schema.rollups import ROLLUPS, SUMS, Rollup
from storage.client import Client
from storage.embedded import Node
from storage.native import encode_rows
from storage.writer import _TABLES, Writer
from tests.storage.batches import DAY_MS, NOW_MS, every_column

tables = pytest.mark.parametrize("table", ROLLUPS, ids=lambda table: table.name)
MIDNIGHT = NOW_MS // DAY_MS * DAY_MS
_SIDES = {"source": ("dst_as", "out_if", "out_if_form"), "destination": ("src_as", "in_if", "in_if_form")}


def flows(seed: int, rows: int = 3000, start_ms: int = MIDNIGHT - 90_000) -> Flows:
    """Flows of three minutes around midnight, in two classes, with few kinds of each dimension."""
    rng = np.random.default_rng(seed)
    out = every_column(rows, seed)
    out.arrays["time_received"] = start_ms + rng.integers(0, 180_000, rows)
    out.arrays["exporter"] = out.arrays["exporter"][:3][rng.integers(0, 3, rows)]
    for name in ("in_if", "out_if", "src_as", "dst_as", "proto", "sampling_rate", "flow_direction", "application"):
        out.arrays[name] = rng.integers(0, 3, rows).astype(out.arrays[name].dtype)
    for name in ("in_if_form", "out_if_form", "flow_type"):
        out.arrays[name] = rng.integers(0, 2, rows).astype(np.uint8)
    return out


def write(client: Client, batch: Flows, token: str, rows: dict[str, Rows] | None = None) -> None:
    writer = Writer(client)
    writer.write(batch, token)
    for table, found in (rolled(batch) if rows is None else rows).items():
        writer.write_rows(table, found, token)


def rolled(*batches: Flows) -> dict[str, Rows]:
    rollups = Rollups()
    for batch in batches:
        rollups.add(batch)
    return rollups.rows()


def shuffled(rows: Rows, seed: int = 0) -> Rows:
    order = np.random.default_rng(seed).permutation(rows.rows)
    columns: dict[str, Array | Symbols | Nullable] = {}
    for name, given in rows.columns.items():
        assert not isinstance(given, Nullable)
        columns[name] = Symbols(given.codes[order], given.names) if isinstance(given, Symbols) else given[order]
    return Rows(rows.rows, columns)


def check(node: Node, expected: int) -> None:
    """Every table says exactly what ClickHouse itself adds up from the flows."""
    with node.connect("query") as client:
        assert client.query("SELECT count() FROM flows").rows == [(expected,)]
        for table in ROLLUPS:
            names = [name for name in table.dimensions if name not in ("time_received", "retention_class")]
            keys = ", ".join(("time_received", *names))
            sums = ", ".join(f"sum({name})" for name in SUMS)
            found = client.text(f"SELECT {keys}, {sums} FROM {table.name} GROUP BY {keys} ORDER BY {keys}")
            assert found == client.text(f"SELECT * FROM ({of_flows(table, names)}) ORDER BY {keys}"), table.name
            each = 2 if "side" in names else 1
            assert client.query(f"SELECT sum(flows) FROM {table.name}").rows == [(expected * each,)]


def of_flows(table: Rollup, names: list[str]) -> str:
    start = "toStartOfMinute" if table.name.endswith("1m") else "toStartOfHour"
    selects = []
    for side, absent in _SIDES.items() if "side" in names else (("", ()),):
        told = {"side": f"CAST('{side}' AS Enum8('source' = 0, 'destination' = 1))"}
        told |= {name: f"CAST(0 AS {BY_NAME[name].clickhouse})" for name in absent}
        columns = ", ".join(f"{told[name]} AS {name}" if name in told else name for name in names)
        selects.append(
            f"SELECT toDateTime64({start}(received), 3, 'UTC') AS time_received, {columns}, count(), sum(octets), "
            "sum(number) FROM (SELECT * EXCEPT (time_received, bytes, packets), time_received AS received, "
            "bytes AS octets, packets AS number FROM flows) "
            f"GROUP BY time_received, {', '.join(name for name in names if name not in told)}"
        )
    return " UNION ALL ".join(selects)


def optimize(node: Node) -> dict[str, int]:
    """Merge everything; return how many rows each table has."""
    with node.connect("admin") as admin:
        for table in ROLLUPS:
            admin.command(f"OPTIMIZE TABLE {table.name} FINAL")
        return {table.name: admin.query(f"SELECT count() FROM {table.name}").rows[0][0] for table in ROLLUPS}


def test_rollups_are_the_sums_of_flows_over_two_days_whatever_is_replayed_and_comes_late(database: Node) -> None:
    blocks = [flows(seed) for seed in range(3)]
    late = flows(9, start_ms=MIDNIGHT - 3 * DAY_MS)
    with database.connect("ingest") as client:
        for number, batch in enumerate(blocks):
            write(client, batch, f"block {number}")
        check(database, 9000)
        for number, batch in enumerate(blocks):
            write(client, batch, f"block {number}", {name: shuffled(rows) for name, rows in rolled(batch).items()})
        check(database, 9000)
        write(client, late, "late")
        write(client, flows(10, start_ms=MIDNIGHT - 60_000), "late too")
        check(database, 15_000)
        before = optimize(database)
        check(database, 15_000)
        for number, batch in enumerate(blocks):
            write(client, batch, f"block {number}")
        write(client, late, "late")
    check(database, 15_000)
    assert optimize(database) == before, "a replay after merges is dropped as well"


def test_several_blocks_in_one_are_the_same_rows_as_one_after_another_once_merged(database: Node) -> None:
    blocks = [flows(seed) for seed in range(4)]
    with database.connect("ingest") as client:
        for number, batch in enumerate(blocks):
            write(client, batch, f"block {number}")
        apart = optimize(database)
        with database.connect("admin") as admin:
            for table in ROLLUPS:
                admin.command(f"TRUNCATE TABLE {table.name}")
        for table, rows in rolled(*blocks).items():
            assert rows.rows == apart[table]
            Writer(client).write_rows(table, rows, "blocks 0 to 3")
    check(database, 12_000)
    assert optimize(database) == apart


@tables
@pytest.mark.parametrize("collapsing", [0, 1])
def test_a_replay_in_another_order_is_dropped_whether_or_not_rows_are_summed_on_insert(
    database: Node, table: Rollup, collapsing: int
) -> None:
    rows = rolled(flows(1))[table.name]
    with database.connect("admin") as admin:
        for seed in (1, 2, 3):
            columns, octets = encode_rows(_TABLES[table.name], shuffled(rows, seed))
            settings = {"insert_deduplication_token": "t", "async_insert": 0, "optimize_on_insert": collapsing}
            admin._http.raw_insert(table.name, columns, b"".join(octets), settings=settings, fmt="Native")
            assert admin.query(f"SELECT count(), sum(flows) FROM {table.name}").rows == [
                (rows.rows, 6000 if table.name.startswith("as_") else 3000)
            ]
            days = f"SELECT uniqExact(partition) FROM system.parts WHERE active AND table = '{table.name}'"
            assert admin.query(days).rows == [(2,)]


@tables
def test_rows_of_one_key_become_one_and_keep_time_and_class(database: Node, table: Rollup) -> None:
    one = flows(1).take(np.zeros(1, np.intp))
    with database.connect("ingest") as client:
        for number in range(5):
            write(client, one, f"block {number}")
    with database.connect("query") as client:
        kept = f"SELECT DISTINCT time_received, retention_class FROM {table.name}"
        before = client.query(kept).rows
        assert [retention_class for _, retention_class in before] == ["rollups"]
        each = 2 if table.name.startswith("as_") else 1
        assert optimize(database)[table.name] == each
        assert client.query(kept).rows == before
    check(database, 5)


def test_sums_wrap_as_those_of_clickhouse_do(database: Node) -> None:
    batch = flows(1).take(np.zeros(3, np.intp))
    for name in ("bytes", "packets"):
        batch.arrays[name] = np.full(3, 2**63 + 5, np.uint64)
    with database.connect("ingest") as client:
        for number, token in itertools.product(range(2), ("a", "b")):
            write(client, batch, f"{token} {number}")
    check(database, 12)
    optimize(database)
    check(database, 12)


def test_sums_that_wrap_to_nothing_do_not_lose_their_flows(database: Node) -> None:
    batch = flows(1).take(np.zeros(2, np.intp))
    for name in ("bytes", "packets"):
        batch.arrays[name] = np.full(2, 2**63, np.uint64)
    with database.connect("ingest") as client:
        for number in range(2):
            write(client, batch, f"{number}")
    optimize(database)
    check(database, 4)
