"""The daemon's side of the receiver: starts it with the sockets it reads, and stops it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress

from collector.clock import Clock
from collector.journal import Journal
from collector.tally import Tally
from settings.config import Config
from settings.errors import RefusalError

_STOP_SECONDS = 10


class ReceiverProcess:
    """One receiver at a time; `tally` holds its counts over restarts."""

    def __init__(
        self, config: Config, listeners: list[socket.socket], lock: int, journal: Journal, clock: Clock
    ) -> None:
        """`lock` is the data directory's: the receiver holds it too, so that it is free only when both have ended."""
        directory = config.data_dir / "journal"
        self.tally = Tally(directory / "receiver.tally", fresh=True)
        self._journal = journal
        self._lock = lock
        self._sockets = [listener.fileno() for listener in listeners]
        self._orders = {
            "parent": os.getpid(),
            "directory": str(directory),
            "tally": str(directory / "receiver.tally"),
            "sockets": self._sockets,
            "segment_size": config.journal.segment_size,
            "clock_shift_ms": clock.shift_ms,
            "allow": [str(exporter.prefix) for exporter in config.exporters],
            "allow_unlisted": config.allow_unlisted_exporters,
        }
        self._process: subprocess.Popen[str] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the receiver; it dies with this process. RefusalError where it does not come up, OSError too.

        Call it in the main thread: the kernel ends the receiver when the thread that started it ends.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "collector.receiver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[*self._sockets, self._lock],
            text=True,
            start_new_session=True,  # Ctrl-C at the terminal is for us
        )
        orders = json.dumps(self._orders | {"after_segment": self._journal.segment - 1})
        answer = ""
        if self._process.stdin and self._process.stdout:
            with suppress(BrokenPipeError), self._process.stdin as stdin, self._process.stdout as stdout:
                stdin.write(orders + "\n")
                stdin.flush()
                answer = stdout.readline()
        if answer != "ready\n":
            raise RefusalError("the receiver process did not start; its own message is above")

    def stop(self) -> None:
        """Let the receiver take what its sockets still hold, and end it."""
        if self._process and self.running:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
