"""From journal to ClickHouse: one block after another is decoded, attributed and stored.

Books are kept at each step: a datagram is decoded or ends in a fault, a flow is stored or dropped for a reason. So are
counters and discarded packets, which go to tables of their own after the flows, and rollups, which go there with those
of some blocks more (`collector.rollup_groups`). While some blocks are on their way into ClickHouse the next is decoded;
they are committed to the journal in order.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from collector.books import WorkerBooks
from collector.clock import Clock
from collector.decoder_books import DecoderBooks
from collector.decoding import limits_of
from collector.dropped import FORGOTTEN
from collector.inserts import Inserts, Outcome
from collector.journal import Block, Journal
from collector.measurements import Attribution, Measurements, measure
from collector.metrics import Metrics
from collector.position import UNKNOWN
from collector.rollup_groups import RollupGroups
from decoders import Decoded, State, decode
from settings.config import Config
from storage.ddl import FLOWS
from tenants.adaptors import Adaptors
from tenants.port_names import PortNames

log = logging.getLogger("flowkeep")
ON_THEIR_WAY = 2
"""Blocks that ClickHouse takes at the same time, each with a core of its own; one more is decoded meanwhile."""

_TIMES_BEHIND = 3
"""How much larger blocks may be while segments wait: ClickHouse has less to merge then, and rollups have fewer rows."""

_SAVED_EVERY = 60.0
"""Seconds after which the decoders' state is saved even if it is only further on."""


@dataclass(frozen=True, slots=True)
class Work:
    """A block on its way, attributed by `sources`, and the decoders' state after it where that is to be saved."""

    block: Block
    sources: str
    decoded: Decoded
    measured: Measurements
    state: dict[str, Any] | None
    outcome: Future[Outcome | None]


