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
    STATUS = "forwardingStatus of 1, 2 or 4 octets"
    APPLICATION = "application id: classification engine, then selector (RFC 6759 section 4)"


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
    (0, 129): Element("src_peer_as", Read.UINT),
    (0, 128): Element("dst_peer_as", Read.UINT),
    (0, 245): Element("inner_vlan", Read.UINT),
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
    (0, 89): Element("forwarding_status", Read.STATUS),
    (0, 35): Element("sampling_mode", Read.UINT),
    (0, 95): Element("application", Read.APPLICATION),
    (0, 136): Element("flow_end_reason", Read.UINT),
    (0, 234): Element("in_vrf", Read.UINT),
    (0, 235): Element("out_vrf", Read.UINT),
    (0, 312): Element("frame_length", Read.UINT),
    (0, 351): Element("layer2_segment_id", Read.UINT),
    (0, 233): Element("firewall_event", Read.UINT),
    (0, 40005): Element("firewall_event", Read.UINT, 1),
    (0, 33002): Element("firewall_event_code", Read.UINT),
    (0, 230): Element("nat_event", Read.UINT),
    (0, 361): Element("nat_port_start", Read.UINT),
    (0, 362): Element("nat_port_end", Read.UINT),
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
    (0, 324): Element("flow_start", Read.NTP, 7),
    (0, 325): Element("flow_start", Read.NTP, 8),
    (0, 322): Element("flow_start", Read.SECONDS, 9),
    (0, 153): Element("flow_end", Read.MILLISECONDS),
    (0, 155): Element("flow_end", Read.NTP, 1),
    (0, 157): Element("flow_end", Read.NTP, 2),
    (0, 151): Element("flow_end", Read.SECONDS, 3),
    (0, 159): Element("flow_end", Read.BEFORE_EXPORT, 4),
    (0, 21): Element("flow_end", Read.UPTIME, 5),
} | {(0, 70 + depth): Element("mpls_labels", Read.LABEL, depth) for depth in range(10)}

ALSO: dict[tuple[int, int], Element] = {
    (0, 85): Element("bytes_total", Read.UINT),
    (0, 86): Element("packets_total", Read.UINT),
    (0, 323): Element("flow_end", Read.MILLISECONDS, 6),
    (0, 324): Element("flow_end", Read.NTP, 7),
    (0, 325): Element("flow_end", Read.NTP, 8),
    (0, 322): Element("flow_end", Read.SECONDS, 9),
}
"""A second column that an element fills: totals are kept as such too, and an event is over when it is observed."""

INITIATOR = frozenset({231, 298})
RESPONDER = {(0, 232): Element("bytes", Read.UINT), (0, 299): Element("packets", Read.UINT)}
"""initiatorOctets and -Packets; responderOctets and -Packets beside them are the counters of the reverse flow."""

TEXTS = {(0, 371): "user_name", (0, 40000): "user_name", (0, 56702): "user_name"}
"""Elements that fill columns of strings: userName, and those of Cisco's ASA and of Palo Alto Networks."""

SEGMENTS = ((0, 497), (0, 495))
"""srhSegmentIPv6ListSection, or else srhActiveSegmentIPv6 (RFC 9487)."""

SECTIONS = {(0, 313): 11, (0, 315): 1, (0, 104): 1}
"""ipHeaderPacketSection, dataLinkFrameSection, layer2packetSectionData -> the sFlow header protocol they begin with;
11 is IPv4, and IPv6 where the first octet says so."""

SAMPLER_IDS = ((0, 48), (0, 302))
"""samplerId and selectorId: in a record they name the sampler that took it; in options data, whose rate is told."""

RATE_ELEMENTS = (34, 50, 305, 306, 309, 310)
"""samplingInterval, samplerRandomInterval, samplingPacketInterval and -Space, samplingSize and -Population."""

FLOW_ID, DURATION_MS, DURATION_US, PORTS_IN_BLOCK = (0, 148), (0, 161), (0, 162), (0, 364)
FRAME_TYPE, SECTION_OCTETS, START = (0, 408), (0, 410), (0, 160)
EXPORTERS = ((0, 130), (0, 131))
INTERFACES = ((SCOPE_ENTERPRISE, 2), (0, 10), (0, 14), (0, 252), (0, 253))
TEMPLATES = ((SCOPE_ENTERPRISE, 5), (0, 145))
VRFS = ((0, 234), (0, 235))
APPLICATION = (0, 95)

NAMED = frozenset(
    {FLOW_ID, DURATION_MS, DURATION_US, PORTS_IN_BLOCK, FRAME_TYPE, SECTION_OCTETS, START, APPLICATION}
    | {(0, id_) for id_ in RATE_ELEMENTS} | {*SAMPLER_IDS, *EXPORTERS, *INTERFACES, *TEMPLATES, *VRFS}
    | {(0, id_) for id_ in (82, 83, 84, 94, 96, 233, 236, 335)}
)  # fmt: skip
"""Elements that are looked up by themselves: in records for how to read the others, in options data for what it tells.

82 interfaceName, 83 interfaceDescription, 84 samplerName, 94 applicationDescription, 96 applicationName, 233
firewallEvent, 236 VRFname, 335 selectorName."""

NETFLOW5_FIELDS: tuple[tuple[int, int], ...] = (
    (8, 4), (12, 4), (15, 4), (10, 2), (14, 2), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2), (11, 2), (210, 1), (6, 1),
    (4, 1), (5, 1), (16, 2), (17, 2), (9, 1), (13, 1), (210, 2),
)  # fmt: skip
"""The 48 octets of a NetFlow v5 record as (element id, length), by Cisco's "NetFlow export datagram formats"."""
