"""A database becomes what this version wants, from wherever it was, and keeps its rows."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from schema.batch import Symbols
from schema.columns import FLOW_COLUMNS, VERSION
from schema.tables import STORED_TABLES, Category, StoredTable
from settings.errors import RefusalError
from storage.audit import with_audit
from storage.client import Client
from storage.ddl import category_ttl, create_table, flows_ttl, wanted
from storage.embedded import Node
from storage.form import Table
from storage.migrate import Step, plan
from storage.observe import Observed, observe, partitions, ttl_days
from storage.upgrade import upgrade
from storage.writer import Writer
from tests.conftest import TTL_DAYS
from tests.storage.batches import DAY_MS, NOW_MS, at, every_column, every_column_of, rows_at

SCHEMA = with_audit(wanted(TTL_DAYS))
FLOWS = SCHEMA.tables[0]


def observed(version: int | None = VERSION, **changes: object) -> Observed:
    tables = {table.name: table for table in SCHEMA.tables}
    tables["flows"] = replace(FLOWS, **changes)
    return Observed(version, tables, frozenset(view.name for view in SCHEMA.views))


def write(node: Node, *times_ms: int, retention_class: str = "basic") -> None:
    with node.connect("ingest") as client:
        Writer(client).write(at(list(times_ms), retention_class), f"{time.monotonic_ns()}")


def stored(table: Table) -> list[str]:
    """The columns that are not computed."""
    return [field.name for field in table.fields if not field.alias]


def count(client: Client, table: str = "flows") -> int:
    return int(client.query(f"SELECT count() FROM {table}").rows[0][0])


def test_a_new_database_is_what_was_wanted(database: Node) -> None:
    with database.connect("admin") as admin:
        found = observe(admin)
        assert found.version == VERSION
        assert stored(found.tables["flows"]) == [column.name for column in FLOW_COLUMNS]
        assert ttl_days(found.tables["flows"]) == TTL_DAYS
        for table in STORED_TABLES:
            assert stored(found.tables[table.name]) == [column.name for column in table.columns]
            assert ttl_days(found.tables[table.name]) == {table.category: 92}
        for want in SCHEMA.tables:
            bare = {"settings": (), "primary_key": want.primary_key or want.order_by}
            assert replace(found.tables[want.name], settings=()) == replace(want, **bare)
            engine = f"SELECT engine_full FROM system.tables WHERE database = 'flowkeep' AND name = '{want.name}'"
            said = admin.query(engine).rows[0][0]
            assert all(f"{name} = {value}" in said for name, value in want.settings)
        assert upgrade(admin, SCHEMA) == []


def test_each_category_has_days_of_its_own_or_those_that_it_had(database: Node) -> None:
    with database.connect("admin") as admin:
        for days, counters, discards, rollups in (
            ({"counters": 40, "discards": 20}, 40, 20, 92),
            ({"discards": 400, "rollups": 500}, 40, 400, 500),
            ({Category.COUNTERS: 1}, 1, 400, 500),
            ({}, 1, 400, 500),
        ):
            schema = with_audit(wanted(TTL_DAYS, days))
            steps = upgrade(admin, schema)
            assert all(re.search(r" MODIFY TTL (time_received|seen) \+ toIntervalDay\(", step.sql) for step in steps)
            found = observe(admin).tables
            for table in STORED_TABLES:
                expected = {Category.COUNTERS: counters, Category.DISCARDS: discards, Category.ROLLUPS: rollups}[
                    table.category
                ]
                assert ttl_days(found[table.name]) == {table.category.value: expected}
            assert ttl_days(found["flows"]) == TTL_DAYS
            assert upgrade(admin, schema) == []


def test_a_ttl_that_is_not_ours_says_no_days() -> None:
    table = next(table for table in SCHEMA.tables if table.name == "discards")
    assert ttl_days(replace(table, ttl=category_ttl(7))) == {"discards": 7}
    for ttl in ("", "time_received + toIntervalMonth(7)", flows_ttl({"discards": 7})):
        assert ttl_days(replace(table, ttl=ttl)) == {}
    assert ttl_days(replace(FLOWS, ttl=category_ttl(7))) == {}


def test_class_names_with_quotes_and_a_single_class_make_a_ttl(node: Node) -> None:
    for days in ({"it's \\ odd": 5}, {"a": 1, "b": 2}):
        with node.connect("admin") as admin:
            admin.create_database()
            admin.command("DROP DATABASE flowkeep SYNC")
            upgrade(admin, wanted(days))
            assert ttl_days(observe(admin).tables["flows"]) == days
            assert upgrade(admin, wanted(days)) == []


def test_an_older_database_is_upgraded_and_keeps_its_rows(database: Node) -> None:
    with database.connect("admin") as admin, database.connect("ingest") as ingest:
        Writer(ingest).write(every_column(100), "t")
        for sql in (
            "ALTER TABLE flows DROP COLUMN frame_length",
            "ALTER TABLE flows MODIFY COLUMN tos UInt8 CODEC(LZ4)",
            "ALTER TABLE flows MODIFY COLUMN src_vlan UInt8",
            "ALTER TABLE flows COMMENT COLUMN proto 'what?'",
            "ALTER TABLE flows ADD COLUMN site String DEFAULT 'here'",
            "ALTER TABLE flows MODIFY COMMENT 'flowkeep schema 0'",
            "DROP TABLE purges SYNC",
            "DROP TABLE part_audit_view SYNC",
        ):
            admin.command(sql)
        before = admin.query("SELECT * EXCEPT (src_vlan, site) FROM flows ORDER BY observation_domain").rows
        steps = upgrade(admin, SCHEMA)
        assert steps[-1] == Step(
            f"ALTER TABLE `flows` MODIFY COMMENT 'flowkeep schema {VERSION}'",
            "flows says of itself 'flowkeep schema 0'",
        )
        assert {step.reason for step in steps} >= {"flows has no column frame_length", "there is no table purges"}
        assert len(steps) == 7
        after = admin.query(
            "SELECT * EXCEPT (frame_length, src_vlan, site) FROM flows ORDER BY observation_domain"
        ).rows
        assert after == before
        assert stored(observe(admin).tables["flows"]) == [*(column.name for column in FLOW_COLUMNS), "site"]
        assert upgrade(admin, SCHEMA) == []


def test_a_newer_database_is_refused_and_left_alone(database: Node) -> None:
    with database.connect("admin") as admin:
        admin.command(f"ALTER TABLE flows DROP COLUMN tos, MODIFY COMMENT 'flowkeep schema {VERSION + 1}'")
        with pytest.raises(RefusalError, match=f"has schema {VERSION + 1}, and this Flowkeep knows schema {VERSION}"):
            upgrade(admin, SCHEMA)
        assert "tos" not in [field.name for field in observe(admin).tables["flows"].fields]


@pytest.mark.parametrize(
    "change",
    [
        {"partition_by": "toDate(time_received)"},
        {"order_by": "src_addr"},
        {"primary_key": "src_addr"},
        {"engine": "ReplacingMergeTree"},
    ],
)
def test_another_layout_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(RefusalError, match="cannot change that in place"):
        plan(SCHEMA, observed(**change))


def test_a_foreign_flows_table_is_refused() -> None:
    with pytest.raises(RefusalError, match="not Flowkeep's"):
        plan(SCHEMA, observed(version=None, comment=""))


def test_nothing_is_planned_where_nothing_differs() -> None:
    assert plan(SCHEMA, observed()) == []


def test_a_class_without_a_ttl_of_its_own_is_kept_longest() -> None:
    assert flows_ttl({"a": 1, "b": 30}).endswith("retention_class = 'b', 30, 30))")


def test_lengthening_a_ttl_deletes_nothing_on_the_old_schedule(database: Node) -> None:
    now_ms = time.time_ns() // 10**6
    short, long = wanted({"basic": 1}), wanted({"basic": 3650})
    with database.connect("admin") as admin:
        upgrade(admin, short)
        # The control shows what would happen: the same table, its TTL lengthened without touching its parts.
        admin.command(create_table(replace(short.tables[0], name="control")))
        for table in ("flows", "control"):
            admin.command(f"SYSTEM STOP TTL MERGES {table}")
            admin.command(f"ALTER TABLE {table} MODIFY SETTING merge_with_ttl_timeout = 1")
        write(database, *[now_ms - 5 * DAY_MS] * 1000)
        admin.command("INSERT INTO control SELECT * FROM flows")
        ttl = long.tables[0].ttl
        admin.command(f"ALTER TABLE control MODIFY TTL {ttl} SETTINGS materialize_ttl_after_modify = 0")
        assert len(upgrade(admin, long)) == 2, "flows and names"
        for table in ("flows", "control"):
            admin.command(f"SYSTEM START TTL MERGES {table}")
        deadline = time.monotonic() + 60
        while count(admin, "control") and time.monotonic() < deadline:
            time.sleep(0.2)
        assert count(admin, "control") == 0
        assert count(admin) == 1000


def test_shortening_a_ttl_drops_whole_parts_and_rewrites_none(database: Node) -> None:
    now_ms = time.time_ns() // 10**6
    with database.connect("admin") as admin:
        admin.command("ALTER TABLE flows MODIFY SETTING merge_with_ttl_timeout = 1")
        write(database, *[now_ms - 5 * DAY_MS] * 1000)
        write(database, *[now_ms - 5 * DAY_MS] * 100, retention_class="standard")
        upgrade(admin, wanted({**TTL_DAYS, "basic": 1}))
        deadline = time.monotonic() + 60
        while count(admin) > 100 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert admin.query("SELECT toString(retention_class), count() FROM flows GROUP BY 1").rows == [
            ("standard", 100)
        ]
        admin.command("SYSTEM FLUSH LOGS")
        merges = admin.query(
            "SELECT merge_reason, sum(rows) FROM part_audit "
            "WHERE event = 'MergeParts' AND table_name = 'flows' GROUP BY 1"
        )
        assert merges.rows == [("TTLDropMerge", 0)]


def test_a_category_that_is_kept_for_less_loses_whole_parts_and_no_other_does(database: Node) -> None:
    now_ms = time.time_ns() // 10**6
    with database.connect("admin") as admin, database.connect("ingest") as ingest:
        for table in STORED_TABLES:
            admin.command(f"ALTER TABLE {table.name} MODIFY SETTING merge_with_ttl_timeout = 1")
            Writer(ingest).write_rows(table.name, every_column_of(table, 100, now_ms=now_ms - 5 * DAY_MS), "old")
            Writer(ingest).write_rows(table.name, every_column_of(table, 10, now_ms=now_ms), "new")
        upgrade(admin, wanted(TTL_DAYS, {"discards": 2}))
        deadline = time.monotonic() + 60
        while count(admin, "discards") > 10 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert {table.name: count(admin, table.name) for table in STORED_TABLES} == {
            table.name: 10 if table.category is Category.DISCARDS else 110 for table in STORED_TABLES
        }


def test_partitions_are_told_by_class_and_day(database: Node) -> None:
    day_start = NOW_MS // DAY_MS * DAY_MS
    flows = at([day_start, day_start + DAY_MS - 1, day_start + DAY_MS, day_start])
    flows.symbols["retention_class"] = Symbols(np.array([0, 0, 0, 1], np.int32), ["it's", "standard"])
    with database.connect("ingest") as ingest:
        Writer(ingest).write(flows, "t")
    day = datetime.fromtimestamp(day_start / 1000, UTC)
    with database.connect("retention") as client:
        found = partitions(client)
    assert [(part.retention_class, part.day, part.rows) for part in found] == [
        ("it's", day.date(), 2),
        ("it's", date.fromordinal(day.toordinal() + 1), 1),
        ("standard", day.date(), 1),
    ]
    assert found[0].oldest == day
    assert found[0].newest == datetime.fromtimestamp((day_start + DAY_MS - 1) / 1000, UTC)
    assert len({part.partition_id for part in found}) == 3
    assert all(part.bytes for part in found)
    assert {part.table for part in found} == {"flows"}


@pytest.mark.parametrize("table", STORED_TABLES, ids=lambda table: table.name)
def test_partitions_of_other_tables_are_told_too(database: Node, table: StoredTable) -> None:
    day_start = NOW_MS // DAY_MS * DAY_MS
    rows = rows_at(
        [day_start, day_start + DAY_MS - 1, day_start + DAY_MS, day_start], ["it's", "it's", "it's", "basic"]
    )
    with database.connect("ingest") as ingest:
        Writer(ingest).write_rows(table.name, rows, "t")
        Writer(ingest).write(at([day_start]), "t")
    with database.connect("retention") as client:
        found = partitions(client, table.name)
    day = datetime.fromtimestamp(day_start / 1000, UTC)
    assert [(part.table, part.retention_class, part.day, part.rows) for part in found] == [
        (table.name, "basic", day.date(), 1),
        (table.name, "it's", day.date(), 2),
        (table.name, "it's", date.fromordinal(day.toordinal() + 1), 1),
    ]
    assert found[1].oldest == day
    assert found[1].newest == datetime.fromtimestamp((day_start + DAY_MS - 1) / 1000, UTC)


def test_held_tables_lose_an_expiry_and_views_get_new_columns(database: Node) -> None:
    with database.connect("admin") as admin:
        admin.command("ALTER TABLE held_flows MODIFY TTL time_received + toIntervalDay(1)")
        admin.command("CREATE OR REPLACE VIEW all_flows AS SELECT bytes FROM flows")
        assert [step.reason for step in upgrade(admin, SCHEMA)] == [
            "held_flows expires by 'time_received + toIntervalDay(1)', and must not",
            "all_flows has other columns",
        ]
        assert observe(admin).tables["held_flows"].ttl == ""
        assert observe(admin).plain["all_flows"] == tuple(column.name for column in FLOW_COLUMNS)
        assert upgrade(admin, SCHEMA) == []
