"""The journal's writing end: datagrams go to the newest segment, and the next one is begun in time.

They are written, not copied into a mapping: a page of a file costs less in `pwritev` than as a page fault.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collector.intent import Intent
from collector.segments import LARGEST_DATAGRAM, ROW, Segment, file_size, name_of, numbers, path_of
from collector.seldom import Seldom
from collector.spare_segment import SpareSegment
from collector.syscalls import Vectors, write
from collector.tally import Counted

_LONGEST_OPEN = 60.0
_AGAIN = 1.0
"""Seconds before a segment that found no room on disk is tried again."""

ROWS = np.dtype(
    [("time", "i8"), ("exporter", "V16"), ("offset", "u8"), ("length", "u4"), ("port", "u2"), ("entry", "u2"),
     ("listener", "u2"), ("session_low", "u2"), ("session_high", "u4")]
)  # fmt: skip
"""`collector.segments.ROW` for NumPy."""

Ends = npt.NDArray[np.uint64]


class SegmentWriter:
    """Writes to segments of `size` octets in `directory`, the first after all that are there and after `after`.

    `most` is the journal's bound in octets, which the daemon keeps by deleting what is oldest. One thread only.
    """

    def __init__(self, directory: Path, size: int, most: int, after: int, clock_shift_ms: int) -> None:
        """Begin no segment yet: what a receiver before us left half done is to be looked at first (`recover`)."""
        self.directory, self._size, self._most, self._shift = directory, size, most, clock_shift_ms
        self._place = os.fspath(directory)
        self._next = max([after, *numbers(directory)]) + 1
        self._intent = Intent(directory)
        self._spare = SpareSegment(directory, size)
        self._segment: Segment
        self._file = -1
        self._rows = self._row = self._used = 0
        self._retry_at = 0.0
        self._say_full = Seldom()

    @property
    def _is_open(self) -> bool:
        return self._file >= 0

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch, by the collector's clock."""
        return time.time_ns() // 1_000_000 + self._shift

    def recover(self, tally: memoryview) -> int:
        """Finish what a receiver that was killed had begun; return how many datagrams of its batch it dealt with."""
        self._intent.recover(tally, self._rows_of)
        return self._intent.settled

    def _rows_of(self, number: int) -> int:
        try:
            return Segment(path_of(self.directory, number), writable=False).count
        except (OSError, ValueError):  # whoever took it away took its rows with it
            return 0

    def fits(self, ends: Ends, before: int = 0) -> int:
        """Return how many of the next datagrams fit in a segment, begun if need be; 0 where there is no room.

        `ends` are where their octets end, one after another, the first one's beginning at `before`.
        """
        if not self._is_open or self._rows == self._row or self._used + int(ends[0]) - before > self._size:
            self._open()
        if not self._is_open:
            return 0
        room, most = self._size - self._used + before, min(len(ends), self._rows - self._row)
        if ends[most - 1] <= room:
            return most
        return int(ends.searchsorted(room, "right"))

    def room_within_bound(self, rows: int) -> bool:
        """Whether `rows` datagrams of LARGEST_DATAGRAM octets together fit; for senders who can wait.

        Begins the next segment if need be, but none for which others would have to go.
        """
        if not self._is_open or self._rows - self._row < rows or self._size - self._used < LARGEST_DATAGRAM:
            self._seal()  # or it would not be deleted once it is stored, and its room never be free
            if self._is_within_bound():
                self._open()
        return self._is_open

    def append(
        self, rows: npt.NDArray[np.void], vectors: Vectors, tally: memoryview, counted: Counted, settled: int = 0
    ) -> bool:
        """Journal datagrams for which there is room, and count them; False where the disk does not take them.

        Of `rows` (ROWS) all is given but the offsets. `vectors` say where the octets are, in order; they need not be
        cut where the datagrams are. `settled` datagrams of the batch in hand are dealt with then.
        """
        row, used = self._row, self._used
        ends = rows["length"].astype(np.uint64).cumsum()  # of what stands apart it would take three times as long
        octets = int(ends[-1])
        ends += np.uint64(used)
        offsets = rows["offset"]
        offsets[0], offsets[1:] = used, ends[:-1]
        self._intent.begin(tally, counted, settled, self._next - 1, row)
        try:
            taken = write(self._file, vectors, self._segment.data_at + used) if octets else 0
            taken += os.pwrite(self._file, rows.view(np.uint8).data, self._segment.index_at + row * ROW.size)
            if taken != octets + rows.nbytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._intent.cancel()
            self._give_up(error)
            return False
        self._row, self._used = row + len(rows), used + octets
        self._segment.count = self._row
        self._intent.end(tally)
        if self._used * 2 > self._size or self._row * 2 > self._rows:
            self._spare.prepare()
        return True

    def count(self, tally: memoryview, counted: Counted, settled: int = 0) -> None:
        """Count datagrams that are not journaled; `settled` as for `append`."""
        self._intent.begin(tally, counted, settled)
        self._intent.end(tally)

    def forget_batch(self) -> None:
        """Say that there is no batch in hand any more."""
        self._intent.settled = 0

    def turn_over(self) -> None:
        """Begin a new segment if this one has been open for long: what is stored is deleted by segments."""
        if self._is_open and self._row and time.monotonic() - self._opened_at > _LONGEST_OPEN:
            self._open()

    def close(self) -> None:
        """Seal the segment."""
        self._seal()
        self._spare.close()

    def _seal(self) -> None:
        if self._is_open:
            self._segment.seal()
            os.close(self._file)
            self._file = -1

    def _is_within_bound(self) -> bool:
        """Whether the journal may have one more segment."""
        there = len(numbers(self.directory))
        return not there or (there + 1) * file_size(self._size) <= self._most

    def _open(self) -> None:
        """Seal the segment and begin the next; without room on disk there is none, until a later try."""
        self._seal()
        if time.monotonic() < self._retry_at:
            return
        self._next += 1  # also where it fails: a segment that was there for a moment may be known to the reader
        # No Path: each interns its name, and the table of these grows by a megabyte.
        path = os.path.join(self._place, name_of(self._next - 1))
        try:
            if self._spare.take(path):
                segment = Segment(path, writable=True)
            else:
                segment = Segment.create(self.directory, self._next - 1, self._size)
            self._file = os.open(path, os.O_WRONLY)
        except OSError as error:
            self._give_up(error)
            return
        self._segment = segment
        self._rows, self._row, self._used = segment.rows, 0, 0
        self._opened_at = time.monotonic()

    def _give_up(self, error: OSError) -> None:
        """Write nothing for a while."""
        self._seal()
        self._retry_at = time.monotonic() + _AGAIN
        if self._say_full():
            reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
            print(
                f"journal: no new segment in {self.directory}: {reason}; datagrams are lost, TCP waits",
                file=sys.stderr,
            )
