"""The one table of stored flow columns.

DDL, insert order, migrations, `flowkeep decode` output, filter fields and `docs/columns.md` are derived from it. A new
stored field is one row here and one row in `decoders/elements.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

VERSION = 5
"""Version of the stored schema; a database that carries a higher one is refused."""

FLOW_TYPES = ("unknown", "netflow5", "netflow9", "ipfix", "sflow")
SAMPLING_SOURCES = ("unknown", "override", "sampler", "record", "scope", "plain", "default")
"""Where a sampling rate comes from, `unknown` where there is none: see `decoders.sampling`."""
INTERFACE_FORMS = ("index", "discarded", "several", "agent")
"""What an sFlow agent says of a packet's interface: its index, if any; or that there is none, and why."""
TUNNELS = ("none", "ipip", "gre", "vxlan", "geneve", "srv6", "other")
"""What carries a packet inside another: RFC 2003 and 2473, 2784, 7348, 8926, 8754; `other` is not told."""
LAYERS = ("only", "outer", "inner")
DIRECTIONS = ("unknown", "ingress", "egress", "internal", "transit")
MAX_LABELS = 10
"""MPLS label stack entries kept per flow: mplsTopLabelStackSection (70) to mplsLabelStackSection10 (79)."""
MAX_SEGMENTS = 8
"""SRv6 segments kept per flow, from the first in the list: srhSegmentIPv6ListSection (497)."""


class Kind(StrEnum):
    """How a column's NumPy values are to be read; it decides the JSON form and the ClickHouse encoding."""

    UINT = "uint"  # unsigned integer, shape (n,)
    TIME = "time"  # int64 milliseconds since the Unix epoch, UTC, shape (n,); 0 = absent
    ADDRESS = "address"  # uint8, shape (n, 16), network order, IPv4 mapped (::ffff:0:0/96); all zero = absent
    MAC = "mac"  # uint64, the 48 bits of the address, shape (n,)
    FLOAT = "float"  # IEEE 754, shape (n,)
    ENUM = "enum"  # uint8 index into Column.names, shape (n,)
    SYMBOL = "symbol"  # a schema.batch.Symbols: int32 codes into a list of strings
    LABELS = "labels"  # uint32, shape (n, MAX_LABELS): 24-bit label stack entries (RFC 3032) less TTL, 0 = none
    SEGMENTS = "segments"  # uint8, shape (n, 16 * MAX_SEGMENTS): IPv6 addresses one after another, `::` = none


@dataclass(frozen=True, slots=True)
class Column:
    """One stored column: its name, its NumPy and its ClickHouse side, and what it means.

    `dtype` is the native NumPy dtype of one value, `unit` is for people (empty where there is none), `category` is the
    disclosure category under which a privacy notice names it, `names` are an enum's values in code order.
    """

    name: str
    kind: Kind
    dtype: str
    clickhouse: str
    codec: str
    unit: str
    category: str
    doc: str
    names: tuple[str, ...] = ()
    nullable: bool = False
    """Whether values may be unknown: the column is then a schema.batch.Nullable."""

    @property
    def width(self) -> int:
        """Length of the inner axis of the column's arrays, 0 for one-dimensional ones."""
        return {Kind.ADDRESS: 16, Kind.LABELS: MAX_LABELS, Kind.SEGMENTS: 16 * MAX_SEGMENTS}.get(self.kind, 0)

    def zeros(self, rows: int) -> npt.NDArray[np.generic]:
        """Return an array of `rows` absent values (not for symbols)."""
        return np.zeros((rows, self.width) if self.width else rows, self.dtype)


def _uint(name: str, bits: int, category: str, doc: str, unit: str = "", codec: str = "ZSTD(1)") -> Column:
    return Column(name, Kind.UINT, f"u{bits // 8}", f"UInt{bits}", codec, unit, category, doc)


def _time(name: str, doc: str) -> Column:
    return Column(name, Kind.TIME, "i8", "DateTime64(3, 'UTC')", "T64, LZ4", "ms", "time", doc)


