"""What a published notice has to name before it is stored: a category for each stored column, and the filter for it.

A column whose category is not disclosed leaves a block before anything is summed or inserted, so that the table has
its zero there. Whole columns go, never values: it costs nothing per row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from schema.batch import Flows, Rows
from schema.columns import FLOW_COLUMNS
from schema.tables import STORED_TABLES

CATEGORIES: Mapping[str, str] = {
    "time": "When traffic was seen, by our own clock and by those of our devices.",
    "device": "Which of our devices and interfaces saw it, how they sampled it, and what devices, hosts and virtual "
    "machines count of themselves.",
    "addresses": "Source and destination IP addresses.",
    "ports": "Source and destination ports.",
    "protocol": "Protocol, flags, type of service, tunnel, application and firewall events of the traffic.",
    "volume": "How many packets and octets there were.",
    "routing": "Next hop, prefix lengths, autonomous systems, BGP attributes and labels by which it was routed.",
    "link_layer": "VLANs, MAC addresses and identifiers of overlay networks.",
    "translation": "Addresses and ports after network address translation.",
    "person": "User names, where a device gives them.",
    "attribution": "Which customer held the addresses at the time, and how long the record is kept.",
}
"""The disclosure categories, and the sentence that stands for each where a policy has none of its own."""

FLOWS, NAMES = "flows", "names"


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored column of one table: its disclosure category and what it means."""

    table: str
    name: str
    category: str
    doc: str


_SORTED_BY = {
    FLOWS: ("src_tenant", "dst_tenant"),
    NAMES: ("exporter", "observation_domain", "naming", "id"),
    **{table.name: (*table.order_by, *table.sums) for table in STORED_TABLES},
}
"""What tells rows of a table apart and, of rollups, the sums: ClickHouse deletes a row whose sums are all zero."""

_NAME_COLUMNS = (
    Stored(NAMES, "exporter", "device", "Who gives the name."),
    Stored(NAMES, "observation_domain", "device", "In which of its observation domains it holds."),
    Stored(NAMES, "naming", "device", "What the name is of: an interface, an application, a VRF or a sampler."),
    Stored(NAMES, "id", "device", "The number that it stands for."),
    Stored(NAMES, "name", "device", "The name."),
    Stored(NAMES, "description", "device", "What the exporter says of it beside the name."),
    Stored(NAMES, "seen", "time", "When it was told last."),
)

REGISTER: tuple[Stored, ...] = (
    *(Stored(FLOWS, column.name, column.category, column.doc) for column in FLOW_COLUMNS),
    *(Stored(table.name, one.name, one.category, one.doc) for table in STORED_TABLES for one in table.columns),
    *_NAME_COLUMNS,
)
"""Every stored column of what exporters send, table by table."""


def _needed(table: str) -> frozenset[str]:
    needed = {"time_received", "seen", "retention_class", *_SORTED_BY[table]}
    return frozenset(one.category for one in REGISTER if one.table == table and one.name in needed)


NEEDED: Mapping[str, frozenset[str]] = {table: _needed(table) for table in _SORTED_BY}
"""For each table the categories without which it can keep no row: of what it is partitioned by, sorted by and sums."""


class Disclosure:
    """What may be stored where only `categories` are disclosed."""

    def __init__(self, categories: Collection[str]) -> None:
        self.categories = frozenset(categories)
        self._hidden: dict[str, frozenset[str]] = {
            table: frozenset(one.name for one in REGISTER if one.table == table and one.category not in categories)
            for table in NEEDED
        }

    def stores(self, table: str) -> bool:
        """Whether rows of the table may be stored at all; KeyError for a table of no such name."""
        return NEEDED[table] <= self.categories

    def flows(self, flows: Flows) -> Flows:
        """Return the flows without the columns that are not disclosed; the others are shared."""
        hidden = self._hidden[FLOWS]
        if not hidden:
            return flows
        return Flows(
            flows.rows,
            {name: values for name, values in flows.arrays.items() if name not in hidden},
            {name: column for name, column in flows.symbols.items() if name not in hidden},
        )

    def rows(self, table: str, rows: Rows) -> Rows:
        """Return rows of another table without the columns that are not disclosed; KeyError as of `stores`."""
        hidden = self._hidden[table]
        if not hidden:
            return rows
        return Rows(rows.rows, {name: column for name, column in rows.columns.items() if name not in hidden})
