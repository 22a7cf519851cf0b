"""`flowkeep run`: builds the parts, starts them in order, watches over them, and stops them in reverse.

Three processes: this one decodes and stores, the receiver fills the journal, and ClickHouse where it is embedded.
What retains and deletes is not here: `Sources` hands in attribution and the storage's schema from outside.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Protocol

import numpy as np

from collector.clock import Clock
from collector.endpoint import Answer, Endpoint
from collector.heap import KEPT_OCTETS, keep_freed
from collector.journal import Journal
from collector.listeners import bind, drops
from collector.metrics import Metrics
from collector.pipeline import Attribution, Pipeline
from collector.purge_watch import PurgeWatch
from collector.receiver_process import ReceiverProcess
from collector.tally import Count
from decoders.faults import Fault
from settings.config import Config, Embedded
from settings.errors import RefusalError, UnreachableError, UserError
from storage.client import connect
from storage.embedded import Node
from storage.writer import Writer

log = logging.getLogger("flowkeep")
_POLL = 0.02
_WATCH = 0.5
_DRAIN = 30.0
_SAY_EVERY = 60.0


class Sources(Protocol):
    """The files of tenants and policy, and what follows from them."""

    def files(self) -> list[Path]:
        """Return the files to watch for changes."""
        ...

    def load(self) -> tuple[Attribution, int]:
        """Read and check them all; return the attribution and how many allocations it has, or raise UserError."""
        ...

    def enforce(self) -> None:
        """Bring the database's tables and TTL to what the policy last loaded says."""
        ...


