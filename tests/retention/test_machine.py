"""Whatever policies, holds, purges, crashes and clocks do, on the real ClickHouse with time given: no held row is lost,
none goes before its time, and after a purge none that is due is left.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from retention.apply import Hands
from retention.guard import Allowance
from retention.hold_store import append, load
from retention.holds import Event
from retention.plan import end_of, make_plan
from retention.policy import Policy
from retention.runs import Files, Run, finish, let_go_of_held, look_after_holds, run
from retention.scope import Scope
from retention.stored import look
from schema.batch import Flows, Symbols
from storage.client import Client
from storage.ddl import wanted
from storage.embedded import Node
from storage.upgrade import upgrade
from storage.writer import Writer
from tests.retention.test_runs import Killed, StoppedError

DAY = timedelta(days=1)
BEGINNING = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - 25 * DAY
TENANTS = ("acme", "globex")
CLASSES = ("basic", "standard")
RUNS = count()


class Row:
    """A stored flow, by its number in `bytes`; `may_go` once a purge was allowed to take it."""

    def __init__(self, number: int, tenant: str, name: str, received: datetime) -> None:
        self.number, self.tenant, self.name, self.received = number, tenant, name, received
        self.may_go = False


class Retention(RuleBasedStateMachine):
    """Days go by on a database; ClickHouse's own expiry lies a year behind, so that only purges delete."""

    node: Node
    policy: Policy
    directory: Path

    @initialize()
    def begin(self) -> None:
        """A new database."""
        self.now = BEGINNING
        self.rows: dict[int, Row] = {}
        self.days = {"basic": 3, "standard": 6}
        self.released: dict[str, datetime] = {}
        self.placed: dict[str, tuple[str, datetime, datetime | None]] = {}
        self.files = Files(self.directory / str(next(RUNS)))
        self.files.root.mkdir(parents=True)
        with self.node.connect("admin") as admin:
            admin.create_database()
            admin.command("DROP DATABASE flowkeep SYNC")
            upgrade(admin, wanted({**dict.fromkeys((*CLASSES, "extended"), 400)}))

    def now_policy(self) -> Policy:
        classes = {
            name: self.policy.classes[name].model_copy(update={"keep_for": days}) for name, days in self.days.items()
        }
        return self.policy.model_copy(update={"classes": self.policy.classes | classes, "ttl_margin": 365})

    @rule(tenant=st.sampled_from(TENANTS), name=st.sampled_from(CLASSES), rows=st.integers(1, 4))
    def receive(self, tenant: str, name: str, rows: int) -> None:
        """Flows come in, by the collector's clock."""
        first = len(self.rows) + 1
        numbers = np.arange(first, first + rows, dtype=np.uint64)
        for number in numbers.tolist():
            self.rows[number] = Row(number, tenant, name, self.now)
        flows = Flows(
            rows,
            {"time_received": np.full(rows, int(self.now.timestamp() * 1000), np.int64), "bytes": numbers},
            {"retention_class": Symbols(np.zeros(rows, np.int32), (name,)),
             "src_tenant": Symbols(np.zeros(rows, np.int32), (tenant,))},
        )  # fmt: skip
        with self.node.connect("ingest") as client:
            Writer(client).write(flows, f"block {first}")

    @rule(days=st.integers(1, 3))
    def wait(self, days: int) -> None:
        """Days go by."""
        self.now += days * DAY

    @rule(hours=st.integers(1, 30))
    def put_the_clock_back(self, hours: int) -> None:
        """Somebody mends the clock."""
        self.now -= timedelta(hours=hours)

    @rule(name=st.sampled_from(CLASSES), days=st.integers(1, 8))
    def change_the_policy(self, name: str, days: int) -> None:
        """A class is kept for longer or shorter."""
        self.days[name] = days

    @rule(tenant=st.sampled_from(TENANTS), back=st.integers(0, 6), ends=st.booleans())
    def place_a_hold(self, tenant: str, back: int, ends: bool) -> None:
        """A hold on a tenant, from some days back on, until now or running."""
        name = f"h{len(self.placed) + 1}"
        since, until = self.now - back * DAY, self.now + timedelta(hours=1) if ends else None
        scope = Scope((tenant,), since=since, until=until).as_json()
        self.happens(
            name,
            1,
            "placed",
            "ann",
            kind="legal",
            clock="case",
            days=30,
            review=None,
            scope=scope,
            reason="r",
            reference="c",
        )
        self.placed[name] = tenant, since, until

    @precondition(lambda self: len(self.placed) > len(self.released))
    @rule(delay=st.integers(0, 3))
    def release_a_hold(self, delay: int) -> None:
        """Two persons release the oldest hold; it holds for some days more."""
        name = next(name for name in self.placed if name not in self.released)
        self.happens(name, 2, "release_requested", "ann", reason="over", delay=delay)
        self.happens(name, 3, "release_approved", "bob")
        self.released[name] = self.now + delay * DAY

    def happens(self, hold: str, number: int, action: str, by: str, **details: object) -> None:
        with self.node.connect("retention") as client:
            append(client, Event(hold, number, self.now, action, by, details))

    @rule(kill=st.integers(0, 60), after=st.booleans())
    def purge(self, kill: int, after: bool) -> None:
        """The purge runs; it may be killed at a statement, and runs again."""
        policy = self.now_policy()
        for row in self.rows.values():
            due = end_of(row.received.date()) + self.days[row.name] * DAY
            row.may_go |= due <= self.now and not self.is_held(row)
        with self.node.connect("retention") as client:
            if kill:
                with suppress(StoppedError):
                    self.purge_once(Killed(client, kill, after), policy)  # type: ignore[arg-type]
            self.purge_once(client, policy)
            left = make_plan(look(client, load(client), self.now), policy, self.now)
            assert left.steps == ()

    def purge_once(self, client: Client, policy: Policy) -> None:
        hands = Hands(client, lambda: self.now)
        finish(hands, self.files)
        look_after_holds(hands, look(client, load(client), self.now))
        let_go_of_held(hands)
        plan = make_plan(look(client, load(client), self.now), policy, self.now)
        run(plan, policy, hands, self.files, Run("r", "p", "f", frozenset(Allowance)))

    def is_held(self, row: Row) -> bool:
        return any(
            tenant == row.tenant
            and since <= row.received
            and (until is None or row.received < until)
            and (name not in self.released or self.now < self.released[name])
            for name, (tenant, since, until) in self.placed.items()
        )

    @invariant()
    def every_row_is_where_it_belongs(self) -> None:
        """A row that no purge might take, as it was not due or held then, is found once; and none twice."""
        with self.node.connect("query") as client:
            found = client.query("SELECT bytes, count() FROM all_flows GROUP BY bytes").rows
        there = dict(found)
        assert set(there.values()) <= {1}, "a row counts once"
        for row in self.rows.values():
            assert row.may_go or row.number in there, (row.name, row.received, self.now, self.is_held(row))


@pytest.mark.usefixtures("node")
def test_no_sequence_of_events_loses_a_row_early_or_keeps_one_too_long(
    node: Node, policy: Policy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    Retention.node, Retention.policy, Retention.directory = node, policy, tmp_path_factory.mktemp("machine")
    run_state_machine_as_test(
        Retention,
        settings=settings(
            max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
