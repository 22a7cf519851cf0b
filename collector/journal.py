"""The journal as the pipeline sees it: blocks of datagrams to decode, in order, and how far they are stored.

A block is fixed before it is worked on: its end is written to `position.json` first, so that after a crash the very
same block is cut again and its insert, under the same token, is known for a repetition. The decoders' state is saved
with the position that it belongs to. A segment goes as soon as all of it is stored: it holds personal data.
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.position import Position, replace_file
from collector.segments import Segment, numbers, path_of
from decoders import Datagrams, Senders

log = logging.getLogger("flowkeep")
_ROW = np.dtype(
    [("time", "i8"), ("exporter", "V16"), ("offset", "u8"), ("length", "u4"), ("port", "u2"), ("entry", "u2"),
     ("listener", "u2"), ("session_low", "u2"), ("session_high", "u4")]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Block:
    """Rows [start, end) of one segment: datagrams, and ends of TCP sessions, which have a session and no octets.

    `entries` are the datagrams' entries in the exporters' allow-list; ends of sessions are left out.
    """

    segment: int
    start: int
    end: int
    datagrams: Datagrams
    entries: npt.NDArray[np.uint16]


class Journal:
    """Reads segments, keeps the position, deletes what is stored; one process at a time."""

    def __init__(self, directory: Path, senders: Senders) -> None:
        """Open the journal in `directory`; `senders` has an entry for each of the allow-list's, and one for others."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._senders = senders
        self._at = Position.load(directory)
        self._state_is_current = self._at.state == _state_file(self._at.segment, self._at.row)
        if (self._at.row or self._at.pending) and not path_of(directory, self._at.segment).exists():
            # It was stored to its end and deleted: its number must not serve again, under the same inserts' tokens.
            self._at = Position(self._at.identity, self._at.segment + 1, state=self._at.state)
        self._open: Segment | None = None
        self._ends: dict[int, _Ends] = {}
        self._sweep()

    @property
    def segment(self) -> int:
        """The number of the segment being read; those before it are stored."""
        return self._at.segment

    def _sweep(self) -> None:
        """Delete what a crash left half done, and set aside segments that only a failing disk can have left."""
        for left in (*self._directory.glob("*.new"), *self._directory.glob("decoders-*.json")):
            if left.name != self._at.state:
                left.unlink()
        for number in numbers(self._directory):
            path = path_of(self._directory, number)
            try:
                _check(Segment(path, writable=False))
            except (OSError, ValueError) as error:
                path.rename(path.with_suffix(".damaged"))
                log.error("%s: %s; set aside as .damaged: look at it or delete it", path, error)

    def saved_state(self) -> dict[str, Any] | None:
        """Return the decoders' state as it was at the position; None at the very beginning, or if it is damaged."""
        if self._at.state is None:
            return None
        path = self._directory / self._at.state
        try:
            state = json.loads(path.read_text())
        except (OSError, ValueError):
            state = None
        if not isinstance(state, dict):
            log.error("%s: not readable; flows wait for their templates to come again", path)
            return None
        return state

    @property
    def state_is_current(self) -> bool:
        """Whether the saved state is of exactly the position where we began, or of one before it."""
        return self._state_is_current

    def backlog(self) -> int:
        """Return how many datagrams wait to be stored."""
        ahead = self._ahead()
        self._ends = {number: ends for number, ends in self._ends.items() if number in ahead}
        return sum(self._waiting(number) for number in ahead)

    def oldest_waiting(self) -> int | None:
        """Return when the oldest datagram that waits was received, ms; None where none waits."""
        for number in self._ahead():
            segment = Segment(path_of(self._directory, number), writable=False)
            row = self._at.row if number == self.segment else 0
            if row < segment.count:
                return int(_rows(segment)["time"][row])
        return None

    def size(self) -> int:
        """Return the octets on disk."""
        return sum(path_of(self._directory, number).stat().st_size for number in numbers(self._directory))

    def _ahead(self) -> list[int]:
        return [number for number in numbers(self._directory) if number >= self.segment]

    def _waiting(self, number: int) -> int:
        """Return how many datagrams of a segment are not stored."""
        segment = Segment(path_of(self._directory, number), writable=False)
        start, end = self._at.row if number == self.segment else 0, segment.count
        return end - start - self._ends.setdefault(number, _Ends()).between(segment, start, end)

    def next_block(self, most: int, whole: Callable[[int], bool]) -> Block | None:
        """Return the next block of at most `most` octets (at least one datagram), or None where nothing is ready.

        `whole(time_received of the first datagram)` says whether a block that could still grow is to be cut now.
        """
        while True:
            segment = self._current()
            if segment is None:
                return None
            last = self._is_last()
            count = segment.count  # after _is_last: a segment with a successor is complete
            if self._at.row < count:
                return self._cut(segment, count, most, whole, last)
            if last and not segment.sealed:
                return None
            if not self._leave():
                return None

    def _current(self) -> Segment | None:
        if self._open is None:
            ahead = self._ahead()
            if not ahead:
                return None
            if ahead[0] != self.segment:
                self._at = replace(self._at, segment=ahead[0], row=0, pending=None)
            self._open = Segment(path_of(self._directory, self.segment), writable=False)
        return self._open

    def _is_last(self) -> bool:
        return self._ahead()[-1:] == [self.segment]

    def _leave(self) -> bool:
        """Delete the segment that is stored to its end and go to the next; False where there is none yet."""
        path_of(self._directory, self.segment).unlink()
        self._open = None
        self._at = replace(self._at, segment=self.segment + 1, row=0, pending=None)
        return bool(self._ahead())

    def _cut(self, segment: Segment, count: int, most: int, whole: Callable[[int], bool], last: bool) -> Block | None:
        rows = _rows(segment)[self._at.row : count]
        if self._at.pending is not None:
            rows = rows[: self._at.pending - self._at.row]
        else:
            ends = (rows["offset"] + rows["length"]).astype(np.int64)
            fit = max(int(np.searchsorted(ends, int(rows["offset"][0]) + most, "right")), 1)
            if fit == len(rows) and last and not segment.sealed and not whole(int(rows["time"][0])):
                return None
            rows = rows[:fit]
        first, end = int(rows["offset"][0]), int(rows["offset"][-1] + rows["length"][-1])
        data = np.frombuffer(segment.map, np.uint8, end - first, segment.data_at + first)
        entries = rows["entry"].astype(np.uint16)
        sessions = rows["session_high"].astype(np.int64) << 16 | rows["session_low"]
        datagrams = Datagrams(
            data,
            rows["offset"].astype(np.int64) - first,
            rows["length"].astype(np.int64),
            np.frombuffer(rows["exporter"].tobytes(), np.uint8).reshape(-1, 16),
            rows["time"].astype(np.int64),
            rows["port"].astype(np.int64),
            sessions,
            np.minimum(entries, len(self._senders.override) - 1).astype(np.int64),
            self._senders,
        )
        return Block(self.segment, self._at.row, self._at.row + len(rows), datagrams, entries[~_are_ends(rows)])

    def token(self, block: Block) -> str:
        """Return the name of the block's insert, the same after every restart."""
        return f"{self._at.identity}-{block.segment}-{block.start}-{block.end}"

    def intend(self, block: Block) -> None:
        """Fix where `block` ends, before anything of it is stored; JournalError where the disk is full."""
        if self._at.pending != block.end:
            self._move(replace(self._at, pending=block.end))

    def commit(self, block: Block, state: dict[str, Any] | None) -> None:
        """Say that `block` is stored; `state` is the decoders' state after it, None where it is as saved.

        JournalError where the disk is full: nothing has changed then, and it may be called again.
        """
        self._settle(replace(self._at, row=block.end, pending=None), state)

    def save_state(self, state: dict[str, Any]) -> None:
        """Save the decoders' state of the present position, between blocks; JournalError where the disk is full."""
        self._settle(self._at, state)

    def _settle(self, to: Position, state: dict[str, Any] | None) -> None:
        old = self._at.state
        if state is not None:
            to = replace(to, state=_state_file(to.segment, to.row))
            replace_file(self._directory / str(to.state), json.dumps(state))
        self._move(to)
        if old is not None and old != to.state:
            (self._directory / old).unlink(missing_ok=True)

    def _move(self, to: Position) -> None:
        to.save(self._directory)
        self._at = to

    def evict(self, most: int, before: int) -> int:
        """Delete the oldest segments, but for those being read and written, that are past a bound.

        The bounds are `most` octets on disk, and that a segment has datagrams received since `before`, ms. Return how
        many datagrams went unread.
        """
        gone = 0
        size = self.size()
        for number in self._ahead()[1:-1]:
            path = path_of(self._directory, number)
            segment = Segment(path, writable=False)
            if size <= most and not _all_before(segment, before):
                break
            gone += self._waiting(number)
            size -= path.stat().st_size
            path.unlink()
        return gone


