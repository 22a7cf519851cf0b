"""Run a plan: past the guard, drop each partition, see that it is gone, and put it on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from retention.guard import permit
from retention.plan import Plan, Step
from retention.policy import Policy
from settings.errors import UserError
from storage.client import Client
from storage.ddl import literal

_PARTS = """
    SELECT count(), sum(rows), sum(bytes_on_disk) FROM system.parts
    WHERE active AND database = {database:String} AND table = {table:String} AND partition = {partition:String}"""


class PurgeError(UserError):
    """A partition is still there after it was dropped."""


@dataclass(frozen=True, slots=True)
class Purged:
    """A step that was taken: when, and the rows and octets on disk that went with it."""

    step: Step
    time: datetime
    rows: int
    bytes: int


def apply(plan: Plan, policy: Policy, client: Client, clock: Callable[[], datetime]) -> list[Purged]:
    """Run the plan with a client of the retention role and return what was dropped, each recorded in `purges`.

    The run itself is recorded in `purge_runs` when it has come to its end, whether or not anything was due.

    RefusalError before the first step if the guard refuses any. PurgeError where a partition still has parts
    afterwards; what was dropped until then is recorded, and the next plan has the rest. A partition that is gone
    already, by ClickHouse's own TTL or another purge, is passed over.
    """
    permit(plan, policy, clock())
    purged = []
    for step in plan.steps:
        parts, rows, size = _parts(client, step)
        if not parts:
            continue
        client.command(_drop(step))
        left, left_rows, _ = _parts(client, step)
        if left:
            raise PurgeError(
                f"{step.partition.table}: {step.reason}: {left} parts with {left_rows} rows are there after DROP "
                f"PARTITION; if the collector is catching up on old data, purge again when it has"
            )
        done = Purged(step, clock(), rows, size)
        client.command(_record(done))
        purged.append(done)
    client.command(_record_run(plan, purged, clock()))
    return purged


def _parts(client: Client, step: Step) -> tuple[int, int, int]:
    """Return the number, rows and octets of the partition's active parts."""
    names = {"database": client.database, "table": step.partition.table, "partition": _name(step)}
    ((parts, rows, size),) = client.query(_PARTS, names).rows
    return parts, rows, size


def _name(step: Step) -> str:
    """Return the partition as ClickHouse writes it, made, like the table's name, from what the guard has seen."""
    return f"({literal(step.partition.retention_class)},{literal(step.partition.day.isoformat())})"


def _drop(step: Step) -> str:
    # ClickHouse refuses to drop more than 50 GB unless told otherwise, and would do so in production only.
    return f"ALTER TABLE `{step.partition.table}` DROP PARTITION {_name(step)} SETTINGS max_partition_size_to_drop = 0"


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
