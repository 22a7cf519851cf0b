"""Counters that the receiver process shares with the daemon: a page of 64-bit words in a mapped file."""

from __future__ import annotations

import mmap
import os
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

_SIZE = 4096
IDENTITY = _SIZE // 8 - 1
"""The word that tells one run's tally from another's."""


class Count(IntEnum):
    """What the receiver counts, since `flowkeep run` began; TCP_OPEN is how many sessions are open now."""

    RECEIVED = 0
    OCTETS = 1
    REFUSED = 2
    JOURNAL_FULL = 3
    TCP_OPEN = 4
    TCP_OPENED = 5
    TCP_NOT_ALLOWED = 6
    TCP_TOO_MANY = 7
    TCP_BROKEN = 8
    TCP_HALF_SENT = 9
    TCP_IDLE = 10
    TCP_RULES = 11


class Counted(NamedTuple):
    """By how much the first four counts grow."""

    received: int = 0
    octets: int = 0
    refused: int = 0
    journal_full: int = 0


class Tally:
    """The shared counters; one process adds, others read. A fresh one begins at zero and is another run's."""

    def __init__(self, path: Path, fresh: bool = False) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if fresh:
                os.ftruncate(descriptor, 0)
            os.posix_fallocate(descriptor, 0, _SIZE)
            self.words = memoryview(mmap.mmap(descriptor, _SIZE)).cast("Q")
            if fresh:
                self.words[IDENTITY] = int.from_bytes(os.urandom(8), "little")
        finally:
            os.close(descriptor)

    def __getitem__(self, count: Count) -> int:
        return self.words[count]
