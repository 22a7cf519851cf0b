"""All that a block holds, attributed by one state of allocations and policy: flows, discarded packets and counters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from schema.batch import Flows, Rows
from schema.tables import Category
from tenants.adaptors import Adaptors
from tenants.allocations import Allocations
from tenants.attribute import Attributor, Classes
from tenants.counters import CounterAttributor, of_category


class Rules(Classes, Protocol):
    """What attribution asks of the retention policy, beside the classes of flows."""

    @property
    def named(self) -> Collection[str]:
        """The categories that are kept."""


class Attribution:
    """Attributes; `kept` are the categories that may be stored. Each thread needs its own."""

    def __init__(self, allocations: Allocations, rules: Rules) -> None:
        self._flows = Attributor(allocations, rules)
        self._counters = CounterAttributor(allocations)
        self.kept = frozenset(rules.named)

    def attribute(self, flows: Flows) -> Flows:
        """Return the flows with tenants, direction and retention class: see `Attributor.attribute`."""
        return self._flows.attribute(flows)

    def discards(self, packets: Flows) -> Rows:
        """Return discarded packets as rows of their table: attributed like flows, and of their category."""
        attributed = self._flows.attribute(packets)
        category = {"retention_class": of_category(Category.DISCARDS, packets.rows)}
        return Rows(packets.rows, {**attributed.arrays, **attributed.symbols, **category})

    def counters(self, counters: Mapping[str, Rows], adaptors: Adaptors) -> dict[str, Rows]:
        """Return counters with tenant, resource and retention class: see `CounterAttributor.attribute`."""
        return self._counters.attribute(counters, adaptors)
