"""The journal's writing end: datagrams go to the newest segment, and the next one is begun in time.

Standard library only: it is part of the receiver.
"""

from __future__ import annotations

import errno
import sys
import time
from pathlib import Path

from collector.segments import LARGEST_DATAGRAM, ROW, Segment, file_size, numbers
from collector.seldom import Seldom

_LONGEST_OPEN = 60.0
_AGAIN = 1.0
"""Seconds before a segment that found no room on disk is tried again."""


class SegmentWriter:
    """Writes to segments of `size` octets in `directory`, the first after all that are there and after `after`.

    Ask for `room`, put the octets of one datagram at the beginning of `free`, and `append` it. `most` is the journal's
    bound in octets, which the daemon keeps by deleting what is oldest.
    """

    def __init__(self, directory: Path, size: int, most: int, after: int, clock_shift_ms: int) -> None:
        self._directory, self._size, self._most, self._shift = directory, size, most, clock_shift_ms
        self._next = max([after, *numbers(directory)]) + 1
        self._segment: Segment
        self._is_open = False
        self._retry_at = 0.0
        self._say_full = Seldom()
        self._open()

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch, by the collector's clock."""
        return time.time_ns() // 1_000_000 + self._shift

    def room(self, rows: int = 1) -> bool:
        """Whether `rows` datagrams of LARGEST_DATAGRAM octets together fit; begins the next segment if need be."""
        if not self._is_open or self._rows - self._row < rows or self._size - self._used < LARGEST_DATAGRAM:
            self._open()
        return self._is_open

    def room_within_bound(self, rows: int) -> bool:
        """As `room`, but begin no segment for which others would have to go: for senders who can wait."""
        if not self._is_open or self._rows - self._row < rows or self._size - self._used < LARGEST_DATAGRAM:
            self._seal()  # or it would not be deleted once it is stored, and its room never be free
            if self._is_within_bound():
                self._open()
        return self._is_open

    @property
    def free(self) -> memoryview:
        """Where the next datagram's octets go, LARGEST_DATAGRAM of them; to be asked for where there is room."""
        return self._view[self._used : self._used + LARGEST_DATAGRAM]

    def append(self, length: int, sender: bytes, port: int, entry: int, listener: int, session: int) -> None:
        """Journal the `length` octets that stand in `free`; `session` as in `collector.segments.ROW`."""
        segment = self._segment
        at = segment.index_at + self._row * ROW.size
        low, high = session & 0xFFFF, session >> 16
        ROW.pack_into(segment.map, at, self.now_ms(), sender, self._used, length, port, entry, listener, low, high)
        self._row += 1
        self._used += length
        segment.count = self._row

    def turn_over(self) -> None:
        """Begin a new segment if this one has been open for long: what is stored is deleted by segments."""
        if self._is_open and self._row and time.monotonic() - self._opened_at > _LONGEST_OPEN:
            self._open()

    def close(self) -> None:
        """Seal the segment."""
        self._seal()

    def _seal(self) -> None:
        if self._is_open:
            self._segment.seal()
            self._is_open = False

    def _is_within_bound(self) -> bool:
        """Whether the journal may have one more segment."""
        there = len(numbers(self._directory))
        return not there or (there + 1) * file_size(self._size) <= self._most

    def _open(self) -> None:
        """Seal the segment and begin the next; without room on disk there is none, until a later try."""
        self._seal()
        if time.monotonic() < self._retry_at:
            return
        self._next += 1  # also where it fails: a segment that was there for a moment may be known to the reader
        try:
            segment = Segment.create(self._directory, self._next - 1, self._size)
        except OSError as error:
            self._retry_at = time.monotonic() + _AGAIN
            reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
            if self._say_full():
                print(
                    f"journal: no new segment in {self._directory}: {reason}; datagrams are lost, TCP waits",
                    file=sys.stderr,
                )
            return
        self._segment, self._is_open = segment, True
        self._view = memoryview(segment.map)[segment.data_at :]
        self._rows, self._row, self._used = segment.rows, 0, 0
        self._opened_at = time.monotonic()
