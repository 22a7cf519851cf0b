"""The tables of rollups: sums of flows over minutes and hours, by what people ask for again and again.

Their rows are partial sums: those of one key add up, in ClickHouse's merges and in every query. What is measured of
them, and why these tables and no others, is in docs/decisions/0013-rollups.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from schema.columns import BY_NAME, Column, Kind

MINUTE, HOUR = 60_000, 3_600_000
"""Periods of the tables (ms)."""

SIDES = ("source", "destination")
"""The two sides of a flow, each a row of the tables of autonomous systems."""


@dataclass(frozen=True, slots=True)
class Rollup:
    """A table of sums over a `period` (ms); `order_by` are its dimensions, but for the hour and the class."""

    name: str
    period: int
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    doc: str

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The columns that tell its rows apart."""
        return tuple(column.name for column in self.columns if column.name not in SUMS)


SUMS: tuple[str, ...] = ("flows", "bytes", "packets")
"""The columns of a rollup that are sums, modulo 2**64 as ClickHouse's own sums are."""

_FLOWS = Column("flows", Kind.UINT, "u8", "UInt64", "T64, ZSTD(1)", "flows", "volume", "How many flows they were.")
_BYTES = replace(BY_NAME["bytes"], doc="Their octets, as exported: multiply by `sampling_rate`, once, when querying.")
_PACKETS = replace(BY_NAME["packets"], doc="Their packets, as exported.")
_SIDE = Column(
    "side",
    Kind.ENUM,
    "u1",
    f"Enum8({', '.join(f'{name!r} = {code}' for code, name in enumerate(SIDES))})",
    "ZSTD(1)",
    "",
    "routing",
    "Each flow counts once on either side: `source` by `src_as` and `in_if`, `destination` by `dst_as` and `out_if`; "
    "the columns of the other side are zero. Sum over one side only.",
    SIDES,
)
_CLASS = replace(BY_NAME["retention_class"], doc="`rollups`, whichever class the flows are of.")

_SENT = ("direction", "flow_type", "sampling_rate", "flow_direction")
"""What tells apart sums that must not be mixed: ways of counting the same traffic."""

_TRAFFIC = (
    "src_tenant", "dst_tenant", "exporter", "in_if", "out_if", "in_if_form", "out_if_form", "proto", "application",
    *_SENT,
)  # fmt: skip
_TENANTS = ("src_tenant", "dst_tenant", *_SENT)
_AS = (
    "side", "src_as", "dst_as", "exporter", "in_if", "out_if", "in_if_form", "out_if_form", *_SENT,
)  # fmt: skip


def _table(name: str, period: int, dimensions: tuple[str, ...], doc: str) -> Rollup:
    word = "minute" if period == MINUTE else "hour"
    time = replace(BY_NAME["time_received"], doc=f"Start of the {word} in which the flows were received.")
    keys = (_SIDE if one == "side" else BY_NAME[one] for one in dimensions)
    return Rollup(
        name, period, (time, *keys, _CLASS, _FLOWS, _BYTES, _PACKETS), (*dimensions, "time_received"), doc.format(word)
    )


_TRAFFIC_DOC = "Sums of flows by tenants, exporter, interfaces, protocol and application, {0} by {0}"
_TENANTS_DOC = "Sums of flows by tenants, {0} by {0}"
_AS_DOC = "Sums of flows by autonomous system and the interface towards it, {0} by {0}"

TRAFFIC_1M = _table("traffic_1m", MINUTE, _TRAFFIC, _TRAFFIC_DOC)
TRAFFIC_1H = _table("traffic_1h", HOUR, _TRAFFIC, _TRAFFIC_DOC)
TENANTS_1H = _table("tenants_1h", HOUR, _TENANTS, _TENANTS_DOC)
AS_1M = _table("as_1m", MINUTE, _AS, _AS_DOC)
AS_1H = _table("as_1h", HOUR, _AS, _AS_DOC)

ROLLUPS: tuple[Rollup, ...] = (TRAFFIC_1M, TRAFFIC_1H, TENANTS_1H, AS_1M, AS_1H)
