"""A database of schema 1 becomes one of today, wherever an upgrade before stopped, and loses nothing."""

from __future__ import annotations

from ipaddress import IPv6Address
from typing import Any

import pytest

from decoders.block import Naming
from schema.columns import FLOW_COLUMNS, VERSION
from storage.client import Client
from storage.ddl import NAMINGS, wanted
from storage.embedded import Node
from storage.migrate import Step, plan
from storage.observe import observe
from storage.upgrade import upgrade
from storage.writer import Writer
from tests.conftest import TTL_DAYS
from tests.storage.batches import every_column
from tests.storage.schema_1 import ROWS, TABLES

SCHEMA = wanted({"basic": 16})
ROUTER = IPv6Address("::ffff:192.0.2.1")
CARRIED = [(ROUTER, 7, "interface", 1, "xe-0/0/0", "uplink"), (ROUTER, 7, "interface", 2, "lo0", "grüezi")]


def make_schema_1(admin: Client) -> None:
    admin.create_database()
    admin.command("DROP DATABASE flowkeep SYNC")
    admin.create_database()
    for statement in TABLES + ROWS:
        admin.command(statement)


def flows(client: Client) -> list[tuple[Any, ...]]:
    columns = "time_received, exporter, src_addr, dst_addr, bytes, mpls_labels, post_nat_src_addr, retention_class"
    return client.query(f"SELECT {columns} FROM flows ORDER BY bytes").rows


def names(client: Client) -> list[tuple[Any, ...]]:
    columns = "exporter, observation_domain, naming, id, name, description"
    return client.query(f"SELECT {columns} FROM names FINAL ORDER BY naming, id").rows


def check_upgraded(admin: Client, before: list[tuple[Any, ...]]) -> None:
    found = observe(admin)
    assert found.version == VERSION
    assert [field.name for field in found.tables["flows"].fields] == [column.name for column in FLOW_COLUMNS]
    assert set(found.tables["flows"].indexes) == set(SCHEMA.tables[0].indexes)
    assert "interface_names" not in found.tables
    assert flows(admin) == before
    assert names(admin) == CARRIED
    assert admin.query("SELECT rows, reason FROM purges").rows == [(5, "age")]
    assert plan(SCHEMA, found) == []


def test_schema_1_becomes_todays_and_keeps_flows_names_and_purges(node: Node) -> None:
    with node.connect("admin") as admin, node.connect("ingest") as ingest:
        make_schema_1(admin)
        before = flows(admin)
        steps = upgrade(admin, SCHEMA)
        check_upgraded(admin, before)
        assert steps[-1].sql.endswith(f"MODIFY COMMENT 'flowkeep schema {VERSION}'")
        Writer(ingest).write(every_column(100), "t")
        assert admin.query("SELECT count(), countIf(user_name != '') > 0 FROM flows").rows == [(1100, True)]


def _places(steps: list[Step]) -> list[int]:
    """Return after how many of the steps to stop: around every step with names, and at some of the others."""
    of_names = [place for place, step in enumerate(steps) if "names" in step.sql]
    return sorted({1, 9, len(steps) - 1, *of_names, *(place + 1 for place in of_names)})


def test_an_upgrade_that_was_interrupted_is_taken_up_again(node: Node) -> None:
    with node.connect("admin") as admin:
        make_schema_1(admin)
        before = flows(admin)
        steps = plan(SCHEMA, observe(admin))
        for stop in _places(steps):
            make_schema_1(admin)
            for step in steps[:stop]:
                admin.command(step.sql)
            assert observe(admin).version == 1
            upgrade(admin, SCHEMA)
            check_upgraded(admin, before)


def test_names_are_carried_over_twice_without_harm(node: Node) -> None:
    with node.connect("admin") as admin, node.connect("ingest") as ingest:
        make_schema_1(admin)
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
