"""The stored tables beside the flows' that hold measurements: their columns, and their category in the policy.

DDL, insert order and `docs/columns.md` are derived from them, as from `schema.columns`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schema.columns import BY_NAME, Column, Kind
from schema.counters import COUNTER_TABLES
from schema.rollups import ROLLUPS, SUMS


class Category(StrEnum):
    """What the retention policy keeps by itself: see `retention.policy`."""

    COUNTERS = "counters"
    DISCARDS = "discards"
    ROLLUPS = "rollups"


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table: each row has `time_received` and `retention_class`, by which it is partitioned and expires.

    `order_by` are the columns behind the hour by which it is sorted. Where there are `sums`, rows that are equal in all
    of `order_by` become one as ClickHouse merges them, with the sums of these columns.
    """

    name: str
    category: Category
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    doc: str
    sums: tuple[str, ...] = ()

    @property
    def by_name(self) -> dict[str, Column]:
        """The columns by their names."""
        return {column.name: column for column in self.columns}


_OF_FLOWS = (
    "time_received", "exporter", "exporter_port", "observation_domain", "data_source", "src_addr", "dst_addr",
    "tunnel_src_addr", "tunnel_dst_addr", "tunnel", "tunnel_layer", "src_port", "dst_port", "proto", "tcp_flags", "tos",
    "icmp_type", "icmp_code", "frame_length", "in_if", "out_if", "egress_queue", "src_vlan", "dst_vlan", "inner_vlan",
    "src_mac", "dst_mac", "mpls_labels", "layer2_segment_id", "src_tenant", "dst_tenant", "direction",
    "retention_class",
)  # fmt: skip
"""Columns of discarded packets that are those of flows; volumes are not among them, for they are no traffic."""


def _symbol(name: str, doc: str) -> Column:
    return Column(name, Kind.SYMBOL, "i4", "LowCardinality(String)", "ZSTD(1)", "", "device", doc)


DISCARDS = StoredTable(
    "discards",
    Category.DISCARDS,
    (
        *(BY_NAME[name] for name in _OF_FLOWS),
        Column("reason_code", Kind.UINT, "u2", "UInt16", "ZSTD(1)", "", "device", "Why it was discarded, as a number."),
        _symbol("reason", "Why it was discarded, as sFlow's list of reasons calls it."),
        Column(
            "drops",
            Kind.UINT,
            "u4",
            "UInt32",
            "ZSTD(1)",
            "packets",
            "volume",
            "Discarded packets of this source that the agent did not report, since it began.",
        ),
        _symbol("kernel_reason", "Why, as the Linux kernel calls it (sFlow extended_linux_drop_reason)."),
        _symbol("function", "Function of the agent's software that discarded it (sFlow extended_function)."),
        _symbol("trap_group", "Group of the hardware trap that caught it (sFlow extended_hw_trap)."),
        _symbol("trap", "Hardware trap that caught it."),
        _symbol("acl", "Name of the access list that discarded it (sFlow extended_acl)."),
    ),
    ("src_tenant", "dst_tenant", "reason"),
    "Packets that an agent discarded (sFlow discarded_packet): never traffic, so without bytes and packets",
)

STORED_TABLES: tuple[StoredTable, ...] = (
    DISCARDS,
    *(StoredTable(one.name, Category.COUNTERS, one.columns, one.order_by, one.doc) for one in COUNTER_TABLES),
    *(StoredTable(one.name, Category.ROLLUPS, one.columns, one.order_by, one.doc, SUMS) for one in ROLLUPS),
)
