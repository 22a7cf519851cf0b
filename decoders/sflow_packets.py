"""Records of the packet that an sFlow agent sampled: its header, or its Ethernet, IPv4 or IPv6 fields.

sflow.org, "sFlow Version 5" section 5: sampled_header, sampled_ethernet, sampled_ipv4, sampled_ipv6; and "sFlow Tunnel
Structures", which tell the header that carried the packet in the same form.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from decoders.cursor import Items, Positions, octets, u16, u32
from decoders.packet_header import HeaderColumns, parse_at
from decoders.sflow_told import Rows, Told
from decoders.xdr import Words, mapped, words
from schema.addresses import V4_MAPPED
from schema.batch import Array
from schema.columns import LAYERS, TUNNELS

HEADER, ETHERNET, IPV4, IPV6 = 16, 24, 32, 56
"""Octets of the structures, of the header without what it holds of the packet."""

_ICMP, _ICMPV6 = 1, 58
_MAPPED = np.frombuffer(V4_MAPPED, np.uint8)
_ETHERTYPES = (0x0800, 0x86DD)
_FRAMING = 18
"""Octets of an Ethernet header and of the frame check sequence."""
_BARE_IPV6 = 40
_PADDED = 64
"""What the shortest frame can hold of a packet, and more."""
_LAST_PORT = 0xFFFF


def header(told: Told, records: Items) -> None:
    """sampled_header: of several the first with an IP packet counts, or else the first."""
    long = records.end - records.start >= HEADER
    if not long.all():
        told.lies += len(long) - int(np.count_nonzero(long))
        records = records.where(long)
        if not len(records.start):
            return
    protocol, frame, stripped, length = words(told.data, records.start, 4)
    start = records.start + HEADER
    captured = np.minimum(length, records.end - start)
    told.lies += int(np.count_nonzero(captured < length))
    first, last = int(records.start[0]), int(records.end[-1])
    parsed = parse_at(told.data[first:last], start - first, captured, protocol, told.limits.inner)
    arrays = dict(parsed.arrays)
    settle_length(parsed, frame.astype(np.int64) - stripped)
    arrays["frame_length"] = frame
    owner, known = records.owner, parsed.ok
    if (owner[1:] == owner[:-1]).any():
        order = np.lexsort((~known, owner))
        chosen = order[np.diff(owner[order], prepend=-1) != 0]
        owner, known, arrays = owner[chosen], known[chosen], {name: one[chosen] for name, one in arrays.items()}
    told.packet[owner] = True
    told.addressed[owner] = known
    if len(owner) == told.rows:
        told.arrays |= arrays
        return
    for name, values in arrays.items():
        told.put(name, owner, values)


def settle_length(parsed: HeaderColumns, packet: Positions) -> None:
    """Take the frame's word for the length of IP packets whose header does not tell it (segmentation offload).

    `packet`, int64 (n,), are the frames' octets without those stripped. An IPv4 header then tells 0 octets, an IPv6
    header none but itself, while its frame is longer than any padding makes it.
    """
    octets, left = parsed.arrays["bytes"], packet - parsed.link
    untold = parsed.ok & (octets == 0)
    bare = np.flatnonzero(parsed.ok & (octets == _BARE_IPV6) & (left > _PADDED))
    if len(bare):
        untold[bare] = (parsed.arrays["src_addr"][bare, :12] != _MAPPED).any(axis=1)
    rows = np.flatnonzero(untold)
    octets[rows] = np.maximum(left, 0)[rows]


def ethernet(told: Told, records: Items) -> None:
    """sampled_ethernet: length of the frame, addresses, and type, by which the frame has an IP packet or not."""
    kept = told.keep(records, records.end - records.start >= ETHERNET)
    rows, at = records.owner[kept], records.start[kept]
    told.packet[rows] = True
    told.fill("frame_length", rows, u32(told.data, at))
    told.fill("src_mac", rows, _mac(told, at + 4))
    told.fill("dst_mac", rows, _mac(told, at + 12))
    length, kind = u32(told.data, at), u32(told.data, at + 20)
    of_ip = ((kind == _ETHERTYPES[0]) | (kind == _ETHERTYPES[1])) & (length > _FRAMING)
    told.fill("bytes", rows[of_ip], length[of_ip] - _FRAMING)


def _mac(told: Told, at: Positions) -> npt.NDArray[np.uint64]:
    return (u16(told.data, at) << 32 | u32(told.data, at + 2)).astype(np.uint64)


def ipv4(told: Told, records: Items) -> None:
    """sampled_ipv4."""
    _ip(told, records, IPV4)


def ipv6(told: Told, records: Items) -> None:
    """sampled_ipv6."""
    _ip(told, records, IPV6)


def _ip(told: Told, records: Items, size: int) -> None:
    """Read either of the two where no header told of an IP packet."""
    kept = told.keep(records, records.end - records.start >= size)
    told.packet[records.owner[kept]] = True
    kept = kept[~told.addressed[records.owner[kept]]]
    rows, at = records.owner[kept], records.start[kept]
    told.addressed[rows] = True
    length, proto = words(told.data, at, 2)
    source, destination = _pair(told, at, size)
    src_port, dst_port, flags, tos = words(told.data, at + size - 16, 4)
    for name, values in (
        ("bytes", length), ("proto", proto & 0xFF), ("src_addr", source), ("dst_addr", destination),
        ("tcp_flags", flags & 0xFFF), ("tos", tos & 0xFF),
    ):  # fmt: skip
        told.put(name, rows, values)
    _ports(told, rows, proto, src_port, dst_port)


def _ports(told: Told, rows: Rows, proto: Words, src_port: Words, dst_port: Words) -> None:
    """Write the ports; for ICMP they are 0, and its type is where agents put it, in place of the destination port."""
    icmp = (proto == _ICMP) | (proto == _ICMPV6)
    for name, port in (("src_port", src_port), ("dst_port", dst_port)):
        told.put(name, rows, np.where(icmp | (port > _LAST_PORT), 0, port))
    if icmp.any():
        told.put("icmp_type", rows[icmp], dst_port[icmp] & 0xFF)


def _pair(told: Told, at: Positions, size: int) -> tuple[Array, Array]:
    """Return source and destination of sampled_ipv4 or sampled_ipv6, uint8 (n, 16)."""
    if size == IPV4:
        return mapped(told.data, at + 8), mapped(told.data, at + 12)
    return octets(told.data, at + 8, 16), octets(told.data, at + 24, 16)


def ipv4_tunnel(told: Told, records: Items) -> None:
    """extended_ipv4_tunnel_egress and _ingress."""
    _tunnel(told, records, IPV4)


def ipv6_tunnel(told: Told, records: Items) -> None:
    """extended_ipv6_tunnel_egress and _ingress."""
    _tunnel(told, records, IPV6)


def _tunnel(told: Told, records: Items, size: int) -> None:
    """Read the header that carries the packet on one side of the device, where its own header told of no tunnel."""
    kept = told.keep(records, records.end - records.start >= size)
    kept = kept[told.column("tunnel")[records.owner[kept]] == 0]
    rows = records.owner[kept]
    source, destination = _pair(told, records.start[kept], size)
    told.put("tunnel_src_addr", rows, source)
    told.put("tunnel_dst_addr", rows, destination)
    told.put("tunnel", rows, np.full(len(rows), TUNNELS.index("other")))
    told.put("tunnel_layer", rows, np.full(len(rows), LAYERS.index("inner")))
