"""What a block holds beside flows: rollups of them, discarded packets, counters, names, as far as they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from decoders import Decoded
from decoders.block import Name, Naming
from rollups.group import Grouped, group
from schema.batch import Flows, Rows, Symbols
from schema.disclosure import NAMES, Disclosure
from schema.tables import DISCARDS, STORED_TABLES, Category
from tenants.adaptors import INTERFACE, Adaptors
from tenants.port_names import PortNames

_CATEGORIES = {table.name: table.category.value for table in STORED_TABLES}


class Attribution(Protocol):
    """Says whose everything is; `tenants.attribution.Attribution` is one."""

    @property
    def kept(self) -> frozenset[str]:
        """The categories (`schema.tables.Category`) that may be stored."""
        ...

    @property
    def disclosure(self) -> Disclosure:
        """Which tables and columns may be stored; what the methods return has no others."""
        ...

    def attribute(self, flows: Flows) -> Flows:
        """Return the flows with tenants, direction and retention class."""
        ...

    def discards(self, packets: Flows) -> Rows:
        """Return discarded packets as rows of their table, with the same."""
        ...

    def counters(self, counters: Mapping[str, Rows], adaptors: Adaptors) -> dict[str, Rows]:
        """Return counters by table with tenant, resource and retention class."""
        ...


@dataclass(frozen=True, slots=True)
class Measurements:
    """Rows to be stored by table; how many are not, because the policy does not name their category or disclose what
    they cannot do without; the names to be stored; and the flows' rollups, stored later with those of other blocks.
    """

    kept: dict[str, Rows] = field(default_factory=dict)
    unkept: dict[str, int] = field(default_factory=dict)
    names: Sequence[Name] = ()
    rollups: Grouped | None = None


def measure(
    decoded: Decoded, flows: Flows, attribution: Attribution, adaptors: Adaptors, port_names: PortNames
) -> Measurements:
    """Return what a block held beside its `flows`, which are attributed. `adaptors` and `port_names` learn from it."""
    disclosure = attribution.disclosure
    found = {DISCARDS.name: decoded.discards.rows} | {table: rows.rows for table, rows in decoded.counters.items()}
    wanted = {table for table in found if _CATEGORIES[table] in attribution.kept and disclosure.stores(table)}
    counters = {table: rows for table, rows in decoded.counters.items() if table in wanted and rows.rows}
    kept = attribution.counters(port_names.name(counters, [_interfaces(decoded.names)]), adaptors)
    if decoded.discards.rows and DISCARDS.name in wanted:
        kept[DISCARDS.name] = attribution.discards(decoded.discards)
    rollups = group(flows) if flows.rows and Category.ROLLUPS in attribution.kept else None
    unkept = {table: count for table, count in found.items() if count and table not in wanted}
    return Measurements(kept, unkept, decoded.names if disclosure.stores(NAMES) else (), rollups)


def _interfaces(names: Sequence[Name]) -> Rows:
    """Return the names of interfaces as rows: those of options data and of samples that tell nothing but a name."""
    told = [one for one in names if one.naming is Naming.INTERFACE and one.name]
    return Rows(
        len(told),
        {
            "time_received": np.array([one.time_received for one in told], np.int64),
            "exporter": np.frombuffer(b"".join(one.exporter for one in told), np.uint8).reshape(-1, 16),
            "observation_domain": np.array([one.observation_domain for one in told], np.uint32),
            "source_class": np.full(len(told), INTERFACE, np.uint32),
            "source_index": np.array([one.id for one in told], np.uint32),
            "name": Symbols(np.arange(len(told), dtype=np.int32), [one.name for one in told]),
        },
    )
