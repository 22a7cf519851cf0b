"""How far the journal is stored, and the books of what is: one file for each shard, replaced whole.

So a crash leaves the old or the new, and what was counted is always what was stored.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from settings.errors import RefusalError, UserError

UNKNOWN = -1


class JournalError(UserError):
    """A file of the journal cannot be written now; it may work later."""


class Pending(NamedTuple):
    """A block that is being stored: rows from `start` up to `end` of `segment`.

    `sources` names the tenants and policy that it is attributed by (`collector.snapshots`). `mark` is how many parts
    ClickHouse had written into its table of flows at most a minute before, UNKNOWN where that is not known.
    """

    segment: int
    start: int
    end: int
    sources: str = ""
    mark: int = UNKNOWN


class RollupGroup(NamedTuple):
    """Blocks that are stored and whose rollups are not: these are stored together, under `token`.

    `files` beside the position hold them, one for each block, with `size` partial sums of `flows` flows in all.
    `sources` is what the blocks are attributed by. As long as there is no token others may join. `mark` is as of
    `Pending`.
    """

    files: tuple[str, ...]
    size: int
    flows: int
    sources: str = ""
    token: str = ""
    mark: int = UNKNOWN


@dataclass(frozen=True, slots=True)
class Position:
    """Datagrams before `row` of `segment` are stored; `pending` are the blocks that are being stored, in order."""

    identity: str
    segment: int = 0
    row: int = 0
    pending: tuple[Pending, ...] = ()
    state: str | None = None
    """File with the decoders' state at `row`."""
    books: dict[str, Any] | None = None
    """What came of all that is stored: `collector.books`."""
    rollups: tuple[RollupGroup, ...] = ()
    """The first is being stored where it has a token; blocks join the last."""

    @classmethod
    def load(cls, path: Path) -> Position:
        """Return the position saved at `path`, a new one where there is none; RefusalError for anything else."""
        try:
            saved = json.loads(path.read_text())
            return cls(**saved | {"pending": _pending(saved), "rollups": _rollups(saved)})
        except FileNotFoundError:
            return cls(uuid.uuid4().hex)
        except (ValueError, TypeError, KeyError):
            raise RefusalError(
                f"{path}: not readable as a journal position; move it away to begin anew: what is left in the journal "
                "is then stored from the oldest segment's beginning, and up to one segment of it for the second time"
            ) from None

    def save(self, path: Path) -> None:
        """Write the position; JournalError where the disk does not take it."""
        replace_file(path, json.dumps(asdict(self)))

    @property
    def reached(self) -> int:
        """The last segment that is being read or stored."""
        return self.pending[-1].segment if self.pending else self.segment


def _pending(saved: dict[str, Any]) -> tuple[Pending, ...]:
    """Return the pending blocks; a version that stored one at a time wrote the row where it ends, or null."""
    blocks = saved["pending"]
    if blocks is None:
        return ()
    if isinstance(blocks, int):
        return (Pending(saved["segment"], saved["row"], blocks),)
    return tuple(Pending(*one) for one in blocks)


def _rollups(saved: dict[str, Any]) -> tuple[RollupGroup, ...]:
    """Return the groups of rollups; a version that stored them with their blocks wrote nothing of them."""
    return tuple(RollupGroup(tuple(files), *rest) for files, *rest in saved.get("rollups", ()))


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one; JournalError where the disk does not take it."""
    unborn = path.with_suffix(".new")
    try:
        descriptor = os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        unborn.rename(path)
    except OSError as error:
        raise JournalError(f"{path}: cannot be written: {error.strerror}; make room on the disk") from None