class _Ends:
    """The rows of a segment that end TCP sessions and are no datagrams; each row is looked at once."""

    def __init__(self) -> None:
        self._rows: list[int] = []
        self._seen = 0

    def between(self, segment: Segment, start: int, end: int) -> int:
        """Return how many of the rows [start, end) are such."""
        if end > self._seen:
            self._rows += (np.flatnonzero(_are_ends(_rows(segment)[self._seen : end])) + self._seen).tolist()
            self._seen = end
        return bisect_left(self._rows, end) - bisect_left(self._rows, start)


def _state_file(segment: int, row: int) -> str:
    """Return the name of the file with the decoders' state at a position."""
    return f"decoders-{segment}-{row}.json"


def _are_ends(rows: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
    """Say of index rows which of them end a TCP session."""
    ends: npt.NDArray[np.bool_] = (rows["length"] == 0) & (rows["session_high"] != 0)
    return ends


def _rows(segment: Segment) -> npt.NDArray[np.void]:
    """Return the index rows of the datagrams that are in the segment now, a view."""
    return np.frombuffer(segment.map, _ROW, segment.count, segment.index_at)


def _all_before(segment: Segment, moment: int) -> bool:
    rows = _rows(segment)
    return len(rows) > 0 and int(rows["time"][-1]) < moment


def _check(segment: Segment) -> None:
    """Raise ValueError where the index does not fit the data: no receiver writes that, but a power cut can leave it."""
    rows = _rows(segment)
    ends = rows["offset"] + rows["length"]
    if len(rows) and (np.any(rows["offset"][1:] != ends[:-1]) or rows["offset"][0] != 0 or ends[-1] > segment.size):
        raise ValueError("its index is damaged")
