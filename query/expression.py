"""What a filter says, as a tree: conditions on flow columns joined by not, and, or.

The tables name the fields of the language and the columns each stands for; bounds come from `schema.columns`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple, TypeAlias

from schema.columns import BY_NAME, DIRECTIONS, FLOW_TYPES, MAX_LABELS, TUNNELS, Column

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
    ANYWHERE = "anywhere"
    """Of addresses: at either end, or in place of it after translation."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its column, or its source and destination columns, and the protocols that carry it (all if none).

    A column may be an element of one that holds lists, as `mpls_labels[1]`, or one of DERIVED. `block` are the columns
    of a first and a last value: the source has every value from the one to the other, too, unless both are zero.
    `beside` are the columns that End.ANYWHERE searches as well; zero in them is nothing.
    """

    columns: tuple[str, ...]
    protocols: tuple[int, ...] = ()
    block: tuple[str, str] | None = None
    beside: tuple[str, ...] = ()

    @property
    def maximum(self) -> int:
        """The highest value the field's columns hold."""
        derived = DERIVED.get(self.columns[0])
        return derived.maximum if derived else int(256 ** int(self._column.dtype[1:]) - 1)

    @property
    def clickhouse(self) -> str:
        """The ClickHouse type of one value."""
        if self.columns[0] in DERIVED:
            return "UInt64"
        return self._column.clickhouse.removeprefix("Array(").removesuffix(")")

    @property
    def _column(self) -> Column:
        return BY_NAME[self.columns[0].partition("[")[0]]


class Derived(NamedTuple):
    """What is reckoned from columns: its SQL, a whole number, and the most that it can be."""

    sql: str
    maximum: int


_MOST = 2**64 - 1
_DURATION = "toUInt64(greatest(dateDiff('millisecond', flow_start, flow_end), 0))"
DERIVED = {
    "duration": Derived(_DURATION, _MOST),
    # rounded down, and 0 for a flow of one instant, as nfdump has it
    "pps": Derived(f"if({_DURATION} = 0, 0, intDiv(toUInt128(packets) * 1000, {_DURATION}))", _MOST),
    "bps": Derived(f"if({_DURATION} = 0, 0, intDiv(toUInt128(bytes) * 8000, {_DURATION}))", _MOST),
    "bpp": Derived("if(packets = 0, 0, intDiv(bytes, packets))", _MOST),
    "flows": Derived("1", _MOST),
    "engine-type": Derived("bitAnd(bitShiftRight(observation_domain, 8), 255)", 255),
    "engine-id": Derived("bitAnd(observation_domain, 255)", 255),
}
"""Figures of one flow, by name."""

NUMBERS = {
    "port": Field(("src_port", "dst_port")),
    "as": Field(("src_as", "dst_as")),
    "prev as": Field(("src_peer_as",)),
    "next as": Field(("dst_peer_as",)),
    "mask": Field(("src_mask", "dst_mask")),
    "mac": Field(("src_mac", "dst_mac")),
    "vlan": Field(("src_vlan", "dst_vlan")),
    "inner vlan": Field(("inner_vlan",)),
    "if": Field(("in_if", "out_if")),
    "proto": Field(("proto",)),
    "tos": Field(("tos",)),
    "application": Field(("application",)),
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
    **{name: Field((name,)) for name in DERIVED},
    **{f"mpls label{place}": Field((f"mpls_labels[{place}]",)) for place in range(1, MAX_LABELS + 1)},
}

CODES = {
    "nat event": {"add": 1, "delete": 2},
    "asa event": {"ignore": 0, "create": 1, "delete": 2, "term": 2, "deny": 3},
    "flowdir": {"ingress": 0, "egress": 1},
}
"""Values of fields of NUMBERS by the names nfdump knows (IANA natEvent, firewallEvent, flowDirection)."""

ADDRESSES = {
    "ip": Field(("src_addr", "dst_addr"), beside=("post_nat_src_addr", "post_nat_dst_addr")),
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
    "tunnel": Field(("tunnel",)),
    "asa user": Field(("user_name",)),
}

TIMES = {"first seen": "flow_start", "last seen": "flow_end"}
"""Columns of times, by the words for them."""

CALLED = {"interface": ("in_if", "out_if"), "app": ("application", "application")}
"""Columns of numbers that exporters have names for (table `names`), by the words for them."""

CHOICES = {"direction": DIRECTIONS[1:], "type": FLOW_TYPES[1:], "tunnel": TUNNELS[1:]}
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


@dataclass(frozen=True, slots=True)
class Seen:
    """A field of TIMES stands in relation `comparator` to `moment`, in ms since 1970."""

    field: str
    comparator: str
    moment: int


@dataclass(frozen=True, slots=True)
class Called:
    """A field of CALLED has a number that the flow's exporter has the name `name` for."""

    field: str
    name: str
    end: End = End.EITHER


Node: TypeAlias = "Everything | Not | And | Or | Family | Compare | Listed | Flags | Within | Named | Seen | Called"
