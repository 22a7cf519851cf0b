"""What ClickHouse's parts say of their own expiry, beside what the policy and the table say: a part keeps its own word.

Traps L1 to L5 of the facts: after a change of TTL a part may go on by the former one, and neither the table's
definition nor a query shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from retention.plan import end_of, minute
from storage.client import Client
from storage.observe import class_and_day

_DAY = timedelta(days=1)
_PARTS = """
    SELECT partition, name, rows, delete_ttl_info_min, delete_ttl_info_max FROM system.parts
    WHERE active AND database = {database:String} AND table = {table:String} AND rows > 0 ORDER BY partition, name"""


@dataclass(frozen=True, slots=True)
class Part:
    """An active part, and between which moments it says that its rows expire; None where it says nothing."""

    table: str
    name: str
    retention_class: str
    day: date
    rows: int
    first: datetime | None
    last: datetime | None


def parts(client: Client, table: str) -> list[Part]:
    """Return the active parts of a table that is partitioned by class and day."""
    rows = client.query(_PARTS, {"database": client.database, "table": table}).rows
    return [
        Part(table, name, *class_and_day(partition), count, _moment(first), _moment(last))
        for partition, name, count, first, last in rows
    ]


def _moment(found: datetime) -> datetime | None:
    """Return a moment of ClickHouse's with its zone; 1970 says that there is none."""
    return found.replace(tzinfo=UTC) if found.year > 1970 else None


def disagreeing(found: list[Part], days: Mapping[str, int]) -> Iterator[tuple[Part, str]]:
    """Yield parts that do not expire as many `days` after their rows' day as the table's TTL says, and what they say.

    A class that `days` does not name is kept as long as the longest of them: `storage.ddl.flows_ttl`.
    """
    for part in found:
        after = days.get(part.retention_class, max(days.values())) * _DAY
        if part.first is None or part.last is None:
            yield part, "says nothing of its expiry"
        elif part.first < end_of(part.day) - _DAY + after or part.last > end_of(part.day) + after:
            span = f"{minute(part.first)} to {minute(part.last)}"
            yield part, f"expires {span}, not {after.days} d after its day"
