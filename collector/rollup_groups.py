"""Rollups of several blocks, stored together: from second to second an hour's sums are much the same groups.

What a block comes to is written beside the position when the block is committed, so that a crash loses none of it, and
is read again when some seconds' blocks are added up: what a restart would read is what is always read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from collector.inserts import Inserts, Outcome
from collector.journal import Block, Journal
from collector.measurements import Attribution
from collector.position import UNKNOWN, RollupGroup
from rollups.group import Grouped
from rollups.rollups import Rollups
from rollups.saved import dump, load
from schema.batch import Rows
from schema.disclosure import Disclosure

log = logging.getLogger("flowkeep")
MOST = 1_000_000
"""Partial sums that are added up at once: a worker takes some 200 MB for it."""

Stored = tuple[dict[str, int], Outcome]
"""Of rollups that were stored how many rows each table has, and what became of them."""


class RollupGroups:
    """The groups of one worker: blocks join them, and one after another is stored."""

    def __init__(
        self,
        journal: Journal,
        inserts: Inserts,
        attribution: Callable[[str | None], tuple[str, Attribution]],
        seconds: float,
    ) -> None:
        """`attribution` is as of `Pipeline`; a group is stored `seconds` after its first block."""
        self._journal, self._inserts, self._attribution, self._seconds = journal, inserts, attribution, seconds
        self.given_up = False
        self._opened_at = time.monotonic()
        self._again = {group.token for group in journal.rollups}
        self._stored: Future[Stored | None] | None = None
        self._thread = ThreadPoolExecutor(1, "rollups")

    def keep(self, block: Block, grouped: Grouped, sources: str) -> tuple[RollupGroup, ...]:
        """Write what a block comes to; return the groups as they are to be committed with it. JournalError."""
        name, groups = self._journal.keep_rollups(block, dump(grouped)), self._journal.rollups
        last = groups[-1] if groups else None
        if last and not last.token and last.sources == sources and last.size + grouped.count <= MOST:
            files, size, flows = (*last.files, name), last.size + grouped.count, last.flows + grouped.flows
            return (*groups[:-1], last._replace(files=files, size=size, flows=flows))
        self._opened_at = time.monotonic()
        return (*groups, RollupGroup((name,), grouped.count, grouped.flows, sources))

    def rows(self, grouped: Grouped, sources: str) -> dict[str, Rows]:
        """Return the rows that one block comes to by itself."""
        rollups = Rollups()
        rollups.add_groups(grouped)
        return _disclosed(rollups, self._disclosure(sources))

    def step(self, patience: float | None, early: bool) -> Stored | None:
        """Have the first group stored if it is its time, or `early`; return what became of it once that is known.

        That is waited for up to `patience` seconds, None for as long as it takes. When we are to stop and it cannot be
        stored, it is `given_up`, and tried again after the next start.
        """
        groups = self._journal.rollups
        if self._stored is None and not self.given_up and groups and (early or self._is_due(groups)):
            mark = self._inserts.mark()
            if self._inserts.persist(lambda: self._journal.begin_rollups(mark)):
                group = self._journal.rollups[0]
                self._stored = self._thread.submit(self._store, group, self._disclosure(group.sources))
            else:
                self.given_up = True
        if self._stored is None or not wait([self._stored], patience).done:
            return None
        stored = self._stored.result()
        self._stored, self.given_up = None, stored is None
        return stored

    def _is_due(self, groups: tuple[RollupGroup, ...]) -> bool:
        return len(groups) > 1 or bool(groups[0].token) or time.monotonic() - self._opened_at >= self._seconds

    def _disclosure(self, sources: str) -> Disclosure:
        _, attribution = self._attribution(sources)
        return attribution.disclosure

    def _store(self, group: RollupGroup, disclosure: Disclosure) -> Stored | None:
        rollups = Rollups()
        for name in group.files:
            try:
                rollups.add_groups(load(self._journal.read_rollups(name)))
            except (LookupError, OSError, ValueError) as error:
                log.error("%s: not readable, so the rollups lack a block's flows: %s", name, error)
        rows = _disclosed(rollups, disclosure)
        mark = group.mark if group.token in self._again else UNKNOWN
        outcome = self._inserts.store_rows(group.token, mark, rows)
        return None if outcome is None else ({table: each.rows for table, each in rows.items()}, outcome)


def _disclosed(rollups: Rollups, disclosure: Disclosure) -> dict[str, Rows]:
    return {table: rows for table, rows in rollups.rows().items() if disclosure.stores(table)}
