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
from collector.position import JournalError
from collector.seldom import Seldom
from decoders import Decoded, Limits, State, decode
from schema.batch import Flows
from schema.columns import FLOW_TYPES
from settings.config import Config
from settings.errors import UserError
from storage.client import is_retryable
from storage.writer import Writer

log = logging.getLogger("flowkeep")
_LONGEST_PAUSE = 10.0


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
        writer: Callable[[], Writer],
        attribution: Callable[[], Attribution],
        metrics: Metrics,
        clock: Clock,
        stopping: Callable[[], bool],
        meanwhile: Callable[[], None],
    ) -> None:
        """`writer` returns the one to write with now; `meanwhile` is called while an insert waits to be tried again."""
        self._config, self._journal, self._writer, self._attribution = config, journal, writer, attribution
        self._metrics, self._clock, self._stopping, self._meanwhile = metrics, clock, stopping, meanwhile
        self._state = _load_state(journal)
        self._saved_revision = self._state.revision
        self._names = [exporter.name for exporter in config.exporters] + ["unlisted"]
        self._given_up = False
        self._say_waiting, self._say_refused = Seldom(), Seldom()

    def step(self, flush: bool) -> bool:
        """Store the next block, if one is ready or `flush` wants what there is; False where there was none.

        When we are to stop and ClickHouse does not take a block, that block is the last.
        """
        if self._given_up:
            return False
        block = self._journal.next_block(self._config.blocks.max_size, lambda since: flush or self._is_due(since))
        if block is None:
            return False
        decoded = decode(block.datagrams, self._state, Limits())
        flows = self._attribution().attribute(decoded.flows)
        stored = self._persist(lambda: self._insert(block, decoded, flows))
        revision = self._state.revision
        state = self._state.dump() if revision != self._saved_revision else None
        if stored is None or not self._persist(lambda: self._journal.commit(block, state)):
            self._given_up = True
            return False
        self._saved_revision = revision
        self._book(block, decoded, flows, stored)
        return True

    def _is_due(self, since: int) -> bool:
        age = self._clock.now_ms() - since  # negative when the clock was put back: that may last for hours
        return not 0 <= age < self._config.blocks.max_age_seconds * 1000

    def _insert(self, block: Block, decoded: Decoded, flows: Flows) -> None:
        self._journal.intend(block)
        writer = self._writer()
        with self._metrics.insert_seconds.time():
            writer.write(flows, self._journal.token(block))
            writer.write_names(decoded.names)

    def _persist(self, action: Callable[[], None]) -> bool | None:
        """Try until it is done: True; False when ClickHouse will never take these rows, None when we are to stop."""
        pause = 0.1
        while True:
            try:
                action()
            except UserError as error:
                if not is_retryable(error) and not isinstance(error, JournalError):
                    if self._say_refused():
                        log.error("flows are dropped, ClickHouse refuses them: %s", error)
                    return False
                if self._stopping():
                    return None
                self._metrics.insert_retries.inc()
                if self._say_waiting():
                    log.warning("flows are not stored for now, they wait in the journal: %s", error)
                self._wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return True

    def _wait(self, pause: float) -> None:
        until = time.monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        while time.monotonic() < until and not self._stopping():
            self._meanwhile()
            time.sleep(0.05)

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


def _load_state(journal: Journal) -> State:
    saved = journal.saved_state()
    try:
        return State.load(saved) if saved else State()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        log.error("the decoders' saved state is damaged; flows wait for their templates to come again")
        return State()
