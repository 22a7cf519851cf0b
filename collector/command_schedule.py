"""Commands that are run again and again, each one a process of its own: a server that hangs is not to hold us."""

from __future__ import annotations

import logging
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import IO, NamedTuple

log = logging.getLogger("flowkeep")
_EXCERPT = 1000


class Task(NamedTuple):
    """A command, every how many seconds it is run, and what to say if it fails."""

    command: Sequence[str]
    every: float
    complaint: str


class CommandSchedule:
    """Starts the command of a task at the first look and each time that it is due, one at a time."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._next = 0.0
        self._running: tuple[subprocess.Popen[bytes], IO[bytes]] | None = None

    def look(self) -> None:
        """Start the command if it is time, and say so if the last has failed."""
        if self._running and self._running[0].poll() is not None:
            self._end(*self._running)
        if self._running is None and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._task.every
            errors = tempfile.TemporaryFile()  # noqa: SIM115 - it is read and closed when the command has ended
            quiet = subprocess.DEVNULL
            process = subprocess.Popen(self._task.command, stdin=quiet, stdout=quiet, stderr=errors)
            self._running = process, errors

    def stop(self) -> None:
        """End the command if it runs."""
        if self._running:
            process, errors = self._running
            process.terminate()
            process.wait()
            errors.close()

    def _end(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._running = None
        with errors:
            errors.seek(0)
            told = errors.read(_EXCERPT).decode("utf-8", "replace")
        if process.returncode:
            log.warning("%s: %s", self._task.complaint, "; ".join(told.splitlines()))
