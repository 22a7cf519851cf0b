"""Run a plan: past the guard, change what expires, drop each partition, see that it is gone, and put it on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from retention.gone import mark_gone
from retention.grace import DESTROYED, PREFIX
from retention.guard import Allowance, permit, permit_drop
from retention.held import covers, secure
from retention.hold_store import load
from retention.parts import disagreeing, parts
from retention.plan import Plan, Step, TtlStep, key_of
from retention.policy import Policy
from settings.errors import UserError
from storage.client import Client
from storage.ddl import FLOWS, category_ttl, flows_ttl, modify_ttl
from storage.form import literal
from storage.observe import Partition

_PARTS = """
    SELECT count(), sum(rows), sum(bytes_on_disk) FROM system.parts
    WHERE active AND rows > 0 AND database = {database:String} AND table = {table:String}
      AND partition = {partition:String}"""
_RECORDED = """
    SELECT count() FROM purges
    WHERE table_name = {table:String} AND partition = {partition:String} AND time >= {since:DateTime64(3, 'UTC')}"""
Record = Callable[[str, Mapping[str, object]], None]
"""Puts an action with its details on the ledger; it returns when that is written."""


class PurgeError(UserError):
    """A partition is still there after it was dropped, or a part does not expire as its table says."""


@dataclass(frozen=True, slots=True)
class Purged:
    """A step that was taken: when, and the rows and octets on disk that went with it."""

    step: Step
    time: datetime
    rows: int
    bytes: int


def _unrecorded(action: str, details: Mapping[str, object]) -> None:
    """What tests of the plan's own records do without."""


@dataclass(frozen=True, slots=True)
class Hands:
    """What carries out a plan: a client of the retention role, the clock, the ledger, and who is told of each step.

    Inside `alone` no hold is placed: a partition is looked at and dropped within it.
    """

    client: Client
    clock: Callable[[], datetime]
    record: Record = _unrecorded
    taken: Callable[[Purged], None] = field(default=lambda _: None)
    alone: Callable[[], AbstractContextManager[object]] = nullcontext


def apply(plan: Plan, policy: Policy, hands: Hands, allowed: frozenset[Allowance] = frozenset()) -> list[Purged]:
    """Run the plan and return what was dropped, each recorded in `purges` and on the ledger.

    The run itself is recorded in `purge_runs` when it has come to its end, whether or not anything was due.

    RefusalError before the first step if the guard refuses any. PurgeError where a partition still has parts
    afterwards; what was dropped until then is recorded, and the next plan has the rest. A partition that is gone
    already, by ClickHouse's own TTL or another purge, is passed over.
    """
    permit(plan, policy, hands.clock(), allowed)
    for change in plan.expiry:
        change_expiry(change, hands)
    steps = [(step, bool(plan.grace)) for step in plan.steps] + [(step, None) for step in plan.destroy]
    purged = [done for step, undoable in steps if (done := _take(step, undoable, hands)) is not None]
    hands.client.command(_record_run(plan, purged, hands.clock()))
    return purged


def _take(step: Step, undoable: bool | None, hands: Hands) -> Purged | None:
    """Drop one partition and put it on record; None where it is gone already.

    `undoable` ones are moved to where they can be undone; None is for those that lie there.
    """
    table = step.partition.table if undoable is not None else PREFIX + step.partition.table
    there, rows, size = _parts(hands.client, table, step)
    if not there:
        return None
    if undoable is not None:
        _secured(step, hands)  # which may take its time; what is held by then is looked at once more
    with hands.alone():
        if undoable is not None:
            step = _secured(step, hands)
            permit_drop(step)
        if step.holds:  # before the drop, so that there is no moment in which a held row is nowhere
            mark_gone(hands.client, key_of(step.partition), hands.clock())
        hands.client.command(_move(step) if undoable else _drop(table, step))
    left, left_rows, _ = _parts(hands.client, table, step)
    if left:
        raise PurgeError(
            f"{table}: {step.reason}: {left} parts with {left_rows} rows are there after DROP "
            f"PARTITION; if the collector is catching up on old data, purge again when it has"
        )
    done = Purged(step, hands.clock(), rows, size)
    put_on_record(done, hands)
    return done


def _secured(step: Step, hands: Hands) -> Step:
    """Return the step as holds are now: what they cover of it is copied, and the copy verified."""
    holds = load(hands.client)  # as they are now: one may have been placed since the plan was made
    now, partition = hands.clock(), step.partition
    found = covers(hands.client, holds, [partition], now).get(key_of(partition))
    if found is None or not found.holds:
        return replace(step, holds=(), held=0, copied=False)
    if not found.copied:
        copy = secure(hands.client, holds, partition, now)
        hands.record("hold_copy", _of(step) | {"rows": copy.totals.rows})
        found = covers(hands.client, holds, [partition], now)[key_of(partition)]
    return replace(step, holds=found.holds, held=found.rows, copied=found.copied)


