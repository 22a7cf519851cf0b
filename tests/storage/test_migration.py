"""A database of schema 1, 2 or 3 becomes one of today, wherever an upgrade before stopped, and loses nothing."""

from __future__ import annotations

from ipaddress import IPv6Address
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from decoders.block import Naming
from schema.aliases import ALIASES
from schema.columns import FLOW_COLUMNS, VERSION
from schema.rollups import ROLLUPS
from schema.tables import STORED_TABLES
from storage.client import Client
from storage.ddl import ALLOCATIONS, LOADS, NAMINGS, wanted
from storage.embedded import Node
from storage.held_tables import COPIES, EVENTS, GONE, HELD_COLUMNS, SEARCHED, whole
from storage.held_tables import held as held_name
from storage.migrate import Step, plan
from storage.observe import observe
from storage.upgrade import upgrade
from storage.writer import Writer
from tests.conftest import TTL_DAYS
from tests.storage import schema_1, schema_2, schema_3
from tests.storage.batches import every_column, every_column_of

SCHEMA = wanted({"basic": 16})
OF_HOLDS = {
    *(f"there is no table {table.name}" for table in (ALLOCATIONS, LOADS)),
    *(f"there is no table {name}" for name in ("partitions_seen", EVENTS, COPIES, GONE, *map(held_name, HELD_COLUMNS))),
    *(f"there is no view {whole(table)}" for table in SEARCHED),
}
ROUTER = IPv6Address("::ffff:192.0.2.1")
CARRIED = [(ROUTER, 7, "interface", 1, "xe-0/0/0", "uplink"), (ROUTER, 7, "interface", 2, "lo0", "grüezi")]


COMPUTED = {
    table.name: computed
    for table in SCHEMA.tables
    if (computed := [field.name for field in table.fields if field.alias])
}
CODECS = [f"flows.{name} is DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))" for name in ("flow_start", "flow_end")]
RECEIVED = "{}.time_received is DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))"
OLD = {1: schema_1, 2: schema_2, 3: schema_3}
versions = pytest.mark.parametrize("version", OLD)


class Held(NamedTuple):
    """What the flows table held: the columns it had, its rows, and the parts that they were in."""

    columns: str
    rows: list[str]
    parts: list[tuple[Any, ...]]


def make(admin: Client, old: ModuleType) -> None:
    admin.create_database()
    admin.command("DROP DATABASE flowkeep SYNC")
    admin.create_database()
    for statement in old.TABLES + old.ROWS:
        admin.command(statement)


def held(admin: Client, columns: str = "") -> Held:
    columns = columns or ", ".join(field.name for field in observe(admin).tables["flows"].fields if not field.alias)
    parts = (
        "SELECT name, modification_time FROM system.parts WHERE active AND table = 'flows' AND database = 'flowkeep'"
    )
    rows = admin.text(f"SELECT {columns} FROM flows ORDER BY bytes, time_received").splitlines()
    return Held(columns, rows, admin.query(f"{parts} ORDER BY name").rows)


def names(client: Client) -> list[tuple[Any, ...]]:
    columns = "exporter, observation_domain, naming, id, name, description"
    return client.query(f"SELECT {columns} FROM names FINAL ORDER BY naming, id").rows


def check_upgraded(admin: Client, before: Held) -> None:
    found = observe(admin)
    assert found.version == VERSION
    stored = [field.name for field in found.tables["flows"].fields if not field.alias]
    assert stored == [column.name for column in FLOW_COLUMNS]
    assert set(found.tables["flows"].indexes) == set(SCHEMA.tables[0].indexes)
    assert found.tables.keys() == {table.name for table in SCHEMA.tables}
    assert len(before.rows) == 1000
    assert held(admin, before.columns) == before  # the parts too: nothing was written anew
    assert names(admin) == CARRIED
    assert admin.query("SELECT rows, reason FROM purges").rows == [(5, "age")]
    assert plan(SCHEMA, found) == []


