"""An end to stopping that takes too long, for processes whose work is safe from `kill -9` at any instant."""

from __future__ import annotations

import signal


class OverdueError(BaseException):
    """Stopping takes too long. May come up anywhere in the main thread: what is safe from kill -9 is safe from this."""


def raise_at_alarm() -> None:
    """Have SIGALRM, as `signal.setitimer` sends it, raise OverdueError."""

    def overdue(*_: object) -> None:
        raise OverdueError

    signal.signal(signal.SIGALRM, overdue)
