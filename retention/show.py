"""The policy beside the database: for each class what was decided, what ClickHouse will do, and what is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from retention.policy import Policy
from storage.client import Client
from storage.ddl import FLOWS
from storage.observe import Partition, observe, partitions, ttl_days


@dataclass(frozen=True, slots=True)
class ClassState:
    """One class: ages in days, None (like the review and the oldest row) where policy or database has no such thing.

    `agrees` says whether ClickHouse's TTL is the one that the policy wants.
    """

    name: str
    keep_for: int | None
    ttl_wanted: int | None
    ttl_found: int | None
    review: date | None
    oldest: datetime | None
    rows: int
    bytes: int
    agrees: bool


def show(policy: Policy, client: Client) -> list[ClassState]:
    """Return the state of every class of the policy, and of the database where the policy has it not."""
    table = observe(client).tables.get(FLOWS)
    return compare(policy, ttl_days(table) if table else {}, partitions(client) if table else [])


def compare(policy: Policy, found: dict[str, int], stored: Iterable[Partition]) -> list[ClassState]:
    """Return the states from the TTL found, days by class, and the partitions stored. Pure."""
    wanted = policy.ttl_days()
    by_class: dict[str, list[Partition]] = {name: [] for name in (*wanted, *found)}
    for partition in stored:
        by_class.setdefault(partition.retention_class, []).append(partition)
    states = []
    for name, held in by_class.items():
        kept = policy.classes.get(name)
        states.append(
            ClassState(
                name=name,
                keep_for=kept.keep_for if kept else None,
                ttl_wanted=wanted.get(name),
                ttl_found=found.get(name),
                review=kept.review if kept else None,
                oldest=min((partition.oldest for partition in held if partition.oldest), default=None),
                rows=sum(partition.rows for partition in held),
                bytes=sum(partition.bytes for partition in held),
                agrees=kept is not None and wanted[name] == found.get(name),
            )
        )
    return states
