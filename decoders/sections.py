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
from schema.columns import BY_NAME, Kind

if TYPE_CHECKING:
    from decoders.flows import Part

_IPV4, _IPV6, _ETHERNET = 11, 12, 1
_DEEPEST = 256
"""Octets of a section that are looked at."""


def complete(parts: list[Part], sink: Sink, inner: bool = False) -> None:
    """Fill what records leave open from their packet sections, all read at once; a sampled packet is one.

    Of a packet inside another the outer addresses and ports are filled in, or the `inner` ones.
    """
    found: list[tuple[Array, Array, Array, Array]] = []
    first = 0
    for part in parts:
        rows = np.arange(first, first + part.rows)
        first += part.rows
        if part.mirrored is None:
            found += [(rows, *_section(part, protocol, source)) for protocol, source in part.layout.sections]
    if not found:
        return
    width = max(octets.shape[1] for _, octets, _, _ in found)
    headers = np.concatenate([np.pad(octets, ((0, 0), (0, width - octets.shape[1]))) for _, octets, _, _ in found])
    rows, lengths, protocols = (np.concatenate([each[index] for each in found]) for index in (0, 2, 3))
    read = parse(headers, lengths, protocols, inner)
    for name, values in (*read.arrays.items(), ("packets", np.ones(len(rows), np.uint64))):
        _complete(sink, name, rows[read.ok], values[read.ok])


def _section(part: Part, protocol: int, source: Source) -> tuple[Array, Array, Array]:
    """Return the octets of a section, zeros behind them, how many there are, and the header protocol of each."""
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
    return octets, lengths, protocols


def _complete(sink: Sink, name: str, rows: Array, values: Array) -> None:
    """Write values into those of `rows` that have none yet."""
    if values.any():
        column = sink.slot(name, slice(0, sink.rows), partly=True)
        held = column[rows]
        lists = BY_NAME[name].kind in (Kind.LABELS, Kind.SEGMENTS)
        gap = ~held.any(axis=1) if lists else absent(held)
        column[rows[gap]] = values[gap]


def _number(part: Part, key: tuple[int, int]) -> Array | None:
    source: Source | None = part.layout.named.get(key)
    if source is None or not 1 <= source.length <= 8:
        return None
    return uint(part.records.octets(source)).astype(np.int64)