@versions
def test_an_old_database_becomes_todays_and_keeps_flows_names_and_purges(node: Node, version: int) -> None:
    with node.connect("admin") as admin, node.connect("ingest") as ingest:
        make(admin, OLD[version])
        before = held(admin)
        named = admin.query("SELECT countIf(user_name != '') FROM flows").rows[0][0] if version > 1 else 0
        steps = upgrade(admin, SCHEMA)
        check_upgraded(admin, before)
        assert steps[-1].sql.endswith(f"MODIFY COMMENT 'flowkeep schema {VERSION}'")
        Writer(ingest).write(every_column(100), "t")
        found = admin.query("SELECT count(), countIf(user_name != '') FROM flows").rows[0]
        assert found[0] == 1100
        assert found[1] > named
        for table in STORED_TABLES:
            held_before = admin.query(f"SELECT count() FROM {table.name}").rows[0][0]
            assert held_before == (version == 3 and table.name in ("discards", "counters_interface"))
            Writer(ingest).write_rows(table.name, every_column_of(table, 50), "t")
            assert admin.query(f"SELECT count() FROM {table.name}").rows == [(held_before + 50,)]


def test_schema_2_gets_columns_and_tables_and_nothing_else(node: Node) -> None:
    with node.connect("admin") as admin:
        make(admin, schema_2)
        had = {field.name for field in observe(admin).tables["flows"].fields}
        reasons = {step.reason for step in upgrade(admin, SCHEMA)}
        new = [column.name for column in FLOW_COLUMNS if column.name not in had]
        assert reasons == {
            *CODECS,
            RECEIVED.format("flows"),
            f"flows has no column {', '.join([*new, *COMPUTED['flows']])}",
            f"flows explains otherwise {', '.join(column.name for column in FLOW_COLUMNS if column.name in had)}",
            *(f"there is no table {table.name}" for table in STORED_TABLES),
            *OF_HOLDS,
            "flows lacks settings",
            "flows says of itself 'flowkeep schema 2'",
            f"names expires by 'nothing', not by '{next(each.ttl for each in SCHEMA.tables if each.name == 'names')}'",
        }
        comments = {field.name: field.comment for field in observe(admin).tables["flows"].fields}
        assert comments == {one.name: one.doc for one in (*FLOW_COLUMNS, *ALIASES)}
        not_zero = ", ".join(f"countIf(`{name}` != defaultValueOfArgumentType(`{name}`))" for name in new)
        assert admin.query(f"SELECT {not_zero} FROM flows").rows == [(0,) * len(new)]
        others = "SELECT count() FROM system.mutations WHERE database = 'flowkeep' AND table != 'names'"
        assert admin.query(others).rows == [(0,)], "but for the expiry of names, no row is written again"


def test_schema_3_gets_the_tables_of_rollups_and_its_rows_stay_as_they_are(node: Node) -> None:
    with node.connect("admin") as admin:
        make(admin, schema_3)
        parts = "SELECT table, name FROM system.parts WHERE active AND database = 'flowkeep' ORDER BY ALL"
        before = admin.query(parts).rows
        had = {"flows", *(table.name for table in STORED_TABLES)} & observe(admin).tables.keys()
        reasons = {step.reason for step in upgrade(admin, SCHEMA)}
        others = {reason for reason in reasons if " explains otherwise " not in reason}
        assert others == {
            *(f"there is no table {table.name}" for table in ROLLUPS),
            *OF_HOLDS,
            *CODECS,
            *map(RECEIVED.format, had),
            *(f"{name} lacks settings" for name in had),
            *(f"{name} has no column {', '.join(COMPUTED[name])}" for name in had),
            "flows says of itself 'flowkeep schema 3'",
        }
        assert admin.query(parts).rows == before
        engines = admin.query("SELECT name, engine_full FROM system.tables WHERE engine = 'SummingMergeTree'").rows
        assert {name for name, _ in engines} == {table.name for table in ROLLUPS}
        assert all(full.startswith("SummingMergeTree((flows, bytes, packets)) PARTITION BY ") for _, full in engines)


