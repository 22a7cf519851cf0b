"""The index of a journal segment as an array, a row for each datagram: `collector.segments.ROW`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from collector.segments import Segment, path_of
from collector.shards import owners
from decoders.stream import TCP_SESSIONS

Rows = npt.NDArray[np.void]
_ROW = np.dtype(
    [("time", "i8"), ("exporter", "V16"), ("offset", "u8"), ("length", "u4"), ("port", "u2"), ("entry", "u2"),
     ("listener", "u2"), ("session_low", "u2"), ("session_high", "u4")]
)  # fmt: skip


def open_segment(directory: Path, number: int) -> Segment | None:
    """Return a segment to read from; None where it has just been deleted."""
    try:
        return Segment(path_of(directory, number), writable=False)
    except FileNotFoundError:
        return None


def rows_of(segment: Segment, start: int = 0, end: int | None = None) -> Rows:
    """Return the index rows of the datagrams that are in the segment now, or of [start, end) of them; a view."""
    return np.frombuffer(segment.map, _ROW, segment.count, segment.index_at)[start:end]


def senders_of_rows(rows: Rows) -> npt.NDArray[np.uint8]:
    """Return the senders' addresses, uint8 (n, 16)."""
    return np.frombuffer(rows["exporter"].tobytes(), np.uint8).reshape(-1, 16)


def owners_of_rows(rows: Rows, count: int) -> npt.NDArray[np.uint8]:
    """Return for which of `count` workers each row is, uint8 (n,)."""
    return owners(senders_of_rows(rows), count) if count > 1 else np.zeros(len(rows), np.uint8)


def sessions_of(rows: Rows) -> npt.NDArray[np.int64]:
    """Return the TCP sessions, int64 (n,); 0 for UDP."""
    sessions: npt.NDArray[np.int64] = rows["session_high"].astype(np.int64) << 16 | rows["session_low"]
    return sessions


def are_ends(rows: Rows) -> npt.NDArray[np.bool_]:
    """Say which rows end a TCP session and are no datagrams."""
    ends: npt.NDArray[np.bool_] = (rows["length"] == 0) & (sessions_of(rows) >= TCP_SESSIONS)
    return ends


def check(segment: Segment) -> None:
    """Raise ValueError where the index does not fit the data: no receiver writes that, but a power cut can leave it."""
    rows = rows_of(segment)
    ends = rows["offset"] + rows["length"]
    if len(rows) and (np.any(rows["offset"][1:] < ends[:-1]) or ends[-1] > segment.size or not rows["time"].all()):
        raise ValueError("its index is damaged")
