"""What the collector itself puts on the ledger: that it started and stopped, and by which policy it collects.

A ledger that cannot be written keeps no flow from being stored: what is to be on record waits, and is tried again. But
a policy that is not on record does not come into force while the collector runs.
"""

from __future__ import annotations

import hashlib
import logging
import time
from datetime import UTC, datetime
from pathlib import Path

from collector.clock import Clock
from ledger.book import Ledger
from ledger.entry import JSON, Action, LedgerError

log = logging.getLogger("flowkeep")
_AGAIN = 5.0
_SYSTEM = "collector"


class Record:
    """The collector's entries in the ledger of its data directory."""

    def __init__(self, directory: Path, clock: Clock, run: str) -> None:
        self._ledger, self._clock, self._run = Ledger(directory), clock, run
        self._waiting: list[tuple[Action, dict[str, JSON], datetime]] = []
        self._policy: str | None = None
        self._tried_at = 0.0
        self._complaint = ""

    def started(self, policy: bytes) -> None:
        """Put on record that the collector starts, by which policy, and whether that is another than the last time."""
        last, self._policy = self._last_policy(), _digest(policy)
        if last not in (None, self._policy):
            self._want(Action.POLICY_CHANGE, {"before": last, "policy": self._policy})
        self._want(Action.START, {"run": self._run, "policy": self._policy})
        self._try()

    def changed(self, policy: bytes) -> None:
        """Put a policy on record before it comes into force, if it is another; LedgerError where that cannot be."""
        digest = _digest(policy)
        if digest == self._policy:
            return
        self._write_waiting()
        details: dict[str, JSON] = {"before": self._policy, "policy": digest}
        self._ledger.append(Action.POLICY_CHANGE, details, actor=_SYSTEM, now=self._now())
        self._policy = digest

    def refused(self, kept: bytes) -> None:
        """Put on record that the policy last put on record did not come into force, if it is another than `kept`."""
        digest = _digest(kept)
        if digest != self._policy:
            self._want(Action.REFUSAL, {"what": "policy_change", "refused": self._policy, "policy": digest})
            self._policy = digest
            self._try()

    def stopped(self) -> None:
        """Put on record that the collector stops."""
        self._want(Action.STOP, {"run": self._run})
        self._try()

    def catch_up(self) -> None:
        """Try again now and then to write what could not be written."""
        if self._waiting and time.monotonic() - self._tried_at > _AGAIN:
            self._try()

    def _last_policy(self) -> str | None:
        """Return the policy that was last on record; None where there is none, or it cannot be read."""
        try:
            for entry in self._ledger.newest():
                if entry.action in (Action.START, Action.POLICY_CHANGE, Action.REFUSAL) and "policy" in entry.details:
                    return str(entry.details["policy"])
        except LedgerError:  # none yet, or one that cannot be written either, which will be said
            pass
        return None

    def _want(self, action: Action, details: dict[str, JSON]) -> None:
        self._waiting.append((action, details, self._now()))

    def _try(self) -> None:
        self._tried_at = time.monotonic()
        try:
            self._write_waiting()
        except LedgerError as error:
            if str(error) != self._complaint:
                log.error("not on record, to be tried again: %s", error)
            self._complaint = str(error)
        else:
            self._complaint = ""

    def _write_waiting(self) -> None:
        while self._waiting:
            action, details, moment = self._waiting[0]
            self._ledger.append(action, details, actor=_SYSTEM, now=moment)
            del self._waiting[0]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)


def _digest(policy: bytes) -> str:
    return hashlib.sha256(policy).hexdigest()
