"""Finds the export messages inside datagrams: their headers as columns, and where their sets lie.

NetFlow v5 (Cisco, "NetFlow export datagram formats"), v9 (RFC 3954 section 5.1), IPFIX (RFC 7011 section 3.1). Several
v5 or IPFIX messages may stand back to back in one datagram.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from decoders.block import Datagrams, Decoded, Octets
from decoders.cursor import Positions, u8, u16, u32
from decoders.faults import Fault

HEADERS = {5: 24, 9: 20, 10: 16}
"""Octets of a message's header, by version."""

_RECORD5 = 48
_MOST_RECORDS, _TOO_MANY = 30, 1 << 16
_MOST = 64
"""Messages looked for in one datagram, so that a datagram of tiny ones costs no more than any other."""


@dataclass(frozen=True, slots=True)
class Messages:
    """m message headers, all int64 (m,).

    `datagram` indexes the block, `version` is 5, 9 or 10, `domain` the source id, observation domain or v5 engine.
    `export_ms` is since 1970, `uptime_ms` is the exporter's 32-bit uptime (0 in IPFIX). `rate` and `mode` are v5's
    sampling interval and mode, 0 elsewhere. `start` and `end` bound the sets, or v5's records.
    """

    datagram: Positions
    version: Positions
    domain: Positions
    export_ms: Positions
    uptime_ms: Positions
    sequence: Positions
    rate: Positions
    mode: Positions
    start: Positions
    end: Positions

    @property
    def count(self) -> int:
        """Number of messages."""
        return len(self.datagram)


def find(block: Datagrams, version: int, among: Positions, out: Decoded) -> Messages:
    """Return the messages of `version` in the datagrams `among`, whose first two octets say so."""
    at, end = block.offsets[among], block.offsets[among] + block.lengths[among]
    stop, whole = _bounds(block, version, at, end)
    short = end - at < HEADERS[version]
    for reason, which in (
        (Fault.TOO_SHORT, short),
        (Fault.BAD_COUNT if version == 5 else Fault.BAD_LENGTH, ~short & ~whole),
    ):
        out.faults[reason] += int(np.count_nonzero(which))
        out.octets[Octets.FAULTY] += int((end - at)[which].sum())
    datagram, at, stop, end = among[whole], at[whole], stop[whole], end[whole]
    more = np.flatnonzero(stop < end)
    if len(more):
        rows = [
            (which, *bounds)
            for which, first, last in zip(*(x[more].tolist() for x in (datagram, stop, end)), strict=True)
            for bounds in _following(block, version, first, last, out)
        ]
        further = np.array(rows, np.int64).reshape(-1, 3).T
        datagram, at, stop = (np.concatenate(pair) for pair in zip((datagram, at, stop), further, strict=True))
    out.octets[Octets.HEADERS] += HEADERS[version] * len(datagram)
    return _headers(block, version, datagram, at, stop)


def _bounds(block: Datagrams, version: int, at: Positions, end: Positions) -> tuple[Positions, np.ndarray]:
    """Return where each message ends, and whether there is one: its header's account of its length can be true."""
    header = HEADERS[version]
    stop, whole = end.copy(), end - at >= header
    if version != 9:
        told = u16(block.data, at[whole] + 2)
        if version == 5:
            told = np.where(told <= _MOST_RECORDS, told, _TOO_MANY)
        stop[whole] = at[whole] + (header + _RECORD5 * told if version == 5 else told)
        whole &= (stop > at + header if version == 5 else stop >= at + header) & (stop <= end)
    return stop, whole


def _following(block: Datagrams, version: int, at: int, end: int, out: Decoded) -> Iterator[tuple[int, int]]:
    """Yield where the messages begin and end that follow the first of a datagram; the rest is left over."""
    header, data = HEADERS[version], block.data
    if not data[at:end].any():
        out.octets[Octets.PADDING] += end - at
        return
    for _ in range(_MOST):
        if end - at < header or data[at] << 8 | data[at + 1] != version:
            break
        told = int(data[at + 2]) << 8 | int(data[at + 3])
        if version == 5 and told > _MOST_RECORDS:
            break
        stop = at + (header + _RECORD5 * told if version == 5 else told)
        if not at + header + (version == 5) <= stop <= end:
            break
        yield at, stop
        at = stop
        if at == end:
            return
    out.faults[Fault.TRAILING_OCTETS] += 1
    out.octets[Octets.FAULTY] += end - at


def _headers(block: Datagrams, version: int, datagram: Positions, at: Positions, stop: Positions) -> Messages:
    data = block.data
    zero = np.zeros(len(at), np.int64)
    uptime, rate, mode = zero, zero, zero
    if version == 5:
        uptime, sampling = u32(data, at + 4), u16(data, at + 22)
        rate, mode = sampling & 0x3FFF, sampling >> 14
        export_ms = u32(data, at + 8) * 1000 + u32(data, at + 12) // 1_000_000
        sequence, domain = u32(data, at + 16), u8(data, at + 20) << 8 | u8(data, at + 21)
    elif version == 9:
        uptime, export_ms = u32(data, at + 4), u32(data, at + 8) * 1000
        sequence, domain = u32(data, at + 12), u32(data, at + 16)
    else:
        export_ms, sequence, domain = u32(data, at + 4) * 1000, u32(data, at + 8), u32(data, at + 12)
    start = at + HEADERS[version]
    return Messages(datagram, np.full(len(at), version), domain, export_ms, uptime, sequence, rate, mode, start, stop)


def join(parts: list[Messages]) -> Messages:
    """Return the messages of all parts, in the order of the buffer."""
    columns = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Messages)]
    order = np.argsort(columns[-2], kind="stable")  # by start
    return Messages(*(column[order] for column in columns))
