"""The records of copies of held rows, and what these are compared by: their number, and sums of a hash of each row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from retention.plan import Key
from storage.client import Client
from storage.held_tables import COPIES

_RECORDS = f"""
    SELECT table_name, retention_class, day, number, time, rows, hash_sum, hash_xor, columns, scopes, holds
    FROM {COPIES} ORDER BY table_name, retention_class, day, number"""  # noqa: S608 - our own table's name
_APPEND = f"""
    INSERT INTO {COPIES} (table_name, retention_class, day, number, time, rows, hash_sum, hash_xor, columns, scopes,
        holds)
    SELECT {{table:String}}, {{class:String}}, {{day:Date}}, {{number:UInt32}},
        fromUnixTimestamp64Milli({{time:Int64}}, 'UTC'), {{rows:UInt64}}, {{sum:UInt64}}, {{xor:UInt64}},
        {{columns:Array(String)}}, {{scopes:String}}, {{holds:Array(String)}}"""


@dataclass(frozen=True, slots=True)
class Totals:
    """What rows are compared by, in any order: how many, and sum (modulo 2**64) and xor of each row's cityHash64."""

    rows: int = 0
    sum: int = 0
    xor: int = 0

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.rows + other.rows, (self.sum + other.sum) % 2**64, self.xor ^ other.xor)


@dataclass(frozen=True, slots=True)
class Copy:
    """A verified copy of a partition's held rows: which rows, by their totals over `columns`, and for which holds.

    `scopes` is the fingerprint of the scopes that it was made for.
    """

    key: Key
    number: int
    time: datetime
    totals: Totals
    columns: tuple[str, ...]
    scopes: str
    holds: tuple[str, ...]


def records(client: Client) -> dict[Key, list[Copy]]:
    """Return the records of each partition's copy, in turn; RefusalError of the database's where it cannot be read."""
    found: dict[Key, list[Copy]] = {}
    for table, name, day, number, time, rows, hash_sum, hash_xor, columns, scopes, holds in client.query(_RECORDS).rows:
        totals = Totals(rows, hash_sum, hash_xor)
        copy = Copy(
            (table, name, day), number, time.astimezone(UTC), totals, tuple(columns), scopes, tuple(sorted(holds))
        )
        found.setdefault(copy.key, []).append(copy)
    return found


def record(client: Client, copy: Copy) -> None:
    """Put a copy on record."""
    table, name, day = copy.key
    client.command(
        _APPEND,
        {
            "table": table,
            "class": name,
            "day": day.isoformat(),
            "number": copy.number,
            "time": round(copy.time.timestamp() * 1000),
            "rows": copy.totals.rows,
            "sum": copy.totals.sum,
            "xor": copy.totals.xor,
            "columns": list(copy.columns),
            "scopes": copy.scopes,
            "holds": list(copy.holds),
        },
    )


def next_number(of: Iterable[Copy]) -> int:
    """Return the number of the record that follows."""
    return max((copy.number for copy in of), default=0) + 1
