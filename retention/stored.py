"""What lies in the tables that the policy speaks about: the flows' and those of `schema.tables`."""

from __future__ import annotations

from retention.policy import CATEGORIES
from storage.client import Client
from storage.ddl import FLOWS
from storage.observe import Observed, Partition, observe, partitions


def stored(client: Client, observed: Observed | None = None) -> list[Partition]:
    """Return the partitions of every such table, by table; of tables that are not there yet there are none.

    `observed` is the database as it is, where the caller has looked already.
    """
    there = (observed or observe(client)).tables
    return [found for table in (FLOWS, *CATEGORIES) if table in there for found in partitions(client, table)]
