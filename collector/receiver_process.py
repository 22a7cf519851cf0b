"""The daemon's side of the receiver: starts it with the sockets it reads, has TCP sessions closed, and stops it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress

from collector.clock import Clock
from collector.journal import Journal
from collector.listeners import Listeners
from collector.tally import Tally
from settings.config import Config
from settings.errors import RefusalError

_STOP_SECONDS = 10


class ReceiverProcess:
    """One receiver at a time; `tally` holds its counts over restarts."""

    def __init__(self, config: Config, listeners: Listeners, lock: int, journal: Journal, clock: Clock) -> None:
        """`lock` is the data directory's: the receiver holds it too, so that it is free only when both have ended."""
        directory = config.data_dir / "journal"
        self.tally = Tally(directory / "receiver.tally", fresh=True)
        self._journal = journal
        udp, tcp = ([listener.fileno() for listener in some] for some in (listeners.udp, listeners.tcp))
        self._kept = [*udp, *tcp, lock]
        self._orders = {
            "parent": os.getpid(),
            "directory": str(directory),
            "tally": str(directory / "receiver.tally"),
            "sockets": udp,
            "endpoints": listeners.endpoints,
            "tcp_sockets": tcp,
            "segment_size": config.journal.segment_size,
            "max_size": config.journal.max_size,
            "clock_shift_ms": clock.shift_ms,
            "allow": [str(exporter.prefix) for exporter in config.exporters],
            "allow_unlisted": config.allow_unlisted_exporters,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the receiver; it dies with this process. RefusalError where it does not come up, OSError too.

        Call it in the main thread: the kernel ends the receiver when the thread that started it ends.
        """
        self._hang_up()
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", "-m", "collector.receiver"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._kept,
            start_new_session=True,  # Ctrl-C at the terminal is for us
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # or NumPy keeps threads that nobody needs
        )
        orders = json.dumps(self._orders | {"after_segment": self._journal.segment - 1})
        answer = b""
        if process.stdin and process.stdout:
            with suppress(BrokenPipeError), process.stdout as stdout:
                process.stdin.write(orders.encode() + b"\n")
                process.stdin.flush()
                answer = stdout.readline()
            os.set_blocking(process.stdin.fileno(), False)
        if answer != b"ready\n":
            raise RefusalError("the receiver process did not start; its own message is above")

    def close_sessions(self, sessions: Iterable[int]) -> None:
        """Have the connections of TCP sessions closed; those that are not open any more are no matter."""
        if self._process is None or self._process.stdin is None or self._process.stdin.closed:
            return
        for session in sessions:
            # a receiver that has died has closed them all; for one that hangs nobody waits
            with suppress(BrokenPipeError, BlockingIOError):
                os.write(self._process.stdin.fileno(), b"close %d\n" % session)

    def stop(self) -> None:
        """Let the receiver take what its sockets still hold, and end it."""
        if self._process and self.running:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._hang_up()

    def _hang_up(self) -> None:
        """Close our end of the pipe to a receiver that has ended."""
        if self._process and self._process.stdin:
            with suppress(BrokenPipeError):  # of what was not written when it died
                self._process.stdin.close()