def _address(name: str, category: str, doc: str) -> Column:
    return Column(name, Kind.ADDRESS, "u1", "IPv6", "ZSTD(1)", "", category, doc)


def _mac(name: str, doc: str) -> Column:
    return Column(name, Kind.MAC, "u8", "UInt64", "ZSTD(1)", "", "link_layer", doc)


def _enum(name: str, names: tuple[str, ...], category: str, doc: str) -> Column:
    values = ", ".join(f"'{value}' = {code}" for code, value in enumerate(names))
    return Column(name, Kind.ENUM, "u1", f"Enum8({values})", "ZSTD(1)", "", category, doc, names)


def _symbol(name: str, doc: str, category: str = "attribution") -> Column:
    return Column(name, Kind.SYMBOL, "i4", "LowCardinality(String)", "ZSTD(1)", "", category, doc)


FLOW_COLUMNS: tuple[Column, ...] = (
    _time(
        "time_received",
        "When the collector received the datagram, by the collector's own clock. Partitions and expiry go by it.",
    ),
    _time(
        "flow_start",
        "First packet of the flow, by the exporter's clock. For sFlow, which carries no times, the time received.",
    ),
    _time("flow_end", "Last packet of the flow, by the exporter's clock."),
    _enum("flow_type", FLOW_TYPES, "device", "Protocol that carried the flow."),
    _address("exporter", "device", "Source address of the export; for sFlow the agent address in the datagram."),
    _uint(
        "exporter_port",
        16,
        "device",
        "Source port of the export: tells apart exporters that share an address; 0 = not known.",
    ),
    _uint(
        "observation_domain",
        32,
        "device",
        "IPFIX observation domain, NetFlow v9 source id, NetFlow v5 engine type << 8 | engine id, sFlow sub-agent id.",
    ),
    _uint(
        "sampling_rate",
        32,
        "device",
        "One of how many packets was sampled: 0 = unknown, 1 = unsampled. `bytes` and "
        "`packets` are as exported; multiply once, when querying.",
        "1:n",
    ),
    _enum(
        "sampling_source",
        SAMPLING_SOURCES,
        "device",
        "What said the sampling rate: override and default (configuration), sampler and scope (options "
        "data for an interface or a template), record (the flow record itself), plain (options data or the NetFlow v5 "
        "header, for all flows).",
    ),
    _uint(
        "sampling_mode",
        8,
        "device",
        "samplingAlgorithm (IANA 35 in the record, or NetFlow v5's mode): 0 = not told, 1 = deterministic, 2 = random.",
    ),
    _uint(
        "effective_sampling_rate",
        32,
        "device",
        "What the agent's pool of packets says of its sampling (sFlow, sample_pool): packets for each sample lately, "
        "beside the rate that it states; 0 = not known.",
        "1:n",
    ),
    _uint(
        "data_source",
        64,
        "device",
        "sFlow data source that took the sample: class << 32 | index; class 0 is the interface of that index.",
    ),
    _address("src_addr", "addresses", "Source address of the flow."),
    _address("dst_addr", "addresses", "Destination address of the flow."),
    _address(
        "tunnel_src_addr",
        "addresses",
        "Source address of the other IP header of a packet inside another: see `tunnel_layer`.",
    ),
    _address("tunnel_dst_addr", "addresses", "Destination address of the other IP header."),
    _enum("tunnel", TUNNELS, "protocol", "What carries the packet inside another."),
    _enum(
        "tunnel_layer",
        LAYERS,
        "protocol",
        "Which IP header `src_addr` and `dst_addr`, ports and protocol are of: the only one, or the outer or the inner "
        "one (`decoding.addresses`); the addresses of the other are `tunnel_src_addr` and `tunnel_dst_addr`.",
    ),
    _address("next_hop", "routing", "Next-hop router (IANA 15, 62)."),
    _uint("src_port", 16, "ports", "Source transport port; 0 for ICMP."),
    _uint("dst_port", 16, "ports", "Destination transport port; 0 for ICMP."),
    _uint("proto", 8, "protocol", "IP protocol number (IANA 4)."),
    _uint("tcp_flags", 16, "protocol", "TCP control bits seen (IANA 6)."),
    _uint("tos", 8, "protocol", "IPv4 type of service or IPv6 traffic class (IANA 5)."),
    _uint("icmp_type", 8, "protocol", "ICMP or ICMPv6 type."),
    _uint("icmp_code", 8, "protocol", "ICMP or ICMPv6 code."),
    _uint(
        "bytes",
        64,
        "volume",
        "Octets from the IP header on, as exported, not scaled by sampling. Delta counters come first, totals where "
        "these are zero; of firewall events, what the connection moved since the event before.",
        "octets",
        "T64, ZSTD(1)",
    ),
    _uint("packets", 64, "volume", "Packets; as `bytes`.", "packets", "T64, ZSTD(1)"),
    _uint("bytes_total", 64, "volume", "octetTotalCount (IANA 85): since the flow began.", "octets", "T64, ZSTD(1)"),
    _uint(
        "packets_total", 64, "volume", "packetTotalCount (IANA 86): since the flow began.", "packets", "T64, ZSTD(1)"
    ),
    _uint(
        "frame_length",
        32,
        "volume",
        "Length of the sampled frame on the wire (sFlow frame_length, IANA 312), 0 elsewhere.",
        "octets",
    ),
    _uint("in_if", 32, "device", "SNMP index of the input interface; 0 = unknown or none."),
    _uint("out_if", 32, "device", "SNMP index of the output interface; 0 = unknown or none."),
    _enum(
        "in_if_form",
        INTERFACE_FORMS,
        "device",
        "What `in_if` stands for: an index (0 = unknown), or, as 0, the agent itself.",
    ),
    _enum(
        "out_if_form",
        INTERFACE_FORMS,
        "device",
        "What `out_if` stands for: an index (0 = unknown), or, as 0, that the packet was discarded, that it went to "
        "several interfaces, or to the agent itself; see `out_if_detail`.",
    ),
    _uint(
        "out_if_detail",
        32,
        "device",
        "Why the packet was discarded (sFlow: below 256 an ICMP unreachable code, then 256 unknown, 257 TTL, 258 ACL, "
        "259 no buffer, 260 RED, 261 shaping, 262 too big), or to how many interfaces it went (0 = not told).",
    ),
    _uint(
        "egress_queue", 32, "device", "Queue of the output interface (sFlow extended_egress_queue); 0 also if untold."
    ),
    _uint("in_vrf", 32, "device", "ingressVRFID (IANA 234); its name is in the table `names`."),
    _uint("out_vrf", 32, "device", "egressVRFID (IANA 235)."),
    _uint("src_as", 32, "routing", "Source AS number, origin or peer as the exporter is set."),
    _uint("dst_as", 32, "routing", "Destination AS number, origin or peer as the exporter is set."),
    _uint("src_peer_as", 32, "routing", "AS number of the neighbour that the source is reached by (IANA 129)."),
    _uint("dst_peer_as", 32, "routing", "AS number of the neighbour that the destination is reached by (IANA 128)."),
    _symbol(
        "as_path",
        "AS path to the destination: AS numbers from the neighbour on, sets of them in braces.",
        "routing",
    ),
    _symbol("communities", "BGP communities of the route to the destination, as 64500:100.", "routing"),
    _uint("local_pref", 32, "routing", "BGP local preference of the route to the destination; 0 = not told."),
    _uint("src_mask", 8, "routing", "Source prefix length.", "bits"),
    _uint("dst_mask", 8, "routing", "Destination prefix length.", "bits"),
    _uint("src_vlan", 16, "link_layer", "VLAN id on input."),
    _uint("dst_vlan", 16, "link_layer", "VLAN id on output."),
    _uint("inner_vlan", 16, "link_layer", "VLAN id of the second tag (IEEE 802.1ad customer tag, IANA 245)."),
    _mac("src_mac", "Source MAC address."),
    _mac("dst_mac", "Destination MAC address."),
    _uint("forwarding_status", 8, "device", "forwardingStatus (IANA 89): status in the top two bits, reason below."),
    _uint("flow_direction", 8, "device", "flowDirection (IANA 61): 0 = ingress or absent, 1 = egress."),
    Column(
        "mpls_labels",
        Kind.LABELS,
        "u4",
        "Array(UInt32)",
        "ZSTD(1)",
        "",
        "routing",
        "MPLS labels from the top of the stack down (IANA 70 to 79), 20 bits each.",
    ),
    Column(
        "mpls_out_labels",
        Kind.LABELS,
        "u4",
        "Array(UInt32)",
        "ZSTD(1)",
        "",
        "routing",
        "MPLS labels with which the packet left, from the top down (sFlow extended_mpls).",
    ),
    Column(
        "srv6_segments",
        Kind.SEGMENTS,
        "u1",
        "Array(IPv6)",
        "ZSTD(1)",
        "",
        "routing",
        "Segments of the SRv6 routing header (IANA 497, or the active one, 495).",
    ),
    _uint(
        "layer2_segment_id",
        64,
        "link_layer",
        "layer2SegmentId (IANA 351): top octet 1 = VXLAN, 2 = NVGRE, 0 = Geneve or not told; the network identifier "
        "below.",
    ),
    _uint(
        "application",
        64,
        "protocol",
        "applicationId (IANA 95): engine << 24 | selector, or engine << 56 | selector where the selector is longer "
        "than 3 octets; its name is in the table `names`.",
    ),
    _address("post_nat_src_addr", "translation", "Source address after translation (IANA 225, 281)."),
    _address("post_nat_dst_addr", "translation", "Destination address after translation (IANA 226, 282)."),
    _uint("post_nat_src_port", 16, "translation", "Source port after translation (IANA 227)."),
    _uint("post_nat_dst_port", 16, "translation", "Destination port after translation (IANA 228)."),
    _uint(
        "firewall_event",
        8,
        "protocol",
        "firewallEvent (IANA 233): 0 = none, 1 created, 2 deleted, 3 denied, 4 alert, 5 update.",
    ),
    _uint(
        "firewall_event_code",
        16,
        "protocol",
        "NF_F_FW_EXT_EVENT (Cisco ASA 33002): why, beyond `firewall_event`.",
    ),
    _uint("nat_event", 8, "translation", "natEvent (IANA 230)."),
    _uint("nat_port_start", 16, "translation", "First port of the block given to a subscriber (IANA 361)."),
    _uint(
        "nat_port_end", 16, "translation", "Last port of the block given to a subscriber (IANA 362, or 361 and 364)."
    ),
    _uint(
        "flow_end_reason", 8, "protocol", "flowEndReason (IANA 136): 1 idle, 2 active, 3 end, 4 forced, 5 resources."
    ),
    _symbol(
        "user_name",
        "User name that the exporter gives (IANA 371, Cisco ASA 40000, Palo Alto 56702, sFlow src_user).",
        "person",
    ),
    _symbol("dst_user_name", "User name of the destination (sFlow extended_user).", "person"),
    _symbol("src_tenant", "Tenant that held the source address at the flow's time; `unassigned` where nobody did."),
    _symbol("dst_tenant", "Tenant that held the destination address at the flow's time."),
    _enum(
        "direction",
        DIRECTIONS,
        "attribution",
        "Seen from the tenants: ingress (to one), egress (from one), internal "
        "(both ends are tenants), transit (neither is).",
    ),
    _symbol("retention_class", "Retention class of the flow: which age the policy gives it."),
)

BY_NAME: dict[str, Column] = {column.name: column for column in FLOW_COLUMNS}
