"""Runs on a real ClickHouse: stopped at any statement they are taken up again, and what went is on record once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import add
from pathlib import Path
from typing import Any

import pytest

from ledger.keys import SigningKey, is_signed
from retention.apply import Hands, Purged
from retention.certificate import canonical, keep, signed
from retention.guard import Allowance
from retention.plan import Database, make_plan
from retention.policy import Policy
from retention.runs import Files, Run, finish, run
from retention.saved_plan import difference, fingerprint, load, save, value
from retention.seen import note, seen
from retention.stored import look
from retention.verify import Check, verify
from settings.errors import ConfigError, RefusalError
from storage.client import Client, Result
from storage.embedded import Node
from tests.retention.test_purge import store

NOW = datetime.now(UTC)
ALL = frozenset(Allowance)


class StoppedError(Exception):
    """The process was killed."""


class Killed:
    """A client that is killed before, or right after, its n-th statement."""

    def __init__(self, client: Client, at: int, after: bool) -> None:
        self._client, self._left, self._after = client, at, after
        self.database = client.database

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> Result:
        """Run a query."""
        return self._step(lambda: self._client.query(sql, parameters))

    def command(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        """Run a statement."""
        self._step(lambda: self._client.command(sql, parameters))

    def _step(self, action: Callable[[], Any]) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise StoppedError
        done = action()
        if self._left == 0:
            raise StoppedError
        return done


class Journal:
    """What was put on the ledger."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, dict[str, object]]] = []

    def __call__(self, action: str, details: Mapping[str, object]) -> None:
        """Keep an entry."""
        self.entries.append((action, dict(details)))

    def of(self, action: str) -> list[dict[str, object]]:
        """Return the details of one action's entries."""
        return [details for name, details in self.entries if name == action]


def due(client: Client) -> Database:
    return look(client, (), NOW)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_statement_a_run_is_taken_up_and_each_partition_is_recorded_once(
    enforced: Node, policy: Policy, tmp_path: Path, after: bool
) -> None:
    files, this = Files(tmp_path), Run("r1", policy.edition, "p1", ALL)
    files.root.mkdir(exist_ok=True)
    at, stopped = 0, True
    with enforced.connect("retention") as client:
        while stopped:
            at += 1
            store(enforced, at, 15)  # a block of another size each time, or its insert is a repetition
            recorded = client.query("SELECT count() FROM purges").rows[0][0]
            ledger = Journal()
            plan = make_plan(due(client), policy, NOW)
            assert len(plan.steps) == 1
            rows = plan.steps[0].partition.rows
            clock = partial(add, NOW, timedelta(seconds=at))
            hands = Hands(Killed(client, at, after), clock, ledger)  # type: ignore[arg-type]
            try:
                run(plan, policy, hands, files, this)
                stopped = False
            except StoppedError:
                again = Hands(client, clock, ledger)
                certified = finish(again, files)
                assert not files.running.exists()
                left = make_plan(due(client), policy, NOW)
                if not left.steps:
                    assert certified is not None
                    assert (certified["rows"], certified["verified"]) == (rows, True)
                if left.steps:
                    run(left, policy, again, files, this)
            assert due(client).partitions == tuple(
                each for each in due(client).partitions if each.retention_class != "basic"
            )
            news = client.query("SELECT rows FROM purges ORDER BY time").rows[recorded:]
            assert len(news) == 1, f"statement {at}"
            assert news[0][0] == rows
            assert len(ledger.of("purge")) >= 1
    assert at > 5


def test_a_refused_run_is_one_entry_and_what_had_gone_before_is_certified(
    enforced: Node, policy: Policy, tmp_path: Path
) -> None:
    files, ledger = Files(tmp_path), Journal()
    this = Run("r1", policy.edition, "p1", ALL)
    with enforced.connect("admin") as admin:
        admin.command("SYSTEM STOP TTL MERGES flows")  # which would be first, as the purge is a day late
    store(enforced, 50, 15, 16)
    with enforced.connect("retention") as client:
        plan = make_plan(due(client), policy, NOW)
        assert len(plan.steps) == 2
        with pytest.raises(RefusalError, match="nothing was dropped"):
            run(plan, policy, Hands(client, lambda: NOW - timedelta(days=10), ledger), files, this)
        assert [action for action, _ in ledger.entries] == ["apply", "refusal"]
        assert not files.running.exists()

        def refuse(_: Purged) -> None:
            raise RefusalError("a hold came between")

        ledger.entries.clear()
        with pytest.raises(RefusalError, match="a hold came between"):
            run(plan, policy, Hands(client, lambda: NOW, ledger, refuse), files, this)
        assert [action for action, _ in ledger.entries] == ["apply", "purge", "refusal"]
        certified = finish(Hands(client, lambda: NOW, ledger), files)
        assert certified is not None
        assert (certified["partitions"], certified["rows"], certified["verified"]) == (1, 50, True)
        assert ledger.entries[-1][1]["interrupted"]
        assert finish(Hands(client, lambda: NOW, ledger), files) is None


