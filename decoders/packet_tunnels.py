"""Packets that carry others: GRE, NVGRE, VXLAN, Geneve and IP in IP. What is inside is noted, and parsed afterwards.

Of a packet inside a packet that is itself inside another nothing is read, so that the work on one packet is bounded.
"""

from __future__ import annotations

import numpy as np

from decoders.packet_octets import Layer, Packets, Positions, Rows, layout
from schema.batch import Array
from schema.columns import TUNNELS

IPV4, IPV6, MPLS, MPLS_UPSTREAM, BRIDGED = 0x0800, 0x86DD, 0x8847, 0x8848, 0x6558
"""EtherTypes of what is inside; BRIDGED is Trans Ether Bridging: an Ethernet frame."""

_INSIDE = (IPV4, IPV6, BRIDGED, MPLS, MPLS_UPSTREAM)

_GRE = layout(flags=(0, ">u2"), protocol=(2, ">u2"))
_GRE_CHECKSUM, _GRE_KEY, _GRE_SEQUENCE = 0x8000, 0x2000, 0x1000
_GRE_UNKNOWN = 0x4807
"""Routing (RFC 1701) and versions other than 0 (RFC 2637): what follows is not where we would read it."""
_KEY = layout(key=(0, ">u4"))
_VXLAN = layout(flags=(0, "u1"), network=(4, ">u4"))
_VXLAN_VALID = 0x08
_GENEVE = layout(version_length=(0, "u1"), protocol=(2, ">u2"), network=(4, ">u4"))

_VXLAN_KIND, _NVGRE_KIND = np.uint64(1 << 56), np.uint64(2 << 56)
"""The top octet of layer2SegmentId (IANA 351)."""


def _carry(packets: Packets, rows: Rows, at: Positions, tunnel: str, types: Array | int) -> None:
    """Note what is inside the packets `rows`: at positions `at`, what the EtherTypes say."""
    packets.put(rows, tunnel=np.full(len(rows), TUNNELS.index(tunnel), np.uint8))
    packets.carried.append((rows, at, np.broadcast_to(types, len(rows))))


def carrier(tunnel: str, ether_type: int) -> Layer:
    """Return the layer of packets that follow the IP headers at once (RFC 2003, 2473; RFC 8986 section 4)."""

    def layer(packets: Packets, rows: Rows, at: Positions) -> None:
        # a routing header that was cut short names what is inside, and not yet whether it is of SRv6
        seen = packets.left(rows, at) > 0
        _carry(packets, rows[seen], at[seen], tunnel, ether_type)

    return layer


def gre(packets: Packets, rows: Rows, at: Positions) -> None:
    """GRE (RFC 2784) with key and sequence number (RFC 2890), NVGRE among it (RFC 7637 section 3.2)."""
    head = packets.read(_GRE, rows, at, whole=_GRE.size)
    sound = np.flatnonzero((head["flags"] & _GRE_UNKNOWN == 0) & (head["protocol"] != 0))
    rows, at, flags, types = rows[sound], at[sound], head["flags"][sound], head["protocol"][sound]
    checksum, key, sequence = (flags & bit != 0 for bit in (_GRE_CHECKSUM, _GRE_KEY, _GRE_SEQUENCE))
    virtual = np.flatnonzero(key & ~checksum & ~sequence & (types == BRIDGED))
    if len(virtual):
        network = packets.read(_KEY, rows[virtual], at[virtual] + 4)["key"] >> 8
        packets.put(rows[virtual], layer2_segment_id=np.where(network > 0, _NVGRE_KIND | network, 0))
    _carry(packets, rows, at + 4 * (1 + checksum.astype(np.int64) + key + sequence), "gre", types)


def _vxlan(packets: Packets, rows: Rows, at: Positions) -> None:
    """VXLAN (RFC 7348 section 5)."""
    head = packets.read(_VXLAN, rows, at, whole=_VXLAN.size)
    sound = np.flatnonzero(head["flags"] & _VXLAN_VALID)
    rows, at, network = rows[sound], at[sound], head["network"][sound] >> 8
    packets.put(rows, layer2_segment_id=_VXLAN_KIND | network)
    _carry(packets, rows, at + 8, "vxlan", BRIDGED)


def _geneve(packets: Packets, rows: Rows, at: Positions) -> None:
    """Geneve (RFC 8926 section 3.4)."""
    head = packets.read(_GENEVE, rows, at, whole=_GENEVE.size)
    first, types = head["version_length"], head["protocol"]
    sound = np.flatnonzero((first >> 6 == 0) & np.isin(types, _INSIDE))
    rows, at = rows[sound], at[sound]
    packets.put(rows, layer2_segment_id=head["network"][sound] >> 8)
    _carry(packets, rows, at + 8 + 4 * (first[sound] & 0x3F).astype(np.int64), "geneve", types[sound])


UDP_PORTS: dict[int, Layer] = {4789: _vxlan, 8472: _vxlan, 6081: _geneve}
"""Tunnels by their UDP destination port (IANA; 8472 is what Linux took before there was one)."""
