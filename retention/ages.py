"""How old the oldest of each class and category is, and how old it may get. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from retention.policy import CATEGORIES, Policy
from storage.ddl import FLOWS
from storage.observe import Partition

_DAY = 86400.0
_OVER = 2
"""Days beyond `keep_for`: the width of a day's partition, and the time until the next daily purge."""


def oldest_by_class(partitions: Iterable[Partition]) -> dict[tuple[str, str], datetime | None]:
    """Return by category (`flows` is one) and class when the oldest row was received."""
    found: dict[tuple[str, str], datetime | None] = {}
    for each in partitions:
        labels = CATEGORIES[each.table].value if each.table in CATEGORIES else FLOWS, each.retention_class
        before = found.get(labels)
        if each.oldest and (before is None or each.oldest < before):
            found[labels] = each.oldest
    return found


def limits(policy: Policy) -> dict[tuple[str, str], float]:
    """Return by category and class the age, in seconds, by which a row is gone where a purge runs every day."""
    found = {(FLOWS, name): kept.keep_for for name, kept in policy.classes.items()}
    found |= {(name, name): kept.keep_for for name, kept in policy.named.items() if name in set(CATEGORIES.values())}
    return {labels: (days + _OVER) * _DAY for labels, days in found.items()}
