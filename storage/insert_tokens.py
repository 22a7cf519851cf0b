"""What ClickHouse remembers of inserts, made true again after it was killed: of a part that is not there, nothing.

A MergeTree writes the token of an insert to the table's log (`deduplication_logs`) just before it gives the part its
name. Killed in between, it would take the repetition for one that is already in, and the rows would be lost.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_LOG = re.compile(r"deduplication_log_([1-9][0-9]*)\.txt")
_PART = re.compile(rb"([^_]+)_([0-9]+)_([0-9]+)_[0-9]+(?:_[0-9]+)?")
_ADDED, _DROPPED = b"1", b"2"
"""How a line of the log begins; part and token follow, all three divided by tabs."""
_TAIL = 1 << 16
"""Octets of a log that are looked at, some 500 inserts: what was under way at the end is among the last."""


def forget_lost(store: Path) -> list[str]:
    """Have the tables below `store`, those of a node that does not run, forget tokens whose part is not there.

    Returns the names of these parts. A part that was merged is there: the merged one covers its number.
    """
    return [part for logs in store.glob("*/*/deduplication_logs") for part in _forget(logs)]


def _forget(logs: Path) -> list[str]:
    numbers = [int(found[1]) for path in logs.iterdir() if (found := _LOG.fullmatch(path.name))]
    if not numbers:
        return []
    lost: dict[bytes, bytes] = {}
    there = _there(logs.parent)
    with (logs / f"deduplication_log_{max(numbers)}.txt").open("r+b") as log:
        log.seek(max(log.seek(0, os.SEEK_END) - _TAIL, 0))
        tail = log.read()
        *lines, torn = tail.split(b"\n")
        for line in lines:
            change, part, token = [*line.split(b"\t"), b"", b""][:3]
            if change == _DROPPED:
                lost.pop(token, None)
            elif change == _ADDED and (number := _PART.fullmatch(part)) and not _covered(number, there):
                lost[token] = part
        if torn:
            log.truncate(log.seek(-len(torn), os.SEEK_END))
        log.seek(0, os.SEEK_END)
        for token, part in lost.items():
            log.write(b"\t".join((_DROPPED, part, token)) + b"\n")
    return [part.decode() for part in lost.values()]


def _covered(part: re.Match[bytes], there: dict[bytes, list[tuple[int, int]]]) -> bool:
    return any(first <= int(part[2]) <= last for first, last in there.get(part[1], ()))


def _there(table: Path) -> dict[bytes, list[tuple[int, int]]]:
    """Return by partition the numbers from which to which its parts on disk go."""
    found: dict[bytes, list[tuple[int, int]]] = {}
    for part in _parts(table):
        found.setdefault(part[1], []).append((int(part[2]), int(part[3])))
    return found


def _parts(table: Path) -> Iterator[re.Match[bytes]]:
    with os.scandir(table) as entries:
        yield from (part for entry in entries if (part := _PART.fullmatch(os.fsencode(entry.name))))
