"""The worker process: journal to ClickHouse, for one shard of the exporters.

The daemon starts it as `python -m cli.worker` with its orders as JSON in the first line of standard input. Further
lines are `go`: ClickHouse has its tables; and `sources NAME`: attribute new blocks by these from now on. It answers
`ready`, then `close SESSION` for TCP sessions that broke the rules. At SIGTERM it stores what is there and ends.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from collector.books import WorkerBooks
from collector.clock import Clock
from collector.decoding import senders_of
from collector.heap import KEPT_OCTETS, give_back, keep_freed
from collector.inserts import Inserts
from collector.journal import Journal
from collector.measurements import Attribution
from collector.metrics import Metrics
from collector.overdue import OverdueError, raise_at_alarm
from collector.pipeline import Pipeline
from collector.shards import Shard
from collector.snapshots import Snapshots
from settings.config import Config
from settings.errors import ConfigError, UserError
from settings.parent import die_with
from storage.client import Client, connect
from storage.writer import Writer

log = logging.getLogger("flowkeep")
_POLL = 0.02
_PATIENCE = 30.0
"""Seconds that an insert may take. After that it is tried again, under its token."""
_GIVEN_BACK_EVERY = 60.0
"""Seconds; to fault in the memory of a block again takes some 50 ms."""
_NICE = 5
"""The receiver goes first: what it does not take in time is lost."""

Load = Callable[[Sequence[Path]], Attribution]


class ClickHouse:
    """The connection to where ClickHouse is now; `collector.inserts.Storage`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._writer: Writer | None = None

    def writer(self) -> Writer:
        """Return the writer; UserError where nobody answers."""
        with self._lock:
            if self._writer is None:
                self._client = connect(self._config.storage, self._config.data_dir, "ingest", _PATIENCE)
                self._writer = Writer(self._client)
            return self._writer

    def lost(self) -> None:
        """Look for it anew next time: its ports may be others. Who still waits for an answer may wait on."""
        with self._lock:
            self._client = self._writer = None


class Sources:
    """Attributions by the names of their copies; those of blocks that a crash interrupted, and the one in force."""

    def __init__(self, snapshots: Snapshots, load: Load, name: str) -> None:
        self._snapshots, self._load = snapshots, load
        self._name = name
        self._known = {name: load(snapshots.files(name))}

    def use(self, name: str) -> None:
        """Attribute by the sources of this name from now on."""
        attribution = self._known.get(name) or self._load(self._snapshots.files(name))
        self._name, self._known = name, {name: attribution}

    def __call__(self, name: str | None) -> tuple[str, Attribution]:
        """Return the attribution of a name, or the one in force where there are no such sources any more.

        Nor are there any that can be read where another version has kept them: an upgrade must not end collecting.
        """
        chosen = name or self._name
        if chosen not in self._known:
            files = self._snapshots.files(chosen)
            try:
                attribution = self._load(files) if files else None
            except ConfigError as error:
                log.warning("a block that was being stored is attributed by the policy of now: %s", error)
                attribution = None
            if attribution is None:
                return self._name, self._known[self._name]
            self._known[chosen] = attribution
        return chosen, self._known[chosen]


class Worker:
    """One worker, by its orders."""

    def __init__(self, orders: dict[str, Any], source: int, load: Load, stopping: Callable[[], bool]) -> None:
        """`source` is where further orders come from. UserError where it cannot begin."""
        config = Config.model_validate_json(orders["config"])
        self._stopping, self._source, self._line = stopping, source, b""
        self._until: int | None = orders["until"]
        directory = config.data_dir / "journal"
        self._sources = Sources(Snapshots(directory / "sources"), load, orders["sources"])
        journal = Journal(directory, senders_of(config), Shard(orders["shard"], orders["shards"]), self._until)
        metrics = Metrics()
        books = WorkerBooks(orders["run"], metrics)
        books.restore(journal.books)
        self._pipeline = Pipeline(
            config,
            journal,
            Inserts(ClickHouse(config), stopping),
            self._sources,
            books,
            metrics,
            Clock(orders["clock_shift_ms"]),
            _close,
        )
        self._may_begin = False

    def run(self) -> None:
        """Work until we are to stop, then store what is there; with an end to it (`until`) that is all."""
        while not self._may_begin and not self._stopping():
            self._obey(wait=1.0)
        given_back_at = time.monotonic()
        while self._until is None and not self._stopping():
            if time.monotonic() - given_back_at > _GIVEN_BACK_EVERY:
                given_back_at = time.monotonic()
                give_back()
            busy = self._pipeline.step(flush=False)
            self._pipeline.settle(0.0 if busy or self._pipeline.idle else _POLL)
            self._obey(wait=_POLL if not busy and self._pipeline.idle else 0.0)
        while self._pipeline.step(flush=True) or not self._pipeline.idle:
            self._pipeline.settle(_POLL)
        self._pipeline.finish()

    def _obey(self, wait: float) -> None:
        if not select.select([self._source], [], [], wait)[0]:
            return
        octets = os.read(self._source, 4096)
        if not octets:
            time.sleep(wait)  # there will be no more; that our parent has ended is told by a signal
            return
        *lines, self._line = (self._line + octets).split(b"\n")
        for line in lines:
            verb, _, rest = line.partition(b" ")
            if verb == b"go":
                self._may_begin = True
            elif verb == b"sources":
                self._sources.use(rest.decode())


def _close(sessions: set[int]) -> None:
    for session in sorted(sessions):
        print(f"close {session}", flush=True)


def work(orders: dict[str, Any], load: Load) -> int:
    """Do what `orders` say until SIGTERM; `load` gives the attribution by files of tenants and policy. Exit status."""
    die_with(orders["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        if not stopping:
            signal.setitimer(signal.ITIMER_REAL, orders["stop_seconds"])
        stopping = True

    raise_at_alarm()
    signal.signal(signal.SIGTERM, stop)
    with suppress(OSError):
        os.nice(_NICE)
    keep_freed(KEPT_OCTETS)
    try:
        worker = Worker(orders, sys.stdin.fileno(), load, lambda: stopping)
        print("ready", flush=True)
        worker.run()
    except OverdueError:
        log.warning("stopped in the middle: what is not stored waits in the journal for the next start")
        os._exit(0)  # threads that wait for ClickHouse would keep us
    except UserError as error:
        log.error("%s", error)
        return 1
    return 0
