"""`flowkeep run`: builds the parts, starts them in order, watches over them, and stops them in reverse.

This process watches: the receiver fills the journal, workers decode and store, ClickHouse runs where it is embedded.
What retains and deletes is not here: `Sources` hands in attribution and the storage's schema from outside.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import time
import uuid
from collections.abc import Sequence
from datetime import time as time_of_day
from pathlib import Path
from typing import Protocol

from collector import lock
from collector.accounts import Accounts
from collector.clock import Clock
from collector.command_schedule import CommandSchedule, Task
from collector.endpoint import Answer, Endpoint
from collector.keeper import Keeper
from collector.listeners import Listeners, bind
from collector.measurements import Attribution
from collector.metrics import Metrics
from collector.overdue import OverdueError, raise_at_alarm
from collector.position import JournalError
from collector.purge_schedule import PurgeSchedule
from collector.purge_watch import PurgeWatch
from collector.receiver_process import ReceiverProcess
from collector.record import Record
from collector.retained import Retained
from collector.seldom import Seldom
from collector.shards import Shard
from collector.snapshots import Snapshots
from collector.workers import Workers, count_of
from ledger.entry import LedgerError
from schema.disclosure import CATEGORIES
from schema.tables import Category
from settings.config import Config, Embedded
from settings.errors import RefusalError, UnreachableError, UserError
from storage.embedded import Node

log = logging.getLogger("flowkeep")
_POLL = 0.02
_WATCH = 0.5
_STOP = 30.0
"""Seconds after SIGTERM after which no part is waited for; each has less by itself."""
_AGAIN = 5.0
"""Seconds before something that failed is tried again."""


class Sources(Protocol):
    """The files of tenants and policy, and what follows from them."""

    worker: str
    """The module to be run as a worker: it knows them too."""
    purge: Sequence[str]
    """The command that purges."""
    tasks: Sequence[Task]
    """What else is to be run, and how often."""

    def files(self) -> list[Path]:
        """Return the files to watch for changes."""
        ...

    def load(self) -> tuple[Attribution, int]:
        """Read and check them all; return the attribution and how many allocations it has, or raise UserError."""
        ...

    def enforce(self) -> None:
        """Bring the database's tables and TTL to what the policy last loaded says."""
        ...

    def purge_at(self) -> time_of_day | None:
        """Return when the policy wants a purge each day, UTC; None where somebody else sees to it."""
        ...

    def retained(self) -> Retained:
        """Return what is kept, from ClickHouse; UserError where it does not answer."""
        ...