def test_schema_4_gets_computed_columns_and_no_part_is_written_anew(node: Node) -> None:
    with node.connect("admin") as admin:
        make(admin, schema_3)
        upgrade(admin, SCHEMA)
        before = held(admin)
        for table, computed in COMPUTED.items():
            admin.command(f"ALTER TABLE {table} {', '.join(f'DROP COLUMN {name}' for name in computed)}")
        admin.command("ALTER TABLE flows MODIFY COMMENT 'flowkeep schema 4'")
        steps = upgrade(admin, SCHEMA)
        assert {step.reason for step in steps} == {
            *(f"{table} has no column {', '.join(computed)}" for table, computed in COMPUTED.items()),
            "flows says of itself 'flowkeep schema 4'",
        }
        check_upgraded(admin, before)
        admin.command("ALTER TABLE flows MODIFY COLUMN bytes_scaled UInt64 ALIAS bytes, DROP COLUMN src_ip")
        assert [step.reason for step in upgrade(admin, SCHEMA)] == [
            "flows.bytes_scaled is UInt64 ALIAS bytes",
            "flows has no column src_ip",
        ]
        assert plan(SCHEMA, observe(admin)) == []


def _places(steps: list[Step]) -> list[int]:
    """Return after how many of the steps to stop: around every step with the table `names`, and at some others."""
    of_names = [place for place, step in enumerate(steps) if "names`" in step.sql and " COLUMN " not in step.sql]
    return sorted({len(steps) // 2, len(steps) - 3, len(steps) - 1, *of_names, *(place + 1 for place in of_names)})


@versions
def test_an_upgrade_that_was_interrupted_is_taken_up_again(node: Node, version: int) -> None:
    with node.connect("admin") as admin:
        make(admin, OLD[version])
        steps = plan(SCHEMA, observe(admin))
        for stop in _places(steps):
            make(admin, OLD[version])
            before = held(admin)
            for step in steps[:stop]:
                admin.command(step.sql)
            assert observe(admin).version == version
            upgrade(admin, SCHEMA)
            check_upgraded(admin, before)


def test_names_are_carried_over_twice_without_harm(node: Node) -> None:
    with node.connect("admin") as admin, node.connect("ingest") as ingest:
        make(admin, schema_1)
        steps = plan(SCHEMA, observe(admin))
        (made,) = (step for step in steps if "CREATE TABLE IF NOT EXISTS `names`" in step.sql)
        (carried,) = (step for step in steps if step.sql.startswith("INSERT INTO `names`"))
        admin.command(made.sql)
        admin.command(carried.sql)
        Writer(ingest).write_names([(ROUTER.packed, 7, "interface", 1, "xe-0/0/0", "renamed", 3_800_000_000_000)])
        upgrade(admin, SCHEMA)
        assert names(admin) == [(*CARRIED[0][:5], "renamed"), CARRIED[1]]


def test_a_table_of_others_by_that_name_is_left_alone(database: Node) -> None:
    with database.connect("admin") as admin:
        admin.command("CREATE TABLE interface_names (id UInt8, text String) ENGINE = MergeTree ORDER BY id")
        assert upgrade(admin, wanted(TTL_DAYS)) == []
        assert admin.query("SELECT count() FROM interface_names").rows == [(0,)]


def test_what_names_are_of_is_what_the_decoders_say() -> None:
    assert tuple(Naming) == NAMINGS


@pytest.mark.parametrize("index", SCHEMA.tables[0].indexes)
def test_every_index_is_added_where_it_is_missing(database: Node, index: str) -> None:
    with database.connect("admin") as admin:
        admin.command(f"ALTER TABLE flows DROP INDEX {index.split()[1]}")
        assert [step.sql for step in upgrade(admin, wanted(TTL_DAYS))] == [f"ALTER TABLE `flows` ADD {index}"]
        assert index in observe(admin).tables["flows"].indexes
