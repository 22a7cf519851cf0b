"""How far the journal is stored: `position.json`, replaced whole, so that a crash leaves the old or the new."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from settings.errors import RefusalError, UserError

_FILE = "position.json"


class JournalError(UserError):
    """A file of the journal cannot be written now; it may work later."""


@dataclass(frozen=True, slots=True)
class Position:
    """Datagrams before `row` of `segment` are stored; `pending` is where the block that is being stored ends."""

    identity: str
    segment: int = 0
    row: int = 0
    pending: int | None = None
    state: str | None = None
    """File with the decoders' state at `row`."""

    @classmethod
    def load(cls, directory: Path) -> Position:
        """Return the position saved in `directory`, a new one where there is none; RefusalError for anything else."""
        path = directory / _FILE
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return cls(uuid.uuid4().hex)
        except (ValueError, TypeError):
            raise RefusalError(
                f"{path}: not readable as a journal position; move it away to begin anew: what is left in the journal "
                "is then stored from the oldest segment's beginning, and up to one segment of it for the second time"
            ) from None

    def save(self, directory: Path) -> None:
        """Write the position; JournalError where the disk does not take it."""
        replace_file(directory / _FILE, json.dumps(asdict(self)))


def replace_file(path: Path, text: str) -> None:
    """Write a file so that a crash leaves the old one or the new one; JournalError where the disk does not take it."""
    unborn = path.with_suffix(".new")
    try:
        descriptor = os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as file:
            file.write(text)
        unborn.rename(path)
    except OSError as error:
        raise JournalError(f"{path}: cannot be written: {error.strerror}; make room on the disk") from None
