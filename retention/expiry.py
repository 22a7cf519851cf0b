"""ClickHouse's own expiry, the ceiling behind the purge: what the policy wants of it, and how it is to change. Pure.

The daemon itself only lengthens (`lasting`). What shortens deletes, so it is a step of a plan: `retention.plan`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from retention.grace import with_grace
from retention.policy import CATEGORIES, Policy
from storage.ddl import FLOWS
from storage.ddl import wanted as wanted_schema
from storage.form import Schema
from storage.observe import Observed, ttl_days


@dataclass(frozen=True, slots=True)
class Expiry:
    """Days by class after which a table's rows expire; `text` is an expression that says something else."""

    days: Mapping[str, int]
    text: str = ""

    def __str__(self) -> str:
        if self.text:
            return f"'{self.text}'"
        return ", ".join(f"{name} {days} d" for name, days in sorted(self.days.items())) or "nothing"


def wanted(policy: Policy, table: str, found: Mapping[str, int]) -> dict[str, int]:
    """Return the days by class that a table is to have; empty for those that the policy does not speak about.

    Classes that are no longer in the policy keep the days `found`: nobody has said that their rows are to go.
    """
    if table == FLOWS:
        return {**found, **policy.ttl_days()}
    category = CATEGORIES.get(table)
    days = policy.category_days().get(category or "")
    return {} if category is None or days is None else {category.value: days}


def changes(policy: Policy, found: Mapping[str, Expiry]) -> Iterator[tuple[str, dict[str, int], tuple[str, ...]]]:
    """Yield each table whose expiry is not the policy's: the days wanted, and the classes that would expire sooner."""
    for table, expiry in sorted(found.items()):
        want = wanted(policy, table, expiry.days)
        if want and (expiry.text or dict(expiry.days) != want):
            # What an expression of somebody else keeps is not known, so any change of it may shorten.
            sooner = (name for name, days in want.items() if expiry.text or days < expiry.days.get(name, 0))
            yield table, want, tuple(sorted(sooner))


def lasting(policy: Policy, observed: Observed, stored: Collection[tuple[str, str]]) -> Schema:
    """Return the schema that the daemon may bring about by itself: of the expiry found and wanted the longer.

    `stored` are the tables and classes that have rows: where there are none, nothing is deleted by a shorter one. An
    expiry that is not ours, or that somebody has removed, stays as it is.
    """
    filled = {table for table, _ in stored}
    found = {table: one for table, one in expiry(observed).items() if table in filled}
    days = {
        table: {name: days for name, days in one.days.items() if (table, name) in stored}
        for table, one in found.items()
    }
    flows = {**days.get(FLOWS, {}), **_longer(policy.ttl_days(), [days.get(FLOWS, {})])}
    categories = policy.category_days()
    beside = [of for table, of in days.items() if table != FLOWS]
    schema = wanted_schema(flows, _longer(categories, beside))
    tables = (
        replace(table, ttl=observed.tables[table.name].ttl) if table.name in found and found[table.name].text else table
        for table in schema.tables
    )
    schema = replace(schema, tables=tuple(tables))
    return with_grace(schema) if policy.purge.grace else schema


def _longer(days: Mapping[str, int], found: Iterable[Mapping[str, int]]) -> dict[str, int]:
    found = list(found)
    return {name: max(own, *(of.get(name, 0) for of in found)) if found else own for name, own in days.items()}


def expiry(observed: Observed) -> dict[str, Expiry]:
    """Return how each table that the policy speaks about expires."""
    known = {}
    for name, table in observed.tables.items():
        if name == FLOWS or name in CATEGORIES:
            days = ttl_days(table)
            known[name] = Expiry(days, "" if days else table.ttl or "nothing at all")
    return known
