"""What is due, as a value with reasons: partitions, expiry, holds, policy and time in, a plan out. Pure.

A plan drops whole partitions and changes ClickHouse's own expiry; `retention.apply` runs it, past `retention.guard`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Protocol, TypeAlias

from retention.expiry import Expiry, changes
from retention.grace import DESTROYED, Dropped, newly_held
from retention.holds import Hold
from retention.policy import CATEGORIES, Policy
from schema.tables import STORED_TABLES
from storage.observe import Partition

_DAY = timedelta(days=1)

SUMMED = frozenset(table.name for table in STORED_TABLES if table.sums)
"""Tables whose rows are added up as ClickHouse merges them: how many there are says nothing."""

Key: TypeAlias = tuple[str, str, date]
"""A partition: table, retention class, day."""


class Cover(Protocol):
    """What active holds cover of a partition, as `retention.held` says."""

    @property
    def holds(self) -> tuple[str, ...]:
        """The holds' names."""

    @property
    def rows(self) -> int:
        """How many of the partition's rows they cover."""

    @property
    def copied(self) -> bool:
        """Whether a verified copy of exactly these rows exists."""


@dataclass(frozen=True, slots=True)
class Step:
    """One partition to drop, since when that is due, and why in words.

    `held` of its rows are covered by the holds named; they are copied first, and `copied` says that they are already.
    """

    partition: Partition
    due: datetime
    reason: str
    holds: tuple[str, ...] = ()
    held: int = 0
    copied: bool = False


@dataclass(frozen=True, slots=True)
class TtlStep:
    """A change of ClickHouse's own expiry: days by class found and wanted; `shortened` are the classes that lose."""

    table: str
    found: Mapping[str, int]
    wanted: Mapping[str, int]
    shortened: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A partition that the policy does not explain; it is never dropped, a person has to look."""

    partition: Partition
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What was due at `now`, oldest first, and the findings. `rows` and `bytes` are of all that was stored then."""

    now: datetime
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    expiry: tuple[TtlStep, ...] = ()
    rows: int = 0
    bytes: int = 0
    destroy: tuple[Step, ...] = ()
    """Partitions that were dropped before and whose grace is over."""
    grace: int = 0
    """Days for which what is dropped now can be undone."""
    last_run: datetime | None = None
    """When a purge last came to its end, None where none has."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps and not self.expiry and not self.destroy


@dataclass(frozen=True, slots=True)
class Database:
    """What a plan is made from: partitions of all tables that the policy speaks about, expiry and covers of holds.

    `last_run` is when a purge last came to its end.
    """

    partitions: tuple[Partition, ...]
    expiry: Mapping[str, Expiry] = field(default_factory=lambda: MappingProxyType({}))
    covers: Mapping[Key, Cover] = field(default_factory=lambda: MappingProxyType({}))
    dropped: tuple[Dropped, ...] = ()
    holds: tuple[Hold, ...] = ()
    last_run: datetime | None = None


def key_of(partition: Partition) -> Key:
    """Return a partition's key."""
    return partition.table, partition.retention_class, partition.day


def due_at(policy: Policy, partition: Partition) -> datetime | None:
    """Return when a partition is to go: `keep_for` after the end of its day, UTC; None if the policy does not say."""
    return policy.due(partition.table, partition.retention_class, partition.day)


def kind_of(partition: Partition) -> str:
    """Return what a partition's `retention_class` is: a class of flows, or a category of rows in another table."""
    return "category" if CATEGORIES.get(partition.table) == partition.retention_class else "class"


def whose(partition: Partition) -> str:
    """Return what people call a partition's rows: of which class they are, and in which table if not the flows'."""
    name = f"{kind_of(partition)} '{partition.retention_class}'"
    return f"{name} in {partition.table}" if partition.table in CATEGORIES else name


def make_plan(stored: Iterable[Partition] | Database, policy: Policy, now: datetime) -> Plan:
    """Return what is due at `now`, which must have a zone; a partition goes only when its whole day has expired.

    The partitions may be of several tables: `retention.observe`.
    """
    database = stored if isinstance(stored, Database) else Database(tuple(stored))
    steps: list[Step] = []
    findings: list[Finding] = []
    for partition in sorted(database.partitions, key=lambda each: (each.day, each.retention_class, each.table)):
        due = due_at(policy, partition)
        if due is None or end_of(partition.day) - _DAY > now:
            findings.append(Finding(partition, _doubt(partition, due)))
        elif due <= now:
            steps.append(_step(partition, due, database.covers.get(key_of(partition))))
    return Plan(
        now,
        tuple(steps),
        tuple(findings),
        tuple(_ttl_steps(policy, database.expiry)),
        sum(partition.rows for partition in database.partitions),
        sum(partition.bytes for partition in database.partitions),
        tuple(_destroyed(database, policy, now)),
        policy.purge.grace,
        database.last_run,
    )


def _destroyed(database: Database, policy: Policy, now: datetime) -> Iterator[Step]:
    """Yield what was dropped and whose grace is over, but for what a hold placed since may cover."""
    grace = policy.purge.grace
    for each in database.dropped:
        held = tuple(newly_held(each, database.holds, now))
        if each.due(grace) <= now and not held:
            reason = f"{DESTROYED} {grace} d in which it could be undone; dropped {minute(each.moved)}"
            yield Step(each.partition, each.due(grace), reason)


def _step(partition: Partition, due: datetime, cover: Cover | None) -> Step:
    reason = _reason(partition, due)
    if cover is None or not cover.holds:
        return Step(partition, due, reason)
    return Step(partition, due, reason, cover.holds, cover.rows, cover.copied)


def _ttl_steps(policy: Policy, found: Mapping[str, Expiry]) -> Iterable[TtlStep]:
    for table, wanted, shortened in changes(policy, found):
        reason = f"{table} expires by {found[table]}, and the policy wants {Expiry(wanted)}"
        yield TtlStep(table, found[table].days, wanted, shortened, reason)


def _doubt(partition: Partition, due: datetime | None) -> str:
    """Return why the partition is none that the policy can speak about."""
    what = f"{partition.rows} rows of day {partition.day} in {whose(partition)}"
    if due is not None:
        return f"{what}: the day has not begun; the clock of a collector was or is wrong"
    if kind_of(partition) == "category":
        return f"{what}: the policy names no such category; name it, or wait for ClickHouse's own expiry"
    return f"{what}: the policy has no such class; add it, so that they expire, or find out who wrote them"


def _reason(partition: Partition, due: datetime) -> str:
    end = end_of(partition.day)
    return (
        f"day {partition.day} of {kind_of(partition)} {partition.retention_class} ended {minute(end)}; "
        f"kept {(due - end).days} d; due since {minute(due)}"
    )


def end_of(day: date) -> datetime:
    """Return the first moment after a day, UTC."""
    return datetime.combine(day, time(), UTC) + _DAY


def minute(moment: datetime) -> str:
    """Return a moment in UTC as people are shown it."""
    return moment.strftime("%Y-%m-%dT%H:%MZ")
