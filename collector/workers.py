"""All workers of a run: started, told of sources, watched over, stopped; and parted anew where there are to be others.

Where the journal was worked off by another number of workers before, as many finish what is there, the decoders' states
are parted among the new ones, and these begin behind it.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np

from collector.books import joined
from collector.clock import Clock
from collector.journal import read_state, state_file
from collector.keeper import Keeper
from collector.position import Position, replace_file
from collector.seldom import Seldom
from collector.shards import Shard, owners
from collector.worker_process import STOP_SECONDS, WorkerProcess
from decoders.sharing import part
from settings.config import Config

log = logging.getLogger("flowkeep")
_COUNT = "workers.json"
_KILLED = 2.0


class Workers:
    """The workers of one run of the daemon."""

    def __init__(
        self, config: Config, clock: Clock, keeper: Keeper, run: str, module: str, restarted: Callable[[], None]
    ) -> None:
        """`restarted` is called when a worker that ended is started again."""
        self._config, self._clock, self._keeper, self._run, self._module = config, clock, keeper, run, module
        self._restarted = restarted
        self._directory = config.data_dir / "journal"
        self._say = Seldom()
        self._sources = ""
        self._may_begin = False
        before = count_of(self._directory)
        self._boundary = keeper.end() if before != config.workers else None
        self._workers = self._of(Shard.all(before))

    def _of(self, shards: list[Shard]) -> list[WorkerProcess]:
        return [
            WorkerProcess(self._config, self._clock, shard, self._run, self._module, self._boundary) for shard in shards
        ]

    @property
    def ready(self) -> bool:
        """Whether all of them are at work."""
        return all(worker.ready and (worker.running or self._boundary is not None) for worker in self._workers)

    def start(self, sources: str) -> None:
        """Start them; they begin when ClickHouse has its tables (`begin`)."""
        self._sources = sources
        for worker in self._workers:
            worker.start(sources)

    def begin(self) -> None:
        """Let them begin."""
        self._may_begin = True
        for worker in self._workers:
            worker.begin()

    def use(self, sources: str) -> None:
        """Have them attribute by other sources from now on."""
        self._sources = sources
        for worker in self._workers:
            worker.use(sources)

    def watch(self) -> set[int]:
        """Start again what ended, or the new ones after the old; return the TCP sessions that broke the rules."""
        broken = {session for worker in self._workers for session in worker.hear()}
        if self._boundary is None:
            self._restart(self._workers)
        else:
            self._restart([worker for worker in self._workers if not worker.done])
            if all(worker.done for worker in self._workers):
                self._change_over(self._boundary)
        return broken

    def _restart(self, workers: list[WorkerProcess]) -> None:
        for worker in workers:
            if worker.may_start_again:
                self._restarted()
                if self._say():
                    log.error("a worker ended; starting it again")
                worker.start(self._sources)

    def _change_over(self, boundary: int) -> None:
        """The old workers have stored what is before `boundary`: the new ones begin there."""
        shards = Shard.all(self._config.workers)
        part_anew(self._directory, [worker.shard for worker in self._workers], shards, boundary, self._run)
        log.info("the exporters are parted among %d workers now", len(shards))
        self._boundary = None
        self._keeper.follow(shards)
        self._workers = self._of(shards)
        self.start(self._sources)
        if self._may_begin:
            self.begin()

    def stop(self) -> None:
        """Let them store what the journal holds, and end; what they do not manage waits for the next start."""
        for worker in self._workers:
            worker.terminate()
        until = time.monotonic() + STOP_SECONDS + _KILLED
        for worker in self._workers:
            worker.stop(max(until - time.monotonic(), 0.0))


def count_of(directory: Path) -> int:
    """Return by how many workers the journal is worked off; one of a version that had no workers yet."""
    try:
        return int(json.loads((directory / _COUNT).read_text())["workers"])
    except FileNotFoundError:
        return 1


def part_anew(directory: Path, old: list[Shard], new: list[Shard], boundary: int, run: str) -> None:
    """Have `new` shards begin at segment `boundary`, up to which the `old` ones have stored everything.

    The first of them goes on with the books of this `run`, and with rollups that are left. A crash leaves the old ones
    or the new ones in force. JournalError where the disk does not take it.
    """
    positions = [Position.load(shard.position(directory)) for shard in old]
    states = [state for at in positions if (state := read_state(directory, at)) is not None]

    def owner(exporter: bytes) -> int:
        return int(owners(np.frombuffer(exporter, np.uint8).reshape(1, 16), len(new))[0])

    books = joined([at.books for at in positions], run)
    rollups = tuple(group for at in positions for group in at.rollups)
    for shard, state in zip(new, part(states, len(new), owner), strict=True):
        name = state_file(shard, boundary, 0)
        replace_file(directory / name, json.dumps(state))
        at = Position(uuid.uuid4().hex, boundary, 0, (), name, *((None, ()) if shard.number else (books, rollups)))
        at.save(shard.position(directory))
    replace_file(directory / _COUNT, json.dumps({"workers": len(new)}))
    for shard, at in zip(old, positions, strict=True):
        shard.position(directory).unlink(missing_ok=True)
        if at.state:
            (directory / at.state).unlink(missing_ok=True)
