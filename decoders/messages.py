"""Finds the export messages inside datagrams: their headers as columns, and where their sets lie.

NetFlow v5 (Cisco, "NetFlow export datagram formats"), v9 (RFC 3954 section 5.1), IPFIX (RFC 7011 section 3.1). Several
v5 or IPFIX messages may stand back to back in one datagram.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields

import numpy as np

from decoders.block import Datagrams
from decoders.cursor import Positions, u8, u16, u32
from decoders.faults import Fault

_HEADERS = {5: 24, 9: 20, 10: 16}
_RECORD5 = 48
_MOST = 64
"""Messages looked for in one datagram, so that a datagram of tiny ones costs no more than any other."""


@dataclass(frozen=True, slots=True)
class Messages:
    """m message headers, all int64 (m,).

    `datagram` indexes the block, `version` is 5, 9 or 10, `domain` the source id, observation domain or v5 engine.
    `export_ms` is since 1970, `uptime_ms` is the exporter's 32-bit uptime (0 in IPFIX). `rate` is v5's sampling
    interval, 0 elsewhere. `start` and `end` bound the sets, or v5's records.
    """

    datagram: Positions
    version: Positions
    domain: Positions
    export_ms: Positions
    uptime_ms: Positions
    sequence: Positions
    rate: Positions
    start: Positions
    end: Positions

    @property
    def count(self) -> int:
        """Number of messages."""
        return len(self.datagram)


def find(block: Datagrams, version: int, among: Positions, faults: Counter[Fault]) -> Messages:
    """Return the messages of `version` in the datagrams `among`, whose first two octets say so."""
    header = _HEADERS[version]
    at, end = block.offsets[among], block.offsets[among] + block.lengths[among]
    parts: list[Messages] = []
    datagram = among
    while len(datagram) and len(parts) < _MOST:
        short = end - at < header
        faults[Fault.TRAILING_OCTETS if parts else Fault.TOO_SHORT] += int(np.count_nonzero(short))
        datagram, at, end = datagram[~short], at[~short], end[~short]
        stop, good = _bounds(block, version, at, end)
        if parts:  # what follows a whole message must begin another, or it is left over
            good &= u16(block.data, at) == version
        reason = Fault.TRAILING_OCTETS if parts else Fault.BAD_COUNT if version == 5 else Fault.BAD_LENGTH
        faults[reason] += int(np.count_nonzero(~good))
        datagram, at, end, stop = datagram[good], at[good], end[good], stop[good]
        parts.append(_headers(block, version, datagram, at, stop))
        more = stop < end
        datagram, at, end = datagram[more], stop[more], end[more]
    faults[Fault.TRAILING_OCTETS] += len(datagram)
    return join(parts)


def _bounds(block: Datagrams, version: int, at: Positions, end: Positions) -> tuple[Positions, np.ndarray]:
    """Return where each message ends, and whether its header's account of its length can be true."""
    if version == 5:
        count = u16(block.data, at + 2)
        stop = at + _HEADERS[5] + _RECORD5 * count
        return stop, (count > 0) & (stop <= end)
    if version == 9:
        return end, np.ones(len(at), np.bool_)
    length = u16(block.data, at + 2)
    return at + length, (length >= _HEADERS[10]) & (at + length <= end)


def _headers(block: Datagrams, version: int, datagram: Positions, at: Positions, stop: Positions) -> Messages:
    data = block.data
    zero = np.zeros(len(at), np.int64)
    uptime, rate = zero, zero
    if version == 5:
        uptime, rate = u32(data, at + 4), u16(data, at + 22) & 0x3FFF  # the top two bits are the sampling mode
        export_ms = u32(data, at + 8) * 1000 + u32(data, at + 12) // 1_000_000
        sequence, domain = u32(data, at + 16), u8(data, at + 20) << 8 | u8(data, at + 21)
    elif version == 9:
        uptime, export_ms = u32(data, at + 4), u32(data, at + 8) * 1000
        sequence, domain = u32(data, at + 12), u32(data, at + 16)
    else:
        export_ms, sequence, domain = u32(data, at + 4) * 1000, u32(data, at + 8), u32(data, at + 12)
    start = at + _HEADERS[version]
    return Messages(datagram, np.full(len(at), version), domain, export_ms, uptime, sequence, rate, start, stop)


def join(parts: list[Messages]) -> Messages:
    """Return the messages of all parts, in the order of the buffer."""
    columns = [np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Messages)]
    order = np.argsort(columns[-2], kind="stable")  # by start
    return Messages(*(column[order] for column in columns))
