"""The purge on a real ClickHouse: only what is due goes, nothing is rewritten, and the record says so."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from retention.apply import Hands, apply
from retention.plan import make_plan
from retention.policy import Policy
from retention.show import show
from retention.stored import stored as stored_in_all
from schema.batch import Flows, Rows, Symbols
from settings.errors import RefusalError
from storage.client import Client
from storage.ddl import wanted
from storage.embedded import Node
from storage.observe import partitions
from storage.upgrade import upgrade
from storage.writer import Writer

CLASSES = ("basic", "standard", "extended")
NOW = datetime.now(UTC)
# Past keep_for and the width of a day, but not yet past ClickHouse's own TTL, which would come first.
OLD = (NOW - timedelta(days=15)).date()


def store(node: Node, rows: int, *days_ago: int) -> None:
    """Write `rows` flows of each class for each of the days, all at one instant of the day."""
    received = [int((NOW - timedelta(days=days)).timestamp() * 1000) for days in days_ago]
    count = rows * len(received) * len(CLASSES)
    flows = Flows(
        count,
        {"time_received": np.repeat(np.array(received, np.int64), rows * len(CLASSES))},
        {"retention_class": Symbols(np.arange(count, dtype=np.int32) % len(CLASSES), CLASSES)},
    )
    with node.connect("ingest") as client:
        Writer(client).write(flows, f"{rows} {days_ago}")


def stored(client: Client) -> list[tuple[str, int, int]]:
    return sorted((each.retention_class, (NOW.date() - each.day).days, each.rows) for each in partitions(client))


def test_only_the_due_class_and_day_goes_and_is_on_record(database: Node, policy: Policy) -> None:
    store(database, 100, 1, 15)
    with database.connect("retention") as client:
        plan = make_plan(partitions(client), policy, NOW)
        (done,) = apply(plan, policy, Hands(client, lambda: NOW))
        assert (done.step.partition.retention_class, done.step.partition.day, done.rows) == ("basic", OLD, 100)
        assert stored(client) == [
            ("basic", 1, 100), ("extended", 1, 100), ("extended", 15, 100), ("standard", 1, 100), ("standard", 15, 100)
        ]  # fmt: skip
        ((time, *record),) = client.query(
            "SELECT time, table_name, partition, retention_class, day, rows, bytes, reason FROM purges"
        ).rows
        assert record == ["flows", f"('basic','{OLD}')", "basic", OLD, 100, done.bytes, plan.steps[0].reason]
        assert abs(time.replace(tzinfo=UTC) - NOW) < timedelta(milliseconds=1)


def test_parts_are_removed_and_none_is_rewritten(database: Node, policy: Policy) -> None:
    store(database, 100, 15)
    with database.connect("admin") as admin, database.connect("retention") as client:
        before = admin.query("SELECT now64(6)").rows[0][0]
        apply(make_plan(partitions(client), policy, NOW), policy, Hands(client, lambda: NOW))
        admin.command("SYSTEM FLUSH LOGS")
        events = admin.query(
            "SELECT event_type, partition, rows FROM system.part_log WHERE database = 'flowkeep' AND table = 'flows' "
            "AND event_time_microseconds >= {before:DateTime64(6)}",
            {"before": before},
        ).rows
    assert {partition for _, partition, _ in events} == {f"('basic','{OLD}')"}
    assert [event for event in events if event[0] != "RemovePart" and event[2] > 0] == []


def test_plan_that_is_not_due_drops_nothing(database: Node, policy: Policy) -> None:
    store(database, 10, 1, 15)
    with database.connect("retention") as client:
        later = NOW + timedelta(days=365)
        plan = make_plan(partitions(client), policy, later)
        assert len(plan.steps) == 6
        with pytest.raises(RefusalError, match="nothing was dropped"):
            apply(plan, policy, Hands(client, lambda: NOW))
        assert len(stored(client)) == 6
        assert client.query("SELECT * FROM purges").rows == []


def test_second_run_of_a_plan_passes_over_what_is_gone(database: Node, policy: Policy) -> None:
    store(database, 10, 15)
    with database.connect("retention") as client:
        plan = make_plan(partitions(client), policy, NOW)
        assert len(apply(plan, policy, Hands(client, lambda: NOW))) == 1
        assert apply(plan, policy, Hands(client, lambda: NOW)) == []
        assert client.query("SELECT count() FROM purges").rows == [(1,)]


def store_beside(node: Node, table: str, category: str, rows: int, *days_ago: int) -> None:
    """Write `rows` rows of a table other than flows for each of the days."""
    received = [int((NOW - timedelta(days=days)).timestamp() * 1000) for days in days_ago]
    count = rows * len(received)
    batch = Rows(
        count,
        {
            "time_received": np.repeat(np.array(received, np.int64), rows),
            "retention_class": Symbols(np.zeros(count, np.int32), (category,)),
        },
    )
    with node.connect("ingest") as client:
        Writer(client).write_rows(table, batch, f"{rows} {days_ago}")


def held(client: Client) -> list[tuple[str, str, int, int]]:
    return sorted(
        (each.table, each.retention_class, (NOW.date() - each.day).days, each.rows) for each in stored_in_all(client)
    )


def day(days_ago: int) -> date:
    return (NOW - timedelta(days=days_ago)).date()


def test_categories_are_purged_table_by_table_and_on_record(enforced: Node, policy: Policy) -> None:
    store(enforced, 5, 8)
    store_beside(enforced, "discards", "discards", 10, 1, 8)
    store_beside(enforced, "counters_host", "counters", 20, 8, 91)
    store_beside(enforced, "counters_interface", "counters", 30, 91)
    with enforced.connect("retention") as client:
        plan = make_plan(stored_in_all(client), policy, NOW)
        assert plan.findings == ()
        assert [done.rows for done in apply(plan, policy, Hands(client, lambda: NOW))] == [20, 30, 10]
        assert held(client) == [
            ("counters_host", "counters", 8, 20), ("discards", "discards", 1, 10),
            ("flows", "basic", 8, 5), ("flows", "extended", 8, 5), ("flows", "standard", 8, 5),
        ]  # fmt: skip
        records = client.query(
            "SELECT table_name, partition, retention_class, day, rows FROM purges ORDER BY rows"
        ).rows
        assert records == [
            ("discards", f"('discards','{day(8)}')", "discards", day(8), 10),
            ("counters_host", f"('counters','{day(91)}')", "counters", day(91), 20),
            ("counters_interface", f"('counters','{day(91)}')", "counters", day(91), 30),
        ]
        assert make_plan(stored_in_all(client), policy, NOW).steps == ()


def test_what_is_of_a_category_no_longer_named_goes_when_it_was_to_go_and_is_shown(
    enforced: Node, policy: Policy
) -> None:
    store_beside(enforced, "discards", "discards", 10, 1, 8)
    none = policy.model_copy(update={"categories": policy.categories.model_copy(update={"discards": None})})
    with enforced.connect("admin") as admin, enforced.connect("retention") as client:
        upgrade(admin, wanted(none.ttl_days(), none.category_days()))
        plan = make_plan(stored_in_all(client), none, NOW)
        assert plan.steps == ()
        assert [finding.partition.day for finding in plan.findings] == [day(8), day(1)]
        assert apply(plan, none, Hands(client, lambda: NOW)) == []
        assert held(client) == [("discards", "discards", 1, 10), ("discards", "discards", 8, 10)]
        states = {state.name: state for state in show(none, client)}
    found = states["discards"]
    assert (found.tables, found.keep_for, found.ttl_wanted, found.ttl_found, found.rows, found.agrees) == (
        ("discards",), None, None, 9, 20, False
    )  # fmt: skip
    assert states["counters"].agrees


def test_a_category_without_rows_that_the_policy_does_not_name_is_no_difference(database: Node, policy: Policy) -> None:
    none = policy.model_copy(update={"categories": type(policy.categories)()})
    with database.connect("retention") as client:
        assert [(state.name, state.agrees) for state in show(none, client)] == [(name, True) for name in CLASSES]


def test_show_sums_a_category_over_its_tables_which_must_all_agree(enforced: Node, policy: Policy) -> None:
    store_beside(enforced, "counters_host", "counters", 20, 1)
    store_beside(enforced, "counters_interface", "counters", 30, 2)
    with enforced.connect("admin") as admin, enforced.connect("retention") as client:
        states = {state.name: state for state in show(policy, client)}
        assert list(states) == [*CLASSES, "counters", "discards", "rollups"]
        counters = states["counters"]
        assert {"counters_host", "counters_interface"} < set(counters.tables)
        assert (counters.keep_for, counters.ttl_wanted, counters.ttl_found, counters.rows) == (90, 92, 92, 50)
        assert counters.bytes > 0
        assert counters.oldest is not None
        assert counters.oldest.date() == day(2)
        assert all(state.agrees for state in states.values())
        admin.command("ALTER TABLE counters_host MODIFY TTL time_received + toIntervalDay(100)")
        after = {state.name: state for state in show(policy, client)}
    assert (after["counters"].ttl_found, after["counters"].agrees) == (100, False)
    assert after["discards"].agrees


def test_show_sets_policy_and_database_side_by_side(enforced: Node, policy: Policy) -> None:
    store(enforced, 10, 1)
    week = policy.classes["basic"].model_copy(update={"keep_for": 7})
    shorter = policy.model_copy(update={"classes": {"basic": week, "standard": policy.classes["standard"]}})
    with enforced.connect("retention") as client:
        assert [state.agrees for state in show(policy, client)] == [True] * 6
        states = {state.name: state for state in show(shorter, client)}
    basic, extended = states["basic"], states["extended"]
    assert (basic.keep_for, basic.ttl_wanted, basic.ttl_found, basic.rows, basic.agrees) == (7, 9, 16, 10, False)
    assert (extended.keep_for, extended.ttl_wanted, extended.ttl_found, extended.rows) == (None, None, 92, 10)
    assert states["standard"].agrees
    assert basic.oldest is not None
