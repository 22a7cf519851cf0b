"""What lies in the tables that the policy speaks about, the flows' and those of `schema.tables`, and how it expires."""

from __future__ import annotations

from datetime import UTC, datetime

from retention.expiry import expiry
from retention.grace import dropped
from retention.held import covers
from retention.holds import Hold
from retention.plan import Database
from retention.policy import CATEGORIES
from storage.client import Client
from storage.ddl import FLOWS
from storage.observe import Observed, Partition, observe, partition_rows, partitions


def stored(client: Client, observed: Observed | None = None) -> list[Partition]:
    """Return the partitions of every such table, by table; of tables that are not there yet there are none.

    `observed` is the database as it is, where the caller has looked already.
    """
    there = (observed or observe(client)).tables
    return [found for table in (FLOWS, *CATEGORIES) if table in there for found in partitions(client, table)]


def filled(client: Client, observed: Observed) -> set[tuple[str, str]]:
    """Return the tables and classes that have rows."""
    there = [table for table in (FLOWS, *CATEGORIES) if table in observed.tables]
    return {(table, name) for (table, name, _), rows in partition_rows(client, there).items() if rows}


def look(client: Client, holds: tuple[Hold, ...], now: datetime) -> Database:
    """Return all that a plan is made from."""
    observed = observe(client)
    found = tuple(stored(client, observed))
    covered = covers(client, holds, found, now)
    return Database(found, expiry(observed), covered, dropped(client, observed, now), holds, _last_run(client))


def _last_run(client: Client) -> datetime | None:
    ((count, last),) = client.query("SELECT count(), max(time) FROM purge_runs").rows
    return last.replace(tzinfo=UTC) if count else None
