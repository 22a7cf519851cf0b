"""Files that only their owner reads, written so that a crash leaves the old one or the new one, whole and on disk."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, text: str) -> None:
    """Write `text` to `path`, whose directory is made where it is missing; OSError where the disk does not take it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unborn = path.with_suffix(".new")
    with open(os.open(unborn, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unborn.rename(path)
