"""Packet headers, Ethernet to transport, into columns: sFlow's sampled headers and IPFIX packet sections.

Each layer is one function over the packets that have it; tables by EtherType and protocol number say which layer is
next. Whatever the octets are, parsing ends and nothing is raised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from decoders.packet_octets import Layer, Packets, Positions, Rows, blank, padded
from schema.batch import Array, map_v4

COLUMNS = (
    "src_addr", "dst_addr", "src_port", "dst_port", "proto", "tcp_flags", "tos", "icmp_type", "icmp_code", "bytes",
    "src_vlan", "src_mac", "dst_mac",
)  # fmt: skip
"""The stored columns that a packet header gives."""

MAX_TAGS = 2
MAX_EXTENSIONS = 8
"""VLAN tags and IPv6 extension headers that are followed; a packet with more has no ports."""

_CHUNK = 16384
"""Packets parsed at a time: what they need between layers stays in the processor's cache."""

_FRAGMENT = 44
_TPIDS = (0x8100, 0x88A8, 0x9100)

_FIRST = np.dtype([("octet", "u1")])
_ETHERNET = np.dtype([("destination", "u1", 6), ("source", "u1", 6), ("type", ">u2")])
_TAG = np.dtype([("control", ">u2"), ("type", ">u2")])
_IPV4 = np.dtype(
    [("version_ihl", "u1"), ("tos", "u1"), ("total_length", ">u2"), ("identification", ">u2"), ("fragment", ">u2"),
     ("ttl", "u1"), ("protocol", "u1"), ("checksum", ">u2"), ("source", "u1", 4), ("destination", "u1", 4)]
)  # fmt: skip
_IPV6 = np.dtype(
    [("version_class_label", ">u4"), ("payload_length", ">u2"), ("next_header", "u1"), ("hop_limit", "u1"),
     ("source", "u1", 16), ("destination", "u1", 16)]
)  # fmt: skip
_EXTENSION = np.dtype([("next_header", "u1"), ("length", "u1"), ("fragment", ">u2")])
_PORTS = np.dtype([("source", ">u2"), ("destination", ">u2")])
_TCP = np.dtype([("source", ">u2"), ("destination", ">u2"), ("numbers", ">u4", 2), ("control", ">u2")])
_ICMP = np.dtype([("type", "u1"), ("code", "u1")])


@dataclass(frozen=True, slots=True)
class HeaderColumns:
    """What n packet headers hold: `arrays` by column name (`COLUMNS`), dtypes and shapes of `schema.columns`.

    `ok`, bool (n,), says that an IP header was captured whole; without one only the link layer's columns can be set.
    `bytes` is the length of the IP packet that its header tells, not what was captured.
    """

    ok: npt.NDArray[np.bool_]
    arrays: dict[str, Array]


def parse(headers: npt.NDArray[np.uint8], lengths: Array, protocol: Array | int) -> HeaderColumns:
    """Parse the headers in the rows of `headers`, uint8 (n, w), of which `lengths`, int (n,), octets were captured.

    `protocol` is the sFlow v5 header_protocol of each row, or of all; see `parse_at`.
    """
    rows, width = headers.shape
    starts = np.arange(rows, dtype=np.int64) * width
    return parse_at(np.ascontiguousarray(headers).reshape(-1), starts, np.clip(lengths, 0, width), protocol)


def parse_at(data: npt.NDArray[np.uint8], starts: Positions, lengths: Array, protocol: Array | int) -> HeaderColumns:
    """Parse the headers `data[starts[i]:starts[i] + lengths[i]]`, which the caller knows to lie inside `data`.

    `protocol` is the header_protocol of sFlow version 5 (section 5.3): 1 Ethernet, 11 IPv4, 12 IPv6; others are not
    `ok`. Fields that were not captured whole are zero.
    """
    count = len(starts)
    data, starts = padded(data), starts.astype(np.int64)
    ends, protocols = starts + lengths.astype(np.int64), np.broadcast_to(protocol, count)
    ok, arrays = np.zeros(count, np.bool_), blank(COLUMNS, count)
    for first in range(0, count, _CHUNK):
        part = slice(first, first + _CHUNK)
        columns = {name: values[part] for name, values in arrays.items()}
        packets = Packets(data, ends[part], ok[part], columns)
        packets.follow(HEADER_PROTOCOLS, protocols[part], np.arange(len(packets.ends)), starts[part])
    return HeaderColumns(ok, arrays)


def _ethernet(packets: Packets, rows: Rows, at: Positions) -> None:
    """Ethernet II, with up to MAX_TAGS tags of IEEE 802.1Q; the outermost VLAN is stored."""
    head = packets.read(_ETHERNET, rows, at)
    packets.put(rows, src_mac=_mac(head["source"]), dst_mac=_mac(head["destination"]))
    types, at = head["type"].astype(np.uint16), at + _ETHERNET.itemsize
    for depth in range(MAX_TAGS):
        tagged = np.flatnonzero(np.isin(types, _TPIDS))
        tag = packets.read(_TAG, rows[tagged], at[tagged])
        if depth == 0:
            packets.put(rows[tagged], src_vlan=tag["control"] & 0xFFF)
        types[tagged] = tag["type"]
        at[tagged] += _TAG.itemsize
    packets.follow(ETHERTYPES, types, rows, at)