class Daemon:
    """One collector on one data directory."""

    def __init__(self, config: Config, sources: Sources, clock: Clock) -> None:
        self._config, self._sources, self._clock = config, sources, clock
        self._run = uuid.uuid4().hex
        self._snapshots = Snapshots(config.data_dir / "journal" / "sources")
        self.metrics = Metrics()
        # Plain values: a signal handler that interrupts the holder of a threading.Event's lock would wait for ever.
        self._stopping = False
        self._reload_asked = False
        self._reload_at = math.inf
        self._restart_at = 0.0
        self._complaint = ""
        self._say_receiver, self._say_clickhouse, self._say_away = Seldom(), Seldom(), Seldom()
        self._ready = False
        self._seen: dict[Path, float] = {}
        self._watched_at = 0.0
        self._purges = PurgeWatch(config, self.metrics, clock, sources.retained)
        self._schedule = PurgeSchedule(sources.purge, clock)
        self._tasks = [CommandSchedule(task) for task in sources.tasks]
        self._record = Record(config.data_dir / "ledger", clock, self._run)
        self._node: Node | None = None

    def run(self) -> None:
        """Collect until SIGTERM or SIGINT; SIGHUP reloads. UserError where it cannot start."""
        descriptor = lock.take(self._config.data_dir)
        self._load()
        self._say_unkept()
        listeners = bind(self._config)
        endpoint = None
        try:
            endpoint = Endpoint(
                self._config.metrics,
                self.metrics.registry,
                {"/healthz": self._health, "/readyz": self._readiness, "/status": self._status},
            )
            self._collect(listeners, descriptor)
        except OverdueError:
            log.warning("stopped in the middle: what is not stored waits in the journal for the next start")
        finally:
            if endpoint:
                endpoint.close()
            listeners.close()
            os.close(descriptor)

    def stop(self, *_: object) -> None:
        """Have `run` store what was received and return; fit for a signal handler."""
        self._stopping = True

    def reload(self, *_: object) -> None:
        """Have tenants and policy read again; fit for a signal handler."""
        self._reload_asked = True

    def _collect(self, listeners: Listeners, descriptor: int) -> None:
        """Receive from the first moment; what comes before ClickHouse is up waits in the journal."""
        directory = self._config.data_dir / "journal"
        try:
            self._keeper = Keeper(directory, Shard.all(count_of(directory)))
            self._keeper.sweep()
            self._receiver = ReceiverProcess(self._config, listeners, descriptor, self._keeper, self._clock)
            self._workers = Workers(
                self._config, self._clock, self._keeper, self._run, self._sources.worker, self._note_worker
            )
        except OSError as error:
            raise RefusalError(f"{directory}: cannot be used: {error.strerror}; the journal needs it") from None
        self._forget()
        tally = self._receiver.tally
        self._accounts = Accounts(self._config, self._keeper, tally, listeners, self.metrics, self._clock, self._run)
        self._record.started(self._policy())
        try:
            self._workers.start(self._used)  # they take a moment; the receiver's is shorter
            self._receiver.start()
            if not self._start_storage():
                return
            self._workers.begin()
            self._work(listeners)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)  # what follows has bounds of its own
            self._ready = False
            self._receiver.stop()
            self._workers.stop()
            self._schedule.stop()
            for task in self._tasks:
                task.stop()
            if self._node:
                self._node.stop()
            self._record.stopped()

    def _note_worker(self) -> None:
        self.metrics.restarts.labels("worker").inc()

    def _say_ready(self) -> None:
        config = self._config
        tcp = f", TCP {', '.join(config.listen_tcp)}" if config.listen_tcp else ""
        log.info("ready: UDP %s%s, metrics on http://%s/metrics", ", ".join(config.listen), tcp, config.metrics)

    def _work(self, listeners: Listeners) -> None:
        while not self._stopping:
            self._receiver.close_sessions(self._workers.watch())
            if not self._ready and self._workers.ready:
                self._ready = True
                self._say_ready()
            self._watch()
            time.sleep(_POLL)
        log.info("stopping: storing what was received")
        self._receiver.stop()
        for listener in listeners.tcp:  # nobody accepts any more: exporters are to know it at once
            listener.close()
        self._workers.stop()
        self._account()
        waiting = self._keeper.backlog()
        if waiting:
            log.warning("%d datagrams wait in the journal for the next start", waiting)

    def _start_storage(self) -> bool:
        """Bring up the storage and its schema; a server that does not answer is waited for, False if we are stopped."""
        if isinstance(self._config.storage, Embedded):
            self._node = Node(self._config.storage, self._config.data_dir)
            self._node.start()
        while not self._stopping:
            try:
                self._sources.enforce()
            except UnreachableError as error:
                if self._node:
                    raise
                if self._say_away():
                    log.warning("%s; what is received waits in the journal", error)
                self._account()
                time.sleep(0.5)
            else:
                return True
        return False

    def _watch(self) -> None:
        """Every half second: reload what changed, start again what died, bring the gauges up to date."""
        if time.monotonic() - self._watched_at < _WATCH:
            return
        self._watched_at = time.monotonic()
        if self._reload_asked or self._changed() or self._watched_at > self._reload_at:
            self._reload_asked, self._reload_at = False, math.inf
            self._reload()
        if not self._receiver.running:
            self._restart_receiver()
        if self._node and not self._node.running and self._watched_at > self._restart_at:
            self._restart_node(self._node)
        if self._node:
            self._node.merge_last()
        self._account()
        self._purges.look()
        if self._ready:
            self._schedule.look(self._sources.purge_at())
            for task in self._tasks:
                task.look()
        self._record.catch_up()

    def _restart_receiver(self) -> None:
        self.metrics.restarts.labels("receiver").inc()
        say = self._say_receiver()
        if say:
            log.error("the receiver ended; starting it again")
        try:
            self._receiver.start()
        except (UserError, OSError) as error:
            if say:
                log.error("%s", error)

    def _restart_node(self, node: Node) -> None:
        self.metrics.restarts.labels("clickhouse").inc()
        say = self._say_clickhouse()
        if say:
            log.error("ClickHouse ended; starting it again")
        try:
            node.start()
        except UserError as error:
            self._restart_at = time.monotonic() + _AGAIN
            if say:
                log.error("%s", error)

    def _account(self) -> None:
        self.metrics.ready.set(self._is_ready())
        self._accounts.take()

    def _load(self) -> None:
        """Read tenants and policy, and copy for the workers what was read."""
        while True:
            self._seen = self._stamps()
            attribution, allocations = self._sources.load()
            used = self._snapshots.keep(self._sources.files())
            if self._stamps() == self._seen:
                break
        self._used = used
        self.metrics.allocations.set(allocations)
        self._kept, self._disclosed = attribution.kept, attribution.disclosure.categories

    def _policy(self) -> bytes:
        """Return the policy that is in force, as it was read."""
        return self._snapshots.files(self._used)[self._sources.files().index(self._config.retention)].read_bytes()

    def _forget(self, *needed: str) -> None:
        """Delete copies of tenants and policy that nobody needs any more."""
        positions = self._keeper.look()
        pending = {block.sources for at in positions for block in at.pending}
        pending |= {group.sources for at in positions for group in at.rollups}
        self._snapshots.forget({self._used, *needed, *pending})

    def _reload(self) -> None:
        before = self._used
        try:
            self._load()
            self._record.changed(self._policy())
            self._sources.enforce()
        except UserError as error:
            self._used = before  # which the workers go on with
            if isinstance(error, UnreachableError | JournalError | LedgerError):
                self._reload_at = time.monotonic() + _AGAIN
            else:
                self._record.refused(self._policy())
            self.metrics.reloads.labels("failed").inc()
            self.metrics.reload_failed.set(1)
            if str(error) != self._complaint:
                log.error("tenants and policy stay as they were: %s", error)
            self._complaint = str(error)
        else:
            self._complaint = ""
            self._workers.use(self._used)
            self._forget(before)  # which blocks may still be begun by
            self.metrics.reloads.labels("done").inc()
            self.metrics.reload_failed.set(0)
            log.info("tenants and policy are reloaded")
            self._say_unkept()

    def _say_unkept(self) -> None:
        unkept = [category.value for category in Category if category not in self._kept]
        if unkept:
            log.info("%s are not stored: %s names no such category", " and ".join(unkept), self._config.retention)
        hidden = [category for category in CATEGORIES if category not in self._disclosed]
        if hidden:
            log.info("no column of %s is stored: %s does not disclose it", " or ".join(hidden), self._config.retention)

    def _changed(self) -> bool:
        return self._stamps() != self._seen

    def _stamps(self) -> dict[Path, float]:
        return {path: _stamp(path) for path in self._sources.files()}

    def _health(self) -> Answer:
        return True, {"status": "running"}

    def _is_ready(self) -> bool:
        return self._ready and not self._stopping and (self._node is None or self._node.running)

    def _readiness(self) -> Answer:
        well = self._is_ready()
        return well, {"status": "ready" if well else "not ready"}

    def _status(self) -> Answer:
        return True, {"ready": self._ready, **self.metrics.books()}


def _stamp(path: Path) -> float:
    """Return when a file was written; 0 for one that is not there, or is just being replaced."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def install_signals(daemon: Daemon) -> None:
    """Let SIGTERM and SIGINT stop the daemon, within `_STOP` seconds or little more, and SIGHUP reload it."""

    def stop(*_: object) -> None:
        daemon.stop()
        if not signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, _STOP)

    raise_at_alarm()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, daemon.reload)
