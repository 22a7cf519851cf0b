"""From journal to ClickHouse: one block after another is decoded, attributed and stored.

Books are kept at each step: a datagram is decoded or ends in a fault, a flow is stored or dropped for a reason.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from collector.clock import Clock
from collector.journal import Block, Journal
from collector.metrics import Metrics
from decoders import Decoded, Limits, State, decode
from decoders.faults import Fault
from schema.batch import Flows
from schema.columns import FLOW_TYPES
from settings.config import Config
from settings.errors import UserError
from storage.client import is_retryable
from storage.writer import Writer

log = logging.getLogger("flowkeep")
_LONGEST_PAUSE = 10.0
_LOG_EVERY = 60.0


class Attribution(Protocol):
    """Says whose flows they are; `tenants.attribute.Attributor` is one."""

    def attribute(self, flows: Flows) -> Flows:
        """Return the flows with tenants, direction and retention class."""
        ...


class Pipeline:
    """Works off the journal; `step` is called again and again, by one thread."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        writer: Writer,
        attribution: Callable[[], Attribution],
        metrics: Metrics,
        clock: Clock,
        stopping: Callable[[], bool],
        meanwhile: Callable[[], None],
    ) -> None:
        """`meanwhile` is called while an insert waits to be tried again."""
        self._config, self._journal, self._writer, self._attribution = config, journal, writer, attribution
        self._metrics, self._clock, self._stopping, self._meanwhile = metrics, clock, stopping, meanwhile
        saved = journal.saved_state()
        self._state = State.load(saved) if saved else State()
        self._saved_revision = self._state.revision
        self._names = [exporter.name for exporter in config.exporters] + ["unlisted"]
        self._logged_at = 0.0

    def step(self, flush: bool) -> bool:
        """Store the next block, if one is ready or `flush` wants what there is; False where there was none."""
        block = self._journal.next_block(self._config.blocks.max_size, lambda _, since: flush or self._is_due(since))
        if block is None:
            return False
        self._journal.intend(block)
        decoded = decode(block.datagrams, self._state, Limits())
        flows = self._attribution().attribute(decoded.flows)
        stored = self._store(block, decoded, flows)
        if stored is None:
            return False
        revision = self._state.revision
        self._journal.commit(block, self._state.dump() if revision != self._saved_revision else None)
        self._saved_revision = revision
        self._book(block, decoded, flows, stored)
        return True

    def _is_due(self, since: int) -> bool:
        return self._clock.now_ms() - since >= self._config.blocks.max_age_seconds * 1000

    def _store(self, block: Block, decoded: Decoded, flows: Flows) -> bool | None:
        """Insert the block; True when stored, False when ClickHouse will never take it, None when we are to stop."""
        token, pause = self._journal.token(block), 0.1
        while True:
            try:
                with self._metrics.insert_seconds.time():
                    self._writer.write(flows, token)
                    self._writer.write_names(decoded.interface_names)
            except UserError as error:
                if not is_retryable(error):
                    log.error("block %s is dropped, ClickHouse refuses it: %s", token, error)
                    return False
                if self._stopping():
                    return None
                self._metrics.insert_retries.inc()
                self._wait(error, pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return True

    def _wait(self, error: UserError, pause: float) -> None:
        if time.monotonic() - self._logged_at > _LOG_EVERY:
            self._logged_at = time.monotonic()
            log.warning("ClickHouse does not take the flows, they wait in the journal: %s", error)
        self._bound_journal()
        until = time.monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        while time.monotonic() < until and not self._stopping():
            self._meanwhile()
            time.sleep(0.05)

    def _bound_journal(self) -> None:
        gone = self._journal.evict(self._config.journal.max_size)
        if gone:
            self._metrics.count_faults({Fault.JOURNAL_FULL: gone})
            log.error("the journal is at its bound (journal.max_size): the oldest %d datagrams are gone", gone)

    def _book(self, block: Block, decoded: Decoded, flows: Flows, stored: bool) -> None:
        metrics = self._metrics
        metrics.datagrams_decoded.inc(decoded.datagrams - decoded.datagrams_bad)
        metrics.count_faults(decoded.faults)
        entries = np.bincount(np.minimum(block.entries, len(self._names) - 1), minlength=len(self._names))
        for name, count in zip(self._names, entries.tolist(), strict=True):
            if count:
                metrics.exporter_datagrams.labels(name).inc(count)
        types = np.bincount(flows.column("flow_type"), minlength=len(FLOW_TYPES)).tolist()
        for name, count in zip(FLOW_TYPES, types, strict=True):
            if count:
                metrics.records_decoded.labels(name).inc(count)
        if stored:
            metrics.records_stored.inc(flows.rows)
        elif flows.rows:
            metrics.records_dropped.labels("refused_by_clickhouse").inc(flows.rows)
        metrics.sampling_unknown.inc(int(np.count_nonzero(flows.column("sampling_rate") == 0)))
        metrics.sequence_gaps.inc(decoded.sequence_gaps)
        metrics.templates_received.inc(decoded.templates)
        metrics.option_records.inc(decoded.option_records)
        metrics.counter_samples.inc(decoded.counter_samples)
        metrics.templates.set(len(self._state.templates.by_key))
        self._bound_journal()
