"""Whole columns from the octets of one field in many records.

Octets come as uint8 of shape (n, length), the last axis contiguous; values go into `out`, a column's array of n rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from decoders.elements import Read
from schema.addresses import V4_MAPPED
from schema.batch import Array

Octets = npt.NDArray[np.uint8]
_ADDRESS = np.dtype("V16")  # copied in one piece, and not octet by octet
_MAPPED = np.frombuffer(V4_MAPPED + bytes(4), _ADDRESS)
"""0.0.0.0, mapped."""

_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_NTP_ERA = 2**32
_LARGEST = {octets: 256**octets - 1 for octets in (1, 2, 4, 8)}
"""Unsigned integers by their size: all that is read, and all columns that take them."""

LAST_TIME = 10_413_791_999_999
"""The end of the year 2299, ms since 1970: the last that the columns' DateTime64 holds."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """An exporter's clocks, one value a record: `export`, int64 ms since 1970; `uptime`, uint32 ms, at that moment;
    `known`, False where the exporter has not told its uptime."""

    export: npt.NDArray[np.int64]
    uptime: npt.NDArray[np.uint32]
    known: npt.NDArray[np.bool_]

    def of(self, rows: slice) -> Clocks:
        """Return the clocks of some records."""
        return Clocks(self.export[rows], self.uptime[rows], self.known[rows])


NO_CLOCKS = Clocks(np.zeros(0, np.int64), np.zeros(0, np.uint32), np.zeros(0, np.bool_))
"""For reads that need none."""


def uint(octets: Octets) -> Array:
    """Return big-endian unsigned integers of 1 to 8 octets (reduced-size encoding, RFC 7011 section 6.2)."""
    length = octets.shape[1]
    if length == 1:
        return octets[:, 0]
    if length in (2, 4, 8):
        return octets.view(f">u{length}")[:, 0]
    padded = np.zeros((len(octets), 8), np.uint8)
    padded[:, 8 - length :] = octets
    return padded.view(">u8")[:, 0]


def read(octets: Octets, how: Read, clocks: Clocks, out: Array) -> None:
    """Read a field into `out`; a value too large for its column is no value: zero."""
    match how:
        case Read.UINT | Read.LABEL | Read.MAC:
            _narrow(uint(octets), out, _LARGEST[out.dtype.itemsize])
        case Read.STATUS:
            _status(octets, out)
        case Read.APPLICATION:
            _application(octets, out)
        case Read.ADDRESS4:
            out.view(_ADDRESS)[:] = _MAPPED
            out.view(np.uint32)[:, 3] = octets.view(np.uint32)[:, 0].copy()  # else it goes from one stride to another
        case Read.ADDRESS6:
            out.view(_ADDRESS)[:] = octets.view(_ADDRESS)
        case Read.SECONDS:
            _narrow(uint(octets), out, LAST_TIME // 1000)
            out *= 1000
        case Read.MILLISECONDS:
            _narrow(uint(octets), out, LAST_TIME)
        case Read.UPTIME:
            # signed 32-bit distance: right across the wrap at 49.7 days, and for stamps a little in the future
            out[:] = (clocks.uptime - uint(octets).astype(np.uint32)).view(np.int32)
            np.subtract(clocks.export, out, out=out)
            if not clocks.known.all():
                out[~clocks.known] = 0
        case Read.BEFORE_EXPORT:
            before = np.minimum(uint(octets).astype(np.uint64) // 1000, 2**42).astype(np.int64)
            np.maximum(clocks.export - before, 0, out=out)
        case Read.NTP:
            _ntp(uint(octets), out)


def _narrow(values: Array, out: Array, most: int) -> None:
    out[:] = values
    if _LARGEST[values.dtype.itemsize] > most:
        out[values > most] = 0


def _status(octets: Octets, out: Array) -> None:
    """Of 2 or 4 octets the last is the status (IANA 89, reduced or not); some put it into the first."""
    np.copyto(out, np.where(octets[:, -1] == 0, octets[:, 0], octets[:, -1]))


def _application(octets: Octets, out: Array) -> None:
    """The engine goes on top of a selector of at most 3 octets, or else of 7; a longer field has its engine first.

    In 9 octets stand the engine, an enterprise number and a selector (engine 20, RFC 6759 section 4.1): the
    enterprise gives up its top octet.
    """
    length = octets.shape[1]
    if length == 1:
        out[:] = octets[:, 0]
        return
    engine, selector = octets[:, 0].astype(np.uint64), uint(octets[:, -min(length - 1, 7) :]).astype(np.uint64)
    out[:] = engine << np.uint64(24 if length <= 4 else 56) | selector


def _ntp(stamps: Array, out: Array) -> None:
    stamps = stamps.astype(np.uint64)
    seconds = (stamps >> np.uint64(32)).astype(np.int64)
    fraction = (stamps & np.uint64(0xFFFFFFFF)).astype(np.int64)
    seconds += np.where(seconds < _NTP_ERA // 2, _NTP_ERA, 0)  # the era that begins in 2036 (RFC 5905 section 6)
    out[:] = np.where(stamps == 0, 0, (seconds - _NTP_EPOCH) * 1000 + (fraction * 1000 >> 32))


def absent(values: Array) -> npt.NDArray[np.bool_]:
    """Return where a column has no value: zero, or for addresses `::`, and 0.0.0.0 mapped."""
    if values.ndim == 1:
        return np.equal(values, 0)
    words = np.ascontiguousarray(values).view(np.uint32)
    nothing: npt.NDArray[np.bool_] = np.equal(words[:, 0] | words[:, 1] | words[:, 3], 0)
    return nothing
