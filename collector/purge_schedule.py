"""The purge once a day: a command of its own is started, for what writes cannot delete."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day

from collector.clock import Clock

log = logging.getLogger("flowkeep")


class PurgeSchedule:
    """Starts `command` each day when it is `at` (UTC); one at a time. A day on which nothing ran is not made up for."""

    def __init__(self, command: Sequence[str], clock: Clock) -> None:
        self._command, self._clock = command, clock
        self._next: datetime | None = None
        self._at: time_of_day | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether a purge that was started here has not been seen to end."""
        return self._process is not None

    def look(self, at: time_of_day | None) -> None:
        """Start the command if it is time, and say what came of the last; None where there is no schedule."""
        self._watch()
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        if at != self._at or self._next is None or self._next - now > timedelta(days=1):  # the clock may be put back
            self._at, self._next = at, _next(at, now)
        elif now >= self._next and self._process is None:
            self._next = _next(at, now)
            log.info("the scheduled purge begins")
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        """Have a purge that is running end; the next one takes it up."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _watch(self) -> None:
        if self._process is None or (status := self._process.poll()) is None:
            return
        self._process = None
        if status:
            log.error("the scheduled purge ended with %d; `flowkeep retention plan` says what it had to do", status)
        else:
            log.info("the scheduled purge has ended")


def _next(at: time_of_day | None, now: datetime) -> datetime | None:
    """Return the first moment after `now` at which it is `at`."""
    if at is None:
        return None
    today = datetime.combine(now.date(), at, UTC)
    return today if today > now else today + timedelta(days=1)
