"""From journal to ClickHouse: one block after another is decoded, attributed and stored.

Books are kept at each step: a datagram is decoded or ends in a fault, a flow is stored or dropped for a reason. So are
counters and discarded packets, which go to tables of their own after the flows.
"""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial

from collector.clock import Clock
from collector.decoder_books import DecoderBooks
from collector.decoding import limits_of
from collector.journal import Block, Journal
from collector.measurements import Attribution, measure
from collector.metrics import Metrics
from collector.position import JournalError
from collector.seldom import Seldom
from decoders import Decoded, State, decode
from schema.batch import Flows, Rows
from settings.config import Config
from settings.errors import UserError
from storage.client import DatabaseRefusalError, is_retryable
from storage.ddl import FLOWS
from storage.writer import Writer
from tenants.adaptors import Adaptors
from tenants.port_names import PortNames

log = logging.getLogger("flowkeep")
_LONGEST_PAUSE = 10.0
_PATIENCE = 60.0
"""Seconds for which a table other than flows may be refused; after that its rows are given up, not the flows'."""
_SAVED_EVERY = 60.0
"""Seconds after which the decoders' state is saved even if it is only further on."""


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
        close_sessions: Callable[[set[int]], None],
    ) -> None:
        """`writer` returns the one to write with now; `meanwhile` is called while an insert waits to be tried again.

        `close_sessions` is given the TCP sessions that broke the rules.
        """
        self._config, self._journal, self._writer, self._attribution = config, journal, writer, attribution
        self._metrics, self._clock, self._stopping, self._meanwhile = metrics, clock, stopping, meanwhile
        self._close_sessions = close_sessions
        self._limits = limits_of(config)
        self._state = _load_state(journal)
        self._saved_revision, self._saved_at = self._state.revision, time.monotonic()
        self._is_saved = True
        self._books = DecoderBooks(config, metrics)
        self._adaptors, self._port_names = Adaptors(), PortNames()
        self._given_up = False
        self._refused_since: dict[str, float] = {}
        self._say_waiting = Seldom()
        self._say_refused: defaultdict[str, Seldom] = defaultdict(Seldom)

    def step(self, flush: bool) -> bool:
        """Store the next block, if one is ready or `flush` wants what there is; False where there was none.

        When we are to stop and ClickHouse does not take a block, that block is the last.
        """
        if self._given_up:
            return False
        block = self._journal.next_block(self._config.blocks.max_size, lambda since: flush or self._is_due(since))
        if block is None:
            return False
        decoded = decode(block.datagrams, self._state, self._limits)
        if decoded.broken_sessions:
            self._close_sessions(decoded.broken_sessions)
        attribution = self._attribution()
        flows = attribution.attribute(decoded.flows)
        measured = measure(decoded, attribution, self._adaptors, self._port_names)
        stored = self._store(block, decoded, flows, measured.kept)
        state = self._state.dump() if self._must_save() else None
        if stored is None or not self._persist(lambda: self._journal.commit(block, state)):
            self._given_up = True
            return False
        self._is_saved = False
        if state is not None:
            self._note_saved()
        self._books.book(block, decoded, flows, stored[FLOWS])
        self._books.book_rows(measured, stored)
        self._books.book_state(self._state, self._clock.now_ms())
        return True

    def save(self) -> None:
        """Save the decoders' state as it is after the last block; to be called when there will be no other."""
        if self._given_up or self._is_saved:  # given up, it knows of a block that is not stored
            return
        state = self._state.dump()
        if self._persist(lambda: self._journal.save_state(state)):
            self._note_saved()

    def _must_save(self) -> bool:
        """Whether the decoders have learnt something, or what only moves on is too old: numbers, times of refresh."""
        return self._state.revision != self._saved_revision or time.monotonic() - self._saved_at >= _SAVED_EVERY

    def _note_saved(self) -> None:
        self._saved_revision, self._saved_at, self._is_saved = self._state.revision, time.monotonic(), True

    def _is_due(self, since: int) -> bool:
        age = self._clock.now_ms() - since  # negative when the clock was put back: that may last for hours
        return not 0 <= age < self._config.blocks.max_age_seconds * 1000

    def _store(self, block: Block, decoded: Decoded, flows: Flows, others: dict[str, Rows]) -> dict[str, bool] | None:
        """Store the flows, then the other tables' rows; return by table whether ClickHouse took it.

        None where we are to stop: the block is cut again at the next start, and its token tells what is in already.
        """
        inserts: dict[str, Callable[[], None]] = {FLOWS: lambda: self._insert(block, decoded, flows)}
        inserts |= {table: partial(self._insert_rows, block, table, rows) for table, rows in others.items()}
        taken: dict[str, bool] = {}
        for table, insert in inserts.items():
            done = self._persist(insert, table)
            if done is None:
                return None
            taken[table] = done
        return taken

    def _insert(self, block: Block, decoded: Decoded, flows: Flows) -> None:
        self._journal.intend(block)
        writer = self._writer()
        with self._metrics.insert_seconds.time():
            writer.write(flows, self._journal.token(block))
            writer.write_names(decoded.names)

    def _insert_rows(self, block: Block, table: str, rows: Rows) -> None:
        with self._metrics.insert_seconds.time():
            self._writer().write_rows(table, rows, self._journal.token(block))

    def _persist(self, action: Callable[[], None], what: str = FLOWS) -> bool | None:
        """Try until it is done: True; False when ClickHouse will never take these rows, None when we are to stop.

        `what` is the table whose rows wait meanwhile. Flows wait for as long as it takes; behind another table that
        ClickHouse answers for, and refuses, they have waited long enough after `_PATIENCE`.
        """
        pause = 0.1
        while True:
            try:
                action()
            except UserError as error:
                hopeless = not is_retryable(error) and not isinstance(error, JournalError)
                if hopeless or self._is_worn_out(what, error):
                    if self._say_refused[what]():
                        log.error("%s are dropped, ClickHouse refuses them: %s", _named(what), error)
                    return False
                if self._stopping():
                    return None
                self._metrics.insert_retries.inc()
                if self._say_waiting():
                    log.warning("%s are not stored for now, they wait in the journal: %s", _named(what), error)
                self._wait(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                self._refused_since.pop(what, None)
                return True

    def _is_worn_out(self, table: str, error: UserError) -> bool:
        """Whether a table is refused for so long that its rows are given up, until some are taken again."""
        if table == FLOWS or not isinstance(error, DatabaseRefusalError):
            self._refused_since.pop(table, None)
            return False
        now = time.monotonic()
        return now - self._refused_since.setdefault(table, now) >= _PATIENCE

    def _wait(self, pause: float) -> None:
        until = time.monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        while time.monotonic() < until and not self._stopping():
            self._meanwhile()
            time.sleep(0.05)


def _named(table: str) -> str:
    return table if table == FLOWS else f"rows of {table}"


def _load_state(journal: Journal) -> State:
    saved = journal.saved_state()
    try:
        return State.load(saved, journal.state_is_current) if saved else State()
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        log.error("the decoders' saved state is damaged; flows wait for their templates to come again")
        return State()
