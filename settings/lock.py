"""A lock on a file, which the kernel lets go when its last holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from settings.errors import RefusalError

_POLL = 0.02


def hold(path: Path, refusal: str, patience: float) -> int:
    """Return the lock as a descriptor: held until it is closed here and in the children that it was passed to.

    RefusalError with the text `refusal` where another still holds it after `patience` seconds; OSError where the file
    cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise RefusalError(refusal) from None
            time.sleep(_POLL)
        else:
            return descriptor
