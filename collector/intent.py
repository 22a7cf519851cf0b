"""What the receiver is about to enter in its books, in a mapped file: a successor can finish it, exactly once.

A datagram is journaled by raising a segment's count, and the tally is four words elsewhere: between any two of these
the receiver may be killed. So the outcome is written down first; the count alone decides whether it holds.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from pathlib import Path

from collector.tally import IDENTITY, Count, Counted

FILE = "receiver.intent"
_SIZE = 4096
_COUNTS = (Count.RECEIVED, Count.OCTETS, Count.REFUSED, Count.JOURNAL_FULL)
_VALID, _SEGMENT, _ROW, _SETTLED_AFTER, _IDENTITY, _SETTLED, _AFTER = range(7)
_NO_SEGMENT = 2**64 - 1
"""0 is the number of the first one."""


class Intent:
    """One entry at a time: `begin` it, raise the segment's count, `end` it."""

    def __init__(self, directory: Path) -> None:
        """Open the file, which is made where it is not there; OSError where the disk has no page for it."""
        descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _SIZE)
            self._words = memoryview(mmap.mmap(descriptor, _SIZE)).cast("Q")
        finally:
            os.close(descriptor)

    @property
    def settled(self) -> int:
        """How many datagrams of the batch in progress are dealt with: journaled, refused, or lost for want of room."""
        return self._words[_SETTLED]

    @settled.setter
    def settled(self, value: int) -> None:
        self._words[_SETTLED] = value

    def begin(
        self, tally: memoryview, counted: Counted, settled: int, segment: int = _NO_SEGMENT, row: int = 0
    ) -> None:
        """Write down what follows once `segment` has more than `row` rows; without one, it follows at once."""
        words = self._words
        words[_SEGMENT], words[_ROW], words[_SETTLED_AFTER] = segment, row, settled
        words[_IDENTITY] = tally[IDENTITY]
        for at, (count, more) in enumerate(zip(_COUNTS, counted, strict=True), _AFTER):
            words[at] = tally[count] + more
        words[_VALID] = 1  # last: until here, nothing is said

    def end(self, tally: memoryview) -> None:
        """Enter what is written down. To do it twice makes no difference, and another run's tally stays as it is."""
        words = self._words
        if words[_IDENTITY] == tally[IDENTITY]:
            for at, count in enumerate(_COUNTS, _AFTER):
                tally[count] = words[at]
        words[_SETTLED] = words[_SETTLED_AFTER]
        words[_VALID] = 0

    def cancel(self) -> None:
        """Forget what is written down: it could not be done."""
        self._words[_VALID] = 0

    def recover(self, tally: memoryview, rows_of: Callable[[int], int]) -> None:
        """Finish what a receiver that was killed had begun; `rows_of` gives a segment's count by its number."""
        words = self._words
        if words[_VALID]:
            if words[_SEGMENT] == _NO_SEGMENT or rows_of(words[_SEGMENT]) > words[_ROW]:
                self.end(tally)
            else:
                self.cancel()
