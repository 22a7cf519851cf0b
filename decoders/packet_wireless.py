"""Data frames of IEEE 802.11, without the radio's own header."""

from __future__ import annotations

import numpy as np

from decoders.packet_link import ETHERTYPES, resolve
from decoders.packet_octets import Packets, Positions, Rows, layout

_HEAD = layout(
    control=(0, "<u2"), address1=(4, ">u8", 6), address2=(10, ">u8", 6), address3=(16, ">u8", 6), sequence=(22, "<u2"),
    address4=(24, ">u8", 6),
)  # fmt: skip
_SIZE = 24
_KIND, _DATA = 0x4F, 0x08
"""Version, type, and the bit of subtypes without data; what it is in a frame with data."""
_QOS, _TO, _FROM, _PROTECTED, _ORDER = 0x80, 0x100, 0x200, 0x4000, 0x8000


def data_frame(packets: Packets, rows: Rows, at: Positions) -> None:
    """IEEE 802.11-2020 section 9.3.2: data that is not encrypted, and no fragment but the first."""
    head = packets.read(_HEAD, rows, at)
    sound = (head["control"] & _KIND == _DATA) & (packets.left(rows, at) >= _SIZE)
    rows, at, head = rows[sound], at[sound], head[sound]
    control = head["control"]
    to, from_, qos = (control & bit != 0 for bit in (_TO, _FROM, _QOS))
    first, second, third, fourth = (head[f"address{i}"] >> 16 for i in (1, 2, 3, 4))
    packets.put(
        rows,
        dst_mac=np.where(to, third, first),
        src_mac=np.where(from_, np.where(to, fourth, third), second),
    )
    at = at + _SIZE + 6 * (to & from_) + 2 * qos + 4 * (qos & (control & _ORDER != 0))
    clear = (control & _PROTECTED == 0) & (head["sequence"] & 15 == 0)
    # what follows is LLC, as after the length of an IEEE 802.3 frame
    resolve(packets, rows[clear], at[clear], np.zeros(np.count_nonzero(clear), np.uint16), ETHERTYPES)
