"""The daemon's side of a worker: starts it, tells it which sources hold, hears which TCP sessions broke the rules."""

from __future__ import annotations

import os
import time
from typing import Any

from collector.child import Child
from collector.clock import Clock
from collector.shards import Shard
from settings.config import Config

STOP_SECONDS = 13.0
"""Seconds that a worker has to store what was received; the journal keeps the rest."""

_AGAIN = 1.0
"""Seconds from one start to the next, at least."""


class WorkerProcess:
    """The worker of one shard, one process at a time."""

    def __init__(
        self, config: Config, clock: Clock, shard: Shard, run: str, module: str, until: int | None = None
    ) -> None:
        """`run` names the books of this run of the daemon; `module` is the program, which knows tenants and policy.

        With `until` it stores what is before that segment, and ends.
        """
        self.shard = shard
        self._child = Child(module, [])
        self._orders: dict[str, Any] = {
            "parent": os.getpid(),
            "config": config.model_dump_json(),
            "clock_shift_ms": clock.shift_ms,
            "shard": shard.number,
            "shards": shard.count,
            "run": run,
            "until": until,
            "stop_seconds": STOP_SECONDS,
        }
        self._may_begin = False
        self._started_at = 0.0
        self.ready = False

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._child.running

    @property
    def may_start_again(self) -> bool:
        """Whether it has ended, and is not one that ends as soon as it is started."""
        return not self.running and time.monotonic() - self._started_at > _AGAIN

    @property
    def done(self) -> bool:
        """Whether it has come to its end by itself, and well."""
        return self._child.status == 0

    def start(self, sources: str) -> None:
        """Start it, to attribute by `sources`; OSError where that cannot be. As of `Child.start`."""
        self.ready, self._started_at = False, time.monotonic()
        self._child.start(self._orders | {"sources": sources})
        if self._may_begin:
            self._child.say(b"go")

    def begin(self) -> None:
        """ClickHouse has its tables: it may begin, and begins at once when it is started again."""
        self._may_begin = True
        self._child.say(b"go")

    def use(self, sources: str) -> None:
        """Have it attribute by other sources from now on."""
        self._child.say(b"sources " + sources.encode())

    def hear(self) -> set[int]:
        """Take what it has said; return the TCP sessions that broke the rules."""
        broken = set()
        for line in self._child.answers():
            verb, _, number = line.partition(b" ")
            self.ready |= verb == b"ready"
            if verb == b"close" and number.isdigit():
                broken.add(int(number))
        return broken

    def terminate(self) -> None:
        """Ask it to store what there is and end."""
        self._child.terminate()

    def stop(self, patience: float) -> None:
        """Wait for its end, for `patience` seconds, then end it."""
        self._child.stop(patience)
