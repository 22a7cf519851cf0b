"""Packet headers, link layer to transport, into columns: sFlow's sampled headers and IPFIX packet sections.

Each layer is one function over the packets that have it; tables by EtherType and protocol number say which layer is
next. A packet inside another is parsed in a second pass, and one inside that is not. Whatever the octets are, parsing
ends and nothing is raised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from decoders.packet_ip import ipv4, ipv6
from decoders.packet_link import CARRIED, ethernet, mpls
from decoders.packet_octets import Buffer, Columns, Layer, Packets, Positions
from decoders.packet_serial import serial
from decoders.packet_wireless import data_frame
from schema.batch import Array
from schema.columns import LAYERS

_OF_IP = (
    "src_addr", "dst_addr", "src_port", "dst_port", "proto", "tcp_flags", "tos", "icmp_type", "icmp_code", "bytes",
)  # fmt: skip
BASIC = (*_OF_IP, "src_vlan", "src_mac", "dst_mac")
"""The columns that are always there."""

COLUMNS = (
    *BASIC, "inner_vlan", "mpls_labels", "srv6_segments", "layer2_segment_id", "tunnel", "tunnel_layer",
    "tunnel_src_addr", "tunnel_dst_addr",
)  # fmt: skip
"""The stored columns that a packet header gives."""

_CHUNK = 16384
"""Packets parsed at a time: what they need between layers stays in the processor's cache."""

_ALL, _OF_INNER, _ADDRESSES = frozenset(COLUMNS), frozenset(_OF_IP), frozenset(("src_addr", "dst_addr"))


@dataclass(frozen=True, slots=True)
class HeaderColumns:
    """What n packet headers hold: `arrays` by column name, dtypes and shapes of `schema.columns`: those of `BASIC`, and
    of the rest of `COLUMNS` those that some packet has.

    `ok`, bool (n,), says that an IP header was captured whole; without one only the link layer's columns can be set.
    `link`, int64 (n,), is how many octets stand before that IP header, the one that the columns are of; zero without.
    `bytes` is the length of the IP packet that its header tells, not what was captured; IPv4 may tell zero where the
    sender's card has yet to segment it.
    """

    ok: npt.NDArray[np.bool_]
    link: Positions
    arrays: dict[str, Array]


def parse(headers: npt.NDArray[np.uint8], lengths: Array, protocol: Array | int, inner: bool = False) -> HeaderColumns:
    """Parse the headers in the rows of `headers`, uint8 (n, w), of which `lengths`, int (n,), octets were captured.

    `protocol` is the sFlow v5 header_protocol of each row, or of all; see `parse_at`.
    """
    rows, width = headers.shape
    starts = np.arange(rows, dtype=np.int64) * width
    return parse_at(np.ascontiguousarray(headers).reshape(-1), starts, np.clip(lengths, 0, width), protocol, inner)


def parse_at(
    data: npt.NDArray[np.uint8], starts: Positions, lengths: Array, protocol: Array | int, inner: bool = False
) -> HeaderColumns:
    """Parse the headers `data[starts[i]:starts[i] + lengths[i]]`, which the caller knows to lie inside `data`.

    `protocol` is the header_protocol of sFlow version 5 (section 5.3): those in `HEADER_PROTOCOLS`; others are not
    `ok`. Fields that were not captured whole are zero.

    Of a packet inside another the columns are the outer one's, or, if `inner` and its IP header was captured whole, the
    inner one's; `tunnel_src_addr` and `tunnel_dst_addr` are the other's, and `tunnel_layer` tells. Addresses and VLANs
    of the link layer, labels and segments are always the outermost.
    """
    count = len(starts)
    buffer, columns, protocols = Buffer(data), Columns(count, BASIC), np.broadcast_to(protocol, count)
    ok, link = np.zeros(count, np.bool_), np.zeros(count, np.int64)
    for first in range(0, count, _CHUNK):
        part = slice(first, first + _CHUNK)
        at = starts[part].astype(np.int64)
        packets = Packets(buffer, at + lengths[part].astype(np.int64), columns, part, _ALL)
        packets.follow(HEADER_PROTOCOLS, protocols[part], np.arange(len(at)), at)
        if packets.carried:
            _follow_carried(packets, inner)
        ok[part] = packets.ip >= 0
        link[part] = (packets.ip - at) * ok[part]
    return HeaderColumns(ok, link, {name: columns[name] for name in COLUMNS if name in columns.arrays})


def _follow_carried(outer: Packets, inner: bool) -> None:
    """Parse what the packets carry, and put it beside what they say themselves, or the other way round."""
    rows, at, types = (np.concatenate(parts) for parts in zip(*outer.carried, strict=True))
    order = np.argsort(rows)
    rows, at, types = rows[order], at[order], types[order]
    whole = slice(0, len(rows))
    wanted = _OF_INNER if inner else _ADDRESSES
    found = Packets(outer.buffer, outer.ends[rows], Columns(len(rows), wanted), whole, wanted)
    found.follow(CARRIED, types, np.arange(len(rows)), at)
    told = np.flatnonzero(found.ip >= 0)
    if not len(told):
        return
    rows = rows[told]
    layer = LAYERS.index("inner" if inner else "outer")
    outer.put(rows, tunnel_layer=np.full(len(rows), layer, np.uint8))
    other = {name: outer.columns[name][outer.part][rows] if inner else found.columns[name][told] for name in _ADDRESSES}
    outer.put(rows, tunnel_src_addr=other["src_addr"], tunnel_dst_addr=other["dst_addr"])
    if inner:
        outer.put(rows, **{name: found.columns[name][told] for name in _OF_IP})
        outer.ip[rows] = found.ip[told]


HEADER_PROTOCOLS: dict[int, Layer] = {
    1: ethernet, 11: ipv4, 12: ipv6, 7: serial, 13: mpls, 14: serial, 15: data_frame,
}  # fmt: skip
"""Ethernet, IPv4, IPv6, PPP, MPLS, packet over SONET/SDH, IEEE 802.11 MAC."""
