"""PPP: its protocol field, and sessions of it over Ethernet (PPPoE)."""

from __future__ import annotations

import numpy as np

from decoders.packet_ip import ipv4, ipv6
from decoders.packet_octets import Layer, Packets, Positions, Rows, layout

_PROTOCOL = layout(number=(0, ">u2"))
_SESSION = layout(version_code=(0, ">u2"), session_length=(2, ">u4"))
_DATA = 0x1100
"""Version 1, type 1, code 0: session data (RFC 2516 section 4)."""


def protocol(packets: Packets, rows: Rows, at: Positions, layers: dict[int, Layer]) -> None:
    """Read the PPP protocol field (RFC 1661 section 2), of one octet where it was compressed (section 6.5)."""
    number = packets.read(_PROTOCOL, rows, at)["number"].astype(np.uint16)
    compressed = number >> 8 & 1 != 0
    packets.follow(layers, np.where(compressed, number >> 8, number), rows, at + 2 - compressed)


def pppoe(packets: Packets, rows: Rows, at: Positions) -> None:
    """PPPoE session (RFC 2516 section 4)."""
    sound = packets.read(_SESSION, rows, at, whole=_SESSION.size)["version_code"] == _DATA
    protocol(packets, rows[sound], at[sound] + _SESSION.size, PPP_PROTOCOLS)


PPP_PROTOCOLS: dict[int, Layer] = {0x21: ipv4, 0x57: ipv6}
"""IP and IPv6 (RFC 1332, RFC 5072)."""