def test_a_clock_that_is_ahead_deletes_nothing_until_a_person_says_that_it_is_right(
    enforced: Node, policy: Policy, tmp_path: Path
) -> None:
    files, this = Files(tmp_path), Run("r1", policy.edition, "p1", ALL - {Allowance.CLOCK})
    store(enforced, 50, 15)
    with enforced.connect("retention") as client:
        run(make_plan(due(client), policy, NOW), policy, Hands(client, lambda: NOW), files, this)
        store(enforced, 51, 1)
        ahead = NOW + timedelta(days=40)
        there = look(client, (), ahead)
        assert there.last_run == NOW.replace(microsecond=NOW.microsecond // 1000 * 1000)
        plan = make_plan(there, policy, ahead)
        assert plan.steps
        with pytest.raises(RefusalError, match="the last purge was 40 d ago"):
            run(plan, policy, Hands(client, lambda: ahead), files, this)
        assert look(client, (), ahead).partitions == there.partitions
        run(plan, policy, Hands(client, lambda: ahead), files, Run("r2", policy.edition, "p2", ALL))
        assert make_plan(look(client, (), ahead), policy, ahead).steps == ()


def test_a_certificate_says_what_went_and_its_signature_holds(enforced: Node, policy: Policy, tmp_path: Path) -> None:
    store(enforced, 50, 15)
    key = SigningKey.load(tmp_path / "ledger")
    with enforced.connect("retention") as client:
        plan = make_plan(due(client), policy, NOW)
        _, text = run(plan, policy, Hands(client, lambda: NOW), Files(tmp_path), Run("r1", policy.edition, "p1", ALL))
    assert (text["rows"], text["verified"], text["partitions"]) == (50, True, 1)
    assert text["scope"][0]["active_parts"] == 0
    path = keep(tmp_path / "certificates", signed(text, key))
    found = json.loads(path.read_text())
    assert is_signed(key.public, canonical(found), found["signature"])
    found["rows"] = 49
    assert not is_signed(key.public, canonical(found), found["signature"])


def test_a_plan_that_was_shown_is_refused_with_what_has_changed(enforced: Node, policy: Policy, tmp_path: Path) -> None:
    store(enforced, 50, 15)
    with enforced.connect("retention") as client:
        old = value(make_plan(due(client), policy, NOW), policy.edition)
        name = save(tmp_path, old, NOW)
        assert name == fingerprint(old)
        store(enforced, 51, 15)
        new = value(make_plan(due(client), policy, NOW), policy.edition)
    assert difference(load(tmp_path, name), old) == []
    day = (NOW - timedelta(days=15)).date()
    assert difference(load(tmp_path, name), new) == [f"day {day} of basic in flows has now 101 rows, and had 50 rows"]
    with pytest.raises(RefusalError, match="make one with"):
        load(tmp_path, "0" * 12)
    with pytest.raises(ConfigError, match="is no fingerprint"):
        load(tmp_path, "../../etc/passwd")


def test_verify_finds_what_is_kept_too_long_and_what_went_too_early(enforced: Node, policy: Policy) -> None:
    store(enforced, 100, 1, 2)
    with enforced.connect("retention") as client, enforced.connect("admin") as admin:
        found = due(client)
        assert list(verify(client, policy, found, seen(client), NOW)) == []
        note(client, found.partitions, {}, NOW)
        later = NOW + timedelta(days=20)
        late = [each for each in verify(client, policy, found, seen(client), later) if each.check is Check.TOO_LONG]
        assert len(late) == 2, "two days of basic, 14 d"
        day = (NOW - timedelta(days=2)).date()
        admin.command(f"ALTER TABLE flows DROP PARTITION ('basic','{day}')")
        half = "retention_class = 'standard' AND rand() % 2 = 0"
        admin.command(f"ALTER TABLE flows DELETE WHERE {half} SETTINGS mutations_sync = 2")
        early = list(verify(client, policy, due(client), seen(client), NOW))
        assert {each.check for each in early} == {Check.TOO_EARLY}
        assert f"all rows of day {day} in basic of flows are gone" in early[0].text
        assert sum("of day" in each.text and "standard" in each.text for each in early) == 2
        note(client, due(client).partitions, seen(client), NOW + timedelta(hours=1))
        assert list(verify(client, policy, due(client), seen(client), NOW)) == early, "a look does not hide it"


def test_verify_finds_detached_parts_and_parts_that_expire_otherwise(enforced: Node, policy: Policy) -> None:
    """Trap L1: after a change of TTL that leaves the parts alone, table and query say one thing, the parts another."""
    store(enforced, 100, 1)
    with enforced.connect("retention") as client, enforced.connect("admin") as admin:
        ttl = "time_received + toIntervalDay(multiIf(retention_class = 'basic', 20, retention_class = 'extended', 92, "
        ttl += "retention_class = 'standard', 32, 92))"
        admin.command(f"ALTER TABLE flows MODIFY TTL {ttl} SETTINGS materialize_ttl_after_modify = 0")
        admin.command(f"ALTER TABLE flows DETACH PARTITION ('extended','{(NOW - timedelta(days=1)).date()}')")
        found = {each.check: each.text for each in verify(client, policy, due(client), seen(client), NOW)}
        assert set(found) == {Check.EXPIRY, Check.PART_EXPIRY, Check.DETACHED}
        assert "not 20 d after its day" in found[Check.PART_EXPIRY]
