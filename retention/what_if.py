"""What another policy would mean: octets, how far back one can look, and what holds would have lost. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from retention.holds import Hold
from retention.plan import Database, due_at
from retention.policy import CATEGORIES, Policy
from storage.ddl import FLOWS
from storage.observe import Partition


@dataclass(frozen=True, slots=True)
class Change:
    """A class of flows or a category under two policies: days kept (None: not named), what is stored of it now, what
    the new policy would leave, what a full period would come to at the present rate, and the first day that is left.
    """

    name: str
    days: int | None
    new_days: int | None
    bytes: int
    left: int
    full: int | None
    first: date | None
    new_first: date | None


@dataclass(frozen=True, slots=True)
class Lost:
    """A hold whose rows the new policy would have deleted before it was placed: from which day to which."""

    hold: str
    reference: str
    first: date
    last: date
    of: str


def changes(old: Policy, new: Policy, database: Database, now: datetime) -> list[Change]:
    """Return what would change, class by class; rows of a class that the new policy has not are kept, as findings."""
    names = {(True, name) for policy in (old, new) for name in policy.classes}
    names |= {(False, name) for policy in (old, new) for name in policy.named}
    return [_change(old, new, flows, name, database.partitions, now) for flows, name in sorted(names, reverse=True)]


def _change(old: Policy, new: Policy, flows: bool, name: str, partitions: Iterable[Partition], now: datetime) -> Change:
    mine = [each for each in partitions if each.retention_class == name and _is_of(each, flows, name)]
    before, after = ((policy.classes if flows else policy.named).get(name) for policy in (old, new))
    left = [each for each in mine if (due := due_at(new, each)) is None or due > now]
    whole = [each.bytes for each in mine if each.day < now.date()]
    days = len({each.day for each in mine if each.day < now.date()})
    return Change(
        name,
        before.keep_for if before else None,
        after.keep_for if after else None,
        sum(each.bytes for each in mine),
        sum(each.bytes for each in left),
        sum(whole) // days * (after.keep_for + 1) if after and days else None,
        min((each.day for each in mine), default=None),
        min((each.day for each in left), default=None),
    )


def _is_of(partition: Partition, flows: bool, name: str) -> bool:
    return partition.table == FLOWS if flows else CATEGORIES.get(partition.table) == name


def lost(old: Policy, new: Policy, holds: Iterable[Hold]) -> list[Lost]:
    """Return the past holds of which the new policy would have deleted days before they were placed, by class of flows.

    A hold reaches back to the beginning of its window, or to what the old policy kept where it has none.
    """
    found = []
    for hold in holds:
        placed = hold.placed.date()
        for name, kept in old.classes.items():
            after = new.classes.get(name)
            if after is None or after.keep_for >= kept.keep_for:
                continue
            oldest = placed - timedelta(days=kept.keep_for)
            first = max(oldest, hold.scope.since.date()) if hold.scope.since else oldest
            last = placed - timedelta(days=after.keep_for + 1)
            if hold.scope.until is not None:
                last = min(last, hold.scope.until.date())
            if first <= last:
                found.append(Lost(hold.id, hold.reference, first, last, name))
    return found
