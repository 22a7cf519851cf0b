"""Says when a message about a condition that lasts may be said again. Standard library only: the receiver uses it."""

from __future__ import annotations

import time

_EVERY = 60.0


class Seldom:
    """True when called for the first time, then at most once a minute."""

    def __init__(self) -> None:
        self._said_at: float | None = None

    def __call__(self) -> bool:
        """Whether to say it now."""
        now = time.monotonic()
        if self._said_at is not None and now - self._said_at < _EVERY:
            return False
        self._said_at = now
        return True
