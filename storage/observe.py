"""What a database has: tables, columns, keys, TTL and version, and what lies in each partition."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from schema.tables import STORED_TABLES
from storage.client import Client
from storage.ddl import FLOWS
from storage.form import Field, Table

_TTL = re.compile(r" TTL (.*?)(?: SETTINGS .*)?$", re.DOTALL)
_BRANCH = re.compile(r"retention_class = '((?:[^'\\]|\\.)*)', (\d+)")
_SAME_FOR_ALL = re.compile(r"time_received \+ toIntervalDay\((\d+)\)")
_CATEGORIES = {table.name: table.category.value for table in STORED_TABLES}
_INDEX = re.compile(r"INDEX \w+ [^,]+? TYPE \S+ GRANULARITY \d+")
_SETTING = re.compile(r"(\w+) = ('(?:[^'\\]|\\.)*'|[^,]+)")
_VERSION = re.compile(r"flowkeep schema (\d+)")

_TABLES = """
    SELECT name, engine_full, partition_key, primary_key, sorting_key, comment, engine, create_table_query
    FROM system.tables WHERE database = {database:String}"""
_COLUMNS = """
    SELECT table, name, type, compression_codec, comment, if(default_kind = 'ALIAS', default_expression, '')
    FROM system.columns
    WHERE database = {database:String} ORDER BY table, position"""
_PARTS = """
    SELECT partition, any(partition_id), sum(rows), sum(bytes_on_disk) FROM system.parts
    WHERE active AND rows > 0 AND database = {database:String} AND table = {table:String}
    GROUP BY partition ORDER BY partition"""
_ROWS = """
    SELECT table, partition, sum(rows) FROM system.parts
    WHERE active AND rows > 0 AND database = {database:String} AND table IN {tables:Array(String)}
    GROUP BY table, partition"""
# Grouped by the partition key itself, this is answered from the parts' metadata without reading a row.
_TIMES = """
    SELECT toString(retention_class), toDate(time_received) AS day, min(time_received), max(time_received)
    FROM {table:Identifier} GROUP BY retention_class, day"""


@dataclass(frozen=True, slots=True)
class Observed:
    """A database as it is; `version` is the schema version that its flows table carries, None without such a table.

    `views` are of either kind; `plain` has the columns of those that are not materialized.
    """

    version: int | None
    tables: dict[str, Table]
    views: frozenset[str]
    plain: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Partition:
    """The active parts of one (retention class, day) partition of a table; times are by the collector's clock."""

    partition_id: str
    retention_class: str
    day: date
    rows: int
    bytes: int
    oldest: datetime | None
    newest: datetime | None
    table: str = FLOWS


def observe(client: Client) -> Observed:
    """Return the tables and views of the client's database."""
    database = {"database": client.database}
    fields: dict[str, list[Field]] = {}
    for table, name, kind, codec, comment, alias in client.query(_COLUMNS, database).rows:
        fields.setdefault(table, []).append(Field(name, kind, _codec(codec), comment, alias))
    tables, views, plain, version = {}, set(), {}, None
    for name, full, partition_by, primary_key, order_by, comment, engine, created in client.query(
        _TABLES, database
    ).rows:
        if engine in ("MaterializedView", "View"):
            views.add(name)
            if engine == "View":
                plain[name] = tuple(field.name for field in fields.get(name, ()))
            continue
        ttl = _TTL.search(full)
        tables[name] = Table(
            name,
            tuple(fields.get(name, ())),
            partition_by=partition_by,
            primary_key=primary_key,
            order_by=order_by,
            engine=full.partition(" PARTITION BY ")[0].partition(" ORDER BY ")[0],
            ttl=ttl[1] if ttl else "",
            settings=_settings(full),
            indexes=tuple(_INDEX.findall(created)),  # their system table needs a grant of its own
            comment=comment,
        )
        carried = _VERSION.fullmatch(comment)
        if name == FLOWS and carried:
            version = int(carried[1])
    return Observed(version, tables, frozenset(views), plain)


def _settings(engine: str) -> tuple[tuple[str, str], ...]:
    """Return the settings that a table's engine is printed with, as SQL."""
    _, found, settings = engine.partition(" SETTINGS ")
    return tuple((name, value) for name, value in _SETTING.findall(settings)) if found else ()


def _codec(printed: str) -> str:
    """Return a codec without `CODEC()` and without the width that ClickHouse adds to Delta from the column's type."""
    return re.sub(r"\bDelta\(\d\)", "Delta", printed.removeprefix("CODEC(").removesuffix(")"))


def ttl_days(table: Table) -> dict[str, int]:
    """Return the days that a table's TTL says: by retention class for flows, by category for the other tables.

    Empty where it says nothing of the kind.
    """
    if table.name in _CATEGORIES:
        said = _SAME_FOR_ALL.fullmatch(table.ttl)
        return {_CATEGORIES[table.name]: int(said[1])} if said else {}
    return {re.sub(r"\\(.)", r"\1", name): int(days) for name, days in _BRANCH.findall(table.ttl)}


def class_and_day(partition: str) -> tuple[str, date]:
    """Return the retention class and the day of a partition as ClickHouse prints it."""
    retention_class, day = ast.literal_eval(partition)
    return str(retention_class), date.fromisoformat(day)


def partitions(client: Client, table: str = FLOWS) -> list[Partition]:
    """Return the partitions of `flows`, or of a table laid out like it, by class and day."""
    times = {(name, day): (oldest, newest) for name, day, oldest, newest in client.query(_TIMES, {"table": table}).rows}
    found = []
    for text, partition_id, rows, size in client.query(_PARTS, {"database": client.database, "table": table}).rows:
        retention_class, day = class_and_day(text)
        oldest, newest = times.get((retention_class, day), (None, None))
        found.append(Partition(partition_id, retention_class, day, rows, size, oldest, newest, table))
    return found


def partition_rows(client: Client, tables: Sequence[str]) -> dict[tuple[str, str, date], int]:
    """Return the rows of each partition of tables laid out like `flows`, by table, class and day, in one query."""
    found = client.query(_ROWS, {"database": client.database, "tables": list(tables)}).rows
    named = {(table, *ast.literal_eval(text)): rows for table, text, rows in found}
    return {(table, name, date.fromisoformat(day)): rows for (table, name, day), rows in named.items()}
