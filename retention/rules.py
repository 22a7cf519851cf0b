"""Which class a tenant's flows are of: rules by tenant, service and region, and which of several wins. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated

from pydantic import Field, model_validator

from settings.source import Section

SELECTORS = ("tenant", "service", "region")
"""What a rule can go by, the weightiest first: a tenant (4) counts for more than service (2) and region (1)."""

_SHAPES = tuple(product((True, False), repeat=len(SELECTORS)))[:-1]
"""Which of the selectors a rule has, the most specific first; this order is that of the weights, 7 to 1."""

Label = Annotated[str, Field(min_length=1, max_length=128)]
Selectors = tuple[str | None, ...]
Location = tuple[str | int, ...]
LineOf = Callable[..., int | None]
"""Returns the line of what stands at the given keys and indexes of the policy's file, None if there is no such line."""


class Assignment(Section):
    """One rule: flows of the tenant, of the service and in the region that it names are of the class.

    The rule with the most specific selectors wins: a tenant outweighs service and region, and a service a region.
    Service and region are those of the allocation.
    """

    tenant: Label | None = None
    service: Label | None = None
    region: Label | None = None
    retention_class: str = Field(alias="class")

    @model_validator(mode="after")
    def _selects(self) -> Assignment:
        if not any(self.selectors):
            raise ValueError("names no tenant, service or region; the class of all the rest is 'default_class'")
        return self

    @property
    def selectors(self) -> Selectors:
        """Tenant, service and region, None for any."""
        return self.tenant, self.service, self.region


@dataclass(frozen=True, slots=True)
class Chosen:
    """A class of flows, and the rule that says so, in words with its line."""

    retention_class: str
    rule: str


class Assignments:
    """The rules of a policy, those by tenant alone from either form of them, by what they select."""

    def __init__(self, assign: Sequence[Assignment], tenants: Mapping[str, str]) -> None:
        self.assign, self.tenants = assign, tenants
        self.rules: dict[Selectors, tuple[str, Location]] = {
            (tenant, None, None): (name, ("tenants", tenant)) for tenant, name in tenants.items()
        }
        """The class of each rule and where it stands."""
        self.rules |= {rule.selectors: (rule.retention_class, ("assign", at)) for at, rule in enumerate(assign)}
        used = {tuple(value is not None for value in selectors) for selectors in self.rules}
        self._shapes = [shape for shape in _SHAPES if shape in used]

    def find(self, tenant: str, service: str | None, region: str | None) -> Selectors | None:
        """Return what the most specific rule that selects these goes by; None if no rule does."""
        for by_tenant, by_service, by_region in self._shapes:
            # a rule by what the allocation has not would be found as one that does not go by it
            if (by_service and service is None) or (by_region and region is None):
                continue
            selectors = (tenant if by_tenant else None, service if by_service else None, region if by_region else None)
            if selectors in self.rules:
                return selectors
        return None

    def idle(self, given: Collection[Selectors]) -> Iterator[tuple[Selectors, Location]]:
        """Yield the rules that none of the `given` (tenant, service and region, each None for none) has, and where."""
        had = {
            tuple(value if has else None for value, has in zip(one, shape, strict=True))
            for shape in self._shapes
            for one in given
        }
        yield from ((selectors, rule[1]) for selectors, rule in self.rules.items() if selectors not in had)


def selected(selectors: Selectors) -> str:
    """Return what a rule goes by, in words: tenant 'acme' and service 'vps'."""
    named = (f"{what} '{value}'" for what, value in zip(SELECTORS, selectors, strict=True) if value is not None)
    return " and ".join(named)


def place(line_of: LineOf, *location: str | int) -> str:
    """Return where something stands in the policy, with its line if that is known: tenants, line 90."""
    line = line_of(*location)
    section = location[0] if location[0] in ("assign", "tenants") else ".".join(map(str, location))
    return f"{section}, line {line}" if line else str(section)


def repeated(assign: Sequence[Assignment], tenants: Mapping[str, str], line_of: LineOf) -> dict[int, str]:
    """Return what is wrong with rules, by index, that select what another one does already, with the other's place."""
    seen: dict[Selectors, Location] = {(tenant, None, None): ("tenants", tenant) for tenant in tenants}
    faults = {}
    for at, rule in enumerate(assign):
        other = seen.setdefault(rule.selectors, ("assign", at))
        if other != ("assign", at):
            faults[at] = f"{selected(rule.selectors)} has a rule already: {place(line_of, *other)}"
    return faults
