"""Partitions that were dropped and can be undone: they lie in tables of their own, which no query of people reads.

A policy with `purge.grace` has them. What is moved there keeps its parts as they are; the tables have no TTL, and the
purge destroys what has lain there for the grace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from retention.holds import Hold
from retention.policy import CATEGORIES
from storage.client import Client
from storage.ddl import FLOWS
from storage.form import Schema, Table
from storage.observe import Observed, Partition, partitions

PREFIX = "dropped_"
_MOVED = """
    SELECT table_name, retention_class, day, max(time) FROM purges WHERE reason NOT LIKE {destroyed:String}
    GROUP BY ALL"""
DESTROYED = "destroyed after"
"""What the reason of a partition's final end begins with."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A partition, named by the table it is of, that was taken out of use at `moved`."""

    partition: Partition
    moved: datetime

    def due(self, grace: int) -> datetime:
        """Return when it is to be destroyed, `grace` days after."""
        return self.moved + timedelta(days=grace)


def with_grace(schema: Schema) -> Schema:
    """Return the schema with a table for what is dropped of each table that the policy speaks about."""
    wanted = tuple(_grace_table(table) for table in schema.tables if table.name == FLOWS or table.name in CATEGORIES)
    return replace(schema, tables=schema.tables + wanted)


def _grace_table(table: Table) -> Table:
    return replace(
        table,
        name=PREFIX + table.name,
        ttl="",
        keeps_ttl=False,
        comment=f"Partitions of {table.name} that were dropped and can be undone for the policy's grace",
    )


def dropped(client: Client, observed: Observed, now: datetime) -> tuple[Dropped, ...]:
    """Return what can be undone; of a partition whose drop is not on record the grace begins now."""
    tables = [name for name in (FLOWS, *CATEGORIES) if PREFIX + name in observed.tables]
    if not tables:
        return ()
    rows = client.query(_MOVED, {"destroyed": f"{DESTROYED}%"}).rows
    moved = {tuple(key): time.replace(tzinfo=UTC) for *key, time in rows}
    return tuple(
        Dropped(replace(each, table=name), moved.get((name, each.retention_class, each.day), now))
        for name in tables
        for each in partitions(client, PREFIX + name)
    )


def newly_held(of: Dropped, holds: Iterable[Hold], now: datetime) -> Iterator[str]:
    """Yield the names of active holds that were placed after a partition was dropped, and may cover rows of it.

    What older ones cover of it was copied before it was dropped.
    """
    for hold in holds:
        if hold.placed > of.moved and hold.is_active(now) and hold.scope.meets(of.partition.day):
            yield hold.id


def by_name(found: Iterable[Dropped]) -> Mapping[str, Dropped]:
    """Return them by what people call them: TABLE/CLASS/DAY."""
    return {f"{each.partition.table}/{each.partition.retention_class}/{each.partition.day}": each for each in found}
