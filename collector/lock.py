"""The data directory's lock: one collector at a time, its receiver included."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from settings.errors import RefusalError

_SECONDS = 2.0
_POLL = 0.02


def take(directory: Path) -> int:
    """Return the lock as a descriptor: held until it is closed here and in the children that it was passed to.

    RefusalError where another holds it. The receiver of a collector that was killed takes a moment to follow it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory / "collector.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise RefusalError(f"{directory}: cannot be written: {error.strerror}; check 'data_dir'") from None
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise RefusalError(
                    f"another flowkeep is running on {directory}; stop it, or give this one its own 'data_dir'"
                ) from None
            time.sleep(_POLL)
        else:
            return descriptor