def put_on_record(done: Purged, hands: Hands) -> None:
    """Record what has gone: on the ledger, then in `purges`."""
    hands.record("purge", _of(done.step) | {"rows": done.rows, "octets": done.bytes, "reason": done.step.reason})
    hands.client.command(_record(done))
    hands.taken(done)


def is_recorded(step: Step, client: Client, since: datetime) -> bool:
    """Say whether `purges` has a step's partition as dropped since a moment."""
    names = {"table": step.partition.table, "partition": _name(step), "since": since}
    return bool(client.query(_RECORDED, names).rows[0][0])


def is_gone(step: Step, client: Client) -> bool:
    """Say whether a step's partition has no parts."""
    table = PREFIX + step.partition.table if step.reason.startswith(DESTROYED) else step.partition.table
    return not _parts(client, table, step)[0]


def undo(partition: Partition, hands: Hands, admin: Client) -> None:
    """Put a partition that was dropped, and can be undone, back into its table, with a client of the admin role."""
    step = Step(partition, hands.clock(), "")
    admin.command(f"ALTER TABLE `{PREFIX + partition.table}` MOVE PARTITION {_name(step)} TO TABLE `{partition.table}`")
    hands.record("apply", _of(step) | {"undone": True, "rows": partition.rows})


def change_expiry(step: TtlStep, hands: Hands) -> None:
    """Give a table the expiry that is wanted, and its parts with it; PurgeError where a part keeps another.

    Parts get their new expiry by a mutation that rewrites nothing.
    """
    ttl = flows_ttl(step.wanted) if step.table == FLOWS else category_ttl(max(step.wanted.values()))
    hands.record("apply", {"table": step.table, "expiry": dict(step.wanted), "former": dict(step.found)})
    hands.client.command(modify_ttl(step.table, ttl))
    for part, text in disagreeing(parts(hands.client, step.table), step.wanted):
        raise PurgeError(
            f"{step.table}: {part.rows} rows of part {part.name}, day {part.day} of {part.retention_class}: it {text}; "
            "look whether the table has the setting materialize_ttl_recalculate_only, and at system.mutations"
        )


def _of(step: Step) -> dict[str, object]:
    partition = step.partition
    return {"table": partition.table, "class": partition.retention_class, "day": partition.day.isoformat()}


def _parts(client: Client, table: str, step: Step) -> tuple[int, int, int]:
    """Return the number, rows and octets of the active parts that a table has of the step's partition."""
    names = {"database": client.database, "table": table, "partition": _name(step)}
    ((count, rows, size),) = client.query(_PARTS, names).rows
    return count, rows, size


def _name(step: Step) -> str:
    """Return the partition as ClickHouse writes it, made, like the table's name, from what the guard has seen."""
    return f"({literal(step.partition.retention_class)},{literal(step.partition.day.isoformat())})"


def _drop(table: str, step: Step) -> str:
    # ClickHouse refuses to drop more than 50 GB unless told otherwise, and would do so in production only.
    return f"ALTER TABLE `{table}` DROP PARTITION {_name(step)} SETTINGS max_partition_size_to_drop = 0"


def _move(step: Step) -> str:
    return (
        f"ALTER TABLE `{step.partition.table}` MOVE PARTITION {_name(step)} TO TABLE `{PREFIX}{step.partition.table}`"
    )


def _record(done: Purged) -> str:
    partition = done.step.partition
    return _insert(
        "purges",
        {
            "time": _time(done.time),
            "table_name": literal(partition.table),
            "partition": literal(_name(done.step)),
            "retention_class": literal(partition.retention_class),
            "day": literal(partition.day.isoformat()),
            "rows": done.rows,
            "bytes": done.bytes,
            "reason": literal(done.step.reason),
        },
    )


def _record_run(plan: Plan, purged: list[Purged], now: datetime) -> str:
    return _insert(
        "purge_runs",
        {
            "time": _time(now),
            "partitions": len(purged),
            "rows": sum(done.rows for done in purged),
            "bytes": sum(done.bytes for done in purged),
            "findings": len(plan.findings),
        },
    )


def _insert(table: str, values: Mapping[str, str | int]) -> str:
    names, texts = ", ".join(values), ", ".join(map(str, values.values()))
    return f"INSERT INTO {table} ({names}) VALUES ({texts})"  # noqa: S608 - literals and integers only


def _time(moment: datetime) -> str:
    return literal(moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3])
