"""Whether an exporter that numbers anew has begun anew itself: what it told before is void then (RFC 3954 section 7).

Its time of boot says so, where the protocol has one. Else a number far behind the last does, unless the message is
older: then it comes late. A number far ahead voids nothing: some number templates and data apart, and after a long
silence of ours none of it was heard.
"""

from __future__ import annotations

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
        first = [
            (index, int(np.argmax(numbered.stream == index)))
            for index, stream in enumerate(streams)
            if stream in self._unnumbered
        ]
        self._unnumbered.difference_update(streams)
        found = [
            (stream, message)
            for stream, message in sorted({*candidates, *first}, key=lambda each: each[1])
            if not streams[stream].is_tcp  # a session's templates last as long as it does
            and (before := self._before(stream, message, streams, numbered, exported))
            and _is_another(streams[stream].version, before, _said(message, numbered, exported))
        ]
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

    def _before(
        self, stream: int, message: int, streams: list[Stream], numbered: Numbered, exported: Positions
    ) -> Heard | None:
        earlier = np.flatnonzero(numbered.stream[:message] == stream)
        return _said(int(earlier[-1]), numbered, exported) if len(earlier) else self.heard.get(streams[stream])

    def dump(self) -> list[list[Any]]:
        """Return what is remembered as a JSON-ready value."""
        return [[stream.exporter.hex(), *stream[1:], *heard] for stream, heard in self.heard.items()]

    def load(self, rows: list[list[Any]], numbered: bool) -> None:
        """Remember what `dump` gave; `numbered` says whether the numberings are remembered too."""
        for exporter, scope, version, domain, *heard in rows:
            self.heard[Stream(bytes.fromhex(exporter), scope, version, domain)] = Heard(*heard)
        self._unnumbered = set() if numbered else set(self.heard)


def _said(message: int, numbered: Numbered, exported: Positions) -> Heard:
    return Heard(int(numbered.sequence[message]), int(numbered.boot[message]), int(exported[message]))


def _is_another(version: int, before: Heard, now: Heard) -> bool:
    if before.boot >= 0 and now.boot >= 0 and (now.boot - before.boot + _STEP) % _WRAP > 2 * _STEP:
        return True
    behind = (before.sequence - now.sequence) % _WRAP
    return _FAR_BEHIND[version] < behind < _WRAP // 2 and now.exported >= before.exported - _OLDER
