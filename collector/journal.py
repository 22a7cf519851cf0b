"""The journal as a worker sees it: blocks of datagrams to decode, in order, and how far they are stored.

A block is fixed before it is stored: its end is written to the position first, so that after a crash the very same
block is cut again and its insert, under the same token, is known for a repetition. Several may be on their way; they
are committed in order, each with the decoders' state and the books that belong there. `collector.keeper` deletes.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.journal_rows import Rows, are_ends, open_segment, owners_of_rows, rows_of, senders_of_rows, sessions_of
from collector.position import UNKNOWN, Pending, Position, RollupGroup, replace_file
from collector.segments import Segment, numbers, path_of
from collector.shards import WHOLE, Shard
from decoders import Datagrams, Senders

log = logging.getLogger("flowkeep")


@dataclass(frozen=True, slots=True)
class Block:
    """Of the rows [start, end) of one segment those of one shard: datagrams, and ends of TCP sessions.

    Ends have a session and no octets. `entries` are the datagrams' entries in the exporters' allow-list; ends of
    sessions are left out. `before` is what was said of the block when a crash came, None where it is a new one.
    """

    segment: int
    start: int
    end: int
    datagrams: Datagrams
    entries: npt.NDArray[np.uint16]
    before: Pending | None


class Journal:
    """Reads the segments of `directory` for one shard, and keeps its position."""

    def __init__(self, directory: Path, senders: Senders, shard: Shard = WHOLE, until: int | None = None) -> None:
        """`senders` has an entry for each of the allow-list's, and one for others; `until` is a segment to end before.

        RefusalError for a position that is not readable.
        """
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory, self._senders, self._shard, self._until = directory, senders, shard, until
        self._file = shard.position(directory)
        at = Position.load(self._file)
        self._state_is_current = at.state == self._state_file(at.segment, at.row)
        if (at.row or at.pending) and not path_of(directory, at.segment).exists():
            # It was stored to its end and deleted: its number must not serve again, under the same inserts' tokens.
            later = tuple(one for one in at.pending if one.segment > at.segment)
            at = replace(at, segment=at.segment + 1, row=0, pending=later)
        self._at = at
        self._segment, self._row = at.segment, at.row
        """Where the next block begins: ahead of the position by the blocks on their way."""
        self._again = deque(at.pending)
        self._flying: deque[Block] = deque()
        self._open: Segment | None = None
        for left in directory.glob(f"decoders{shard.suffix}-[0-9]*.json"):
            if left.name != at.state and _is_of(left, shard):
                left.unlink()  # what a crash left half done

    @property
    def segment(self) -> int:
        """The number of the segment being read."""
        return self._segment

    @property
    def segments_behind(self) -> int:
        """How many segments there are after the one being read."""
        return max(numbers(self._directory)[-1:] or [0]) - self._segment

    @property
    def books(self) -> dict[str, Any] | None:
        """The books at the position."""
        return self._at.books

    @property
    def rollups(self) -> tuple[RollupGroup, ...]:
        """The rollups of blocks that are stored, as far as they are not."""
        return self._at.rollups

    @property
    def state_is_current(self) -> bool:
        """Whether the saved state is of exactly the position where we began, or of one before it."""
        return self._state_is_current

    def saved_state(self) -> dict[str, Any] | None:
        """Return the decoders' state as it was at the position; None at the very beginning, or if it is damaged."""
        return read_state(self._directory, self._at)

    def next_block(self, most: int, whole: Callable[[int], bool]) -> Block | None:
        """Return the next block of at most `most` octets (at least one datagram), or None where nothing is ready.

        `whole(time_received of the first datagram)` says whether a block that could still grow is to be cut now. Each
        block is given once; what is not committed comes again after a restart.
        """
        while True:
            segment = self._current()
            if segment is None:
                return None
            complete = self._is_complete() or segment.sealed
            count = segment.count  # after that: what has a successor grows no more
            if self._row < count:
                block = self._cut(segment, count, most, whole, complete)
                if block is not None or not complete:
                    return block
            elif not complete:
                return None
            if self._row >= count:
                self._leave()

    def _current(self) -> Segment | None:
        if self._open is None:
            ahead = [number for number in numbers(self._directory) if number >= self._segment]
            if not ahead or (self._until is not None and ahead[0] >= self._until):
                return None
            if ahead[0] != self._segment:
                self._segment, self._row = ahead[0], 0
            self._again = deque(one for one in self._again if one.segment >= self._segment)
            self._open = open_segment(self._directory, self._segment)
        return self._open

    def _is_complete(self) -> bool:
        return self._until is not None or numbers(self._directory)[-1:] != [self._segment]

    def _leave(self) -> None:
        """Go on to the next segment; where nothing is on its way the position says so, and the one left may go."""
        self._open = None
        self._segment, self._row = self._segment + 1, 0
        if not self._flying:
            self._move(replace(self._at, segment=self._segment, row=0, pending=()))

    def _cut(
        self, segment: Segment, count: int, most: int, whole: Callable[[int], bool], complete: bool
    ) -> Block | None:
        """Return the next block of the segment; rows of others alone are passed over, with None."""
        before = self._again[0] if self._again and self._again[0].segment == self._segment else None
        if before is not None:
            self._row, count = before.start, before.end
        rows = rows_of(segment, self._row, count)
        mine = self._mine(rows)
        if before is None:
            octets = np.cumsum(np.where(mine, rows["length"], 0), dtype=np.int64)
            fit = max(int(np.searchsorted(octets, most, "right")), 1)
            first = int(mine.argmax()) if mine.any() else None
            if fit == len(rows) and not complete and (first is None or not whole(int(rows["time"][first]))):
                return None
            rows, mine = rows[:fit], mine[:fit]
        else:
            self._again.popleft()
        start, self._row = self._row, self._row + len(rows)
        if not mine.any():
            return None
        block = self._block(segment, start, rows if self._shard.count == 1 else rows[mine], before)
        self._flying.append(block)
        return block

    def _mine(self, rows: Rows) -> npt.NDArray[np.bool_]:
        mine: npt.NDArray[np.bool_] = owners_of_rows(rows, self._shard.count) == self._shard.number
        return mine

    def _block(self, segment: Segment, start: int, rows: Rows, before: Pending | None) -> Block:
        first, end = int(rows["offset"][0]), int(rows["offset"][-1] + rows["length"][-1])
        entries = rows["entry"].astype(np.uint16)
        datagrams = Datagrams(
            np.frombuffer(segment.map, np.uint8, end - first, segment.data_at + first),
            rows["offset"].astype(np.int64) - first,
            rows["length"].astype(np.int64),
            senders_of_rows(rows),
            rows["time"].astype(np.int64),
            rows["port"].astype(np.int64),
            sessions_of(rows),
            np.minimum(entries, len(self._senders.override) - 1).astype(np.int64),
            self._senders,
        )
        return Block(self._segment, start, self._row, datagrams, entries[~are_ends(rows)], before)

    def token(self, block: Block) -> str:
        """Return the name of the block's insert, the same after every restart."""
        return f"{self._at.identity}-{block.segment}-{block.start}-{block.end}"

    def intend(self, block: Block, sources: str = "", mark: int = UNKNOWN) -> None:
        """Fix where `block` ends, before anything of it is stored; JournalError where the disk is full."""
        if block.before is None:
            pending = Pending(block.segment, block.start, block.end, sources, mark)
            self._move(replace(self._at, pending=(*self._at.pending, pending)))

    def commit(
        self,
        block: Block,
        state: dict[str, Any] | None,
        books: dict[str, Any] | None = None,
        rollups: tuple[RollupGroup, ...] | None = None,
    ) -> None:
        """Say that `block`, the oldest on its way, is stored; None for what is as it was saved.

        `state` is the decoders' state after it, `books` what came of all so far, `rollups` what of them is left to be
        stored. JournalError where the disk is full: nothing has changed then, and it may be called again.
        """
        after = self._flying[1] if len(self._flying) > 1 else None
        segment, row = (after.segment, after.start) if after else (self._segment, self._row)
        pending = tuple(one for one in self._at.pending if (one.segment, one.end) > (block.segment, block.end))
        to = replace(self._at, segment=segment, row=row, pending=pending, books=books or self._at.books)
        self._settle(to if rollups is None else replace(to, rollups=rollups), state)
        self._flying.popleft()

    def keep_rollups(self, block: Block, octets: bytes) -> str:
        """Write a block's rollups into a file and return its name; JournalError where the disk is full."""
        name = f"rollups{self._shard.suffix}-{block.segment}-{block.start}.npz"
        replace_file(self._directory / name, octets)
        return name

    def read_rollups(self, name: str) -> bytes:
        """Return the octets of such a file; OSError where it cannot be read."""
        return (self._directory / name).read_bytes()

    def begin_rollups(self, mark: int) -> None:
        """Fix the first group of rollups, before anything of it is stored; JournalError where the disk is full."""
        first, *rest = self._at.rollups
        if not first.token:
            token = f"{self._at.identity}-{Path(first.files[0]).stem}"
            first = first._replace(token=token, mark=mark)
            self._move(replace(self._at, rollups=(first, *rest)))

    def commit_rollups(self, books: dict[str, Any]) -> None:
        """Say that the first group of rollups is stored; JournalError where the disk is full."""
        first, *rest = self._at.rollups
        self._move(replace(self._at, rollups=tuple(rest), books=books))
        for name in first.files:
            (self._directory / name).unlink(missing_ok=True)

    def save_state(self, state: dict[str, Any]) -> None:
        """Save the decoders' state of the present position, between blocks; JournalError where the disk is full."""
        self._settle(self._at, state)

    def _settle(self, to: Position, state: dict[str, Any] | None) -> None:
        old = self._at.state
        if state is not None:
            to = replace(to, state=self._state_file(to.segment, to.row))
            replace_file(self._directory / str(to.state), json.dumps(state))
        self._move(to)
        if old is not None and old != to.state:
            (self._directory / old).unlink(missing_ok=True)

    def _move(self, to: Position) -> None:
        to.save(self._file)
        self._at = to

    def _state_file(self, segment: int, row: int) -> str:
        """Return the name of the file with the decoders' state at a position."""
        return state_file(self._shard, segment, row)


def state_file(shard: Shard, segment: int, row: int) -> str:
    """Return the name of the file with the decoders' state of a shard at a position."""
    return f"decoders{shard.suffix}-{segment}-{row}.json"


def _is_of(path: Path, shard: Shard) -> bool:
    return ("-of-" in path.name) == bool(shard.suffix)


def read_state(directory: Path, at: Position) -> dict[str, Any] | None:
    """Return the decoders' state that a position names; None where it names none, or where it is damaged."""
    if at.state is None:
        return None
    path = directory / at.state
    try:
        state = json.loads(path.read_text())
    except (OSError, ValueError):
        state = None
    if not isinstance(state, dict):
        log.error("%s: not readable; flows wait for their templates to come again", path)
        return None
    return state
