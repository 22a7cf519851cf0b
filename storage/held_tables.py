"""The tables of holds, as data: what happened to them, the copies of held rows, and the views that find those. Pure.

A held row lives in a table of the same columns as its own and **without any TTL**. A partition that is moved from table
to table keeps the expiry that it was made with, so rows are copied, one by one, into tables that never had any.
"""

from __future__ import annotations

from collections.abc import Iterable

from schema.columns import FLOW_COLUMNS
from schema.tables import STORED_TABLES, Category

EVENTS = "hold_events"
COPIES = "held_copies"
GONE = "held_gone"
STAGING = "staging_"
"""What the names of tables begin with in which a copy is made, and verified before it takes its place."""

HELD_COLUMNS: dict[str, tuple[str, ...]] = {
    "flows": tuple(column.name for column in FLOW_COLUMNS),
    **{
        table.name: tuple(column.name for column in table.columns)
        for table in STORED_TABLES
        if table.category is not Category.ROLLUPS
    },
}
"""The columns of each table whose rows can be held. Rollups are sums without addresses: their class keeps them."""

SEARCHED = ("flows", "discards")
"""Tables that people search for a person's rows: these have a view that has the held rows too."""


def held(table: str) -> str:
    """Return the name of the table of held rows of `table`."""
    return f"held_{table}"


def whole(table: str) -> str:
    """Return the name of the view of `table` and of the held rows that it has no longer, each once."""
    return f"all_{table}"


def row_hash(columns: Iterable[str]) -> str:
    """Return the expression of a row's hash over all `columns`; in a tuple, for else a NULL would make it NULL.

    cityHash64 of 75 columns costs a fifth of sipHash64, and is to find accidents, not forgeries.
    """
    return f"cityHash64(({', '.join(f'`{name}`' for name in columns)}))"


def marked(table: str) -> str:
    """Return the SELECT of (class, day) of the partitions of `table` that were dropped and have held rows."""
    return (
        f"SELECT retention_class, day FROM `{GONE}` WHERE table_name = '{table}' "  # noqa: S608 - names of our tables
        "GROUP BY retention_class, day HAVING argMax(gone, number) = 1"
    )


def present(table: str) -> str:
    """Return the SELECT of (class, day) of the partitions of `table`, answered from the parts' metadata."""
    return (
        f"SELECT retention_class, toDate(time_received) AS day FROM `{table}` "  # noqa: S608 - names of our tables
        "GROUP BY retention_class, day HAVING count() > 0"
    )


def whole_select(table: str) -> str:
    """Return the query behind `whole(table)`.

    Held rows count where their partition is gone from the table. Where rows came late into one that had been dropped,
    the copy may have these too: there, and nowhere else, rows are told apart by their hash.
    """
    columns = ", ".join(f"`{name}`" for name in HELD_COLUMNS[table])
    of = "(retention_class, toDate(time_received))"
    rows = f"SELECT {columns} FROM `{held(table)}`"  # noqa: S608 - names of our tables and columns
    hashed = row_hash(HELD_COLUMNS[table])
    return (
        f"SELECT {columns} FROM `{table}` "  # noqa: S608 - as above
        f"UNION ALL {rows} WHERE {of} NOT IN ({present(table)}) "
        f"UNION ALL {rows} WHERE {of} IN ({marked(table)}) AND {of} IN ({present(table)}) "
        f"AND {hashed} NOT IN (SELECT {hashed} FROM `{table}` WHERE {of} IN ({marked(table)}))"
    )
