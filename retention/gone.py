"""Which partitions are gone from their table while rows of them are held: the views `all_*` go by it."""

from __future__ import annotations

from datetime import datetime

from retention.plan import Key
from storage.client import Client
from storage.held_tables import GONE, HELD_COLUMNS, held
from storage.observe import partition_rows

_MARKS = f"""
    SELECT table_name, retention_class, day, max(number), argMax(gone, number) FROM {GONE}
    GROUP BY table_name, retention_class, day"""  # noqa: S608 - our own table's name
_APPEND = f"""
    INSERT INTO {GONE} (table_name, retention_class, day, number, time, gone)
    SELECT {{table:String}}, {{class:String}}, {{day:Date}}, {{number:UInt32}},
        fromUnixTimestamp64Milli({{time:Int64}}, 'UTC'), {{gone:UInt8}}"""


def mark_gone(client: Client, key: Key, now: datetime) -> bool:
    """Say that a partition is dropped, or about to be; return whether that was news.

    Only where rows of it are held is it put on record. It may be said before the drop: rows that are in both tables are
    shown once, and then no moment is left in which a row is in none.
    """
    table, name, day = key
    if table not in HELD_COLUMNS or (held(table), name, day) not in partition_rows(client, (held(table),)):
        return False
    number, gone = _marks(client).get(key, (0, False))
    if not gone:
        _mark(client, key, number + 1, now, gone=True)
    return not gone


def reconcile(client: Client, now: datetime) -> list[Key]:
    """Bring the marks to what is there, as after drops by ClickHouse's own TTL; return the partitions newly gone.

    A mark goes when nothing of its partition is held any more.
    """
    sources = {held(table): table for table in HELD_COLUMNS}
    copies = {(sources[table], name, day) for table, name, day in partition_rows(client, tuple(sources))}
    there = set(partition_rows(client, tuple(HELD_COLUMNS)))
    marks = _marks(client)
    news = sorted(key for key in copies - there if not marks.get(key, (0, False))[1])
    for key in news:
        _mark(client, key, marks.get(key, (0, False))[0] + 1, now, gone=True)
    for key, (number, gone) in marks.items():
        if gone and key not in copies:
            _mark(client, key, number + 1, now, gone=False)
    return news


def _marks(client: Client) -> dict[Key, tuple[int, bool]]:
    return {(table, name, day): (number, bool(gone)) for table, name, day, number, gone in client.query(_MARKS).rows}


def _mark(client: Client, key: Key, number: int, now: datetime, *, gone: bool) -> None:
    table, name, day = key
    client.command(
        _APPEND,
        {
            "table": table,
            "class": name,
            "day": day.isoformat(),
            "number": number,
            "time": round(now.timestamp() * 1000),
            "gone": int(gone),
        },
    )
