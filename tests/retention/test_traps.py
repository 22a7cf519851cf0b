"""The measured traps L1 to L11 of the facts, on the real ClickHouse: each is one that our ways do not fall into."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from retention.apply import Hands, apply, change_expiry
from retention.expiry import Expiry, lasting
from retention.parts import disagreeing, parts
from retention.plan import TtlStep, make_plan
from retention.policy import Policy
from retention.seen import seen
from retention.stored import filled, look
from retention.verify import Check, shadow, verify
from schema.batch import Flows, Symbols
from storage.client import Client
from storage.ddl import flows_ttl, wanted
from storage.embedded import Node
from storage.observe import observe, ttl_days
from storage.upgrade import upgrade
from storage.writer import Writer
from tests.retention.test_purge import store

NOW = datetime.now(UTC)


def count(client: Client, table: str = "flows") -> int:
    return int(client.query(f"SELECT count() FROM {table}").rows[0][0])


def lengthen(hands: Hands, found: dict[str, int], **days: int) -> None:
    change_expiry(TtlStep("flows", found, {**found, **days}, (), ""), hands)


def test_l1_rows_past_the_former_expiry_survive_a_longer_one(database: Node) -> None:
    """With TTL merges stopped they are past it and still there; the change must come before the merges go on."""
    with database.connect("admin") as admin, database.connect("retention") as client:
        admin.command("SYSTEM STOP TTL MERGES flows")
        upgrade(admin, wanted({"basic": 3, "standard": 3, "extended": 3}))
        store(database, 100, 5)
        lengthen(Hands(client, lambda: NOW), {"basic": 3, "standard": 3, "extended": 3}, basic=3650)
        assert list(disagreeing(parts(client, "flows"), {"basic": 3650, "standard": 3, "extended": 3})) == []
        admin.command("SYSTEM START TTL MERGES flows")
        admin.command("OPTIMIZE TABLE flows FINAL")
        assert client.query("SELECT toString(retention_class), count() FROM flows GROUP BY 1").rows == [("basic", 100)]


def test_l1c_a_shorter_expiry_reaches_the_parts_that_are_there(enforced: Node, policy: Policy) -> None:
    with enforced.connect("retention") as client:
        store(enforced, 100, 10)
        found = look(client, (), NOW).expiry["flows"].days
        change_expiry(TtlStep("flows", found, {**found, "basic": 12}, ("basic",), ""), Hands(client, lambda: NOW))
        ends = {part.retention_class: part.last for part in parts(client, "flows")}
        last = ends["basic"]
        assert last is not None
        assert abs(last - (NOW + timedelta(days=2))) < timedelta(minutes=5)
        assert count(client) == 300


def test_l4_and_l5_the_exporters_clock_decides_nothing(enforced: Node) -> None:
    """Flows that say 2099, or nothing at all, of their own time expire with the day on which they were received."""
    with enforced.connect("ingest") as ingest, enforced.connect("retention") as client:
        received = np.full(30, int((NOW - timedelta(days=1)).timestamp() * 1000), np.int64)
        starts = np.repeat(np.array([0, 4_070_908_800_000, int(NOW.timestamp() * 1000)], np.int64), 10)
        flows = Flows(30, {"time_received": received, "flow_start": starts, "flow_end": starts},
                      {"retention_class": Symbols(np.zeros(30, np.int32), ("basic",))})  # fmt: skip
        Writer(ingest).write(flows, "clockless")
        assert count(client) == 30
        (part,) = parts(client, "flows")
        assert part.first is not None
        assert part.last == part.first
        assert abs(part.first - (NOW + timedelta(days=15))) < timedelta(minutes=5)


def test_l6_every_expiry_that_a_policy_can_name_lies_within_what_clickhouse_counts(database: Node) -> None:
    most = 3650 + 365
    with database.connect("admin") as admin, database.connect("retention") as client:
        upgrade(admin, wanted({"basic": most, "standard": 16, "extended": 16}))
        store(database, 10, 1)
        ends = [part.last for part in parts(client, "flows") if part.retention_class == "basic"]
        assert ends[0] is not None
        assert ends[0] - NOW > timedelta(days=most - 2)


def test_l7_no_statement_of_a_purge_holds_a_value_of_the_rows(enforced: Node, policy: Policy) -> None:
    store(enforced, 10, 15)
    with enforced.connect("admin") as admin, enforced.connect("retention") as client:
        apply(make_plan(look(client, (), NOW), policy, NOW), policy, Hands(client, lambda: NOW))
        commands = {command for (command,) in admin.query("SELECT command FROM system.mutations").rows}
        assert commands <= {"(MATERIALIZE TTL)"}, "of the changes of expiry that the test began with"


def test_l8_what_freeze_leaves_is_found(enforced: Node) -> None:
    store(enforced, 10, 1)
    with enforced.connect("admin") as admin:
        assert shadow(enforced.files.node) == []
        admin.command("ALTER TABLE flows FREEZE WITH NAME 'kept_aside'")
        (found,) = shadow(enforced.files.node)
        assert (found.check, "kept_aside" in found.text) == (Check.SHADOW, True)
        admin.command("ALTER TABLE flows UNFREEZE WITH NAME 'kept_aside'")
        assert shadow(enforced.files.node) == []


def test_l10_the_largest_partition_goes_past_clickhouses_own_guard(enforced: Node, policy: Policy) -> None:
    """The guard is 50 GB; here it is made to be one octet."""
    store(enforced, 10, 15)
    with enforced.connect("retention") as client:
        before = count(client)
        plan = make_plan(look(client, (), NOW), policy, NOW)
        apply(plan, policy, Hands(client, lambda: NOW))
        text = client.query("SELECT count() FROM purges").rows
        assert (before - count(client), text) == (10, [(1,)])


@pytest.mark.parametrize(
    "ttl", ["time_received + toIntervalDay(1) WHERE bytes = 0", "time_received + toIntervalYear(9)"]
)
def test_an_expiry_of_somebody_else_is_left_alone_by_the_daemon_and_found(
    enforced: Node, policy: Policy, ttl: str
) -> None:
    store(enforced, 10, 0)
    with enforced.connect("admin") as admin, enforced.connect("retention") as client:
        admin.command(f"ALTER TABLE flows MODIFY TTL {ttl}")
        observed = observe(admin)
        upgrade(admin, lasting(policy, observed, filled(admin, observed)))
        found = look(client, (), NOW)
        assert found.expiry["flows"].text
        plan = make_plan(found, policy, NOW)
        assert [(step.table, step.shortened) for step in plan.expiry] == [("flows", ("basic", "extended", "standard"))]
        assert Check.EXPIRY in {each.check for each in verify(client, policy, found, seen(client), NOW)}
        change_expiry(plan.expiry[0], Hands(client, lambda: NOW))
        assert make_plan(look(client, (), NOW), policy, NOW).expiry == ()


def test_the_daemon_lengthens_and_never_shortens(enforced: Node, policy: Policy) -> None:
    changed = {"basic": policy.classes["basic"].model_copy(update={"keep_for": 20}),
               "standard": policy.classes["standard"].model_copy(update={"keep_for": 5})}  # fmt: skip
    other = policy.model_copy(update={"classes": policy.classes | changed})
    with enforced.connect("admin") as admin:
        empty = lasting(other, observe(admin), ())
        assert ttl_days(empty.tables[0]) == {"basic": 22, "standard": 7, "extended": 92}, "nothing can be deleted"
        store(enforced, 10, 1)
        observed = observe(admin)
        upgrade(admin, lasting(other, observed, filled(admin, observed)))
        assert ttl_days(observe(admin).tables["flows"]) == {"basic": 22, "standard": 32, "extended": 92}
        assert str(Expiry({"basic": 22})) == "basic 22 d"
        assert "multiIf" in flows_ttl({"basic": 22})


def test_l3_l9_and_l11_no_table_of_ours_has_what_they_are_about(enforced: Node) -> None:
    """No hold nor condition in a TTL, no projections, no expiry of single columns; held rows have none at all."""
    with enforced.connect("admin") as admin:
        tables = dict(
            admin.query("SELECT name, create_table_query FROM system.tables WHERE database = 'flowkeep'").rows
        )
        for name, sql in tables.items():
            columns, _, engine = sql.partition(" ENGINE = ")
            assert "PROJECTION" not in columns, name
            assert " TTL " not in columns, name
            assert not [word for word in ("dictGet", "DELETE WHERE", "GROUP BY", " WHERE ") if word in engine], name
            assert not (name.startswith("held_") and " TTL " in engine), name
    assert sum(name.startswith("held_") for name in tables) > 5
