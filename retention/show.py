"""The policy beside the database: for each class what was decided, what ClickHouse will do, and what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from retention.classes import RetentionClass
from retention.policy import CATEGORIES, Policy
from retention.stored import stored
from storage.client import Client
from storage.ddl import FLOWS
from storage.observe import Partition, observe, ttl_days


@dataclass(frozen=True, slots=True)
class ClassState:
    """One class of flows, or one category: ages in days, None (like the review and the oldest row) where there is none.

    `tables` are those that have its rows; rows and octets are of all of them. `agrees` says whether ClickHouse's TTL is
    the one that the policy wants, in every table; where they differ among themselves, `ttl_found` is the longest.
    """

    name: str
    tables: tuple[str, ...]
    keep_for: int | None
    ttl_wanted: int | None
    ttl_found: int | None
    review: date | None
    oldest: datetime | None
    rows: int
    bytes: int
    agrees: bool


def show(policy: Policy, client: Client) -> list[ClassState]:
    """Return the state of every class and category of the policy, and of the database where the policy has it not."""
    observed = observe(client)
    found = {name: ttl_days(table) for name, table in observed.tables.items() if name == FLOWS or name in CATEGORIES}
    return compare(policy, found, stored(client, observed))


def compare(policy: Policy, found: Mapping[str, Mapping[str, int]], held: Iterable[Partition]) -> list[ClassState]:
    """Return the states from the TTL found, days by class in each table, and the partitions stored. Pure.

    A category that the policy does not name is among them only as long as it has rows.
    """
    of_class: dict[tuple[bool, str], list[Partition]] = {(False, name): [] for name in policy.classes}
    of_class |= {(False, name): [] for name in found.get(FLOWS, ()) if name not in policy.classes}
    of_class |= {(True, name): [] for name in policy.named}
    for partition in held:
        of_class.setdefault((partition.table in CATEGORIES, partition.retention_class), []).append(partition)
    wanted = {False: policy.ttl_days(), True: policy.category_days()}
    states = []
    for (beside, name), partitions in of_class.items():
        tables = tuple(_tables(beside, name, partitions))
        kept = (policy.named if beside else policy.classes).get(name)
        ttls = [found.get(table, {}).get(name) for table in tables]
        states.append(_state(name, tables, kept, wanted[beside].get(name), ttls, partitions))
    return states


def _tables(beside: bool, name: str, partitions: Iterable[Partition]) -> Iterator[str]:
    """Yield the tables of a class: the flows', those of the category, or those where rows of a stray class are."""
    if not beside:
        yield FLOWS
        return
    strays = {partition.table for partition in partitions}
    yield from (table for table, category in CATEGORIES.items() if category == name or table in strays)


def _state(
    name: str,
    tables: tuple[str, ...],
    kept: RetentionClass | None,
    wanted: int | None,
    ttls: list[int | None],
    partitions: list[Partition],
) -> ClassState:
    return ClassState(
        name=name,
        tables=tables,
        keep_for=kept.keep_for if kept else None,
        ttl_wanted=wanted,
        ttl_found=max((days for days in ttls if days is not None), default=None),
        review=kept.review if kept else None,
        oldest=min((partition.oldest for partition in partitions if partition.oldest), default=None),
        rows=sum(partition.rows for partition in partitions),
        bytes=sum(partition.bytes for partition in partitions),
        agrees=kept is not None and set(ttls) == {wanted},
    )
