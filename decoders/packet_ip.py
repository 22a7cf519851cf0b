"""IPv4 and IPv6 headers, extension headers and segment lists."""

from __future__ import annotations

import numpy as np

from decoders.packet_octets import Flags, Packets, Positions, Rows, layout
from decoders.packet_transport import fields, reread, upper_layer
from schema.batch import Array
from schema.columns import MAX_SEGMENTS

MAX_EXTENSIONS = 8
"""IPv6 extension headers that are followed; a packet with more has no ports."""

_IPV4_SIZE, _IPV6_SIZE = 20, 40
_IPV4 = layout(
    version_ihl=(0, "u1"), tos=(1, "u1"), total_length=(2, ">u2"), fragment=(6, ">u2"), protocol=(9, "u1"),
    source=(8, "<u8"), destination=(12, "<u8"), **fields(_IPV4_SIZE),
)  # fmt: skip
_IPV6 = layout(
    version_class_label=(0, ">u4"), payload_length=(4, ">u2"), next_header=(6, "u1"), source=(8, "V16"),
    destination=(24, "V16"), **fields(_IPV6_SIZE),
)  # fmt: skip
_EXTENSION = layout(next_header=(0, "u1"), length=(1, "u1"), kind_specific=(2, ">u2"), last_entry=(4, "u1"))
_SEGMENTS = layout(**{f"segment{i}": (16 * i, "V16") for i in range(MAX_SEGMENTS)})

_ROUTING, _FRAGMENT = 43, 44
_SEGMENT_ROUTING = 4
_NO_OPTIONS, _MOST_OPTIONS = 0x45, 0x4F


def _by_kind(octets: dict[int, int]) -> Positions:
    table = np.zeros(256, np.int64)
    table[list(octets)] = list(octets.values())
    return table


# Hop-by-hop options, routing, fragment, authentication and destination options: octets of the shortest such header,
# and octets for each one that its length field counts.
_SHORTEST = _by_kind({0: 8, _ROUTING: 8, _FRAGMENT: 8, 51: 8, 60: 8})
_UNIT = _by_kind({0: 8, _ROUTING: 8, 51: 4, 60: 8})
_EXTENDS = _SHORTEST > 0


def ipv4(packets: Packets, rows: Rows, at: Positions) -> None:
    """IPv4 with options (RFC 791 section 3.1)."""
    head = packets.read(_IPV4, rows, at, whole=_IPV4_SIZE)
    long = head["version_ihl"] != _NO_OPTIONS
    some_long = long.any()
    if some_long:
        sound = (head["version_ihl"] >= _NO_OPTIONS) & (head["version_ihl"] <= _MOST_OPTIONS)
        head, long, rows, at = head[sound], long[sound], rows[sound], at[sound]
    packets.put_header(rows, at)
    packets.put_v4(rows, src_addr=head["source"], dst_addr=head["destination"])
    if "proto" in packets.wanted:
        proto = np.ascontiguousarray(head["protocol"])
        packets.put(rows, proto=proto, tos=head["tos"], bytes=head["total_length"])
        at = at + _IPV4_SIZE
        if some_long:
            at[long] += 4 * (head["version_ihl"][long] & 15).astype(np.int64) - _IPV4_SIZE
            reread(packets, rows, at, head, long)
        upper_layer(packets, rows, at, proto, head, head["fragment"] & 0x1FFF == 0)


def ipv6(packets: Packets, rows: Rows, at: Positions) -> None:
    """IPv6 (RFC 8200 section 3); `proto` is what the last extension header names."""
    head = packets.read(_IPV6, rows, at, whole=_IPV6_SIZE)
    first = head["version_class_label"].astype(np.uint32)
    sound = first >> 28 == 6
    if not sound.all():
        head, first, rows, at = head[sound], first[sound], rows[sound], at[sound]
    packets.put_header(rows, at)
    packets.put(rows, src_addr=head["source"], dst_addr=head["destination"])
    if "proto" in packets.wanted:
        proto, at = head["next_header"].copy(), at + _IPV6_SIZE
        extended = _EXTENDS.take(proto)
        begins, routed = _extensions(packets, rows, at, proto, extended.nonzero()[0])
        if extended.any():
            reread(packets, rows, at, head, extended)
        length = head["payload_length"].astype(np.uint64) + _IPV6_SIZE
        packets.put(rows, proto=proto, tos=first >> 20 & 0xFF, bytes=length)
        upper_layer(packets, rows, at, proto, head, begins, routed)


def _extensions(packets: Packets, rows: Rows, at: Positions, proto: Array, walking: Rows) -> tuple[Flags, Flags]:
    """Walk the extension headers of the packets `walking` (RFC 8200 section 4, RFC 4302).

    The first, `proto`, stands at `at`; these become the last next header, and where it points. Return of each packet
    whether the upper layer begins there, as it does not in fragments other than the first, and whether there was a
    segment routing header.
    """
    begins, routed = np.ones(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    for _ in range(MAX_EXTENSIONS):
        walking = walking[packets.left(rows[walking], at[walking]) > 0]
        if not len(walking):
            break
        kind = proto[walking]
        head = packets.read(_EXTENSION, rows[walking], at[walking])
        segmented = (kind == _ROUTING) & (head["kind_specific"] >> 8 == _SEGMENT_ROUTING) & ~routed[walking]
        if segmented.any():
            routes = walking[segmented]
            routed[routes] = True
            _segments(packets, rows[routes], at[routes], head[segmented])
        proto[walking] = head["next_header"]
        at[walking] += _SHORTEST[kind] + _UNIT[kind] * head["length"]
        later = (kind == _FRAGMENT) & (head["kind_specific"] >> 3 != 0)
        begins[walking[later]] = False
        walking = walking[~later & _EXTENDS[head["next_header"]]]
    return begins, routed


def _segments(packets: Packets, rows: Rows, at: Positions, head: Array) -> None:
    """Store the first segments of segment routing headers (RFC 8754 section 2), in the order of the list."""
    if "srv6_segments" in packets.wanted:
        found = packets.read(_SEGMENTS, rows, at + 8)
        octets = found.view(np.uint8).reshape(-1, MAX_SEGMENTS, 16)
        # the length tells how many there is room for, without the options that follow
        count = np.minimum(head["last_entry"].astype(np.int64) + 1, head["length"] // 2)
        octets[np.arange(MAX_SEGMENTS) >= count[:, None]] = 0
        packets.put(rows, srv6_segments=octets.reshape(-1, 16 * MAX_SEGMENTS))
