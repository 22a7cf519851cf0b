"""One stream heard block by block, with the news of it added up: what the tests of sequence numbers share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np

from decoders.sequence import Numbered, Sequences
from decoders.sequence_lanes import Tally
from decoders.stream import Stream
from tests.decoders.wire import EXPORTER, NOW

BOOT, MINUTE, WRAP = 77_000, 60_000, 2**32
VERSIONS = (5, 9, 10, 105)
UNITS = {5: 30, 9: 1, 10: 17, 105: 1}  # of a message
FAR = {5: 2**20, 9: 2**15, 10: 2**20, 105: 2**15}

Message = tuple[int, ...]  # number, units, boot


def numbered(messages: Sequence[Message], stream: list[int] | None = None) -> Numbered:
    columns = np.array(messages, np.int64).reshape(-1, 3).T
    return Numbered(np.array(stream or [0] * len(messages), np.int64), columns[0] % WRAP, columns[1], columns[2])


class Listener:
    """Hears one stream, and adds up its news."""

    def __init__(self, version: int = 9) -> None:
        self.stream = Stream(EXPORTER, 0, version, 7)
        self.sequences = Sequences()
        self.boot = BOOT if version in (5, 9) else -1
        self.units = UNITS[version]
        self.shared = False
        self.told = Tally()

    def hear(self, *numbers: int | tuple[int, ...], now: int = NOW) -> list[int]:
        """Hear a block of messages, each a number, (number, units) or (number, units, boot); return the restarts."""
        given = [number if isinstance(number, tuple) else (number,) for number in numbers]
        messages = [(*each, *(self.units, self.boot)[len(each) - 1 :]) for each in given]
        restarts = self.sequences.follow([self.stream], numbered(messages), now, 10)
        self._add()
        return [message for _, message in restarts]

    def settle(self, now: int | None = None) -> Tally:
        self.sequences.settle(now)
        self._add()
        return self.told

    def _add(self) -> None:
        for news in self.sequences.news():
            assert news[:3] == (EXPORTER, self.stream.version, 7)
            self.shared = news.shared
            for name in ("lost", "gaps", "reordered", "duplicates", "resets"):
                setattr(self.told, name, getattr(self.told, name) + getattr(news, name))


def blocks(messages: Sequence[Any], sizes: list[int]) -> list[Sequence[Any]]:
    """The messages cut into blocks of these sizes, over and over."""
    found: list[Sequence[Any]] = []
    start = 0
    for size in cycle(sizes):
        if start >= len(messages):
            return found
        found.append(messages[start : start + size])
        start += size
    return found


def after(*numbers: int | tuple[int, ...], version: int = 9) -> Tally:
    """What was told of messages heard in one block, in the end."""
    listener = Listener(version)
    assert listener.hear(*numbers) == []
    return listener.settle()
