"""What the abuse desk works with: who it is, the time, the store of cases, ClickHouse, policy, holds and the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from abuse.store import Store
from ledger.book import Ledger
from query.held import any_held, gone_within, source
from retention.policy import Policy
from retention.runs import Files
from storage.client import Client


@dataclass(frozen=True, slots=True)
class Desk:
    """One person's work at the desk: `now` is the moment of the command, `person` who gave it.

    `query` and `retention` are clients of these roles; holds are placed under the lock of `files`.
    """

    person: str
    now: datetime
    store: Store
    query: Client
    retention: Client
    policy: Policy
    files: Files
    ledger: Ledger

    def record(self, action: str, details: Mapping[str, Any]) -> None:
        """Put on the ledger what is done; LedgerError where that cannot be: then it must not be done."""
        self.ledger.append(action, details, actor=self.person, now=self.now)

    def look(self, case: str, what: str) -> None:
        """Put on the ledger that flows of persons are looked at, for which case and to which end, before that is."""
        self.record("privileged_query", {"case": case, "purpose": "abuse", "what": what})

    def source(self, since: datetime, until: datetime) -> str:
        """Return what flows of a time are read from: with the held rows, where some of the rest is gone."""
        ((held,),) = self.query.query(any_held().text).rows
        if not held:
            return source(0)
        sql = gone_within(since, until)
        ((gone,),) = self.query.query(sql.text, sql.parameters).rows
        return source(gone)
