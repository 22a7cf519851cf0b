"""Which structures of sFlow records are read, and how: those of flow samples and of discarded packets.

sflow.org: "sFlow Version 5" section 5; the texts on NAT ports, tunnels and VNIs, egress queues, and on dropped packets.
Structures that are not read are skipped by their length and counted.
"""

from __future__ import annotations

import numpy as np

from decoders import sflow_packets as packets
from decoders import sflow_routes as routes
from decoders.block import Decoded
from decoders.cursor import Items, u32
from decoders.passed_over import pass_over
from decoders.sflow_told import Reader, Told
from decoders.xdr import addresses, arrays, strings, words

_LAST_VLAN = 4095
_LAST_PORT = 0xFFFF
_FORMATS = 4096
"""Formats of one enterprise, which a data format has in its lowest 12 bits."""


def _switch(told: Told, records: Items) -> None:
    """extended_switch: the VLANs on input and output; 0xffffffff is unknown. It goes before the header's tag."""
    kept = told.keep(records, records.end - records.start >= 16)
    rows = records.owner[kept]
    source, _, destination, _ = words(told.data, records.start[kept], 4)
    for name, vlan in (("src_vlan", source), ("dst_vlan", destination)):
        known = (vlan > 0) & (vlan <= _LAST_VLAN)
        told.put(name, rows[known], vlan[known])


def _user(told: Told, records: Items) -> None:
    """extended_user; the character sets are not looked at: what is no UTF-8 is replaced."""
    source, after, whole = strings(told.data, records.start + 4, records.end, told.limits.name_length)
    destination, _, there = strings(told.data, after + 4, records.end, told.limits.name_length)
    kept = told.keep(records, whole & there)
    told.write("user_name", records.owner[kept], source, kept)
    told.write("dst_user_name", records.owner[kept], destination, kept)


def _nat(told: Told, records: Items) -> None:
    """extended_nat: source and destination after translation."""
    source, after, whole = addresses(told.data, records.start, records.end)
    destination, _, there = addresses(told.data, after, records.end)
    kept = told.keep(records, whole & there)
    told.put("post_nat_src_addr", records.owner[kept], source[kept])
    told.put("post_nat_dst_addr", records.owner[kept], destination[kept])


def _nat_port(told: Told, records: Items) -> None:
    """extended_nat_port: ports after translation."""
    kept = told.keep(records, records.end - records.start >= 8)
    for name, port in zip(
        ("post_nat_src_port", "post_nat_dst_port"), words(told.data, records.start[kept], 2), strict=True
    ):
        told.put(name, records.owner[kept], np.where(port <= _LAST_PORT, port, 0))


def _vlan_tunnel(told: Told, records: Items) -> None:
    """extended_vlantunnel: tags that were taken off, the outermost first, each with its TPID before it.

    They stood before those that the header still has.
    """
    counts, _, whole = arrays(told.data, records.start, records.end)
    kept = told.keep(records, whole)
    one, two = (kept[counts[kept] > depth] for depth in (0, 1))
    under = told.column("src_vlan")[records.owner[one]]
    told.put("inner_vlan", records.owner[one][under > 0], under[under > 0])
    for name, deep, depth in (("src_vlan", one, 0), ("inner_vlan", two, 1)):
        told.put(name, records.owner[deep], u32(told.data, records.start[deep] + 4 + 4 * depth) & _LAST_VLAN)


def _number(name: str) -> Reader:
    """Return the reader of a structure that is one number."""

    def read(told: Told, records: Items) -> None:
        kept = told.keep(records, records.end - records.start >= 4)
        told.fill(name, records.owner[kept], u32(told.data, records.start[kept]))

    return read


def _name(*names: str, after: int = 0) -> Reader:
    """Return the reader of a structure of strings, one for each of `names`, with `after` octets before them."""

    def read(told: Told, records: Items) -> None:
        at, whole = records.start + after, np.ones(len(records.start), np.bool_)
        found = []
        for _ in names:
            symbols, at, there = strings(told.data, at, records.end, told.limits.name_length)
            found.append(symbols)
            whole &= there
        kept = told.keep(records, whole)
        for name, symbols in zip(names, found, strict=True):
            told.write(name, records.owner[kept], symbols, kept)

    return read


Kinds = dict[int, Reader]
"""Readers by the formats of enterprise 0, in the order in which they are asked: of what two tell, the first counts."""

_PACKET: Kinds = {
    1: packets.header, 2: packets.ethernet, 3: packets.ipv4, 4: packets.ipv6, 1012: _vlan_tunnel, 1001: _switch,
}  # fmt: skip
_LINK: Kinds = {
    1023: packets.ipv4_tunnel, 1024: packets.ipv4_tunnel, 1025: packets.ipv6_tunnel,
    1026: packets.ipv6_tunnel, 1029: _number("layer2_segment_id"), 1030: _number("layer2_segment_id"),
    1036: _number("egress_queue"),
}  # fmt: skip
OF_FLOWS: Kinds = _PACKET | {
    1002: routes.router, 1003: routes.gateway, 1004: _user, 1006: routes.mpls, 1007: _nat, 1020: _nat_port,
} | _LINK  # fmt: skip
OF_DISCARDS: Kinds = _PACKET | {1006: routes.mpls} | _LINK | {
    1037: _name("acl", after=4), 1038: _name("function"), 1041: _name("trap_group", "trap"),
    1042: _name("kernel_reason"),
}  # fmt: skip


def read(told: Told, records: Items, kinds: Kinds, out: Decoded) -> None:
    """Read the records of samples by their kinds; `records.owner` are the samples' rows."""
    tags = records.tag
    near = np.minimum(tags, _FORMATS)  # no enterprise but sflow.org's own has structures that are read
    counts = np.bincount(near, minlength=_FORMATS + 1)
    for format_, reader in kinds.items():
        if counts[format_]:
            reader(told, records if counts[format_] == len(tags) else records.where(np.flatnonzero(tags == format_)))
            counts[format_] = 0
    if counts.any():
        pass_over("flow", tags[counts[near] > 0], out)
