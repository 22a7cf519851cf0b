"""The daemon's side of the receiver: starts it with the sockets it reads, has TCP sessions closed, and stops it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from collector.child import Child
from collector.clock import Clock
from collector.keeper import Keeper
from collector.listeners import Listeners
from collector.tally import Tally
from settings.config import Config
from settings.errors import RefusalError

_START_SECONDS = 20.0


class ReceiverProcess:
    """One receiver at a time; `tally` holds its counts over restarts."""

    def __init__(self, config: Config, listeners: Listeners, lock: int, keeper: Keeper, clock: Clock) -> None:
        """`lock` is the data directory's: the receiver holds it too, so that it is free only when both have ended."""
        directory = config.data_dir / "journal"
        self.tally = Tally(directory / "receiver.tally", fresh=True)
        self._keeper = keeper
        udp, tcp = ([listener.fileno() for listener in some] for some in (listeners.udp, listeners.tcp))
        self._child = Child("collector.receiver", [*udp, *tcp, lock])
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

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._child.running

    def start(self) -> None:
        """Start the receiver. RefusalError where it does not come up, OSError too; as of `Child.start`."""
        self._child.start(self._orders | {"after_segment": self._keeper.after()})
        until = time.monotonic() + _START_SECONDS
        while (left := until - time.monotonic()) > 0:
            if b"ready" in self._child.answers(wait=left):
                return
            if not self._child.running:
                break
        raise RefusalError("the receiver process did not start; its own message is above")

    def close_sessions(self, sessions: Iterable[int]) -> None:
        """Have the connections of TCP sessions closed; those that are not open any more are no matter."""
        for session in sessions:
            self._child.say(b"close %d" % session)

    def stop(self) -> None:
        """Let the receiver take what its sockets still hold, and end it."""
        self._child.stop()
