"""What stands before the IP header: Ethernet with tags, LLC/SNAP and provider backbone bridges, and MPLS.

Addresses and VLANs are those of the outermost frame. Each kind of frame inside another has its own, smaller table of
what may come next, so that no packet goes round in circles.
"""

from __future__ import annotations

import numpy as np

from decoders.packet_ip import ipv4, ipv6
from decoders.packet_octets import Flags, Layer, Packets, Positions, Rows, layout
from decoders.packet_ppp import pppoe
from decoders.packet_tunnels import BRIDGED, IPV4, IPV6, MPLS, MPLS_UPSTREAM
from schema.batch import Array
from schema.columns import MAX_LABELS

MAX_TAGS = 4
"""VLAN tags that are followed, of which the first two are stored; of a packet with more nothing else is read."""

PPPOE, BACKBONE = 0x8864, 0x88E7
_TPIDS = (0x8100, 0x88A8, 0x9100)
_LAST_LENGTH = 1500

_ETHERNET = layout(destination=(0, ">u8", 6), source=(6, ">u8", 6), type=(12, ">u2"))
_TAG = layout(control=(0, ">u2"), type=(2, ">u2"))
_SNAP = layout(all=(0, ">u8"))
_SNAP_ETHERTYPE = 0xAAAA_0300_0000
"""LLC to and from SNAP, unnumbered, and the OUI under which an EtherType follows (RFC 1042)."""
_ENTRY = layout(entry=(0, ">u4"))
_BOTTOM = 0x100
_FIRST = layout(octet=(0, "u1"))
_PSEUDOWIRE = layout(nibble=(0, "u1"), bare=(12, ">u2"), controlled=(16, ">u2"))
_CONTROL_WORD = 4


def ethernet(packets: Packets, rows: Rows, at: Positions) -> None:
    """Ethernet II and IEEE 802.3, the outermost frame."""
    head = packets.read(_ETHERNET, rows, at)
    packets.put(rows, src_mac=head["source"] >> 16, dst_mac=head["destination"] >> 16)
    resolve(packets, rows, at + _ETHERNET.size, head["type"], ETHERTYPES, ("src_vlan", "inner_vlan"))


def resolve(
    packets: Packets, rows: Rows, at: Positions, types: Array, layers: dict[int, Layer], vlans: tuple[str, ...] = ()
) -> None:
    """Go through the tags of IEEE 802.1Q and LLC/SNAP to what the frames `rows` hold, and on to its layer.

    `types` are what stands before positions `at`, EtherType or length; `at` is written into. VLANs are stored in the
    columns `vlans`.
    """
    types = types.astype(np.uint16)
    unsure = ((types != IPV4) & (types != IPV6)).nonzero()[0]
    tagged = unsure[_tagged(types[unsure])]
    for depth in range(MAX_TAGS):
        if not len(tagged):
            break
        tag = packets.read(_TAG, rows[tagged], at[tagged])
        if depth < len(vlans):
            packets.put(rows[tagged], **{vlans[depth]: tag["control"] & 0xFFF})
        types[tagged] = tag["type"]
        at[tagged] += _TAG.size
        tagged = tagged[_tagged(tag["type"])]
    short = unsure[types[unsure] <= _LAST_LENGTH]
    if len(short):
        head = packets.read(_SNAP, rows[short], at[short], whole=_SNAP.size)["all"]
        types[short] = np.where(head >> 16 == _SNAP_ETHERTYPE, head & 0xFFFF, 0)
        at[short] += _SNAP.size
    packets.follow(layers, types, rows, at)


def _tagged(types: Array) -> Flags:
    tagged: Flags = (types == _TPIDS[0]) | (types == _TPIDS[1]) | (types == _TPIDS[2])
    return tagged


def _frame(packets: Packets, rows: Rows, at: Positions, layers: dict[int, Layer]) -> None:
    """Ethernet inside something else: only what it carries is of interest."""
    head = packets.read(_ETHERNET, rows, at)
    resolve(packets, rows, at + _ETHERNET.size, head["type"], layers)


def _backbone(packets: Packets, rows: Rows, at: Positions) -> None:
    """Provider backbone bridge (IEEE 802.1ah, I-TAG): the customer's frame comes after four octets."""
    _frame(packets, rows, at + 4, _CUSTOMER)


def mpls(packets: Packets, rows: Rows, at: Positions) -> None:
    """MPLS (RFC 3032 section 2.1), MAX_LABELS entries at most; what is below is told by its first four bits."""
    labels, at = np.zeros((len(rows), MAX_LABELS), np.uint32), at.copy()
    ended = np.zeros(len(rows), np.bool_)
    walking = np.arange(len(rows))
    for depth in range(MAX_LABELS):
        entry = packets.read(_ENTRY, rows[walking], at[walking])["entry"]
        labels[walking, depth] = entry >> 8
        at[walking] += _ENTRY.size
        bottom = entry & _BOTTOM != 0
        ended[walking[bottom]] = True
        walking = walking[~bottom]
        walking = walking[packets.left(rows[walking], at[walking]) > 0]
        if not len(walking):
            break
    packets.put(rows, mpls_labels=labels)
    rows, at = rows[ended], at[ended]
    first = packets.read(_FIRST, rows, at)["octet"]
    packets.follow(_BELOW, first >> 4, rows, at)
    packets.follow({0: _pseudowire}, (first >= 0x45) & (first <= 0x4F) | (first >> 4 == 6), rows, at)


def _pseudowire(packets: Packets, rows: Rows, at: Positions) -> None:
    """Ethernet over MPLS (RFC 4448), with a control word or without: whichever has a type that is known."""
    head = packets.read(_PSEUDOWIRE, rows, at)
    controlled = (head["nibble"] >> 4 == 0) & _known(head["controlled"])
    sound = controlled | _known(head["bare"])
    _frame(packets, rows[sound], (at + _CONTROL_WORD * controlled)[sound], _INNERMOST)


def _known(types: Array) -> Flags:
    known: Flags = np.isin(types, (*_INNERMOST, *_TPIDS))
    return known


def _bridged(packets: Packets, rows: Rows, at: Positions) -> None:
    """Ethernet inside a tunnel."""
    _frame(packets, rows, at, _CUSTOMER)


_BELOW: dict[int, Layer] = {4: ipv4, 6: ipv6}
_INNERMOST: dict[int, Layer] = {IPV4: ipv4, IPV6: ipv6, PPPOE: pppoe}
_CUSTOMER: dict[int, Layer] = _INNERMOST | {MPLS: mpls, MPLS_UPSTREAM: mpls}
ETHERTYPES: dict[int, Layer] = _CUSTOMER | {BACKBONE: _backbone}
CARRIED: dict[int, Layer] = {IPV4: ipv4, IPV6: ipv6, BRIDGED: _bridged, MPLS: mpls, MPLS_UPSTREAM: mpls}
"""What tunnels hold."""