class Daemon:
    """One collector on one data directory."""

    def __init__(self, config: Config, sources: Sources, clock: Clock) -> None:
        self._config, self._sources, self._clock = config, sources, clock
        self.metrics = Metrics()
        self._stop = threading.Event()
        self._reload_asked = threading.Event()
        self._ready = False
        self._seen: dict[Path, float] = {}
        self._counted: dict[Count, int] = {}
        self._dropped: dict[str, int] = {}
        self._watched_at = 0.0
        self._purges = PurgeWatch(config, self.metrics)
        self._node: Node | None = None

    def run(self) -> None:
        """Collect until SIGTERM or SIGINT; SIGHUP reloads. UserError where it cannot start."""
        keep_freed(KEPT_OCTETS)
        lock = self._lock()
        self._attribution = self._load()
        listeners = bind(self._config.listen, self._config.receive_buffer)
        endpoint = None
        try:
            endpoint = Endpoint(
                self._config.metrics,
                self.metrics.registry,
                {"/healthz": self._health, "/readyz": self._readiness, "/status": self._status},
            )
            self._collect(listeners)
        finally:
            if endpoint:
                endpoint.close()
            for listener in listeners:
                listener.close()
            os.close(lock)

    def stop(self, *_: object) -> None:
        """Have `run` store what was received and return; fit for a signal handler."""
        self._stop.set()

    def reload(self, *_: object) -> None:
        """Have tenants and policy read again; fit for a signal handler."""
        self._reload_asked.set()

    def _collect(self, listeners: list[socket.socket]) -> None:
        """Receive from the first moment; what comes before ClickHouse is up waits in the journal."""
        self._listeners = listeners
        overrides = np.array([exporter.sampling_rate or 0 for exporter in self._config.exporters], np.uint32)
        self._journal = Journal(self._config.data_dir / "journal", overrides)
        replayed = self._journal.backlog()
        self.metrics.datagrams_received.inc(replayed)
        self.metrics.datagrams_replayed.inc(replayed)
        self._receiver = ReceiverProcess(self._config, listeners, self._journal, self._clock)
        self._receiver.start()
        try:
            if not self._start_storage():
                return
            with connect(self._config.storage, self._config.data_dir, "ingest") as client:
                pipeline = Pipeline(
                    self._config,
                    self._journal,
                    Writer(client),
                    lambda: self._attribution,
                    self.metrics,
                    self._clock,
                    self._stop.is_set,
                    self._watch,
                )
                self._ready = True
                log.info(
                    "ready: UDP %s, metrics on http://%s/metrics", ", ".join(self._config.listen), self._config.metrics
                )
                self._work(pipeline)
        finally:
            self._ready = False
            self._receiver.stop()
            if self._node:
                self._node.stop()

    def _work(self, pipeline: Pipeline) -> None:
        while not self._stop.is_set():
            busy = pipeline.step(flush=False)
            self._watch()
            if not busy:
                self._stop.wait(_POLL)
        log.info("stopping: storing what was received")
        self._receiver.stop()
        deadline = time.monotonic() + _DRAIN
        while time.monotonic() < deadline and pipeline.step(flush=True):
            pass
        self._account()
        waiting = self._journal.backlog()
        if waiting:
            log.warning("%d datagrams wait in the journal for the next start", waiting)

    def _start_storage(self) -> bool:
        """Bring up the storage and its schema; a server that does not answer is waited for, False if we are stopped."""
        if isinstance(self._config.storage, Embedded):
            self._node = Node(self._config.storage, self._config.data_dir)
            self._node.start()
        said = 0.0
        while not self._stop.is_set():
            try:
                self._sources.enforce()
            except UnreachableError as error:
                if self._node:
                    raise
                if time.monotonic() - said > _SAY_EVERY or not said:
                    said = time.monotonic()
                    log.warning("%s; what is received waits in the journal", error)
                self._account()
                self._stop.wait(1.0)
            else:
                return True
        return False

    def _lock(self) -> int:
        """Take the data directory for this process."""
        directory = self._config.data_dir
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(directory / "collector.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise RefusalError(f"{directory}: cannot be written: {error.strerror}; check 'data_dir'") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise RefusalError(
                f"another flowkeep is running on {directory}; stop it, or give this one its own 'data_dir'"
            ) from None
        return descriptor

    def _watch(self) -> None:
        """Every half second: reload what changed, start again what died, bring the gauges up to date."""
        if time.monotonic() - self._watched_at < _WATCH:
            return
        self._watched_at = time.monotonic()
        if self._reload_asked.is_set() or self._changed():
            self._reload_asked.clear()
            self._reload()
        if not self._receiver.running:
            log.error("the receiver ended; starting it again")
            self.metrics.restarts.labels("receiver").inc()
            self._receiver.start()
        if self._node and not self._node.running:
            log.error("ClickHouse ended; starting it again")
            self.metrics.restarts.labels("clickhouse").inc()
            self._restart_node(self._node)
        self._account()
        self._purges.look()

    def _restart_node(self, node: Node) -> None:
        try:
            node.start()
        except UserError as error:
            log.error("%s", error)

    def _account(self) -> None:
        for count, metric in (
            (Count.RECEIVED, self.metrics.datagrams_received),
            (Count.OCTETS, self.metrics.octets_received),
        ):
            metric.inc(self._news(count))
        faults = {Fault.EXPORTER_NOT_ALLOWED: Count.REFUSED, Fault.JOURNAL_FULL: Count.JOURNAL_FULL}
        self.metrics.count_faults({fault: news for fault, count in faults.items() if (news := self._news(count))})
        self.metrics.ready.set(self._is_ready())
        waiting = self._journal.backlog()
        oldest = self._journal.oldest_waiting()
        self.metrics.journal_backlog.set(waiting)
        self.metrics.journal_octets.set(self._journal.size())
        self.metrics.set_lag(max(self._clock.now_ms() - oldest, 0) / 1000 if oldest is not None else 0.0)
        for name, lost in zip(self._config.listen, drops(self._listeners), strict=True):
            self.metrics.socket_drops.labels(name).inc(max(lost - self._dropped.get(name, 0), 0))
            self._dropped[name] = lost

    def _news(self, count: Count) -> int:
        """Return by how much a counter of the receiver's has grown since it was last asked."""
        now = self._receiver.tally[count]
        before, self._counted[count] = self._counted.get(count, 0), now
        return now - before

    def _load(self) -> Attribution:
        self._seen = self._stamps()
        attribution, allocations = self._sources.load()
        self.metrics.allocations.set(allocations)
        return attribution

    def _reload(self) -> None:
        try:
            self._attribution = self._load()
            self._sources.enforce()
        except UserError as error:
            self.metrics.reloads.labels("failed").inc()
            self.metrics.reload_failed.set(1)
            log.error("tenants and policy stay as they were: %s", error)
        else:
            self.metrics.reloads.labels("done").inc()
            self.metrics.reload_failed.set(0)
            log.info("tenants and policy are reloaded")

    def _changed(self) -> bool:
        return self._stamps() != self._seen

    def _stamps(self) -> dict[Path, float]:
        return {path: path.stat().st_mtime if path.exists() else 0.0 for path in self._sources.files()}

    def _health(self) -> Answer:
        return True, {"status": "running"}

    def _is_ready(self) -> bool:
        return self._ready and not self._stop.is_set() and (self._node is None or self._node.running)

    def _readiness(self) -> Answer:
        well = self._is_ready()
        return well, {"status": "ready" if well else "not ready"}

    def _status(self) -> Answer:
        return True, {"ready": self._ready, **self.metrics.books()}


def install_signals(daemon: Daemon) -> None:
    """Let SIGTERM and SIGINT stop the daemon, and SIGHUP reload it."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, daemon.stop)
    signal.signal(signal.SIGHUP, daemon.reload)
