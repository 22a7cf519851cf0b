"""What a filter says, as a tree: conditions on flow columns joined by not, and, or.

The tables name the fields of the language and the columns each stands for; bounds come from `schema.columns`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import TypeAlias

from schema.columns import BY_NAME, DIRECTIONS, FLOW_TYPES, MAX_LABELS, Column

Network: TypeAlias = IPv4Network | IPv6Network

ICMP, TCP, ICMP6 = 1, 6, 58

PROTOCOLS = {
    "icmp": ICMP,
    "igmp": 2,
    "ipip": 4,
    "tcp": TCP,
    "udp": 17,
    "rsvp": 46,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmp6": ICMP6,
    "ospf": 89,
    "pim": 103,
    "vrrp": 112,
    "sctp": 132,
}
"""Protocol numbers by the names nfdump knows (IANA protocol numbers)."""

TCP_FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "X": 63}
"""TCP control bits by nfdump's letters; X is all six."""


class End(StrEnum):
    """Which end of the flow a condition is about; for interfaces the source is input and the destination output."""

    SOURCE = "src"
    DESTINATION = "dst"
    EITHER = "either"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its column, or its source and destination columns, and the protocols that carry it (all if none).

    A column may be an element of one that holds lists, as `mpls_labels[1]`. `block` are the columns of a first and a
    last value: the source has every value from the one to the other, too, unless both are zero.
    """

    columns: tuple[str, ...]
    protocols: tuple[int, ...] = ()
    block: tuple[str, str] | None = None

    @property
    def maximum(self) -> int:
        """The highest value the field's columns hold."""
        return int(256 ** int(self._column.dtype[1:]) - 1)

    @property
    def clickhouse(self) -> str:
        """The ClickHouse type of one value."""
        return self._column.clickhouse.removeprefix("Array(").removesuffix(")")

    @property
    def _column(self) -> Column:
        return BY_NAME[self.columns[0].partition("[")[0]]


NUMBERS = {
    "port": Field(("src_port", "dst_port")),
    "as": Field(("src_as", "dst_as")),
    "vlan": Field(("src_vlan", "dst_vlan")),
    "inner vlan": Field(("inner_vlan",)),
    "if": Field(("in_if", "out_if")),
    "proto": Field(("proto",)),
    "tos": Field(("tos",)),
    "bytes": Field(("bytes",)),
    "packets": Field(("packets",)),
    "icmp-type": Field(("icmp_type",), (ICMP, ICMP6)),
    "icmp-code": Field(("icmp_code",), (ICMP, ICMP6)),
    "flags": Field(("tcp_flags",), (TCP,)),
    # A subscriber who was given a block of ports has each of them, though no flow tells which.
    "nat port": Field(("post_nat_src_port", "post_nat_dst_port"), block=("nat_port_start", "nat_port_end")),
    "nat event": Field(("nat_event",)),
    "pblock start": Field(("nat_port_start",)),
    "pblock end": Field(("nat_port_end",)),
    "asa event": Field(("firewall_event",)),
    "asa xevent": Field(("firewall_event_code",)),
    "fwdstat": Field(("forwarding_status",)),
    "flowdir": Field(("flow_direction",)),
    "observation domain id": Field(("observation_domain",)),
    "ingress vrf": Field(("in_vrf",)),
    "egress vrf": Field(("out_vrf",)),
    **{f"mpls label{place}": Field((f"mpls_labels[{place}]",)) for place in range(1, MAX_LABELS + 1)},
}

CODES = {
    "nat event": {"add": 1, "delete": 2},
    "asa event": {"ignore": 0, "create": 1, "delete": 2, "term": 2, "deny": 3},
    "flowdir": {"ingress": 0, "egress": 1},
}
"""Values of fields of NUMBERS by the names nfdump knows (IANA natEvent, firewallEvent, flowDirection)."""

ADDRESSES = {
    "ip": Field(("src_addr", "dst_addr")),
    "next ip": Field(("next_hop",)),
    "exporter": Field(("exporter",)),
    "nat ip": Field(("post_nat_src_addr", "post_nat_dst_addr")),
    "tun ip": Field(("tunnel_src_addr", "tunnel_dst_addr")),
}

NAMES = {
    "tenant": Field(("src_tenant", "dst_tenant")),
    "class": Field(("retention_class",)),
    "direction": Field(("direction",)),
    "type": Field(("flow_type",)),
    "asa user": Field(("user_name",)),
}

CHOICES = {"direction": DIRECTIONS[1:], "type": FLOW_TYPES[1:]}
"""The only values of the fields that have a fixed set; their code 0, unknown, is nothing to ask for."""


@dataclass(frozen=True, slots=True)
class Everything:
    """True for every flow (`any`, and the empty filter)."""


@dataclass(frozen=True, slots=True)
class Not:
    """True where `operand` is not."""

    operand: Node


@dataclass(frozen=True, slots=True)
class And:
    """True where all `operands`, two or more, are."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True where at least one of `operands`, two or more, is."""

    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """True where the flow's source or destination is an address of IP `version` 4 or 6; an absent one is neither."""

    version: int


@dataclass(frozen=True, slots=True)
class Compare:
    """A field of NUMBERS stands in relation `comparator` (= < > <= >=) to `value`."""

    field: str
    comparator: str
    value: int
    end: End = End.EITHER


@dataclass(frozen=True, slots=True)
class Listed:
    """A field of NUMBERS has one of `values`."""

    field: str
    values: tuple[int, ...]
    end: End = End.EITHER


@dataclass(frozen=True, slots=True)
class Flags:
    """TCP flows that have every bit of `mask` set; under an odd number of nots, those that have any.

    So nfdump reads it, that `flags S and not flags AFRPU` may be what it looks like: SYN and none of the others.
    """

    mask: int


@dataclass(frozen=True, slots=True)
class Within:
    """A field of ADDRESSES lies in one of `networks`; a host is a network of its full length."""

    field: str
    networks: tuple[Network, ...]
    end: End = End.EITHER


@dataclass(frozen=True, slots=True)
class Named:
    """A field of NAMES has the value `name`."""

    field: str
    name: str
    end: End = End.EITHER


Node: TypeAlias = "Everything | Not | And | Or | Family | Compare | Listed | Flags | Within | Named"
