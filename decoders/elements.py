"""The table of information elements: which column an element fills, and how its octets are read.

Sources: the IANA IPFIX registry; RFC 3954 section 8 for NetFlow v9, whose types are the registry's first 127; Cisco's
"NetFlow Implementation Guide" for the ASA's 40001 to 40005.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

REVERSE_ENTERPRISE = 29305  # RFC 5103 section 6.1
SCOPE_ENTERPRISE = -9
"""Stands for NetFlow v9's own name space of scope field types (RFC 3954 section 6.1) where an enterprise is named."""


class Read(Enum):
    """How an element's octets become a column's value."""

    UINT = "unsigned integer of any length up to 8 octets"
    ADDRESS4 = "IPv4 address"
    ADDRESS6 = "IPv6 address"
    MAC = "MAC address"
    SECONDS = "seconds since 1970"
    MILLISECONDS = "milliseconds since 1970"
    NTP = "NTP timestamp (RFC 7011 sections 6.1.9, 6.1.10)"
    BEFORE_EXPORT = "microseconds before the export time"
    UPTIME = "milliseconds of the exporter's uptime"
    TYPE_AND_CODE = "ICMP type << 8 | code"
    LABEL = "MPLS label stack entry without TTL (3 octets)"


class Element(NamedTuple):
    """An element's column and reading; of several that fill one column, the first by `rank` that is not zero wins."""

    column: str
    read: Read
    rank: int = 0


ELEMENTS: dict[tuple[int, int], Element] = {
    (0, 1): Element("bytes", Read.UINT),
    (0, 85): Element("bytes", Read.UINT, 1),
    (0, 23): Element("bytes", Read.UINT, 2),
    (0, 171): Element("bytes", Read.UINT, 3),
    (0, 231): Element("bytes", Read.UINT, 4),
    (0, 2): Element("packets", Read.UINT),
    (0, 86): Element("packets", Read.UINT, 1),
    (0, 24): Element("packets", Read.UINT, 2),
    (0, 172): Element("packets", Read.UINT, 3),
    (0, 298): Element("packets", Read.UINT, 4),
    (0, 4): Element("proto", Read.UINT),
    (0, 5): Element("tos", Read.UINT),
    (0, 6): Element("tcp_flags", Read.UINT),
    (0, 7): Element("src_port", Read.UINT),
    (0, 180): Element("src_port", Read.UINT, 1),
    (0, 182): Element("src_port", Read.UINT, 2),
    (0, 11): Element("dst_port", Read.UINT),
    (0, 181): Element("dst_port", Read.UINT, 1),
    (0, 183): Element("dst_port", Read.UINT, 2),
    (0, 8): Element("src_addr", Read.ADDRESS4),
    (0, 27): Element("src_addr", Read.ADDRESS6, 1),
    (0, 12): Element("dst_addr", Read.ADDRESS4),
    (0, 28): Element("dst_addr", Read.ADDRESS6, 1),
    (0, 15): Element("next_hop", Read.ADDRESS4),
    (0, 62): Element("next_hop", Read.ADDRESS6, 1),
    (0, 18): Element("next_hop", Read.ADDRESS4, 2),
    (0, 63): Element("next_hop", Read.ADDRESS6, 3),
    (0, 10): Element("in_if", Read.UINT),
    (0, 252): Element("in_if", Read.UINT, 1),
    (0, 14): Element("out_if", Read.UINT),
    (0, 253): Element("out_if", Read.UINT, 1),
    (0, 9): Element("src_mask", Read.UINT),
    (0, 29): Element("src_mask", Read.UINT, 1),
    (0, 13): Element("dst_mask", Read.UINT),
    (0, 30): Element("dst_mask", Read.UINT, 1),
    (0, 16): Element("src_as", Read.UINT),
    (0, 17): Element("dst_as", Read.UINT),
    (0, 58): Element("src_vlan", Read.UINT),
    (0, 243): Element("src_vlan", Read.UINT, 1),
    (0, 59): Element("dst_vlan", Read.UINT),
    (0, 254): Element("dst_vlan", Read.UINT, 1),
    (0, 56): Element("src_mac", Read.MAC),
    (0, 81): Element("src_mac", Read.MAC, 1),
    (0, 80): Element("dst_mac", Read.MAC),
    (0, 57): Element("dst_mac", Read.MAC, 1),
    (0, 32): Element("icmp_type", Read.TYPE_AND_CODE),
    (0, 139): Element("icmp_type", Read.TYPE_AND_CODE, 1),
    (0, 176): Element("icmp_type", Read.UINT, 2),
    (0, 178): Element("icmp_type", Read.UINT, 3),
    (0, 177): Element("icmp_code", Read.UINT, 2),
    (0, 179): Element("icmp_code", Read.UINT, 3),
    (0, 61): Element("flow_direction", Read.UINT),
    (0, 89): Element("forwarding_status", Read.UINT),
    (0, 233): Element("firewall_event", Read.UINT),
    (0, 40005): Element("firewall_event", Read.UINT, 1),
    (0, 225): Element("post_nat_src_addr", Read.ADDRESS4),
    (0, 281): Element("post_nat_src_addr", Read.ADDRESS6, 1),
    (0, 40001): Element("post_nat_src_addr", Read.ADDRESS4, 2),
    (0, 226): Element("post_nat_dst_addr", Read.ADDRESS4),
    (0, 282): Element("post_nat_dst_addr", Read.ADDRESS6, 1),
    (0, 40002): Element("post_nat_dst_addr", Read.ADDRESS4, 2),
    (0, 227): Element("post_nat_src_port", Read.UINT),
    (0, 40003): Element("post_nat_src_port", Read.UINT, 1),
    (0, 228): Element("post_nat_dst_port", Read.UINT),
    (0, 40004): Element("post_nat_dst_port", Read.UINT, 1),
    (0, 152): Element("flow_start", Read.MILLISECONDS),
    (0, 154): Element("flow_start", Read.NTP, 1),
    (0, 156): Element("flow_start", Read.NTP, 2),
    (0, 150): Element("flow_start", Read.SECONDS, 3),
    (0, 158): Element("flow_start", Read.BEFORE_EXPORT, 4),
    (0, 22): Element("flow_start", Read.UPTIME, 5),
    (0, 323): Element("flow_start", Read.MILLISECONDS, 6),
    (0, 153): Element("flow_end", Read.MILLISECONDS),
    (0, 155): Element("flow_end", Read.NTP, 1),
    (0, 157): Element("flow_end", Read.NTP, 2),
    (0, 151): Element("flow_end", Read.SECONDS, 3),
    (0, 159): Element("flow_end", Read.BEFORE_EXPORT, 4),
    (0, 21): Element("flow_end", Read.UPTIME, 5),
} | {(0, 70 + depth): Element("mpls_labels", Read.LABEL, depth) for depth in range(10)}

SAMPLER_IDS = (48, 302)
"""samplerId and selectorId: in a record they name the sampler that took it; in options data, whose rate is told."""

RATE_ELEMENTS = frozenset({34, 50, 305, 306, 309, 310})
"""samplingInterval, samplerRandomInterval, samplingPacketInterval and -Space, samplingSize and -Population."""

NETFLOW5_FIELDS: tuple[tuple[int, int], ...] = (
    (8, 4), (12, 4), (15, 4), (10, 2), (14, 2), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2), (11, 2), (210, 1), (6, 1),
    (4, 1), (5, 1), (16, 2), (17, 2), (9, 1), (13, 1), (210, 2),
)  # fmt: skip
"""The 48 octets of a NetFlow v5 record as (element id, length), by Cisco's "NetFlow export datagram formats"."""
