"""Held rows: what active holds cover, copies of it that expiry cannot reach, and their end.

A held partition has the rows of its source that any active hold covers, each as often as it is there, however many
holds cover it. Where the source is gone the copy is the only one: it loses a row only when no active hold covers it.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from retention.copies import Copy, Totals, next_number, record, records
from retention.held_rows import Selection, counts, only_here, select, totals, totals_of_each
from retention.holds import Hold, active
from retention.plan import Key, key_of
from retention.scope import canonical
from retention.scope_sql import touches
from settings.errors import RefusalError, UserError
from storage.client import Client
from storage.held_tables import HELD_COLUMNS, STAGING, held
from storage.observe import Partition, partition_rows

_ANY_SIZE = "SETTINGS max_partition_size_to_drop = 0"
"""ClickHouse refuses to replace more than 50 GB unless told otherwise, and would do so in production only."""

_LONGEST_RUN = timedelta(hours=6)


class CopyError(UserError):
    """A copy of held rows differs from what it was made of, so that it does not count."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What active holds cover in a partition: which holds, how many rows, and whether a verified copy has all of them.

    The copy has to be of exactly these rows, for the scopes as they are now. Nothing to copy counts as copied.
    """

    holds: tuple[str, ...] = ()
    rows: int = 0
    copied: bool = True


@dataclass(frozen=True, slots=True)
class Tidied:
    """A held partition that lost rows, which no active hold covers any more."""

    key: Key
    before: int
    after: int


def covers(client: Client, holds: Iterable[Hold], partitions: Iterable[Partition], now: datetime) -> dict[Key, Cover]:
    """Return what the holds active at `now` cover in each of the partitions: one query, or two, for each table.

    Of holds only those are asked about whose span meets a partition's day. RefusalError where they are too many.
    """
    running = active(holds, now)
    found = {key_of(partition): Cover() for partition in partitions}
    asked: dict[str, list[tuple[Key, tuple[Hold, ...]]]] = {}
    for key in found:
        if meeting := _meeting(running, key):
            asked.setdefault(key[0], []).append((key, meeting))
    known = records(client) if asked else {}
    for table, several in asked.items():
        found |= _covers(client, table, dict(several), known)
    return found


def _meeting(running: Sequence[Hold], key: Key) -> tuple[Hold, ...]:
    """Return the holds that can cover rows of the partition."""
    table, _, day = key
    if table not in HELD_COLUMNS:
        return ()
    return tuple(hold for hold in running if hold.scope.meets(day) and touches(hold.scope, table))


def _covers(
    client: Client, table: str, asked: dict[Key, tuple[Hold, ...]], known: dict[Key, list[Copy]]
) -> dict[Key, Cover]:
    holds = tuple({hold.id: hold for meeting in asked.values() for hold in meeting}.values())
    selection = select(table, asked, holds)
    hashed = any(key in known for key in asked)  # what was never copied has nothing to be compared with
    source = totals_of_each(client, table, selection, f", {selection.counted}", hashed)
    copies = totals_of_each(client, held(table), selection.all, f", {selection.counted}") if hashed and source else {}
    found = {}
    for key, (there, rows_of) in source.items():
        if key not in asked or not there.rows:
            continue
        copy, copied_of = copies.get(key, (Totals(), [0] * len(holds)))
        # A hold that covers nothing here needs no new copy; what it covers may be in the copy alone.
        those = [hold for hold, here, kept in zip(holds, rows_of, copied_of, strict=True) if here or kept]
        wanted = _fingerprint(those)
        recorded = any(
            (each.totals, each.scopes, each.columns) == (copy, wanted, HELD_COLUMNS[table])
            for each in known.get(key, ())
        )
        copied = recorded and (copy == there or not _missing(client, key, asked[key]))
        covering = tuple(hold.id for hold, rows in zip(holds, rows_of, strict=True) if rows)
        found[key] = Cover(covering, there.rows, copied)
    return found


def secure(client: Client, holds: Iterable[Hold], partition: Partition, now: datetime) -> Copy:
    """Copy what the holds active at `now` cover in a partition, verify the copy, and put it in place at once.

    The copy is made in a table of its own; held rows that the source has no longer go into it too. It is put on record
    before it takes its place, so that whatever happens the rows in place are those of a record. CopyError where it
    differs from its source, as when rows come in meanwhile: what was in place stays, and the next run copies anew.
    """
    return _rebuild(client, tuple(holds), key_of(partition), now, from_source=True)


def tidy(client: Client, holds: Iterable[Hold], now: datetime) -> list[Tidied]:
    """Take away held rows that no hold active at `now` covers, and what killed runs have left; return what went.

    `holds` are all that were ever placed: RefusalError where a copy was made for one that is not among them.
    """
    every = tuple(holds)
    known = records(client)
    _drop_leftovers(client, now)
    rows = _held_rows(client)
    for key in rows:
        _refuse_unknown(known.get(key, ()), every, key)
    covered = _covered_copies(client, rows, active(every, now))
    tidied = [Tidied(key, before, covered.get(key, 0)) for key, before in sorted(rows.items())]
    tidied = [each for each in tidied if each.after < each.before]
    for each in tidied:
        _rebuild(client, every, each.key, now, from_source=False)
    return tidied


def kept(client: Client, holds: Iterable[Hold], now: datetime) -> dict[Key, int]:
    """Return how many rows of each held partition the holds active at `now` cover, whether or not it has a source."""
    return _covered_copies(client, _held_rows(client), active(holds, now))


def altered(client: Client) -> list[str]:
    """Return, in words, the held partitions whose rows are not those of any record of a copy: somebody changed them."""
    known = records(client)
    faults = []
    for key, rows in sorted(_held_rows(client).items()):
        table, name, day = key
        columns = {copy.columns for copy in known.get(key, ())}  # those of the time: a newer version may have more
        found = [totals(client, held(table), select(table, [key]), each) for each in columns]
        if not any(copy.totals in found for copy in known.get(key, ())):
            faults.append(f"{held(table)}, class {name}, day {day}: its {rows} rows are not those of any verified copy")
    return faults


def _rebuild(client: Client, holds: tuple[Hold, ...], key: Key, now: datetime, from_source: bool) -> Copy:
    table, name, day = key
    before = records(client).get(key, [])
    _refuse_unknown(before, holds, key)
    meeting = _meeting(active(holds, now), key)
    selection = select(table, [key], meeting)
    what = f"{table}, class {name}, day {day}"
    with _staging(client, table) as staging:
        source = Totals()
        if from_source:
            _fill(client, staging, table, table, selection)
            source = totals(client, table, selection, HELD_COLUMNS[table])
        found = totals(client, staging, select(table, [key]), HELD_COLUMNS[table])
        if found != source:
            raise CopyError(f"{what}: {source.rows} rows are held, and {found.rows} were copied, or others; copy again")
        found = source + _keep(client, staging, table, selection, found)
        if found != totals(client, staging, select(table, [key]), HELD_COLUMNS[table]):
            raise CopyError(f"{what}: held rows that the table no longer has were not copied whole; copy again")
        there = tuple(hold for hold, rows in zip(meeting, counts(client, staging, selection), strict=True) if rows)
        ids = tuple(sorted(hold.id for hold in there))
        copy = Copy(key, next_number(before), now, found, HELD_COLUMNS[table], _fingerprint(there), ids)
        record(client, copy)
        _put_in_place(client, staging, key, found)
    placed = totals(client, held(table), select(table, [key]), HELD_COLUMNS[table])
    if placed != found:
        raise CopyError(f"{what}: {found.rows} rows were copied, and {placed.rows} are in place; copy again")
    return copy


def _keep(client: Client, staging: str, table: str, selection: Selection, copied: Totals) -> Totals:
    """Copy those of the held rows, covered still, that are not in the copy yet; return their totals."""
    there = totals(client, held(table), selection, HELD_COLUMNS[table])
    if not there.rows or there == copied:
        return Totals()
    other = only_here(table, selection, staging)
    kept = totals(client, held(table), other, HELD_COLUMNS[table])
    if kept.rows:
        _fill(client, staging, held(table), table, other)
    return kept


def _missing(client: Client, key: Key, meeting: tuple[Hold, ...]) -> int:
    """Return how many covered rows of the source are not in its copy, which has rows that the source has lost."""
    table = key[0]
    return totals(
        client, table, only_here(table, select(table, [key], meeting), held(table)), ("retention_class",)
    ).rows


def _covered_copies(client: Client, rows: Iterable[Key], running: tuple[Hold, ...]) -> dict[Key, int]:
    """Return how many rows of each held partition the holds cover, where they cover any; one query for each table."""
    asked: dict[str, list[Key]] = {}
    for key in rows:
        asked.setdefault(key[0], []).append(key)
    found: dict[Key, int] = {}
    for table, keys in asked.items():
        holds = [hold for hold in running if touches(hold.scope, table)]
        totals = totals_of_each(client, held(table), select(table, keys, holds), "", hashed=False)
        found |= {key: there.rows for key, (there, _) in totals.items()}
    return found


def _fill(client: Client, staging: str, source: str, table: str, selection: Selection) -> None:
    columns = ", ".join(f"`{name}`" for name in HELD_COLUMNS[table])
    client.command(
        f"INSERT INTO `{staging}` ({columns}) SELECT {columns} FROM `{source}` WHERE {selection.where}",  # noqa: S608
        selection.parameters,
    )


def _put_in_place(client: Client, staging: str, key: Key, totals: Totals) -> None:
    """Put the copy where the one before was; ClickHouse replaces nothing by an empty partition, so that is dropped."""
    table, name, day = key
    partition = "PARTITION ({class:String}, {day:String})"
    action = f"REPLACE {partition} FROM `{staging}`" if totals.rows else f"DROP {partition}"
    values = {"class": name, "day": day.isoformat()}
    client.command(f"ALTER TABLE `{held(table)}` {action} {_ANY_SIZE}", values)


@contextmanager
def _staging(client: Client, table: str) -> Iterator[str]:
    """Give the name of a new table of the same form; no other run knows it."""
    name = f"{STAGING}{table}_{secrets.token_hex(8)}"
    client.command(f"CREATE TABLE `{name}` AS `{held(table)}`")
    try:
        yield name
    except BaseException:
        with contextlib.suppress(UserError):  # what is wrong already counts; the next `tidy` drops it
            _drop_table(client, name)
        raise
    _drop_table(client, name)


def _drop_table(client: Client, name: str) -> None:
    client.command(f"DROP TABLE IF EXISTS `{name}` SYNC SETTINGS max_table_size_to_drop = 0")


def _drop_leftovers(client: Client, now: datetime) -> None:
    """Drop the tables of runs that were killed: those that are older than any run takes."""
    sql = (
        "SELECT name FROM system.tables WHERE database = {database:String} AND startsWith(name, {begin:String}) "
        "AND toUnixTimestamp(metadata_modification_time) < {before:Int64}"
    )
    before = int((now - _LONGEST_RUN).timestamp())
    for (name,) in client.query(sql, {"database": client.database, "begin": STAGING, "before": before}).rows:
        _drop_table(client, name)


def _held_rows(client: Client) -> dict[Key, int]:
    """Return how many rows each held partition has."""
    names = {held(table): table for table in HELD_COLUMNS}
    found = partition_rows(client, tuple(names))
    return {(names[table], name, day): rows for (table, name, day), rows in found.items()}


def _refuse_unknown(copies: Sequence[Copy], holds: tuple[Hold, ...], key: Key) -> None:
    """Without the events of a hold all would look as if nothing were held any more."""
    unknown = {name for copy in copies[-1:] for name in copy.holds} - {hold.id for hold in holds}
    if unknown:
        table, name, day = key
        raise RefusalError(
            f"{held(table)}, class {name}, day {day}: the copy was made for hold {', '.join(sorted(unknown))}, of "
            "which nothing is known; bring back the table hold_events from its backup; until then nothing is taken away"
        )


def _fingerprint(holds: Iterable[Hold]) -> str:
    """Return what is equal for holds of equal scopes, in whatever order and however many."""
    scopes = sorted({canonical(hold.scope) for hold in holds})
    return sha256("\n".join(scopes).encode()).hexdigest()
