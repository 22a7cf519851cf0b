"""Whether an exporter that numbers anew has begun anew itself: what it told before is void then (RFC 3954 section 7).

Its time of boot says so, where the protocol has one. Else a number far behind the last does, unless the message is
older: then it comes late. A number far ahead voids nothing: some number templates and data apart, and after a long
silence of ours none of it was heard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from decoders.cursor import Positions
from decoders.sequence import Numbered
from decoders.stream import Stream

_WRAP = 2**32
_STEP = 10_000
"""ms by which the time of boot may move from one message to the next: headers give it to the second."""
_OLDER = 1000
_MOST = 8
"""Times that a stream may begin anew in one block."""
_FAR_BEHIND = {5: 4096, 9: 64, 10: 4096}
"""Units, by version, that a number may fall behind without meaning that the numbering began anew."""


class Heard(NamedTuple):
    """What the last message of a stream said: its number, the time of boot (-1 where unknown) and of export, ms."""

    sequence: int
    boot: int
    exported: int


class Restarts:
    """Remembers the last message of every stream."""

    def __init__(self) -> None:
        self.heard: dict[Stream, Heard] = {}
        self._unnumbered: set[Stream] = set()
        """Streams whose numbering a restart of ours forgot: it is their boot that tells whether they began anew."""

    def evident(
        self,
        candidates: Iterable[tuple[int, int]],
        streams: list[Stream],
        numbered: Numbered,
        exported: Positions,
        most: int,
    ) -> list[tuple[int, int]]:
        """Return those of `candidates`, (stream, message) where a numbering began anew, at which the exporter did too.

        Then remember the block's last messages, for no more than `most` streams.
        """
        wanted = {*candidates, *self._unproven(streams, numbered)}
        before = _before(numbered) if wanted else numbered.stream
        found: list[tuple[int, int]] = []
        times = Counter[int]()
        for index, message in sorted(wanted, key=lambda each: each[1]):
            earlier = int(before[message])
            told = self.heard.get(streams[index]) if earlier < 0 else _said(earlier, numbered, exported)
            # a session's templates last as long as it does; who begins anew all the time is not believed each time
            if told is None or streams[index].is_tcp or times[index] >= _MOST:
                continue
            if _is_another(streams[index].version, told, _said(message, numbered, exported)):
                found.append((index, message))
                times[index] += 1
        last = np.zeros(len(streams), np.int64)
        last[numbered.stream] = np.arange(len(numbered.stream))
        columns = (numbered.sequence[last], numbered.boot[last], exported[last])
        said = zip(*(column.tolist() for column in columns), strict=True)
        for stream, values in zip(streams, said, strict=True):
            self.heard.pop(stream, None)  # so that it stands last
            self.heard[stream] = Heard(*values)
        for stream in list(self.heard)[: max(len(self.heard) - most, 0)]:
            del self.heard[stream]
        return found

    def _unproven(self, streams: list[Stream], numbered: Numbered) -> list[tuple[int, int]]:
        """Return the first messages of streams whose numbering was forgotten."""
        if not self._unnumbered:
            return []
        asked = [index for index, stream in enumerate(streams) if stream in self._unnumbered]
        self._unnumbered.difference_update(streams)
        first = np.zeros(len(streams), np.int64)
        first[numbered.stream[::-1]] = np.arange(len(numbered.stream))[::-1]
        return [(index, int(first[index])) for index in asked]

    def dump(self) -> list[list[Any]]:
        """Return what is remembered as a JSON-ready value."""
        return [[*stream.saved, *heard] for stream, heard in self.heard.items()]

    def load(self, rows: list[list[Any]], numbered: bool) -> None:
        """Remember what `dump` gave; `numbered` says whether the numberings are remembered too."""
        for row in rows:
            self.heard[Stream.load(row[:4])] = Heard(*row[4:])
        self._unnumbered = set() if numbered else set(self.heard)


def _before(numbered: Numbered) -> Positions:
    """Return for each message the one before it in its stream, -1 for the first."""
    order = np.argsort(numbered.stream, kind="stable")
    before = np.full(len(order), -1)
    same = np.flatnonzero(np.diff(numbered.stream[order]) == 0)
    before[order[same + 1]] = order[same]
    return before


def _said(message: int, numbered: Numbered, exported: Positions) -> Heard:
    return Heard(int(numbered.sequence[message]), int(numbered.boot[message]), int(exported[message]))


def _is_another(version: int, before: Heard, now: Heard) -> bool:
    if before.boot >= 0 and now.boot >= 0 and (now.boot - before.boot + _STEP) % _WRAP > 2 * _STEP:
        return True
    behind = (before.sequence - now.sequence) % _WRAP
    return _FAR_BEHIND[version] < behind < _WRAP // 2 and now.exported >= before.exported - _OLDER
