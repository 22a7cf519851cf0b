"""Which partitions there were, and how many rows they had: kept from look to look, so that one that goes is missed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from retention.plan import SUMMED, Key, key_of
from storage.client import Client
from storage.form import literal
from storage.observe import Partition

_SEEN = """
    SELECT table_name, retention_class, day, argMax(rows, time), max(time) FROM partitions_seen GROUP BY ALL"""
_PURGED = "SELECT table_name, retention_class, day, max(time) FROM purges GROUP BY ALL"


@dataclass(frozen=True, slots=True)
class Seen:
    """A partition as it was seen last: when, with how many rows, and whether a purge is on record since.

    Of tables whose rows merges add up one row counts for all.
    """

    time: datetime
    rows: int
    purged: bool


def seen(client: Client) -> dict[Key, Seen]:
    """Return the partitions that were seen before."""
    purged = {tuple(key): time for *key, time in client.query(_PURGED).rows}
    found = {}
    for table, name, day, rows, time in client.query(_SEEN).rows:
        gone = purged.get((table, name, day))
        found[table, name, day] = Seen(time.replace(tzinfo=UTC), rows, gone is not None and gone >= time)
    return found


def note(client: Client, partitions: Iterable[Partition], before: Mapping[Key, Seen], now: datetime) -> None:
    """Keep the partitions as they are for later looks, but for those that have lost rows: that is to be found again."""
    time = literal(now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3])
    rows = ", ".join(
        f"({time}, {', '.join(map(literal, (each.table, each.retention_class, each.day.isoformat())))}, {_rows(each)})"
        for each in partitions
        if (last := before.get(key_of(each))) is None or last.purged or last.rows <= _rows(each)
    )
    if rows:
        client.command(f"INSERT INTO partitions_seen (time, table_name, retention_class, day, rows) VALUES {rows}")  # noqa: S608 - literals and integers only


def _rows(partition: Partition) -> int:
    return min(partition.rows, 1) if partition.table in SUMMED else partition.rows
