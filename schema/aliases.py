"""Columns that ClickHouse computes when they are asked for, for people who write SQL of their own. Nothing is stored.

Expressions are written as ClickHouse prints them, so that those of a database compare as text with ours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

_PROTOCOLS = {
    1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 33: "dccp", 41: "ipv6", 46: "rsvp", 47: "gre", 50: "esp",
    51: "ah", 58: "icmp6", 88: "eigrp", 89: "ospf", 103: "pim", 112: "vrrp", 115: "l2tp", 132: "sctp",
}  # fmt: skip
_FLAGS = tuple(enumerate("CEUAPRSF"))


@dataclass(frozen=True, slots=True)
class Alias:
    """A computed column: its name and ClickHouse type, the expression, and the columns that this reads."""

    name: str
    type: str
    expression: str
    reads: frozenset[str]
    doc: str


def _scaled(volume: str) -> Alias:
    doc = f"{volume} by sampling_rate: what was on the wire, as estimated; of unknown sampling as told"
    return Alias(
        f"{volume}_scaled",
        "UInt64",
        f"{volume} * greatest(sampling_rate, 1)",
        frozenset({volume, "sampling_rate"}),
        doc,
    )


def _address(name: str, column: str) -> Alias:
    text = f"toString({column})"
    expression = f"if({text} LIKE '::ffff:%.%', substring({text}, 8), {text})"
    return Alias(name, "String", expression, frozenset({column}), f"{column} as text, IPv4 as a dotted quad")


ALIASES = (
    _scaled("bytes"),
    _scaled("packets"),
    Alias(
        "duration_ms",
        "Int64",
        "dateDiff('millisecond', flow_start, flow_end)",
        frozenset({"flow_start", "flow_end"}),
        "From the flow's first packet to its last, ms",
    ),
    Alias(
        "proto_name",
        "String",
        f"transform(proto, [{', '.join(map(str, _PROTOCOLS))}], "
        f"[{', '.join(map(repr, _PROTOCOLS.values()))}], toString(proto))",
        frozenset({"proto"}),
        "What IANA calls the protocol; its number where this list lacks it",
    ),
    Alias(
        "flags_text",
        "String",
        "concat(" + ", ".join(f"if(bitTest(tcp_flags, {7 - place}), '{flag}', '.')" for place, flag in _FLAGS) + ")",
        frozenset({"tcp_flags"}),
        "TCP flags as letters, as nfdump shows them",
    ),
    _address("src_ip", "src_addr"),
    _address("dst_ip", "dst_addr"),
    _address("exporter_ip", "exporter"),
)


def aliases(columns: Collection[str]) -> Iterator[Alias]:
    """Yield the computed columns of a table with these columns."""
    return (alias for alias in ALIASES if alias.reads <= set(columns))
