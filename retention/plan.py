"""What is due for purging, as a value with reasons: partitions, policy and time in, a plan out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from retention.policy import Policy
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


def due_at(policy: Policy, retention_class: str, day: date) -> datetime:
    """Return when a day of a class is to go: `keep_for` after its end, UTC. KeyError for a class of no policy."""
    return _end_of(day) + policy.classes[retention_class].keep_for * _DAY


def make_plan(partitions: Iterable[Partition], policy: Policy, now: datetime) -> Plan:
    """Return what is due at `now`, which must have a zone; a partition goes only when its whole day has expired."""
    steps: list[Step] = []
    findings: list[Finding] = []
    for partition in sorted(partitions, key=lambda each: (each.day, each.retention_class)):
        text = _doubt(partition, policy, now)
        if text:
            findings.append(Finding(partition, text))
            continue
        due = due_at(policy, partition.retention_class, partition.day)
        if due <= now:
            steps.append(Step(partition, due, _reason(partition, policy, due)))
    return Plan(now, tuple(steps), tuple(findings))


def _doubt(partition: Partition, policy: Policy, now: datetime) -> str:
    """Return why the partition is none that the policy can speak about, empty if it is."""
    what = f"{partition.rows} rows of day {partition.day} in class '{partition.retention_class}'"
    if partition.retention_class not in policy.classes:
        return f"{what}: the policy has no such class; add it, so that they expire, or find out who wrote them"
    if _end_of(partition.day) - _DAY > now:
        return f"{what}: the day has not begun; the clock of a collector was or is wrong"
    return ""


def _reason(partition: Partition, policy: Policy, due: datetime) -> str:
    kept = policy.classes[partition.retention_class].keep_for
    return (
        f"day {partition.day} of class {partition.retention_class} ended {_minute(_end_of(partition.day))}; "
        f"kept {kept} d; due since {_minute(due)}"
    )


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC) + _DAY


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%MZ")
