"""sFlow v5 built octet by octet: datagrams, samples of every kind, and each structure that is decoded.

Every function returns XDR as it stands on the wire. Records and samples are `item`s: data format, length, body; so a
structure that has no function here is `item(format, body)`, in flow samples and in counter samples alike.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

# an IPv4 header of a UDP packet, total length 60, and its ports
PACKET = bytes.fromhex("4500003c000000004011000000000000") + bytes(4) + struct.pack(">HH", 53, 5353)
ETHERNET, IPV4, IPV6 = 1, 11, 12


def u32(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def u64(*values: int) -> bytes:
    return struct.pack(f">{len(values)}Q", *values)


def opaque(octets: bytes) -> bytes:
    return u32(len(octets)) + octets + bytes(-len(octets) % 4)


def string(text: str) -> bytes:
    return opaque(text.encode())


def array(values: Sequence[int]) -> bytes:
    return u32(len(values), *values)


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", "")) + bytes(2)


def address(text: str) -> bytes:
    """An address of type 1 or 2; of type 0, unknown, where the text is empty."""
    if not text:
        return u32(0)
    packed = ip_address(text).packed
    return u32(1 if len(packed) == 4 else 2) + packed


def item(format_: int, body: bytes, enterprise: int = 0) -> bytes:
    return u32(enterprise << 12 | format_, len(body)) + body + bytes(-len(body) % 4)


def datagram(
    *samples: bytes,
    count: int | None = None,
    agent: str = "192.0.2.1",
    sub_agent: int = 0,
    sequence: int = 1,
    uptime: int = 1,
) -> bytes:
    told = len(samples) if count is None else count
    return u32(5) + address(agent) + u32(sub_agent, sequence, uptime, told) + b"".join(samples)


# Samples: a data source is a class and an index, an interface a form and a value (which the plain samples pack).


def flow_sample(
    *records: bytes,
    count: int | None = None,
    sequence: int = 1,
    source: tuple[int, int] = (0, 3),
    rate: int = 100,
    pool: int = 0,
    drops: int = 0,
    in_if: tuple[int, int] = (0, 1),
    out_if: tuple[int, int] = (0, 2),
    expanded: bool = False,
) -> bytes:
    told = len(records) if count is None else count
    if expanded:
        body = u32(sequence, *source, rate, pool, drops, *in_if, *out_if, told)
    else:
        body = u32(sequence, _packed(source, 24), rate, pool, drops, _packed(in_if, 30), _packed(out_if, 30), told)
    return item(3 if expanded else 1, body + b"".join(records))


def counter_sample(
    *records: bytes,
    count: int | None = None,
    sequence: int = 1,
    source: tuple[int, int] = (0, 3),
    expanded: bool = False,
) -> bytes:
    told = len(records) if count is None else count
    of = source if expanded else (_packed(source, 24),)
    return item(4 if expanded else 2, u32(sequence, *of, told) + b"".join(records))


def discarded_packet(
    *records: bytes,
    count: int | None = None,
    sequence: int = 1,
    source: tuple[int, int] = (0, 3),
    drops: int = 0,
    in_if: int = 1,
    out_if: int = 2,
    reason: int = 256,
) -> bytes:
    told = len(records) if count is None else count
    return item(5, u32(sequence, *source, drops, in_if, out_if, reason, told) + b"".join(records))


def _packed(pair: tuple[int, int], bits: int) -> int:
    return pair[0] << bits | pair[1]


# Flow records


def sampled_header(packet: bytes = PACKET, protocol: int = IPV4, frame_length: int = 64, stripped: int = 4) -> bytes:
    return item(1, u32(protocol, frame_length, stripped) + opaque(packet))


raw_header = sampled_header


def sampled_ethernet(length: int, src_mac: str, dst_mac: str, type_: int = 0x800) -> bytes:
    return item(2, u32(length) + mac(src_mac) + mac(dst_mac) + u32(type_))


def ip_fields(length: int, proto: int, src: str, dst: str, src_port: int, dst_port: int, flags: int, tos: int) -> bytes:
    """The fields of sampled_ipv4 or sampled_ipv6, by the addresses."""
    addresses = ip_address(src).packed + ip_address(dst).packed
    return u32(length, proto) + addresses + u32(src_port, dst_port, flags, tos)


def sampled_ip(fields: bytes) -> bytes:
    return item(3 if len(fields) == 32 else 4, fields)


def tunnel(fields: bytes, ingress: bool) -> bytes:
    return item((1023 if len(fields) == 32 else 1025) + ingress, fields)


def switch(src_vlan: int, dst_vlan: int, src_priority: int = 0, dst_priority: int = 0) -> bytes:
    return item(1001, u32(src_vlan, src_priority, dst_vlan, dst_priority))


def router(next_hop: str, src_mask: int, dst_mask: int) -> bytes:
    return item(1002, address(next_hop) + u32(src_mask, dst_mask))


def gateway(
    next_hop: str = "192.0.2.9",
    own: int = 64496,
    src_as: int = 0,
    src_peer_as: int = 0,
    path: Iterable[tuple[int, Sequence[int]]] = (),
    communities: Sequence[int] = (),
    local_pref: int = 0,
) -> bytes:
    """A path is segments: type (1 AS_SET, 2 AS_SEQUENCE) and AS numbers."""
    segments = [u32(type_) + array(numbers) for type_, numbers in path]
    told = u32(own, src_as, src_peer_as, len(segments)) + b"".join(segments)
    return item(1003, address(next_hop) + told + array(communities) + u32(local_pref))


def user(source: str, destination: str, charset: int = 106) -> bytes:
    return item(1004, u32(charset) + string(source) + u32(charset) + string(destination))


def mpls(next_hop: str, came: Sequence[int], left: Sequence[int]) -> bytes:
    return item(1006, address(next_hop) + array(came) + array(left))


def nat(source: str, destination: str) -> bytes:
    return item(1007, address(source) + address(destination))


def vlan_tunnel(*tags: int) -> bytes:
    return item(1012, array(tags))


def nat_port(source: int, destination: int) -> bytes:
    return item(1020, u32(source, destination))


def vni(number: int, ingress: bool = False) -> bytes:
    return item(1029 + ingress, u32(number))


def egress_queue(number: int) -> bytes:
    return item(1036, u32(number))


def acl(number: int, name: str, direction: int = 1) -> bytes:
    return item(1037, u32(number) + string(name) + u32(direction))


def function(symbol: str) -> bytes:
    return item(1038, string(symbol))


def hw_trap(group: str, trap: str) -> bytes:
    return item(1041, string(group) + string(trap))
