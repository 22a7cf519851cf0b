"""What follows the IP header: ports, TCP's control bits, types and codes of ICMP, and packets inside.

The first octets are read together with the IP header, whichever protocol they are of.
"""

from __future__ import annotations

from functools import reduce

import numpy as np

from decoders.packet_octets import Flags, Layer, Packets, Positions, Rows, layout
from decoders.packet_tunnels import BRIDGED, IPV4, IPV6, UDP_PORTS, carrier, gre
from schema.batch import Array

_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_PORTED = (_TCP, _UDP, 33, 132, 136)
"""TCP, UDP, DCCP, SCTP, UDP-Lite: all begin with the ports."""
_UDP_SIZE = 8

_ETHERNET = 143
_CARRIERS: dict[int, Layer] = {47: gre, 4: carrier("ipip", IPV4), 41: carrier("ipip", IPV6)}
_SRV6_CARRIERS: dict[int, Layer] = _CARRIERS | {
    4: carrier("srv6", IPV4), 41: carrier("srv6", IPV6), _ETHERNET: carrier("srv6", BRIDGED),
}  # fmt: skip


def fields(at: int) -> dict[str, tuple[int, str]]:
    """Return the fields of a layout that has the upper layer's first octets at octet `at`.

    The first is the source port of TCP (RFC 9293 section 3.1), UDP (RFC 768), DCCP (RFC 4340 section 5.1), SCTP (RFC
    9260 section 3.1) and UDP-Lite (RFC 3828 section 3.1), or type and code of ICMP (RFC 792) and ICMPv6 (RFC 4443
    section 2.1); `control` is TCP's.
    """
    return {"first": (at, ">u2"), "dst_port": (at + 2, ">u2"), "control": (at + 12, ">u2")}


_UPPER = layout(**fields(0))


def reread(packets: Packets, rows: Rows, at: Positions, head: Array, moved: Flags) -> None:
    """Put into the fields of `head` what stands at positions `at` where these have `moved` on."""
    late = moved.nonzero()[0]
    upper = packets.read(_UPPER, rows[late], at[late])
    for name in _UPPER.ends:
        head[name][late] = upper[name]


def upper_layer(
    packets: Packets, rows: Rows, at: Positions, proto: Array, head: Array, begins: Flags, routed: Flags | None = None
) -> None:
    """Store what the upper layers of the packets `rows` begin with, at positions `at` and in the fields of `head`.

    Fragments in which it does not begin have none. A packet inside another that is `routed` by SRv6 is in SRv6.
    """
    ported = _any_of(proto, _PORTED) & begins
    destination = head["dst_port"] * ported
    # control bits without the data offset (RFC 7125)
    flags = (head["control"] & 0xFFF) * (ported & (proto == _TCP))
    packets.put(rows, src_port=head["first"] * ported, dst_port=destination, tcp_flags=flags)
    told = (_any_of(proto, (_ICMP, _ICMPV6)) & begins).nonzero()[0]
    if len(told):
        first = head["first"][told]
        packets.put(rows[told], icmp_type=first >> 8, icmp_code=first & 0xFF)
    over_udp = (_any_of(destination, UDP_PORTS) & (proto == _UDP)).nonzero()[0]
    if len(over_udp):
        packets.follow(UDP_PORTS, destination[over_udp], rows[over_udp], at[over_udp] + _UDP_SIZE)
    # SRv6 with one segment needs no routing header, and is all that an Ethernet frame is in
    if routed is not None:
        routed |= proto == _ETHERNET
        if routed.any():
            packets.follow(_SRV6_CARRIERS, proto, rows, at, begins & routed)
            begins = begins & ~routed
    packets.follow(_CARRIERS, proto, rows, at, begins)


def _any_of(values: Array, these: tuple[int, ...] | dict[int, Layer]) -> Flags:
    # several times faster than np.isin for as few
    found: Flags = reduce(np.logical_or, (values == value for value in these))
    return found
