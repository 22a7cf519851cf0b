"""Serial lines and SONET/SDH: PPP in HDLC's framing, and Cisco's own use of HDLC."""

from __future__ import annotations

import numpy as np

from decoders.packet_link import ETHERTYPES, mpls
from decoders.packet_octets import Layer, Packets, Positions, Rows, layout
from decoders.packet_ppp import PPP_PROTOCOLS, protocol

_FRAMING = layout(octets=(0, ">u2"), type=(2, ">u2"))
_PPP = 0xFF03
_CISCO = (0x0F00, 0x8F00)
_LABELLED: dict[int, Layer] = PPP_PROTOCOLS | {0x281: mpls, 0x283: mpls}


def serial(packets: Packets, rows: Rows, at: Positions) -> None:
    """PPP with the address and control octets of HDLC (RFC 1662 section 3.1) or without; or, after unicast or broadcast
    and a zero, an EtherType (RFC 4349 section 2)."""
    head = packets.read(_FRAMING, rows, at)
    cisco = np.isin(head["octets"], _CISCO)
    packets.follow(ETHERTYPES, head["type"], rows, at + _FRAMING.size, cisco)
    framed = head["octets"] == _PPP
    protocol(packets, rows[~cisco], (at + 2 * framed)[~cisco], _LABELLED)
