"""Packet sections inside records (RFC 5477 section 8.5, IANA 104, 313, 315): what the packet's own header says.

They are read by the parser of sFlow's headers. What the record itself says goes before what its packet says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from decoders.elements import FRAME_TYPE, SECTION_OCTETS
from decoders.layout import Source
from decoders.packet_header import parse
from decoders.reads import absent, uint
from decoders.records import leading
from decoders.sink import Sink
from schema.batch import Array

if TYPE_CHECKING:
    from decoders.flows import Part

_IPV4, _IPV6, _ETHERNET = 11, 12, 1
_DEEPEST = 256
"""Octets of a section that are looked at."""


def fill(part: Part, sink: Sink, where: slice) -> None:
    """Fill what the records leave open of the rows `where` from their packet sections; a sampled packet is one."""
    for protocol, source in part.layout.sections:
        lengths = part.records.spans(source)[2]
        octets = leading(part.records, source, _DEEPEST)
        kept = _number(part, SECTION_OCTETS)
        if kept is not None:
            lengths = np.where((kept > 0) & (kept < lengths), kept, lengths)
        protocols = np.full(len(octets), protocol)
        if protocol == _IPV4:
            protocols[octets[:, 0] >> 4 == 6] = _IPV6
        else:
            kind = _number(part, FRAME_TYPE)
            if kind is not None:
                protocols[(kind != _ETHERNET) & (kind != 0)] = 0
        found = parse(octets, lengths, protocols)
        for name, values in found.arrays.items():
            _complete(sink, name, where, values, found.ok)
        _complete(sink, "packets", where, np.ones(len(octets), np.uint64), found.ok)


def _complete(sink: Sink, name: str, where: slice, values: Array, ok: Array) -> None:
    """Write values into those rows that have none yet."""
    if not absent(values).all():
        slot = sink.slot(name, where, partly=True)
        rows = np.flatnonzero(ok & absent(slot))
        slot[rows] = values[rows]


def _number(part: Part, key: tuple[int, int]) -> Array | None:
    source: Source | None = part.layout.named.get(key)
    if source is None or not 1 <= source.length <= 8:
        return None
    return uint(part.records.octets(source)).astype(np.int64)
