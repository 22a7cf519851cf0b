"""What is due for purging, as a value with reasons: partitions, policy and time in, a plan out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from retention.policy import CATEGORIES, Policy
from storage.observe import Partition

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Step:
    """One partition to drop, since when that is due, and why in words."""

    partition: Partition
    due: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A partition that the policy does not explain; it is never dropped, a person has to look."""

    partition: Partition
    text: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps that were due at `now`, oldest first, and the findings; running it is `retention.apply`'s matter."""

    now: datetime
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]


def due_at(policy: Policy, partition: Partition) -> datetime | None:
    """Return when a partition is to go: `keep_for` after the end of its day, UTC; None if the policy does not say."""
    kept = policy.kept(partition.table, partition.retention_class)
    return _end_of(partition.day) + kept.keep_for * _DAY if kept else None


def kind_of(partition: Partition) -> str:
    """Return what a partition's `retention_class` is: a class of flows, or a category of rows in another table."""
    return "category" if CATEGORIES.get(partition.table) == partition.retention_class else "class"


def whose(partition: Partition) -> str:
    """Return what people call a partition's rows: of which class they are, and in which table if not the flows'."""
    name = f"{kind_of(partition)} '{partition.retention_class}'"
    return f"{name} in {partition.table}" if partition.table in CATEGORIES else name


def make_plan(partitions: Iterable[Partition], policy: Policy, now: datetime) -> Plan:
    """Return what is due at `now`, which must have a zone; a partition goes only when its whole day has expired.

    The partitions may be of several tables: `retention.stored`.
    """
    steps: list[Step] = []
    findings: list[Finding] = []
    for partition in sorted(partitions, key=lambda each: (each.day, each.retention_class, each.table)):
        due = due_at(policy, partition)
        if due is None or _end_of(partition.day) - _DAY > now:
            findings.append(Finding(partition, _doubt(partition, due)))
        elif due <= now:
            steps.append(Step(partition, due, _reason(partition, due)))
    return Plan(now, tuple(steps), tuple(findings))


def _doubt(partition: Partition, due: datetime | None) -> str:
    """Return why the partition is none that the policy can speak about."""
    what = f"{partition.rows} rows of day {partition.day} in {whose(partition)}"
    if due is not None:
        return f"{what}: the day has not begun; the clock of a collector was or is wrong"
    if kind_of(partition) == "category":
        return f"{what}: the policy names no such category; name it, or wait for ClickHouse's own expiry"
    return f"{what}: the policy has no such class; add it, so that they expire, or find out who wrote them"


def _reason(partition: Partition, due: datetime) -> str:
    end = _end_of(partition.day)
    return (
        f"day {partition.day} of {kind_of(partition)} {partition.retention_class} ended {_minute(end)}; "
        f"kept {(due - end).days} d; due since {_minute(due)}"
    )


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) + _DAY


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")
