"""A purge from end to end: alone, on record before its first step, taken up where it was interrupted, certified."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from retention.apply import Hands, Purged, apply, is_gone, is_recorded, put_on_record
from retention.certificate import certificate
from retention.gone import reconcile
from retention.guard import Allowance
from retention.held import secure, tidy
from retention.hold_store import load
from retention.owned_file import replace_file
from retention.plan import Database, Plan, Step, end_of, key_of
from retention.policy import Policy
from settings.errors import RefusalError
from settings.lock import hold
from storage.observe import Partition

_PATIENCE = 10.0
_LONG_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Files:
    """What runs leave in a directory of their own."""

    root: Path

    @classmethod
    def of(cls, data_dir: Path) -> Files:
        """Return the files in a data directory."""
        return cls(data_dir / "retention")

    @property
    def plans(self) -> Path:
        """Directory of the plans that were shown."""
        return self.root / "plans"

    @property
    def certificates(self) -> Path:
        """Directory of the certificates."""
        return self.root / "certificates"

    @property
    def running(self) -> Path:
        """File with what the run that is under way is to do; left by one that was interrupted."""
        return self.root / "running.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of everything that destroys; RefusalError while another has it."""
        with self._holding("lock", "another purge, apply or undo is running on this data; wait for its end", _PATIENCE):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep holds from being placed while a partition is looked at and dropped, and the other way round."""
        refusal = "a partition has been on its way out for minutes, and no hold can be placed; look at ClickHouse"
        with self._holding("holds.lock", refusal, _LONG_PATIENCE):
            yield

    @contextmanager
    def _holding(self, name: str, refusal: str, patience: float) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = hold(self.root / name, refusal, patience)
        try:
            yield
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is: its name, the policy's fingerprint and the plan's, and what was allowed."""

    name: str
    policy: str
    plan: str
    allowed: frozenset[Allowance] = frozenset()


def run(plan: Plan, policy: Policy, hands: Hands, files: Files, this: Run) -> tuple[list[Purged], dict[str, Any]]:
    """Apply a plan under the lock that the caller holds; return what went, and the certificate, still unsigned.

    Errors as of `apply`; a refusal goes on the ledger too. What a step before had interrupted is to be finished first:
    `finish`.
    """
    began = hands.clock()
    hands.record(
        "apply",
        {"run": this.name, "plan": this.plan, "policy": this.policy, "steps": len(plan.steps),
         "rows": sum(step.partition.rows for step in plan.steps), "allowed": sorted(this.allowed)},
    )  # fmt: skip
    steps = [_as_json(step) for step in (*plan.steps, *plan.destroy)]
    what = {"run": this.name, "policy": this.policy, "plan": this.plan, "began": began.isoformat(), "steps": steps}
    replace_file(files.running, json.dumps(what))
    try:
        purged = apply(plan, policy, hands, this.allowed)
    except RefusalError as refusal:
        hands.record("refusal", {"run": this.name, "why": str(refusal)[:2000]})
        if not any(is_gone(step, hands.client) for step in (*plan.steps, *plan.destroy)):
            files.running.unlink()  # else the next run finishes it, with a certificate of what had gone
        raise
    certified = certificate(this.name, this.policy, purged, hands)
    files.running.unlink()
    return purged, certified


def finish(hands: Hands, files: Files) -> dict[str, Any] | None:
    """Put on record what an interrupted run had dropped and not recorded; what it had not dropped is planned anew.

    Return the certificate of what went in it, unsigned; None where nothing did, or no run was interrupted.
    """
    try:
        left = json.loads(files.running.read_text())
    except FileNotFoundError:
        return None
    began, gone, recorded = datetime.fromisoformat(left["began"]), [], 0
    for step in map(_from_json, left["steps"]):
        if is_gone(step, hands.client):
            gone.append(Purged(step, hands.clock(), step.partition.rows, step.partition.bytes))
            if not is_recorded(step, hands.client, began):
                put_on_record(gone[-1], hands)
                recorded += 1
    hands.record("apply", {"run": left["run"], "interrupted": True, "recorded": recorded})
    certified = certificate(left["run"], left["policy"], gone, hands) if gone else None
    files.running.unlink()
    return certified


def look_after_holds(hands: Hands, database: Database) -> None:
    """Copy what holds cover of days that are over.

    So a hold does not depend on the purge that comes just in time: ClickHouse's own expiry is not far behind.
    """
    now, holds = hands.clock(), load(hands.client)
    for partition in database.partitions:
        cover = database.covers.get(key_of(partition))
        if cover and cover.holds and not cover.copied and end_of(partition.day) <= now:
            copy = secure(hands.client, holds, partition, now)
            hands.record("hold_copy", {"table": partition.table, "class": partition.retention_class,
                                       "day": partition.day.isoformat(), "rows": copy.totals.rows})  # fmt: skip
    reconcile(hands.client, now)


def let_go_of_held(hands: Hands) -> None:
    """Take away held rows that no hold covers any more; only where the clock is not in doubt, for holds go by it."""
    now = hands.clock()
    for gone in tidy(hands.client, load(hands.client), now):
        table, name, day = gone.key
        hands.record("hold_copy_removed", {"table": table, "class": name, "day": day.isoformat(),
                                           "rows": gone.before - gone.after})  # fmt: skip


def _as_json(step: Step) -> dict[str, Any]:
    partition = step.partition
    return {
        "table": partition.table, "class": partition.retention_class, "day": partition.day.isoformat(),
        "id": partition.partition_id, "rows": partition.rows, "octets": partition.bytes, "due": step.due.isoformat(),
        "reason": step.reason, "holds": list(step.holds), "held": step.held,
    }  # fmt: skip


def _from_json(saved: Mapping[str, Any]) -> Step:
    day = date.fromisoformat(saved["day"])
    partition = Partition(
        saved["id"], saved["class"], day, saved["rows"], saved["octets"], None, None, table=saved["table"]
    )
    # what it begins with tells what kind of end it was
    reason = f"{saved['reason']}; recorded after an interruption"
    return Step(partition, datetime.fromisoformat(saved["due"]), reason, tuple(saved["holds"]), saved["held"])
