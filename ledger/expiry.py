"""The ledger's own retention: old closed segments go, their signed checkpoints stay, and the chain still verifies.

It is not in `ledger.book`: what writes the ledger cannot delete from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ledger import keys
from ledger.book import Ledger, login_name
from ledger.checkpoint import Checkpoint, root_of
from ledger.entry import JSON, Action, LedgerError, time_text
from ledger.folder import Folder, opened
from ledger.writing import (
    CHECKPOINT,
    SEGMENT,
    checkpoint_name,
    numbers,
    put,
    read_checkpoint,
    read_segment,
    segment_name,
)


@dataclass(frozen=True, slots=True)
class Expired:
    """What went: how many segments, and which entries."""

    segments: int
    first: int
    last: int


def expire(ledger: Ledger, before: datetime, *, actor: str | None = None, now: datetime) -> Expired | None:
    """Delete the closed segments, from the oldest on, whose entries are all older than `before`; None if none is.

    The open segment is closed first if its month is over, so that an entry goes at most a month after it might. The
    entry `ledger_expiry` is on record before anything is deleted; what a crash leaves undeleted goes with the next run.
    LedgerError where a segment is not what its checkpoint says: it is evidence then, and nothing is deleted.
    """
    with opened(ledger.directory, write=True) as folder:
        put(folder, [], now)
        due = _due(folder, before)
        if not due:
            return None
        for checkpoint in due:
            _examine(folder, checkpoint)
        done = Expired(len(due), due[0].first, due[-1].last)
        details: dict[str, JSON] = {
            "before": time_text(before),
            "first": done.first,
            "last": done.last,
            "segments": done.segments,
        }
        put(folder, [(Action.LEDGER_EXPIRY, details, actor or login_name())], now)
        for checkpoint in due:
            folder.remove(segment_name(checkpoint.first))
        return done


def _due(folder: Folder, before: datetime) -> list[Checkpoint]:
    names = folder.names()
    closed, limit, due = set(numbers(names, CHECKPOINT)), time_text(before), []
    for first in numbers(names, SEGMENT):
        if first not in closed or (checkpoint := read_checkpoint(folder, first)).latest >= limit:
            break
        due.append(checkpoint)
    return due


def _examine(folder: Folder, checkpoint: Checkpoint) -> None:
    name = checkpoint_name(checkpoint.first)
    try:
        public = keys.parse_public(folder.read(keys.public_file(checkpoint.key))).public.encode()
    except (ValueError, FileNotFoundError):
        raise LedgerError(
            f"the ledger's {name} is signed by a key that it does not have; nothing was deleted"
        ) from None
    entries = read_segment(folder, checkpoint.first)
    as_signed = keys.is_signed(public, checkpoint.signed(), checkpoint.signature)
    if not as_signed or not entries or (entries[-1].hash, root_of(entries)) != (checkpoint.head, checkpoint.root):
        raise LedgerError(f"the ledger's {name} and its segment do not agree; nothing was deleted: look into it")
