"""Held rows as SQL: which rows of which partitions holds cover, and what these come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from query.sql import Parameters
from retention.copies import Totals
from retention.holds import Hold
from retention.plan import Key
from retention.scope_sql import any_of, covered_by_each
from storage.client import Client
from storage.held_tables import HELD_COLUMNS, held, row_hash

_PARTITIONS = "retention_class IN {classes:Array(String)} AND toDate(time_received) IN {days:Array(Date)}"


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of some partitions of a table that holds cover, as a WHERE; `each` is the condition of each hold.

    `whole` is the WHERE of all rows of the partitions.
    """

    where: str
    each: tuple[str, ...]
    parameters: dict[str, object]
    whole: str

    @property
    def all(self) -> Selection:
        """All rows of the partitions, covered or not."""
        return replace(self, where=self.whole)

    @property
    def counted(self) -> str:
        """The column that counts the rows that each hold covers."""
        return f"[{', '.join(f'countIf({condition})' for condition in self.each)}]"


def select(table: str, keys: Iterable[Key], holds: Sequence[Hold] | None = None) -> Selection:
    """Return what `holds` cover in the partitions, or all rows of these where no holds are given."""
    keys = list(keys)
    parameters = Parameters()
    each = covered_by_each([hold.scope for hold in holds or ()], table, parameters)
    days = {
        "classes": sorted({name for _, name, _ in keys}),
        "days": sorted({day.isoformat() for _, _, day in keys}),
    }
    where = _PARTITIONS if holds is None else f"{_PARTITIONS} AND {any_of(each)}"
    return Selection(where, tuple(each), {**days, **parameters.values}, _PARTITIONS)


def _sums(columns: Iterable[str]) -> str:
    hashed = row_hash(columns)
    return f"count(), sumWithOverflow({hashed}), groupBitXor({hashed})"


def totals(client: Client, table: str, selection: Selection, columns: Iterable[str]) -> Totals:
    """Return how many rows of the table are selected, and the sums of their hashes over `columns`."""
    sql = f"SELECT {_sums(columns)} FROM `{table}` WHERE {selection.where}"  # noqa: S608 - see `scope_sql`
    ((rows, hash_sum, hash_xor),) = client.query(sql, selection.parameters).rows
    return Totals(rows, hash_sum, hash_xor)


def totals_of_each(
    client: Client, table: str, selection: Selection, more: str, hashed: bool = True
) -> dict[Key, tuple[Totals, list[int]]]:
    """Return totals by partition of the table that is held, or holds, and what `more` counts."""
    source = table.removeprefix(held(""))
    sums = _sums(HELD_COLUMNS[source]) if hashed else "count(), 0, 0"
    sql = (
        f"SELECT retention_class, toDate(time_received) AS day, {sums}{more or ', []'} FROM `{table}` "  # noqa: S608
        f"WHERE {selection.where} GROUP BY retention_class, day"
    )
    return {
        (source, name, day): (Totals(rows, hash_sum, hash_xor), list(counts))
        for name, day, rows, hash_sum, hash_xor, counts in client.query(sql, selection.parameters).rows
    }


def counts(client: Client, table: str, selection: Selection) -> list[int]:
    """Return how many rows of the whole table each hold of the selection covers."""
    if not selection.each:
        return []
    ((found,),) = client.query(f"SELECT {selection.counted} FROM `{table}`", selection.parameters).rows  # noqa: S608
    return list(found)


def only_here(table: str, selection: Selection, elsewhere: str) -> Selection:
    """Return the selection without the rows that the table `elsewhere` has too."""
    hashed = row_hash(HELD_COLUMNS[table])
    others = f"SELECT {hashed} FROM `{elsewhere}` WHERE {selection.whole}"  # noqa: S608 - names of our tables
    return replace(selection, where=f"{selection.where} AND {hashed} NOT IN ({others})")
