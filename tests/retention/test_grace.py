"""A policy with a grace, on the real ClickHouse: what was dropped can be undone, is hidden, and ends in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retention.apply import Hands, Purged, apply, undo
from retention.expiry import lasting
from retention.grace import by_name
from retention.guard import Allowance
from retention.hold_store import append, load
from retention.holds import Event
from retention.plan import Plan, make_plan
from retention.policy import Policy
from retention.scope import Scope
from retention.stored import look
from settings.errors import RefusalError
from storage.client import Client
from storage.embedded import Node
from storage.observe import observe
from storage.upgrade import upgrade
from tests.retention.test_purge import store

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
OLD = (NOW - 15 * DAY).date()
NAME = f"flows/basic/{OLD}"


@pytest.fixture
def graceful(policy: Policy) -> Policy:
    """The example, with three days in which a drop can be undone."""
    return policy.model_copy(update={"purge": policy.purge.model_copy(update={"grace": 3})})


@pytest.fixture
def old(enforced: Node, graceful: Policy) -> Node:
    """A database with a grace, and a day of each class that is 15 days old."""
    with enforced.connect("admin") as admin:
        upgrade(admin, lasting(graceful, observe(admin), ()))
    store(enforced, 100, 15)
    return enforced


def planned(client: Client, policy: Policy, now: datetime) -> Plan:
    return make_plan(look(client, load(client), now), policy, now)


def purge(client: Client, policy: Policy, now: datetime) -> list[Purged]:
    return apply(planned(client, policy, now), policy, Hands(client, lambda: now), frozenset(Allowance))


def count(node: Node, table: str = "flows") -> int:
    with node.connect("query") as client:
        return int(client.query(f"SELECT count() FROM {table}").rows[0][0])


def test_what_is_dropped_is_hidden_comes_back_when_undone_and_is_destroyed_in_time(old: Node, graceful: Policy) -> None:
    with old.connect("retention") as client, old.connect("admin") as admin:
        (done,) = purge(client, graceful, NOW)
        assert (done.rows, count(old)) == (100, 200)
        with pytest.raises(RefusalError):  # not even whoever may query can see it
            count(old, "dropped_flows")
        one = by_name(look(client, (), NOW).dropped)[NAME]
        assert (one.partition.rows, one.due(3) - NOW < 3 * DAY + timedelta(seconds=1)) == (100, True)
        undo(one.partition, Hands(client, lambda: NOW), admin)
        assert (count(old), look(client, (), NOW).dropped) == (300, ())
        purge(client, graceful, NOW + timedelta(hours=1))
        later = NOW + timedelta(hours=2) + 3 * DAY
        assert planned(client, graceful, later - timedelta(hours=3)).destroy == ()
        (step,) = planned(client, graceful, later).destroy
        assert step.reason.startswith("destroyed after 3 d in which it could be undone; dropped ")
        purge(client, graceful, later)
        assert look(client, (), later).dropped == ()
        assert client.query("SELECT rows FROM purges WHERE retention_class = 'basic' ORDER BY time").rows == [
            (100,), (100,), (100,)
        ]  # fmt: skip


def test_a_hold_placed_in_the_grace_keeps_what_was_dropped(old: Node, graceful: Policy) -> None:
    with old.connect("retention") as client:
        purge(client, graceful, NOW)
        details = {
            "kind": "legal", "clock": "case", "days": 30, "review": None, "reason": "r", "reference": "c",
            "scope": Scope((), everything=True).as_json(),
        }  # fmt: skip
        append(client, Event("h1", 1, NOW + DAY, "placed", "ann", details))
        assert planned(client, graceful, NOW + 5 * DAY).destroy == ()
        append(client, Event("h1", 2, NOW + 5 * DAY, "release_requested", "ann", {"reason": "over", "delay": 0}))
        append(client, Event("h1", 3, NOW + 5 * DAY, "release_approved", "bob", {}))
        assert len(planned(client, graceful, NOW + 6 * DAY).destroy) == 1
