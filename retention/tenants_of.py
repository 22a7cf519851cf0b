"""Whose rows a plan would drop: the tenants in each partition, by rows."""

from __future__ import annotations

from collections.abc import Iterable

from retention.plan import Step
from schema.columns import BY_NAME
from schema.tables import STORED_TABLES
from storage.client import Client
from storage.ddl import FLOWS
from storage.observe import Partition

_MOST = 200
"""Partitions that are looked into in one query."""
_COLUMNS = {FLOWS: frozenset(BY_NAME)} | {table.name: frozenset(table.by_name) for table in STORED_TABLES}


def tenants_of(client: Client, steps: Iterable[Step]) -> dict[Partition, list[tuple[str, int]]]:
    """Return for each step's partition its tenants and how many rows they have, most first.

    A row between two tenants is of both; those that are of nobody are of the tenant ''. Tables whose rows are of no
    tenant are left out.
    """
    by_table: dict[str, list[Partition]] = {}
    for step in steps:
        by_table.setdefault(step.partition.table, []).append(step.partition)
    found: dict[Partition, list[tuple[str, int]]] = {}
    for table, partitions in by_table.items():
        for begin in range(0, len(partitions), _MOST):
            found |= _look(client, table, partitions[begin : begin + _MOST])
    return found


def _look(client: Client, table: str, partitions: list[Partition]) -> dict[Partition, list[tuple[str, int]]]:
    columns = _COLUMNS[table]
    if "src_tenant" in columns:
        tenants = "arrayDistinct([src_tenant, dst_tenant])"
    elif "tenant" in columns:
        tenants = "[tenant]"
    else:
        return {}
    known = {(each.retention_class, each.day): each for each in partitions}
    rows = client.query(
        # the names of columns and of the table are the schema's own
        f"SELECT retention_class, toDate(time_received) AS day, arrayJoin({tenants}) AS tenant, count() AS rows "  # noqa: S608
        f"FROM `{table}` WHERE has({{classes:Array(String)}}, toString(retention_class)) "
        "AND has({days:Array(Date)}, toDate(time_received)) GROUP BY ALL ORDER BY rows DESC, tenant",
        {"classes": sorted({name for name, _ in known}), "days": sorted({day for _, day in known})},
    ).rows
    found: dict[Partition, list[tuple[str, int]]] = {}
    for name, day, tenant, count in rows:
        if (name, day) in known:
            found.setdefault(known[name, day], []).append((tenant, count))
    return {each: _assigned(named) for each, named in found.items()}


def _assigned(found: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the tenants without nobody, which is the other side of almost every flow, unless there is nobody else."""
    return [one for one in found if one[0]] or found
