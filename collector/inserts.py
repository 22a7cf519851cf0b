"""A block's inserts: flows, then the other tables' rows, each tried until ClickHouse has taken it or never will.

Each goes under the block's token, so that trying again, or a second time after a crash, changes nothing: as long as
ClickHouse remembers the token. `Inserts.store` sees to that too.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from collector.dropped import FORGOTTEN, REFUSED
from collector.position import UNKNOWN, JournalError
from collector.seldom import Seldom
from schema.batch import Flows, Rows
from settings.errors import UnreachableError, UserError
from storage.client import DatabaseRefusalError, is_retryable
from storage.ddl import DEDUPLICATION_WINDOW, FLOWS
from storage.native import Name
from storage.writer import Writer

log = logging.getLogger("flowkeep")
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_PATIENCE = 60.0
"""Seconds for which a table other than flows may be refused; after that its rows are given up, not the flows'."""
_MARKED_EVERY = 60.0
_SLACK = 10_000
"""Tokens that may come and go while we ask how many there have been, and under blocks being stored at that time."""


_Inserts = dict[str, Callable[[], None]]


class Storage(Protocol):
    """ClickHouse, to write to."""

    def writer(self) -> Writer:
        """Return the one to write with now; UserError where there is none."""
        ...

    def lost(self) -> None:
        """Take note that ClickHouse did not answer: it may be somewhere else when it does."""
        ...


@dataclass(slots=True)
class Outcome:
    """What became of a block's rows: by table, why they were dropped; all others are stored. Seconds of each insert."""

    dropped: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    retries: int = 0


class Inserts:
    """Does the inserts of one worker; `store` may be called by several threads."""

    def __init__(self, storage: Storage, stopping: Callable[[], bool]) -> None:
        self._storage, self._stopping = storage, stopping
        self._mark, self._marked_at = UNKNOWN, -_MARKED_EVERY
        self._refused_since: dict[str, float] = {}
        self._say_waiting = Seldom()
        self._say_refused: defaultdict[str, Seldom] = defaultdict(Seldom)
        self._names = threading.Lock()

    def mark(self) -> int:
        """Return how many parts of flows ClickHouse had written a minute ago or later; UNKNOWN if it never answered."""
        if time.monotonic() - self._marked_at >= _MARKED_EVERY:
            with suppress(UserError):  # an older one tells of more parts than there were, which errs on the safe side
                self._mark = self._storage.writer().parts_written()
            self._marked_at = time.monotonic()
        return self._mark

    def store(
        self, token: str, mark: int, flows: Flows, others: Mapping[str, Rows], names: Sequence[Name]
    ) -> Outcome | None:
        """Store a block; return what became of it, or None where we are to stop and something of it is left.

        `mark` is what was said of the block when it was stored for the first time, UNKNOWN if this is that.
        """
        outcome = Outcome()
        inserts: _Inserts = {FLOWS: lambda: self._insert(flows, token, names, outcome)}
        return self._store(inserts | self._of_tables(others, token, outcome), mark, outcome)

    def store_rows(self, token: str, mark: int, rows: Mapping[str, Rows]) -> Outcome | None:
        """Store rows of tables other than flows, as `store` does."""
        outcome = Outcome()
        return self._store(self._of_tables(rows, token, outcome), mark, outcome)

    def _of_tables(self, rows: Mapping[str, Rows], token: str, outcome: Outcome) -> _Inserts:
        return {table: partial(self._insert_rows, table, each, token, outcome) for table, each in rows.items()}

    def _store(self, inserts: _Inserts, mark: int, outcome: Outcome) -> Outcome | None:
        if mark != UNKNOWN:
            forgotten = self._is_forgotten(mark, outcome)
            if forgotten is None:
                return None
            if forgotten:
                outcome.dropped = dict.fromkeys(inserts, FORGOTTEN)
                return outcome
        for table, insert in inserts.items():
            done = self._try(insert, table, outcome)
            if done is None:
                return None
            if not done:
                outcome.dropped[table] = REFUSED
        return outcome

    def _is_forgotten(self, mark: int, outcome: Outcome) -> bool | None:
        """Whether so much was inserted since an insert was begun that ClickHouse may no longer know its token.

        Its rows may be in or not, then; None where we are to stop.
        """
        written = 0

        def ask() -> None:
            nonlocal written
            written = self._storage.writer().parts_written()

        if self._try(ask, FLOWS, outcome) is None:
            return None
        forgotten = written - mark > DEDUPLICATION_WINDOW - _SLACK
        if forgotten:
            log.error(
                "what was being stored when we ended is too old: ClickHouse has taken %d parts since, and no longer "
                "tells whether it is among them; it is dropped (%s) rather than stored twice",
                written - mark,
                FORGOTTEN,
            )
        return forgotten

    def _insert(self, flows: Flows, token: str, names: Sequence[Name], outcome: Outcome) -> None:
        writer, begun = self._storage.writer(), time.monotonic()
        writer.write(flows, token)
        with self._names:
            writer.write_names(names)
        outcome.seconds.append(time.monotonic() - begun)

    def _insert_rows(self, table: str, rows: Rows, token: str, outcome: Outcome) -> None:
        begun = time.monotonic()
        self._storage.writer().write_rows(table, rows, token)
        outcome.seconds.append(time.monotonic() - begun)

    def persist(self, action: Callable[[], None]) -> bool:
        """Do what the journal's disk may not take now until it does; False when we are to stop."""
        return bool(self._try(action, FLOWS, Outcome()))

    def _try(self, action: Callable[[], None], what: str, outcome: Outcome) -> bool | None:
        """Try until it is done: True; False when ClickHouse will never take these rows, None when we are to stop.

        `what` is the table whose rows wait meanwhile. Flows wait for as long as it takes; behind another table that
        ClickHouse answers for, and refuses, they have waited long enough after `_PATIENCE`.
        """
        pause = _SHORTEST_PAUSE
        while True:
            try:
                action()
            except UserError as error:
                if isinstance(error, UnreachableError):
                    self._storage.lost()
                hopeless = not is_retryable(error) and not isinstance(error, JournalError)
                if hopeless or self._is_worn_out(what, error):
                    if self._say_refused[what]():
                        log.error("%s are dropped, ClickHouse refuses them: %s", _named(what), error)
                    return False
                if self._stopping():
                    return None
                outcome.retries += 1
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
        """Wait for about `pause` seconds, no two of us for the same time, or until we are to stop."""
        until = time.monotonic() + pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        while time.monotonic() < until and not self._stopping():
            time.sleep(0.05)


def _named(table: str) -> str:
    return table if table == FLOWS else f"rows of {table}"
