"""How entries come to the end of the ledger: chained to the head, in segments, each closed with a signed checkpoint.

A segment `SEQ.jsonl` holds entries from number SEQ on, a line each. It is closed when it is large, or its month is over
(UTC): `SEQ.checkpoint` then stands beside it and nothing is written to it any more. All here needs the folder open for
writing, that is, its lock.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger import checkpoint as checkpoints
from ledger import keys
from ledger.checkpoint import Checkpoint
from ledger.entry import GENESIS, JSON, MAX_LINE, Action, Entry, LedgerError, digest, make, parse, time_text
from ledger.folder import Folder

SYSTEM = "flowkeep"
"""The actor of what the ledger does by itself."""
SEGMENT_SIZE = 2**20
SEGMENT, CHECKPOINT = ".jsonl", ".checkpoint"
_DIGITS = 12
_END = 2**16
_NUMBER = re.compile(rf"(?!0{{{_DIGITS}}})[0-9]{{{_DIGITS}}}|[1-9][0-9]{{{_DIGITS},17}}")
_MONTH = re.compile(rb'\{"seq":\d+,"time":"(\d{4}-\d\d)-')
_VERIFY = "`flowkeep ledger verify` says what is wrong; put the file back from a backup, or move the directory away"

Wanted = tuple[str, Mapping[str, JSON], str]
"""An entry to be written: action, details, actor."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the next entry goes: behind number `seq` with `hash`, into the segment that begins with `first`, at `size`.

    `month` is that of the segment's first entry, "" while it has none; `torn` what a killed process left behind `size`.
    """

    seq: int
    hash: str
    first: int
    size: int
    month: str
    torn: bytes


def segment_name(first: int) -> str:
    """Return the name of the segment that begins with this entry."""
    return f"{first:0{_DIGITS}d}{SEGMENT}"


def checkpoint_name(first: int) -> str:
    """Return the name of the checkpoint of the segment that begins with this entry."""
    return f"{first:0{_DIGITS}d}{CHECKPOINT}"


def numbers(names: Sequence[str], ending: str) -> list[int]:
    """Return which segments have a file with this ending, in order."""
    stems = [name.removesuffix(ending) for name in names if name.endswith(ending)]
    return sorted(int(stem) for stem in stems if _NUMBER.fullmatch(stem))


def look(folder: Folder) -> Head:
    """Return the ledger's head; LedgerError where its last whole line is not what was written."""
    names = folder.names()
    segments, closed = numbers(names, SEGMENT), numbers(names, CHECKPOINT)
    seq, previous = 0, GENESIS
    if closed:
        last = read_checkpoint(folder, closed[-1])
        seq, previous = last.last, last.head
    if not segments or segments[-1] in closed:
        return Head(seq, previous, seq + 1, 0, "", b"")
    first = segments[-1]
    if closed and first != seq + 1:
        raise LedgerError(f"the ledger's {segment_name(first)} does not follow the segment before it; {_VERIFY}")
    return _look_into(folder, first, Head(seq, previous, first, 0, "", b""))


def _look_into(folder: Folder, first: int, before: Head) -> Head:
    """Return the head by the open segment's last line."""
    name = segment_name(first)
    size, end = folder.read_end(name, _END)
    if size > _END and end.count(b"\n") < 2:
        size, end = folder.read_end(name, 2 * MAX_LINE + 2)
    whole, _, torn = end.rpartition(b"\n")
    at = size - len(torn)
    if at == 0:
        return Head(before.seq, before.hash, first, 0, "", torn)
    try:
        entry = parse(whole.rpartition(b"\n")[2])
    except ValueError:
        raise LedgerError(f"the ledger's {name} is damaged in its last line; {_VERIFY}") from None
    month = _MONTH.match(folder.read_start(name, 64))
    if digest(entry) != entry.hash or not month:
        raise LedgerError(f"the ledger's {name} was changed; {_VERIFY}")
    return Head(entry.seq, entry.hash, first, at, month[1].decode(), torn)


def put(folder: Folder, wanted: Sequence[Wanted], now: datetime) -> list[Entry]:
    """Write entries and return them when they are on the disk; before them what the ledger owes itself.

    That is its beginning, the record of a torn line, the closing of a segment that is large or of a month gone by.
    LedgerError where they cannot be written or the ledger cannot be gone on with; then none of them is on record.
    """
    head = look(folder)
    own: list[Wanted] = []
    if head.seq == 0:
        own.append((Action.CONFIGURATION, {"what": "ledger begun", "key": keys.load(folder).name}, SYSTEM))
    if head.torn:
        own.append((Action.LEDGER_REPAIR, _of_torn(head), SYSTEM))
    elif head.size and (head.size >= SEGMENT_SIZE or head.month < time_text(now)[: len("2026-11")]):
        closed = _close(folder, head, now)
        own.append((Action.LEDGER_CHECKPOINT, _named(closed), SYSTEM))
        head = Head(head.seq, head.hash, head.seq + 1, 0, "", b"")
    entries: list[Entry] = []
    seq, previous = head.seq, head.hash
    for action, details, actor in (*own, *wanted):
        entry = make(seq + 1, now, actor, action, details, previous)
        entries.append(entry)
        seq, previous = entry.seq, entry.hash
    if not entries:
        return []
    folder.write_at(segment_name(head.first), head.size, b"".join(entry.line() + b"\n" for entry in entries))
    return entries[len(own) :]


def _of_torn(head: Head) -> dict[str, JSON]:
    """Return what the ledger says of a line that it cuts off."""
    digest_of_torn = hashlib.sha256(head.torn).hexdigest()
    return {"what": "a torn line was cut off", "octets": len(head.torn), "sha256": digest_of_torn}


def _named(checkpoint: Checkpoint) -> dict[str, JSON]:
    """Return what the ledger itself says of a checkpoint."""
    return {name: getattr(checkpoint, name) for name in ("first", "last", "head", "root", "key")}


def _close(folder: Folder, head: Head, now: datetime) -> Checkpoint:
    made = sign(folder, head, now)
    folder.replace(checkpoint_name(head.first), made.line() + b"\n")
    return made


def sign(folder: Folder, head: Head, now: datetime) -> Checkpoint:
    """Return a signed checkpoint of the open segment, which has entries; LedgerError where they are not a chain."""
    entries = read_segment(folder, head.first, head.size)
    key = keys.load(folder)
    return checkpoints.over(entries, time_text(now), key.name, key.sign)


def read_segment(folder: Folder, first: int, size: int | None = None) -> list[Entry]:
    """Return the entries in a segment, or in its first `size` octets; LedgerError where they are not a chain."""
    entries: list[Entry] = []
    try:
        *lines, rest = folder.read(segment_name(first))[:size].split(b"\n")
        if rest:
            raise ValueError
        for number, line in enumerate(lines, first):
            entry = parse(line)
            chained = not entries or entry.previous == entries[-1].hash
            if entry.seq != number or entry.hash != digest(entry) or not chained:
                raise ValueError
            entries.append(entry)
    except ValueError:
        number = first + len(entries)
        raise LedgerError(f"the ledger's {segment_name(first)} is damaged at entry {number}; {_VERIFY}") from None
    return entries


def read_checkpoint(folder: Folder, first: int) -> Checkpoint:
    """Return a segment's checkpoint; LedgerError where it is none."""
    name = checkpoint_name(first)
    try:
        return checkpoints.parse(folder.read(name).removesuffix(b"\n"))
    except ValueError:
        raise LedgerError(f"the ledger's {name} is damaged; {_VERIFY}") from None