def _mac(octets: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    """Return addresses, uint8 (n, 6), as the column holds them."""
    wide = np.zeros((len(octets), 8), np.uint8)
    wide[:, 2:] = octets
    return wide.view(">u8")[:, 0].astype(np.uint64)


def _ipv4(packets: Packets, rows: Rows, at: Positions) -> None:
    """IPv4 with options (RFC 791 section 3.1)."""
    rows, at = _sound(packets, rows, at, 0x45, 0x4F, _IPV4.itemsize)
    head = packets.read(_IPV4, rows, at)
    source, destination = np.zeros((2, len(rows), 16), np.uint8)
    map_v4(head["source"], source)
    map_v4(head["destination"], destination)
    proto = head["protocol"]
    packets.put(rows, src_addr=source, dst_addr=destination, proto=proto, tos=head["tos"], bytes=head["total_length"])
    at = at + 4 * (head["version_ihl"] & 15).astype(np.int64)
    begins = np.flatnonzero(head["fragment"] & 0x1FFF == 0)
    packets.follow(PROTOCOLS, proto[begins], rows[begins], at[begins])


def _ipv6(packets: Packets, rows: Rows, at: Positions) -> None:
    """IPv6 (RFC 8200 section 3); `proto` is what the last extension header names."""
    rows, at = _sound(packets, rows, at, 0x60, 0x6F, _IPV6.itemsize)
    head = packets.read(_IPV6, rows, at)
    proto, at, begins = _extensions(packets, rows, at + _IPV6.itemsize, head["next_header"].copy())
    packets.put(
        rows,
        src_addr=head["source"],
        dst_addr=head["destination"],
        proto=proto,
        tos=head["version_class_label"] >> 20 & 0xFF,
        bytes=head["payload_length"].astype(np.uint64) + _IPV6.itemsize,
    )
    packets.follow(PROTOCOLS, proto[begins], rows[begins], at[begins])


def _sound(packets: Packets, rows: Rows, at: Positions, low: int, high: int, size: int) -> tuple[Rows, Positions]:
    """Keep, and mark as ok, the packets with an IP header of `size` octets whose first is between `low` and `high`."""
    octet = packets.read(_FIRST, rows, at)["octet"]
    sound = np.flatnonzero((octet >= low) & (octet <= high) & (packets.left(rows, at) >= size))
    packets.ok[rows[sound]] = True
    return rows[sound], at[sound]


def _extensions(packets: Packets, rows: Rows, at: Positions, proto: Array) -> tuple[Array, Positions, Rows]:
    """Walk the extension headers at `at`, the first of which is `proto`, in place (RFC 8200 section 4, RFC 4302).

    Return the last next header and where it points, of each packet, and the indices of the packets where that is the
    beginning of the upper layer: fragments other than the first are left out.
    """
    begins = np.ones(len(rows), np.bool_)
    walking = np.flatnonzero(_SHORTEST[proto])
    for _ in range(MAX_EXTENSIONS):
        walking = walking[packets.left(rows[walking], at[walking]) > 0]
        if not len(walking):
            break
        kind = proto[walking]
        head = packets.read(_EXTENSION, rows[walking], at[walking])
        proto[walking] = head["next_header"]
        at[walking] += _SHORTEST[kind] + _UNIT[kind] * head["length"]
        later = (kind == _FRAGMENT) & (head["fragment"] >> 3 != 0)
        begins[walking[later]] = False
        walking = walking[~later & (_SHORTEST[head["next_header"]] > 0)]
    return proto, at, np.flatnonzero(begins)


def _tcp(packets: Packets, rows: Rows, at: Positions) -> None:
    """TCP (RFC 9293 section 3.1); control bits without the data offset (RFC 7125)."""
    head = packets.read(_TCP, rows, at)
    flags = head["control"] & 0xFFF
    packets.put(rows, src_port=head["source"], dst_port=head["destination"], tcp_flags=flags)


def _ports(packets: Packets, rows: Rows, at: Positions) -> None:
    """UDP (RFC 768) and SCTP (RFC 9260 section 3.1)."""
    head = packets.read(_PORTS, rows, at)
    packets.put(rows, src_port=head["source"], dst_port=head["destination"])


def _icmp(packets: Packets, rows: Rows, at: Positions) -> None:
    """ICMP (RFC 792) and ICMPv6 (RFC 4443 section 2.1)."""
    head = packets.read(_ICMP, rows, at)
    packets.put(rows, icmp_type=head["type"], icmp_code=head["code"])


def _by_kind(octets: dict[int, int]) -> Positions:
    table = np.zeros(256, np.int64)
    table[list(octets)] = list(octets.values())
    return table


# Hop-by-hop options, routing, fragment, authentication and destination options: octets of the shortest such header,
# and octets for each one that its length field counts.
_SHORTEST = _by_kind({0: 8, 43: 8, _FRAGMENT: 8, 51: 8, 60: 8})
_UNIT = _by_kind({0: 8, 43: 8, 51: 4, 60: 8})

HEADER_PROTOCOLS: dict[int, Layer] = {1: _ethernet, 11: _ipv4, 12: _ipv6}
ETHERTYPES: dict[int, Layer] = {0x0800: _ipv4, 0x86DD: _ipv6}
PROTOCOLS: dict[int, Layer] = {1: _icmp, 6: _tcp, 17: _ports, 58: _icmp, 132: _ports}
