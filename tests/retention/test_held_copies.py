"""Copies of held rows when something goes wrong: killed, changed in the middle, late rows, events that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from retention.copies import records
from retention.held import CopyError, Cover, altered, covers, secure, tidy
from retention.hold_store import append, load
from retention.holds import Action, Event
from retention.plan import Key, key_of
from retention.scope import Scope, parse_connection, parse_network
from settings.errors import RefusalError
from storage.client import Client
from storage.embedded import Node
from storage.observe import Partition
from tests.retention.held_flows import ACME, DAY, NOW, domains, drop, flows_of, hold, numbered, store


class Killed(BaseException):
    """As a `kill -9`: no error that anything would handle."""


class Mortal:
    """A client that dies before its n-th statement that changes something."""

    def __init__(self, client: Client, statements: int) -> None:
        self._client, self._left, self.database = client, statements, client.database
        self.query = client.query
        self.ran: list[str] = []

    def command(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        if not self._left:
            raise Killed(sql)
        self._left -= 1
        self._client.command(sql, parameters)
        self.ran.append(sql)


def state(client: Client) -> tuple[list[int], bool]:
    return domains(client), not altered(client)


@pytest.mark.parametrize("gone", [False, True])
def test_a_kill_at_any_statement_leaves_the_old_copy_or_the_new_and_the_next_run_finishes(
    database: Node, client: Client, gone: bool
) -> None:
    first, second = hold("first"), hold("second", Scope(tenants=("beta",)))
    over = replace(second, expires=NOW)
    old, new = ([0, 1, 2], [0, 2]) if gone else ([0, 2], [0, 1, 2])
    finished = False
    for statements in range(20):
        with database.connect("admin") as admin:
            for table in ("flows", "held_flows", "held_copies"):
                admin.command(f"TRUNCATE TABLE {table}")
        store(database, numbered(["acme", "beta", "acme", "gamma"]), block=f"{gone} {statements}")
        partition = flows_of(client)
        secure(client, [first, second] if gone else [first], partition, NOW)
        if gone:
            drop(client, partition)
        assert state(client) == (old, True)
        mortal: Any = Mortal(client, statements)
        try:
            if gone:
                tidy(mortal, [first, over], NOW)
            else:
                secure(mortal, [first, second], partition, NOW)
            finished = True
        except Killed:
            assert domains(client) in (old, new)
            assert altered(client) == []
        if gone:
            tidy(client, [first, over], NOW + DAY)
        else:
            secure(client, [first, second], partition, NOW)
            assert covers(client, [first, second], [partition], NOW)[key_of(partition)].copied
        assert state(client) == (new, True)
        if finished:
            break
    assert finished
    assert statements >= 5
    tidy(client, [first, second], NOW + DAY)
    left = "SELECT name FROM system.tables WHERE database = 'flowkeep' AND startsWith(name, 'staging_')"
    assert client.query(left).rows == [], "what was half done is taken away once no run can be at it"


def test_a_copy_that_differs_from_its_source_is_an_error_and_changes_nothing(database: Node, client: Client) -> None:
    store(database, numbered(["acme"]))
    secure(client, [hold("h")], flows_of(client), NOW)
    before = records(client)

    class Meddled(Mortal):
        def command(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
            super().command(sql, parameters)
            if sql.startswith("INSERT INTO `staging_"):
                store(database, numbered(["acme"], 5), block="meanwhile")

    meddled: Any = Meddled(client, 99)
    with pytest.raises(CopyError, match="copy again"):
        secure(meddled, [hold("h")], flows_of(client), NOW)
    assert domains(client) == [0]
    assert records(client) == before


def test_no_value_of_a_scope_stands_in_a_statement(database: Node, client: Client) -> None:
    store(database, numbered(["acme"]))
    scope = Scope(("acme",), (parse_network("203.0.113.77"),), (parse_connection("203.0.113.78:7 203.0.113.79:8 tcp"),))
    watched: Any = Mortal(client, 99)
    secure(watched, [hold("h", scope)], flows_of(client), NOW)
    assert len(watched.ran) >= 5
    assert not any("acme" in sql or "203.0.113" in sql for sql in watched.ran)


def test_events_are_kept_and_a_hold_is_what_they_make_it(client: Client) -> None:
    details = {
        "kind": "legal", "clock": "2703f", "days": None, "scope": ACME.as_json(), "reference": "it's 7",
        "reason": "order", "review": None,
    }  # fmt: skip
    moment = NOW.replace(microsecond=0)
    placed = append(client, Event("h", 1, moment, Action.PLACED, "ann", details))
    assert placed.expires == moment + 90 * DAY
    assert load(client) == (placed,)
    append(client, Event("h", 2, moment, Action.RELEASE_REQUESTED, "ann", {"reason": "over", "delay": 1}))
    with pytest.raises(RefusalError, match="another person"):
        append(client, Event("h", 3, moment, Action.RELEASE_APPROVED, "ann", {}))
    released = append(client, Event("h", 3, moment, Action.RELEASE_APPROVED, "bob", {}))
    assert (released.is_active(moment + DAY / 2), released.is_active(moment + DAY)) == (True, False)
    client.command("INSERT INTO hold_events (hold, number, action, details) VALUES ('x', 1, 'placed', 'not JSON')")
    (odd,) = (each for each in load(client) if each.id == "x")
    assert odd.scope.everything
    assert odd.is_active(NOW + 9999 * DAY)


def test_rollups_are_sums_and_are_not_held(database: Node, client: Client) -> None:
    partition = Partition("id", "rollups", date(2026, 1, 1), 7, 700, None, None, table="traffic_1h")
    key: Key = key_of(partition)
    assert covers(client, [hold("h", Scope(everything=True))], [partition], NOW) == {key: Cover()}


def test_late_rows_are_copied_beside_those_that_another_hold_has_kept(database: Node, client: Client) -> None:
    holds = [hold("h"), hold("other", Scope(tenants=("beta",)))]
    store(database, numbered(["acme", "beta", "gamma"]))
    secure(client, holds, flows_of(client), NOW)
    drop(client, flows_of(client))
    store(database, numbered(["acme", "gamma"], 8), block="late")
    late = flows_of(client)
    assert covers(client, holds, [late], NOW)[key_of(late)] == Cover(("h",), 1, False)
    secure(client, holds, late, NOW)
    assert covers(client, holds, [late], NOW)[key_of(late)] == Cover(("h",), 1, True)
    assert domains(client) == [0, 1, 8]
