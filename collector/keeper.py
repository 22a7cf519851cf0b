"""Keeps the journal as a whole: what waits in it, what of it may go, and what must.

The workers say in their positions how far they are; a segment goes as soon as all of them have stored it, for it holds
personal data. Past a bound, of octets, age or free disk, the oldest go unread.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collector.journal_rows import are_ends, check, open_segment, owners_of_rows, rows_of
from collector.position import Position
from collector.segments import Segment, numbers, path_of
from collector.shards import Shard

log = logging.getLogger("flowkeep")
_NOBODY = 255


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the journal may take: octets on disk, datagrams received since `since` (ms), and octets left free."""

    most: int
    since: int
    free: int


class Keeper:
    """Watches the journal in `directory`, which `shards` work off; one process at a time."""

    def __init__(self, directory: Path, shards: list[Shard]) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._watched: dict[int, _Watched] = {}
        self.follow(shards)

    def follow(self, shards: list[Shard]) -> None:
        """Go by the positions of these shards from now on; RefusalError where one is not readable."""
        self._shards = shards
        self._watched.clear()
        self.look()

    def look(self) -> list[Position]:
        """Read the positions again: what follows goes by these, until the next look."""
        self.positions = [Position.load(shard.position(self._directory)) for shard in self._shards]
        return self.positions

    def sweep(self) -> None:
        """Delete what a crash left half done, and set aside segments that only a failing disk can have left."""
        named = {name for at in self.positions for group in at.rollups for name in group.files}
        for left in (*self._directory.glob("*.new"), *self._directory.glob("rollups-*.npz")):
            if left.name not in named:
                left.unlink()
        for number in numbers(self._directory):
            path = path_of(self._directory, number)
            try:
                check(Segment(path, writable=False))
            except (OSError, ValueError) as error:
                path.rename(path.with_suffix(".damaged"))
                log.error("%s: %s; set aside as .damaged: look at it or delete it", path, error)

    def after(self) -> int:
        """Return the number that new segments have to come after: their names are parts of inserts' tokens."""
        return max(position.reached for position in self.positions) - 1

    def end(self) -> int:
        """Return the number of the segment after all that are there, or were."""
        return max([self.after(), *numbers(self._directory)]) + 1

    def backlog(self) -> int:
        """Return how many datagrams wait to be stored."""
        return sum(self._waiting(number) for number in self._ahead())

    def oldest_waiting(self) -> int | None:
        """Return when the oldest datagram that waits was received, ms; None where none waits."""
        for number in self._ahead():
            segment, watched = open_segment(self._directory, number), self._watch(number)
            if segment is not None and watched is not None:
                rows = [watched.first(shard.number, start) for shard, start in self._starts(number)]
                if found := [row for row in rows if row is not None]:
                    return int(rows_of(segment)["time"][min(found)])
        return None

    def size(self) -> int:
        """Return the octets on disk."""
        return sum(path_of(self._directory, number).stat().st_size for number in numbers(self._directory))

    def delete_stored(self) -> None:
        """Delete the segments that all workers have stored."""
        reached = min(position.segment for position in self.positions)
        for number in numbers(self._directory):
            if number < reached:
                path_of(self._directory, number).unlink()

    def evict(self, bounds: Bounds) -> int:
        """Delete the oldest segments past a bound, but for those being read and written.

        Return how many datagrams went unread.
        """
        gone, size = 0, self.size()
        read = {number for at in self.positions for number in (self._first(at), *range(at.segment, at.reached + 1))}
        for number in self._ahead()[:-1]:
            if number in read:
                continue
            path = path_of(self._directory, number)
            if size <= bounds.most and self._free() >= bounds.free and not self._is_older(number, bounds.since):
                break
            gone += self._waiting(number)
            size -= path.stat().st_size
            path.unlink()
        return gone

    def _first(self, at: Position) -> int:
        """Return the segment that a worker at a position reads: one that is gone it passes over."""
        return next((number for number in numbers(self._directory) if number >= at.segment), at.segment)

    def _free(self) -> int:
        disk = os.statvfs(self._directory)
        return disk.f_bavail * disk.f_frsize

    def _is_older(self, number: int, moment: int) -> bool:
        segment = open_segment(self._directory, number)
        return segment is not None and segment.count > 0 and int(rows_of(segment)["time"][-1]) < moment

    def _ahead(self) -> list[int]:
        """Return the segments that someone has not stored."""
        reached = min(position.segment for position in self.positions)
        ahead = [number for number in numbers(self._directory) if number >= reached]
        for number in self._watched.keys() - set(ahead):
            del self._watched[number]
        return ahead

    def _starts(self, number: int) -> list[tuple[Shard, int]]:
        """Return the shards that have not stored a segment, and from which row on."""
        return [
            (shard, position.row if position.segment == number else 0)
            for shard, position in zip(self._shards, self.positions, strict=True)
            if position.segment <= number
        ]

    def _waiting(self, number: int) -> int:
        watched = self._watch(number)
        return sum(watched.count(shard.number, start) for shard, start in self._starts(number)) if watched else 0

    def _watch(self, number: int) -> _Watched | None:
        """Return what is known of a segment, brought up to date; None where it is gone."""
        segment = open_segment(self._directory, number)
        if segment is None:
            return None
        watched = self._watched.setdefault(number, _Watched())
        watched.read(segment, self._shards[0].count)
        return watched


@dataclass(slots=True)
class _Watched:
    """Whose the rows of a segment are; each row is looked at once."""

    owners: npt.NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(_NOBODY + 1, np.int64))

    def read(self, segment: Segment, count: int) -> None:
        """Look at the rows that are new."""
        rows = rows_of(segment, len(self.owners))
        if len(rows):
            news = np.where(are_ends(rows), np.uint8(_NOBODY), owners_of_rows(rows, count))
            self.owners = np.concatenate((self.owners, news))
            self.counts += np.bincount(news, minlength=_NOBODY + 1)

    def count(self, shard: int, start: int) -> int:
        """Return how many datagrams a shard has in the rows from `start` on."""
        return int(self.counts[shard]) - int(np.count_nonzero(self.owners[:start] == shard))

    def first(self, shard: int, start: int) -> int | None:
        """Return the first of them."""
        mine = self.owners[start:] == shard
        return start + int(mine.argmax()) if mine.any() else None
