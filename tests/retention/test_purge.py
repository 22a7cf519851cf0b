"""The purge on a real ClickHouse: only what is due goes, nothing is rewritten, and the record says so."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from retention.apply import apply
from retention.plan import make_plan
from retention.policy import Policy
from retention.show import show
from schema.batch import Flows, Symbols
from settings.errors import RefusalError
from storage.client import Client
from storage.embedded import Node
from storage.observe import partitions
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
        (done,) = apply(plan, policy, client, lambda: NOW)
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
        apply(make_plan(partitions(client), policy, NOW), policy, client, lambda: NOW)
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
            apply(plan, policy, client, lambda: NOW)
        assert len(stored(client)) == 6
        assert client.query("SELECT * FROM purges").rows == []


def test_second_run_of_a_plan_passes_over_what_is_gone(database: Node, policy: Policy) -> None:
    store(database, 10, 15)
    with database.connect("retention") as client:
        plan = make_plan(partitions(client), policy, NOW)
        assert len(apply(plan, policy, client, lambda: NOW)) == 1
        assert apply(plan, policy, client, lambda: NOW) == []
        assert client.query("SELECT count() FROM purges").rows == [(1,)]


def test_show_sets_policy_and_database_side_by_side(database: Node, policy: Policy) -> None:
    store(database, 10, 1)
    week = policy.classes["basic"].model_copy(update={"keep_for": 7})
    shorter = policy.model_copy(update={"classes": {"basic": week, "standard": policy.classes["standard"]}})
    with database.connect("retention") as client:
        assert [state.agrees for state in show(policy, client)] == [True, True, True]
        states = {state.name: state for state in show(shorter, client)}
    basic, extended = states["basic"], states["extended"]
    assert (basic.keep_for, basic.ttl_wanted, basic.ttl_found, basic.rows, basic.agrees) == (7, 9, 16, 10, False)
    assert (extended.keep_for, extended.ttl_wanted, extended.ttl_found, extended.rows) == (None, None, 92, 10)
    assert states["standard"].agrees
    assert basic.oldest is not None
