"""Messages, sets, samples and packets built octet by octet, for seeds that no exporter of ours sends."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

NOW = 1_795_000_000_000
"""When the first block of a campaign is received, ms since 1970."""

VARIABLE = 0xFFFF
Field = tuple[int, int] | tuple[int, int, int]
"""(element, octets), or (element, octets, enterprise)."""


def a_set(id_: int, body: bytes) -> bytes:
    """Return a set without padding."""
    return struct.pack(">HH", id_, (4 + len(body)) & 0xFFFF) + body


def netflow5(records: int, body: bytes | None = None, sampling: int = 0) -> bytes:
    """Return a NetFlow v5 datagram of `records` records, all octets 1 where `body` is not given."""
    head = struct.pack(">HHIIIIHH", 5, records, 1_000_000, NOW // 1000, 0, 7, 0x0102, sampling)
    return head + (b"\1" * 48 * records if body is None else body)


def netflow9(*sets: bytes, source: int = 7, sequence: int = 0) -> bytes:
    """Return a NetFlow v9 datagram."""
    return struct.pack(">HHIIII", 9, len(sets), 1_000_000, NOW // 1000, sequence, source) + b"".join(sets)


def ipfix(*sets: bytes, domain: int = 7, sequence: int = 0) -> bytes:
    """Return an IPFIX message."""
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, (16 + len(body)) & 0xFFFF, NOW // 1000, sequence, domain) + body


def specifiers(fields: Iterable[Field]) -> bytes:
    """Return field specifiers."""
    return b"".join(
        struct.pack(">HHI", field[0] | 0x8000, field[1], field[2]) if len(field) == 3 else struct.pack(">HH", *field)
        for field in fields
    )


def template(id_: int, fields: Sequence[Field]) -> bytes:
    """Return a template record."""
    return struct.pack(">HH", id_, len(fields)) + specifiers(fields)


def options_template(version: int, id_: int, scopes: Sequence[Field], fields: Sequence[Field]) -> bytes:
    """Return an options template record: its header counts octets in NetFlow v9, fields in IPFIX."""
    counts = (4 * len(scopes), 4 * len(fields)) if version == 9 else (len(scopes) + len(fields), len(scopes))
    return struct.pack(">HHH", id_, *counts) + specifiers(scopes) + specifiers(fields)


def message(version: int, *sets: bytes, domain: int = 7) -> bytes:
    """Return a message of version 9 or 10."""
    return netflow9(*sets, source=domain) if version == 9 else ipfix(*sets, domain=domain)


def template_set(version: int, body: bytes, options: bool = False) -> bytes:
    """Return a set of template records or of options template records."""
    return a_set((0 if version == 9 else 2) + options, body)


def variable(octets: bytes, long: bool = False) -> bytes:
    """Return a variable-length field with its length before it (RFC 7011 section 7)."""
    if long or len(octets) > 254:
        return struct.pack(">BH", 255, len(octets)) + octets
    return bytes([len(octets)]) + octets


def item(format_: int, body: bytes) -> bytes:
    """Return an sFlow sample or record."""
    return struct.pack(">II", format_, len(body)) + body + bytes(-len(body) % 4)


def sflow(*samples: bytes, agent: bytes = b"\xc0\x00\x02\x01") -> bytes:
    """Return an sFlow v5 datagram."""
    head = struct.pack(">II", 5, 1 if len(agent) == 4 else 2) + agent
    return head + struct.pack(">IIII", 0, 1, 1_000_000, len(samples)) + b"".join(samples)


def flow_sample(*records: bytes, expanded: bool = False) -> bytes:
    """Return an sFlow flow sample."""
    if expanded:
        return item(3, struct.pack(">11I", 1, 0, 3, 100, 0, 0, 0, 1, 0, 2, len(records)) + b"".join(records))
    return item(1, struct.pack(">8I", 1, 3, 100, 0, 0, 1, 2, len(records)) + b"".join(records))


def sampled_header(packet: bytes, protocol: int = 1) -> bytes:
    """Return an sFlow sampled_header record."""
    return item(1, struct.pack(">IIII", protocol, len(packet) + 4, 4, len(packet)) + packet)


def ipv4(protocol: int, payload: bytes, options: bytes = b"") -> bytes:
    """Return an IPv4 packet."""
    words = 5 + len(options) // 4
    head = struct.pack(">BBHHHBBH", 0x40 | words, 8, 4 * words + len(payload), 1, 0, 64, protocol, 0)
    return head + b"\xc6\x12\x00\x01\xc0\x00\x02\x07" + options + payload


def ipv6(next_header: int, payload: bytes) -> bytes:
    """Return an IPv6 packet."""
    ends = b"".join(b"\x20\x01\x0d\xb8" + bytes(11) + bytes([host]) for host in (1, 2))
    return struct.pack(">IHBB", 0x6 << 28, len(payload), next_header, 64) + ends + payload


def ethernet(type_: int, payload: bytes, *tags: int) -> bytes:
    """Return an Ethernet frame, with VLAN tags of IEEE 802.1Q before the type."""
    tagged = b"".join(struct.pack(">HH", 0x8100, tag) for tag in tags)
    return b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + tagged + struct.pack(">H", type_) + payload


TCP = struct.pack(">HHIIHHHH", 443, 50_000, 1, 2, 0x5018, 1000, 0, 0)
UDP = struct.pack(">HHHH", 53, 50_001, 20, 0)
EXTENSIONS = bytes((60, 0)) + bytes(6) + bytes((44, 1)) + bytes(14) + bytes((6, 0, 0, 0)) + bytes(4)
"""Hop-by-hop options, destination options and a first fragment, with TCP to follow (RFC 8200 section 4)."""

_VXLAN = struct.pack(">HHHHII", 40_000, 4789, 0, 0, 0x08000000, 77 << 8)
FRAMES = (
    ethernet(0x0800, ipv4(6, TCP)),
    ethernet(0x0800, ipv4(17, UDP, b"\x01" * 8), 100),
    ethernet(0x86DD, ipv6(0, EXTENSIONS + TCP), 100, 200),
    ethernet(0x86DD, ipv6(58, b"\x80\0\0\0")),
    ethernet(0x8847, struct.pack(">II", 16 << 12 | 64, 17 << 12 | 0x100 | 64) + ipv4(1, b"\x08\0\0\0")),
    ethernet(0x0800, ipv4(47, b"\0\0\x08\0" + ipv4(6, TCP))),
    ethernet(0x0800, ipv4(17, _VXLAN + ethernet(0x0800, ipv4(6, TCP)))),
    ethernet(0x0800, ipv4(4, ipv4(41, ipv6(6, TCP)))),
    ethernet(0x0806, bytes(28)),
)
"""Frames with what a parser of headers has to get past: tags, options, extension headers, labels, tunnels."""
