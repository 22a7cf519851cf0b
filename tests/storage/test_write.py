"""Flows as they go in are flows as they come out, once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address

import numpy as np
import pytest

from decoders.block import Name, Naming
from schema.batch import Array, Flows, Nullable, Symbols
from schema.columns import FLOW_COLUMNS, Column, Kind
from settings.errors import UnreachableError
from storage.client import DatabaseRefusalError, is_retryable
from storage.embedded import Node
from storage.native import encode, present
from storage.writer import Writer
from tests.storage.batches import NOW_MS, at, every_column

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def expected(flows: Flows, column: Column) -> list[object]:
    if column.kind is not Kind.SYMBOL:
        return shown(column, flows.column(column.name))
    symbols = flows.symbols.get(column.name)
    return shown(column, symbols) if symbols else [""] * flows.rows


def shown(column: Column, given: Array | Symbols | Nullable) -> list[object]:
    """The values as a client answers with them."""
    if isinstance(given, Nullable):
        return [
            None if absent else value for value, absent in zip(shown(column, given.values), given.absent, strict=True)
        ]
    if isinstance(given, Symbols):
        return [given.names[code] for code in given.codes]
    match column.kind:
        case Kind.TIME:
            return [EPOCH + timedelta(milliseconds=value) for value in given.tolist()]
        case Kind.ADDRESS:
            return [IPv6Address(row.tobytes()) for row in given]
        case Kind.ENUM:
            return [column.names[value] for value in given]
        case Kind.LABELS:
            return [[entry >> 4 for entry in row if entry] for row in given.tolist()]
        case Kind.SEGMENTS:
            return [
                [
                    IPv6Address(row[at : at + 16].tobytes())
                    for at in range(0, column.width, 16)
                    if row[at : at + 16].any()
                ]
                for row in given
            ]
        case _:
            return given.tolist()


def stored(node: Node, column: Column, order: str) -> list[object]:
    with node.connect("query") as client:
        return [value for (value,) in client.query(f"SELECT {column.name} FROM flows ORDER BY {order}").rows]


def write(node: Node, flows: Flows, token: str) -> None:
    with node.connect("ingest") as client:
        Writer(client).write(flows, token)


def count(node: Node) -> int:
    with node.connect("query") as client:
        return int(client.query("SELECT count() FROM flows").rows[0][0])


def test_every_column_comes_back_as_it_went_in(database: Node) -> None:
    flows = every_column(500)
    write(database, flows, "t")
    for column in FLOW_COLUMNS:
        assert stored(database, column, "observation_domain") == expected(flows, column), column.name


def test_absent_columns_are_zero(database: Node) -> None:
    flows = at([NOW_MS, NOW_MS + 1])
    assert present(flows) == ["time_received", "retention_class"]
    write(database, flows, "t")
    for column in FLOW_COLUMNS:
        assert stored(database, column, "time_received") == expected(flows, column), column.name


@pytest.mark.parametrize("names", [1, 255, 256, 257, 65_536, 65_537])
def test_any_number_of_symbols_comes_back(database: Node, names: int) -> None:
    flows = at([NOW_MS] * (names + 3))
    flows.arrays["bytes"] = np.arange(flows.rows, dtype="u8")
    codes = (np.arange(flows.rows) % names).astype(np.int32)
    flows.symbols["src_tenant"] = Symbols(codes, [f"tenant {name}" for name in range(names + 5)])
    write(database, flows, "t")
    with database.connect("query") as client:
        rows = client.query("SELECT src_tenant FROM flows ORDER BY bytes").rows
    assert [row[0] for row in rows] == [f"tenant {code}" for code in codes]


def test_a_replay_with_the_same_token_is_dropped_and_another_token_is_not(database: Node) -> None:
    flows = every_column(1000)
    write(database, flows, "segment-1:0-4096")
    write(database, flows, "segment-1:0-4096")
    assert count(database) == 1000
    write(database, flows, "segment-1:4096-8192")
    assert count(database) == 2000


def test_a_replay_over_several_partitions_and_a_large_block_is_dropped(database: Node) -> None:
    flows = at([NOW_MS - 1000 * (row % 200_000) for row in range(1_200_000)])  # more than one of ClickHouse's blocks
    flows.symbols["retention_class"] = Symbols(np.arange(flows.rows, dtype=np.int32) % 2, ["basic", "standard"])
    for _ in range(2):
        write(database, flows, "large")
    assert count(database) == flows.rows


def test_tokens_are_remembered_past_a_restart(database: Node) -> None:
    flows = at([NOW_MS])
    write(database, flows, "t")
    database.stop()
    database.start()
    write(database, flows, "t")
    assert count(database) == 1


def test_a_writer_outlives_a_restart_of_the_node(database: Node) -> None:
    flows = at([NOW_MS] * 300_000)  # buffers of their own, beside those that are joined
    with database.connect("ingest") as client:
        writer = Writer(client)
        writer.write(flows, "before")
        database.stop()
        with pytest.raises(UnreachableError):
            writer.write(flows, "while it is away")
        database.start()
        writer.write(flows, "while it is away")
    assert count(database) == 600_000


def test_a_large_block_that_is_refused_is_refused_by_its_code(database: Node) -> None:
    flows = at([NOW_MS] * 2_000_000)
    block = encode(flows, present(flows))
    with database.connect("ingest") as client, pytest.raises(DatabaseRefusalError) as refusal:
        client.insert("flows", [*present(flows), "nonsense"], block, "t")
    assert refusal.value.code == 16  # NO_SUCH_COLUMN_IN_TABLE


def test_an_empty_batch_inserts_nothing(database: Node) -> None:
    write(database, at([]), "t")
    assert count(database) == 0


def test_a_batch_that_would_expire_at_once_is_refused(database: Node) -> None:
    flows = at([NOW_MS])
    del flows.arrays["time_received"]
    with pytest.raises(ValueError, match="time_received"):
        write(database, flows, "t")


def test_a_block_cut_short_is_refused_for_good(database: Node) -> None:
    flows = every_column(100)
    columns = present(flows)
    with database.connect("ingest") as client, pytest.raises(DatabaseRefusalError) as refusal:
        client.insert("flows", columns, [b"".join(encode(flows, columns))[:-5]], "t")
    assert not is_retryable(refusal.value)
    assert count(database) == 0


def test_names_are_stored_once_and_again_when_they_change(database: Node) -> None:
    router = IPv6Address("::ffff:192.0.2.1").packed
    with database.connect("ingest") as client:
        writer = Writer(client)
        writer.write_names([])
        writer.write_names(
            [(router, 7, "interface", 1, "xe-0/0/0", "", NOW_MS), (router, 7, "interface", 2, "lo0", "grüezi", NOW_MS)]
        )
        writer.write_names([(router, 7, "interface", 1, "xe-0/0/0", "", NOW_MS + 1)])
        writer.write_names([(router, 7, "interface", 1, "xe-0/0/0", "uplink", NOW_MS + 2)])
    with database.connect("query") as client:
        sql = "SELECT naming, id, name, description, toUnixTimestamp64Milli(seen) FROM names"
        assert sorted(client.query(f"{sql} FINAL").rows) == [
            ("interface", 1, "xe-0/0/0", "uplink", NOW_MS + 2),
            ("interface", 2, "lo0", "grüezi", NOW_MS),
        ]
        assert len(client.query(sql).rows) <= 3


def test_names_are_stored_again_each_day_so_that_those_in_use_do_not_expire(database: Node) -> None:
    router, day = IPv6Address("::ffff:192.0.2.7").packed, 86_400_000
    begun = NOW_MS // day * day
    with database.connect("ingest") as client:
        writer = Writer(client)
        for at in (begun, begun + 1000, begun + day, begun + day + 1000):
            writer.write_names([(router, 7, "interface", 1, "xe-0/0/0", "", at)])
    with database.connect("query") as client:
        assert client.query("SELECT max(toUnixTimestamp64Milli(seen)) FROM names").rows == [(begun + day,)]


def test_a_name_is_of_an_interface_an_application_a_vrf_or_a_sampler(database: Node) -> None:
    router = IPv6Address("2001:db8::1").packed
    names = [Name(router, 0, naming, 2**64 - 1 - code, f"it's {naming}", "", NOW_MS) for code, naming in
             enumerate(Naming)]  # fmt: skip
    with database.connect("ingest") as client:
        Writer(client).write_names(names)
        with pytest.raises(ValueError, match="tuple"):
            Writer(client).write_names([(router, 0, "colour", 1, "red", "", NOW_MS)])
    with database.connect("query") as client:
        found = client.query("SELECT exporter, naming, id, name FROM names FINAL ORDER BY naming").rows
        assert found == [(IPv6Address(name.exporter), str(name.naming), name.id, name.name) for name in names]
        assert "2001:db8::1\t0\tinterface\t18446744073709551615\tit\\'s interface" in client.text("SELECT * FROM names")


def test_every_column_can_be_read_as_text(database: Node) -> None:
    write(database, every_column(50), "t")
    with database.connect("query") as client:
        head, *lines = client.text("SELECT * FROM flows", names=True).splitlines()
    assert head.split("\t") == [column.name for column in FLOW_COLUMNS]
    assert len(lines) == 50
    assert {len(line.split("\t")) for line in lines} == {len(FLOW_COLUMNS)}
