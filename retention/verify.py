"""Is what the policy promises true? Measured from the data, both ways: kept too long, and deleted too early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from retention.expiry import changes
from retention.parts import Part, disagreeing, parts
from retention.plan import Database, Key, due_at, end_of, key_of, minute, whose
from retention.policy import Policy
from retention.seen import Seen
from storage.client import Client
from storage.observe import Partition

_DAY = timedelta(days=1)
_TTL_SLACK = timedelta(hours=6)
"""How long ClickHouse may take to notice an expired part: `merge_with_ttl_timeout` (1 h), and a busy pool."""
_STUCK = timedelta(minutes=30)

_DETACHED = """
    SELECT table, name FROM system.detached_parts WHERE database = {database:String} ORDER BY table, name"""
_MUTATIONS = """
    SELECT table, mutation_id, create_time, latest_fail_reason FROM system.mutations
    WHERE database = {database:String} AND NOT is_done ORDER BY create_time"""
_INACTIVE = """
    SELECT table, partition, count() FROM system.parts
    WHERE NOT active AND database = {database:String} AND remove_time < {before:DateTime('UTC')}
      AND remove_time > toDateTime(0) GROUP BY table, partition ORDER BY table, partition"""


class Check(StrEnum):
    """What a finding is about."""

    TOO_LONG = "kept_too_long"
    TOO_EARLY = "deleted_too_early"
    FUTURE = "future_rows"
    UNEXPLAINED = "unexplained"
    EXPIRY = "expiry_differs"
    PART_EXPIRY = "part_expiry_differs"
    OVERDUE = "expiry_overdue"
    DETACHED = "detached_parts"
    SHADOW = "shadow"
    MUTATION = "unfinished_mutation"
    FILES = "files_not_deleted"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was promised."""

    check: Check
    text: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The oldest row of a class or category in a table, and until when it may be there."""

    table: str
    retention_class: str
    oldest: datetime
    until: datetime


def verify(
    client: Client, policy: Policy, database: Database, seen: Mapping[Key, Seen], now: datetime
) -> Iterator[Finding]:
    """Yield what is wrong at `now`. `seen` are the partitions as they were before: `retention.seen`."""
    yield from kept_too_long(database, policy, now)
    yield from deleted_too_early(database, policy, seen, now)
    for table, want, _ in changes(policy, database.expiry):
        yield Finding(Check.EXPIRY, f"{table} expires by {database.expiry[table]}, and the policy wants {want}")
    for table, expiry in sorted(database.expiry.items()):
        if expiry.days:
            found = parts(client, table)
            for part, text in disagreeing(found, expiry.days):
                yield Finding(Check.PART_EXPIRY, f"{_part(part)} {text}")
            yield from _overdue(found, now)
    yield from _left_behind(client, now)


def kept_too_long(database: Database, policy: Policy, now: datetime) -> Iterator[Finding]:
    """Yield partitions that ought to have gone with the last purge, that no policy explains, or of days to come. Pure.

    A day is due when it is `keep_for` old; the purge that takes it may come a day later.
    """
    for partition in sorted(database.partitions, key=lambda each: (each.day, each.table)):
        due = due_at(policy, partition)
        what = f"{partition.rows:,} rows of day {partition.day} in {whose(partition)}"
        if end_of(partition.day) - _DAY > now or (partition.newest and partition.newest > now + _DAY):
            yield Finding(Check.FUTURE, f"{what} are of the future; the clock of a collector was or is wrong")
        elif due is None:
            yield Finding(Check.UNEXPLAINED, f"{what}: the policy has no word on them, so no purge takes them")
        elif due + _DAY < now:
            late = (now - due).days
            yield Finding(
                Check.TOO_LONG, f"{what} were due at {minute(due)}, {late} d ago; run `flowkeep retention plan`"
            )


def deleted_too_early(database: Database, policy: Policy, seen: Mapping[Key, Seen], now: datetime) -> Iterator[Finding]:
    """Yield partitions that were there, are not due, and have gone or lost rows without a purge's record. Pure."""
    there = {key_of(partition): partition for partition in database.partitions}
    for key, before in sorted(seen.items(), key=lambda item: (item[0][2], item[0])):
        table, name, day = key
        due = due_at(policy, Partition("", name, day, 0, 0, None, None, table=table))
        rows = there[key].rows if key in there else 0
        if before.purged or rows >= before.rows or (due is not None and due <= now):
            continue
        lost = "all" if not rows else f"{before.rows - rows:,} of {before.rows:,}"
        until = f"and are to be kept until {minute(due)}" if due else "and no purge has taken them"
        yield Finding(
            Check.TOO_EARLY,
            f"{lost} rows of day {day} in {name} of {table} are gone; they were there at {minute(before.time)} {until}",
        )


def _overdue(found: list[Part], now: datetime) -> Iterator[Finding]:
    for part in found:
        if part.last is not None and part.last + _TTL_SLACK < now:
            yield Finding(
                Check.OVERDUE,
                f"{_part(part)} expired at {minute(part.last)} and ClickHouse has not dropped it: merges are stopped "
                "(SYSTEM STOP MERGES, STOP TTL MERGES) or cannot keep up",
            )


def _part(part: Part) -> str:
    return f"part {part.name} of {part.table}, {part.rows:,} rows of day {part.day} in {part.retention_class}:"


def _left_behind(client: Client, now: datetime) -> Iterator[Finding]:
    names: dict[str, object] = {"database": client.database}
    for table, name in client.query(_DETACHED, names).rows:
        yield Finding(
            Check.DETACHED,
            f"{table} has the detached part {name}: it is on the disk and no purge takes it; attach it or drop it",
        )
    for table, mutation, created, failed in client.query(_MUTATIONS, names).rows:
        if now - created.replace(tzinfo=now.tzinfo) > _STUCK or failed:
            why = f": {failed}" if failed else ""
            yield Finding(
                Check.MUTATION, f"the mutation {mutation} of {table} is not done since {created:%Y-%m-%dT%H:%MZ}{why}"
            )
    for table, partition, count in client.query(_INACTIVE, {**names, "before": now - _STUCK}).rows:
        yield Finding(
            Check.FILES, f"{table}: files of {count} parts of {partition} are on the disk half an hour after they went"
        )


def measured(database: Database, policy: Policy) -> list[Measured]:
    """Return the oldest row of each class in each table, and since when rows may be there at most."""
    oldest: dict[tuple[str, str], Partition] = {}
    for partition in database.partitions:
        key = partition.table, partition.retention_class
        if partition.oldest and (key not in oldest or partition.oldest < (oldest[key].oldest or partition.oldest)):
            oldest[key] = partition
    found = []
    for (table, name), partition in sorted(oldest.items()):
        kept = policy.kept(table, name)
        if partition.oldest and kept:
            found.append(Measured(table, name, partition.oldest, end_of(partition.day) + kept.keep_for * _DAY))
    return found


def shadow(node: Path) -> list[Finding]:
    """Return what is frozen in an embedded node's directory: a copy that no purge takes."""
    frozen = sorted({path.relative_to(node / "data/shadow").parts[0] for path in node.glob("data/shadow/*/**/*.bin")})
    return [
        Finding(Check.SHADOW, f"{node / 'data/shadow' / name}: a frozen copy of parts; delete it") for name in frozen
    ]
