"""The journal as the pipeline sees it: blocks of datagrams to decode, in order, and how far they are stored.

A block is fixed before it is worked on: its end is written to `position.json` first, so that after a crash the very
same block is cut again and its insert, under the same token, is known for a repetition. The decoders' state is saved
with the position that it belongs to. A segment goes as soon as all of it is stored: it holds personal data.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from collector.segments import Segment, numbers, path_of
from decoders import Datagrams
from settings.errors import RefusalError

_ROW = np.dtype(
    [("time", "i8"), ("exporter", "V16"), ("offset", "u8"), ("length", "u4"), ("port", "u2"), ("entry", "u2"),
     ("listener", "u2"), ("pad", "V6")]
)  # fmt: skip
_POSITION = "position.json"


@dataclass(frozen=True, slots=True)
class Block:
    """Datagrams [start, end) of one segment; `entries` are their rows in the exporters' allow-list."""

    segment: int
    start: int
    end: int
    datagrams: Datagrams
    entries: npt.NDArray[np.uint16]


class Journal:
    """Reads segments, keeps the position, deletes what is stored; one process at a time."""

    def __init__(self, directory: Path, overrides: npt.NDArray[np.uint32]) -> None:
        """Open the journal in `directory`; `overrides` are the allow-list's sampling rates, 0 where there is none."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._overrides = overrides
        saved = self._load()
        self.identity: str = saved["identity"]
        self.segment: int = saved["segment"]
        self._row: int = saved["row"]
        self._pending: int | None = saved["pending"]
        self._state_file: str | None = saved["state"]
        self._open: Segment | None = None
        self.evicted = 0
        """Datagrams that went unread because the journal had reached its bound."""

    def _load(self) -> dict[str, Any]:
        path = self._directory / _POSITION
        try:
            saved: dict[str, Any] = json.loads(path.read_text())
        except FileNotFoundError:
            return {"identity": uuid.uuid4().hex, "segment": 0, "row": 0, "pending": None, "state": None}
        except ValueError:
            raise RefusalError(f"{path}: not readable as a journal position; move it away to begin anew") from None
        return saved

    def saved_state(self) -> dict[str, Any] | None:
        """Return the decoders' state as it was at the position; None at the very beginning."""
        if self._state_file is None:
            return None
        try:
            state: dict[str, Any] = json.loads((self._directory / self._state_file).read_text())
        except (FileNotFoundError, ValueError):
            return None
        return state

    def backlog(self) -> int:
        """Return how many datagrams wait to be stored."""
        return sum(self._count(number) - (self._row if number == self.segment else 0) for number in self._ahead())

    def oldest_waiting(self) -> int | None:
        """Return when the oldest datagram that waits was received, ms; None where none waits."""
        for number in self._ahead():
            segment = Segment(path_of(self._directory, number), writable=False)
            row = self._row if number == self.segment else 0
            if row < segment.count:
                return int(np.frombuffer(segment.map, _ROW, 1, segment.index_at + row * _ROW.itemsize)["time"][0])
        return None

    def size(self) -> int:
        """Return the octets on disk."""
        return sum(path_of(self._directory, number).stat().st_size for number in numbers(self._directory))

    def _ahead(self) -> list[int]:
        return [number for number in numbers(self._directory) if number >= self.segment]

    def _count(self, number: int) -> int:
        return Segment(path_of(self._directory, number), writable=False).count

    def next_block(self, most: int, whole: Callable[[int, int], bool]) -> Block | None:
        """Return the next block of at most `most` octets (at least one datagram), or None where nothing is ready.

        `whole(datagrams, time_received of the first)` says whether a block that could still grow is to be cut now.
        """
        while True:
            segment = self._current()
            if segment is None:
                return None
            last = self._is_last()
            count = segment.count  # after _is_last: a segment with a successor is complete
            if self._row < count:
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
                self.segment, self._row, self._pending = ahead[0], 0, None
            self._open = Segment(path_of(self._directory, self.segment), writable=False)
        return self._open

    def _is_last(self) -> bool:
        return self._ahead()[-1:] == [self.segment]

    def _leave(self) -> bool:
        """Delete the segment that is stored to its end and go to the next; False where there is none yet."""
        path_of(self._directory, self.segment).unlink()
        self._open = None
        self.segment, self._row = self.segment + 1, 0
        self._save()
        return bool(self._ahead())

    def _cut(
        self, segment: Segment, count: int, most: int, whole: Callable[[int, int], bool], last: bool
    ) -> Block | None:
        rows = np.frombuffer(segment.map, _ROW, segment.rows, segment.index_at)[self._row : count]
        if self._pending is not None:
            rows = rows[: self._pending - self._row]
        else:
            ends = (rows["offset"] + rows["length"]).astype(np.int64)
            fit = max(int(np.searchsorted(ends, int(rows["offset"][0]) + most, "right")), 1)
            if fit == len(rows) and last and not segment.sealed and not whole(len(rows), int(rows["time"][0])):
                return None
            rows = rows[:fit]
        first, end = int(rows["offset"][0]), int(rows["offset"][-1] + rows["length"][-1])
        data = np.frombuffer(segment.map, np.uint8, end - first, segment.data_at + first)
        entries = rows["entry"].astype(np.uint16)
        overrides = np.append(self._overrides, np.uint32(0))
        datagrams = Datagrams(
            data,
            rows["offset"].astype(np.int64) - first,
            rows["length"].astype(np.int64),
            np.frombuffer(rows["exporter"].tobytes(), np.uint8).reshape(-1, 16),
            rows["time"].astype(np.int64),
            overrides[np.minimum(entries, len(self._overrides))],
        )
        return Block(self.segment, self._row, self._row + len(rows), datagrams, entries)

    def token(self, block: Block) -> str:
        """Return the name of the block's insert, the same after every restart."""
        return f"{self.identity}-{block.segment}-{block.start}-{block.end}"

    def intend(self, block: Block) -> None:
        """Fix where `block` ends, before anything of it is stored."""
        if self._pending != block.end:
            self._pending = block.end
            self._save()

    def commit(self, block: Block, state: dict[str, Any] | None) -> None:
        """Say that `block` is stored; `state` is the decoders' state after it, None where it is as saved."""
        old = self._state_file
        if state is not None:
            self._state_file = f"decoders-{block.segment}-{block.end}.json"
            _replace(self._directory / self._state_file, json.dumps(state))
        self._row, self._pending = block.end, None
        self._save()
        if old not in (None, self._state_file):
            (self._directory / str(old)).unlink(missing_ok=True)

    def _save(self) -> None:
        position = {
            "identity": self.identity,
            "segment": self.segment,
            "row": self._row,
            "pending": self._pending,
            "state": self._state_file,
        }
        _replace(self._directory / _POSITION, json.dumps(position))

    def evict(self, most: int) -> int:
        """Delete the oldest segments, but for those being read and written, until `most` octets are left on disk.

        Return how many datagrams went unread.
        """
        gone = 0
        size = self.size()
        for number in self._ahead()[1:-1]:
            if size <= most:
                break
            path = path_of(self._directory, number)
            gone += self._count(number)
            size -= path.stat().st_size
            path.unlink()
        self.evicted += gone
        return gone


def _replace(path: Path, text: str) -> None:
    """Write a file so that a crash leaves the old one or the new one."""
    unborn = path.with_suffix(".new")
    descriptor = os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.write(text)
    unborn.rename(path)
