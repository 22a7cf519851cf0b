"""The same promises as in `test_machine`, without a ClickHouse: thousands of sequences of the rules that decide.

Plan, guard, holds and what the daemon does to ClickHouse's own expiry are the real ones; the tables are sets of rows,
copies of held rows too, and expiry takes each row as soon as it may, which is sooner than ClickHouse does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from retention.expiry import expiry, lasting
from retention.guard import Allowance, permit, permit_drop
from retention.holds import Event, active, fold
from retention.plan import Database, Key, end_of, make_plan
from retention.policy import Policy
from retention.scope import Scope
from storage.ddl import FLOWS, flows_ttl, wanted
from storage.observe import Observed, Partition

DAY = timedelta(days=1)
BEGINNING = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANTS, CLASSES = ("acme", "globex"), ("basic", "standard", "extended")
ALL = frozenset(Allowance)


@dataclass(frozen=True, slots=True)
class Row:
    """A stored flow."""

    number: int
    tenant: str
    name: str
    received: datetime

    @property
    def key(self) -> Key:
        """Its partition."""
        return FLOWS, self.name, self.received.date()


@dataclass(frozen=True, slots=True)
class Cover:
    """What active holds cover of a partition."""

    holds: tuple[str, ...]
    rows: int
    copied: bool


class Model(RuleBasedStateMachine):
    """Days go by; there is a purge on each, as scheduled, and it may be killed on its way and begin again."""

    example: Policy

    @initialize()
    def begin(self) -> None:
        """An empty database with the expiry of the policy."""
        self.now, self.count = BEGINNING, 0
        self.days = dict(zip(CLASSES, (2, 4, 6), strict=True))
        self.rows: set[Row] = set()
        self.copies: set[Row] = set()
        self.young: set[Row] = set()
        """Rows that were not due at any time yet."""
        self.promised: set[Row] = set()
        """Rows that are to be found, in the table or as copies: young ones, and those that are held."""
        self.events: list[Event] = []
        self.oracle: dict[str, tuple[str, datetime, datetime | None, datetime | None]] = {}
        self.table = next(table for table in wanted(self.policy.ttl_days()).tables if table.name == FLOWS)

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        classes = {
            name: self.example.classes[name].model_copy(update={"keep_for": days}) for name, days in self.days.items()
        }
        return self.example.model_copy(update={"classes": classes})

    def due(self, row: Row) -> datetime:
        """Return when a row is to go; the test's own reckoning."""
        return end_of(row.received.date()) + self.days[row.name] * DAY

    def held(self, row: Row) -> list[str]:
        """Return the holds that cover a row; the test's own reckoning."""
        return [
            name
            for name, (tenant, since, until, ended) in sorted(self.oracle.items())
            if tenant == row.tenant
            and since <= row.received
            and (until is None or row.received < until)
            and (ended is None or self.now < ended)
        ]

    @rule(tenant=st.sampled_from(TENANTS), name=st.sampled_from(CLASSES), ahead=st.sampled_from((0, 0, 0, 1, 40)))
    def receive(self, tenant: str, name: str, ahead: int) -> None:
        """A flow comes in; the clock may be days ahead."""
        self.count += 1
        row = Row(self.count, tenant, name, self.now + ahead * DAY)
        for rows in (self.rows, self.young, self.promised):
            rows.add(row)

    @rule(hours=st.integers(1, 24), killed=st.integers(0, 6))
    def wait(self, hours: int, killed: int) -> None:
        """Up to a day goes by, to the next purge."""
        self.now += timedelta(hours=hours)
        self.purge(killed)

    @rule(hours=st.integers(1, 30))
    def put_the_clock_back(self, hours: int) -> None:
        """Somebody mends the clock."""
        self.now -= timedelta(hours=hours)

    @rule(name=st.sampled_from(CLASSES), days=st.integers(1, 9))
    def change_the_policy(self, name: str, days: int) -> None:
        """A class is kept for longer or shorter, and the daemon reads it."""
        self.days[name] = days
        stored = {(FLOWS, row.name) for row in self.rows}
        schema = lasting(self.policy, Observed(1, {FLOWS: self.table}, frozenset()), stored)
        self.table = next(table for table in schema.tables if table.name == FLOWS)

    @rule(tenant=st.sampled_from(TENANTS), back=st.integers(0, 6), ends=st.booleans())
    def place_a_hold(self, tenant: str, back: int, ends: bool) -> None:
        """What is stored is copied at once."""
        name = f"h{len(self.oracle) + 1}"
        since, until = self.now - back * DAY, self.now + timedelta(hours=1) if ends else None
        scope = Scope((tenant,), since=since, until=until).as_json()
        more = {"kind": "legal", "clock": "case", "days": 30, "review": None, "reason": "r", "reference": "c"}
        self.events.append(Event(name, 1, self.now, "placed", "ann", {"scope": scope, **more}))
        self.oracle[name] = tenant, since, until, None
        self.copies |= {row for row in self.rows if self.held(row)}

    @precondition(lambda self: any(ended is None for *_, ended in self.oracle.values()))
    @rule(delay=st.integers(0, 3), approved=st.booleans())
    def release_a_hold(self, delay: int, approved: bool) -> None:
        """One person's word is not enough; after two it holds for some days more."""
        name = next(name for name, (*_, ended) in self.oracle.items() if ended is None)
        number = 1 + sum(event.hold == name for event in self.events)
        self.events.append(
            Event(name, number, self.now, "release_requested", "ann", {"reason": "over", "delay": delay})
        )
        by = "bob" if approved else "ann"
        self.events.append(Event(name, number + 1, self.now, "release_approved", by))
        if approved:
            self.oracle[name] = (*self.oracle[name][:3], self.now + delay * DAY)
        else:
            self.events.append(Event(name, number + 2, self.now, "release_cancelled", "ann", {"reason": "not yet"}))

    def purge(self, killed: int) -> None:
        """Holds are looked after, what is due goes, past the guard; `killed` after so many steps, and once more."""
        for stop in (killed, 0):
            for place, _ in enumerate(self.steps(), 1):
                if place == stop:
                    break
        left = make_plan(self.database(), self.policy, self.now)
        assert left.steps == ()
        assert {row for row in self.rows if self.due(row) <= self.now} == set(), "nothing due is left"
        assert all(self.held(row) for row in self.copies), "nothing is kept that no hold covers"

    def steps(self) -> Iterator[None]:
        """Take the steps of a purge, one by one."""
        for row in sorted(self.rows, key=lambda row: row.number):
            if self.held(row) and end_of(row.received.date()) <= self.now:
                self.copies.add(row)
                yield
        self.copies = {row for row in self.copies if self.held(row)}
        self.promise()
        plan = make_plan(self.database(), self.policy, self.now)
        permit(plan, self.policy, self.now, ALL)
        for change in plan.expiry:
            self.table = replace(self.table, ttl=flows_ttl(change.wanted))
            yield
        for step in plan.steps:
            there = self.of(step.partition)
            self.copies |= {row for row in there if self.held(row)}
            yield
            permit_drop(replace(step, copied=self.cover(there).copied))
            self.promise()
            self.rows -= there
            yield

    def promise(self) -> None:
        """What is or was due, and is not held, need not be found any more, even if the clock is put back."""
        self.young = {row for row in self.young if self.due(row) > self.now}
        self.promised = self.young | {row for row in self.promised if self.held(row)}

    def of(self, partition: Partition) -> set[Row]:
        """Return the rows of a partition."""
        return {row for row in self.rows if row.key == (partition.table, partition.retention_class, partition.day)}

    def cover(self, rows: set[Row]) -> Cover:
        """Return what the holds that the events make cover of some rows."""
        scopes = {hold.id: hold.scope for hold in active(fold(self.events), self.now)}
        covered = {
            row: [
                name
                for name, scope in sorted(scopes.items())
                if row.tenant in scope.tenants
                and (scope.since is None or scope.since <= row.received)
                and (scope.until is None or row.received < scope.until)
            ]
            for row in rows
        }
        assert covered == {row: self.held(row) for row in rows}, "holds hold for as long as they were to"
        names = tuple(sorted({name for holds in covered.values() for name in holds}))
        held = {row for row, holds in covered.items() if holds}
        return Cover(names, len(held), held <= self.copies)

    def database(self) -> Database:
        """Return what a plan is made from."""
        partitions = tuple(
            Partition("id", name, day, rows, rows, None, None, table=table)
            for (table, name, day), rows in self.partitions().items()
        )
        covers = {(each.table, each.retention_class, each.day): self.cover(self.of(each)) for each in partitions}
        return Database(partitions, expiry(Observed(1, {FLOWS: self.table}, frozenset())), covers)

    def partitions(self) -> dict[tuple[str, str, date], int]:
        """Return how many rows each partition has."""
        keys = [row.key for row in self.rows]
        return {key: keys.count(key) for key in sorted(set(keys))}

    @invariant()
    def what_is_promised_is_there(self) -> None:
        """ClickHouse's own expiry, which lies behind the purge, takes what it may; nothing that is promised is gone."""
        days = expiry(Observed(1, {FLOWS: self.table}, frozenset()))[FLOWS].days
        gone = {row for row in self.rows if row.received + days[row.name] * DAY <= self.now}
        self.promise()
        self.rows -= gone
        lost = self.promised - self.rows - self.copies
        assert lost == set(), (lost, self.now, self.days, days)


def test_no_sequence_loses_a_row_early_or_keeps_one_too_long(policy: Policy) -> None:
    Model.example = policy
    run(Model, settings=settings(max_examples=200, stateful_step_count=40, deadline=None))
