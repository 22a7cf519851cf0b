"""All that a block holds, attributed by one state of allocations and policy: flows, discarded packets and counters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from schema.batch import Flows, Rows
from schema.disclosure import Disclosure
from schema.tables import DISCARDS, Category
from tenants.adaptors import Adaptors
from tenants.allocations import Allocations
from tenants.attribute import Attributor, Classes
from tenants.counters import CounterAttributor, of_category


class Rules(Classes, Protocol):
    """What attribution asks of the retention policy, beside the classes of flows."""

    @property
    def named(self) -> Collection[str]:
        """The categories that are kept."""

    @property
    def disclosed(self) -> Collection[str]:
        """The disclosure categories (`schema.disclosure.CATEGORIES`) whose columns may be stored."""


class Attribution:
    """Attributes; `kept` are the categories that may be stored, `disclosure` says which columns of them.

    What it returns lacks the others. Each thread needs its own.
    """

    def __init__(self, allocations: Allocations, rules: Rules) -> None:
        self._flows = Attributor(allocations, rules)
        self._counters = CounterAttributor(allocations)
        self.kept = frozenset(rules.named)
        self.disclosure = Disclosure(rules.disclosed)

    def attribute(self, flows: Flows) -> Flows:
        """Return the flows with tenants, direction and retention class: see `Attributor.attribute`."""
        return self.disclosure.flows(self._flows.attribute(flows))

    def discards(self, packets: Flows) -> Rows:
        """Return discarded packets as rows of their table: attributed like flows, and of their category."""
        attributed = self._flows.attribute(packets)
        category = {"retention_class": of_category(Category.DISCARDS, packets.rows)}
        rows = Rows(packets.rows, {**attributed.arrays, **attributed.symbols, **category})
        return self.disclosure.rows(DISCARDS.name, rows)

    def counters(self, counters: Mapping[str, Rows], adaptors: Adaptors) -> dict[str, Rows]:
        """Return counters with tenant, resource and retention class: see `CounterAttributor.attribute`."""
        attributed = self._counters.attribute(counters, adaptors)
        return {table: self.disclosure.rows(table, rows) for table, rows in attributed.items()}
