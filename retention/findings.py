"""What is valid in a policy and yet wants a person's eye: reviews that are overdue, rules that select nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np

from retention.policy import Policy
from retention.rules import Selectors, place, selected
from tenants.allocations import Allocations


def findings(policy: Policy, allocations: Allocations, today: date) -> list[str]:
    """Return them in words: reviews that were due before `today`, then rules in the order of the file."""
    return [*(overdue.text for overdue in policy.overdue(today)), *_idle(policy, allocations)]


def _idle(policy: Policy, allocations: Allocations) -> Iterator[str]:
    """Yield the rules that no allocation has the tenant, service and region for."""
    for selectors, location in policy.assignments.idle(_selectors(allocations)):
        where = place(policy.line_of, *location)
        yield f"no allocation is of {selected(selectors)}, for which there is a rule ({where}); is a name misspelt?"


def _selectors(allocations: Allocations) -> set[Selectors]:
    """Return tenant, service and region of each allocation, None for none, once."""
    columns = (allocations.tenants, allocations.services, allocations.regions)
    codes = np.unique(np.stack([column.codes for column in columns]), axis=1)
    names = ([column.names[code] or None for code in row] for column, row in zip(columns, codes.tolist(), strict=True))
    return set(zip(*names, strict=True))
