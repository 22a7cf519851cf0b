"""Names of interfaces every hour: a command of its own asks for them, for an agent that hangs is not to hold us."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Sequence

log = logging.getLogger("flowkeep")
_EVERY = 3600.0


class NamesSchedule:
    """Starts `command` at the first look and every hour, one at a time; an empty one never."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._next = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Start the command if it is time, and say so if the last has failed."""
        if self._process and (status := self._process.poll()) is not None:
            self._process = None
            if status:
                log.warning("not all exporters told the names of their interfaces; `flowkeep names` says which")
        if self._command and self._process is None and time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )

    def stop(self) -> None:
        """End the command if it runs."""
        if self._process:
            self._process.terminate()
            self._process.wait()