class Pipeline:
    """Works off the journal: `step` and `settle` are called again and again, by one thread."""

    def __init__(
        self,
        config: Config,
        journal: Journal,
        inserts: Inserts,
        attribution: Callable[[str | None], tuple[str, Attribution]],
        books: WorkerBooks,
        metrics: Metrics,
        clock: Clock,
        close_sessions: Callable[[set[int]], None],
    ) -> None:
        """`attribution` returns the one in force and the name of its sources, or the one of the sources it is given.

        `close_sessions` is given the TCP sessions that broke the rules.
        """
        self._config, self._journal, self._inserts, self._attribution = config, journal, inserts, attribution
        self._worker_books, self._metrics, self._clock, self._close_sessions = books, metrics, clock, close_sessions
        self._limits = limits_of(config)
        self._state = _load_state(journal)
        self._saved_revision, self._saved_at = self._state.revision, time.monotonic()
        self._is_saved = True
        self._books = DecoderBooks(config, metrics)
        self._adaptors, self._port_names = Adaptors(), PortNames()
        self._rollups = RollupGroups(journal, inserts, attribution, config.blocks.rollup_seconds)
        self._given_up = False
        self._flying: deque[Work] = deque()
        self._threads = ThreadPoolExecutor(ON_THEIR_WAY, "insert")

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way."""
        return not self._flying

    def step(self, flush: bool) -> bool:
        """Send the next block on its way, if one is ready or `flush` wants what there is; False where there was none.

        There is none either while as many are on their way as may be, nor after one was given up.
        """
        if self._given_up or len(self._flying) > ON_THEIR_WAY:
            return False
        most = self._config.blocks.max_size * (_TIMES_BEHIND if self._journal.segments_behind > 1 else 1)
        block = self._journal.next_block(most, lambda since: flush or self._is_due(since))
        if block is None:
            return False
        decoded = decode(block.datagrams, self._state, self._limits)
        if decoded.broken_sessions:
            self._close_sessions(decoded.broken_sessions)
        sources, attribution = self._attribution(block.before.sources if block.before else None)
        flows = attribution.attribute(decoded.flows)
        measured = measure(decoded, flows, attribution, self._adaptors, self._port_names)
        state = self._state.dump() if self._must_save() else None
        mark = self._inserts.mark()
        if not self._inserts.persist(lambda: self._journal.intend(block, sources, mark)):
            self._given_up = True
            return False
        self._is_saved = False
        if state is not None:
            self._note_saved()
        token = self._journal.token(block)
        before = block.before.mark if block.before else UNKNOWN
        outcome = self._threads.submit(self._inserts.store, token, before, flows, measured.kept, measured.names)
        self._flying.append(Work(block, sources, decoded, measured, state, outcome))
        return True

    def settle(self, patience: float | None = 0.0) -> None:
        """Commit the blocks that are stored; wait for the oldest up to `patience` seconds, None for all of them.

        Then the rollups whose time it is. When we are to stop and ClickHouse does not take a block, that block and
        those after it are cut again at the next start, and their tokens tell what is in already.
        """
        while self._flying:
            work = self._flying[0]
            wait([work.outcome], patience)
            if not work.outcome.done():
                break
            outcome = work.outcome.result()
            if outcome is None or self._given_up or not self._commit(work, outcome):
                self._given_up = True
            self._flying.popleft()
        self._store_rollups(patience if patience is None else 0.0)

    def _commit(self, work: Work, outcome: Outcome) -> bool:
        measured, grouped = work.measured, work.measured.rollups
        self._books.book(work.block, work.decoded, outcome.dropped.get(FLOWS))
        self._books.book_unkept(measured.unkept)
        self._book_rows({table: each.rows for table, each in measured.kept.items()}, outcome)
        if grouped and outcome.dropped.get(FLOWS) == FORGOTTEN:
            rows = self._rollups.rows(grouped, work.sources)
            self._books.book_rows({table: each.rows for table, each in rows.items()}, dict.fromkeys(rows, FORGOTTEN))
            grouped = None
        self._books.book_state(self._state, self._clock.now_ms())
        books = self._worker_books.saved()

        def commit() -> None:
            rollups = self._rollups.keep(work.block, grouped, work.sources) if grouped else self._journal.rollups
            self._journal.commit(work.block, work.state, books, rollups)

        return self._inserts.persist(commit)

    def _store_rollups(self, patience: float | None, early: bool = False) -> None:
        stored = self._rollups.step(patience, early)
        if stored is not None:
            rows, outcome = stored
            self._book_rows(rows, outcome)
            books = self._worker_books.saved()
            self._rollups.given_up |= not self._inserts.persist(lambda: self._journal.commit_rollups(books))

    def _book_rows(self, rows: Mapping[str, int], outcome: Outcome) -> None:
        self._books.book_rows(rows, outcome.dropped)
        self._metrics.insert_retries.inc(outcome.retries)
        for seconds in outcome.seconds:
            self._worker_books.note_insert(seconds)

    def finish(self) -> None:
        """Store the rollups that are left, and save the decoders' state; to be called when no block will come."""
        while self._journal.rollups and not self._rollups.given_up and not self._given_up:
            self._store_rollups(None, early=True)
        self._save()

    def _save(self) -> None:
        """Save the decoders' state as it is after the last block."""
        if self._given_up or self._is_saved:  # given up, it knows of a block that is not stored
            return
        state = self._state.dump()
        if self._inserts.persist(lambda: self._journal.save_state(state)):
            self._note_saved()

    def _must_save(self) -> bool:
        """Whether the decoders have learnt something, or what only moves on is too old: numbers, times of refresh."""
        return self._state.revision != self._saved_revision or time.monotonic() - self._saved_at >= _SAVED_EVERY

    def _note_saved(self) -> None:
        self._saved_revision, self._saved_at, self._is_saved = self._state.revision, time.monotonic(), True

    def _is_due(self, since: int) -> bool:
        age = self._clock.now_ms() - since  # negative when the clock was put back: that may last for hours
        return not 0 <= age < self._config.blocks.max_age_seconds * 1000


def _load_state(journal: Journal) -> State:
    saved = journal.saved_state()
    try:
        return State.load(saved, journal.state_is_current) if saved else State()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        log.error("the decoders' saved state is damaged; flows wait for their templates to come again")
        return State()
