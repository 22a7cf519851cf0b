"""Rounds: load, a fault in the middle of it, and a look at what is stored when all has settled."""

from __future__ import annotations

import signal
import time
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from benchmarks import processes, site
from benchmarks.pool import RECORDS
from benchmarks.sender import Sent
from faults.kinds import CLOCK, HOUR, Fault, Loss, Round
from faults.ledger import Found
from faults.rig import EXPORTERS, Rig
from settings.errors import RefusalError, UserError

_AFTER = 1.0
"""Seconds of load after a fault, at least."""
_LONGEST = 3600.0


@dataclass(slots=True)
class Outcome:
    """What came of a round. Flows: `sent`, `stored`; datagrams: the others. `findings` is empty if all is well."""

    kind: str
    did: str = ""
    sent: int = 0
    received: int = 0
    stored: int = 0
    missing: int = 0
    runs: int = 0
    kernel_drops: int = 0
    journal_full: int = 0
    lag_seconds: float = 0.0
    settled_after_seconds: float = 0.0
    strikes: int = 0
    findings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready value."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Intensity:
    """How hard rounds are: flows a second, seconds of load at least, and for how long ClickHouse goes away."""

    rate: float = 200_000
    seconds: float = 6.0
    away: float = 60.0


def play(rig: Rig, fault: Fault, how: Intensity, rng: Random) -> Outcome:
    """Play one round on a rig that has settled before."""
    outcome = Outcome(fault.name)
    before, drops, received, supervisor = rig.books(), rig.kernel_drops(), rig.received(), rig.collector.pid
    with rig.watched() as watch:
        rig.sender.begin(how.rate, _LONGEST)
        begun = time.monotonic()
        try:
            given = Round(rig, rng, how.seconds, how.away)
            outcome.did = fault.act(given)
            outcome.strikes = given.strikes
        except UserError as error:
            outcome.findings.append(str(error))
        if not processes.of(rig.collector.pid):
            outcome.findings.append("the supervisor ended by itself")
            rig.end(signal.SIGKILL)
            rig.start()
        time.sleep(max(begun + how.seconds - time.monotonic(), _AFTER))
        sent = rig.sender.end(at_once=True)
        ended = time.monotonic()
        try:
            books = rig.settle()
        except RefusalError as error:
            outcome.findings.append(str(error))
            books = rig.books()
        outcome.settled_after_seconds = round(time.monotonic() - ended, 2)
    restarted = rig.collector.pid != supervisor
    outcome.received, outcome.kernel_drops = rig.received() - received, rig.kernel_drops() - drops
    if restarted:
        outcome.received += rig.ended_received
        outcome.kernel_drops += rig.ended_drops
    if fault is not CLOCK:  # a lag by a clock that was moved says nothing
        outcome.lag_seconds = round(watch.lag, 2)
    grown = _since({} if restarted else before, books)
    _judge(rig, fault if not restarted else fault._replace(loss=Loss.DOWNTIME), outcome, sent, grown)
    return outcome


def _since(before: dict[str, Any], books: dict[str, Any]) -> dict[str, int]:
    """Return by how much the books have grown: of datagrams, flows, and datagrams that the journal had no room for."""
    full = books["faults"].get("journal_full", 0) - before.get("faults", {}).get("journal_full", 0)
    names = ("received", "datagrams_decoded", "datagrams_faulty", "waiting", "decoded", "stored", "replayed")
    return {name: books[name] - before.get(name, 0) for name in names} | {
        "journal_full": full, "dropped": sum(books["dropped"].values()) - sum(before.get("dropped", {}).values())
    }  # fmt: skip


def _judge(rig: Rig, fault: Fault, outcome: Outcome, sent: Sent, grown: dict[str, int]) -> None:
    with site.client(rig.collector.config) as client:
        found = rig.ledger.look(client, sent)
        if fault.name == CLOCK.name:
            ((span,),) = client.query(
                "SELECT toInt64(max(time_received)) - toInt64(min(time_received)) FROM flows"
            ).rows
            if span < HOUR:
                outcome.findings.append(f"the clock was not moved: times of reception lie within {span} s")
    outcome.sent, outcome.stored = sent.flows, found.stored_flows
    outcome.missing, outcome.runs = len(found.missing), found.runs(EXPORTERS)
    outcome.journal_full = grown["journal_full"]
    outcome.findings += found.wrong
    outcome.findings += _lost(fault, outcome, found)
    outcome.findings += _unbalanced(fault, outcome, sent, grown)


def _lost(fault: Fault, outcome: Outcome, found: Found) -> list[str]:
    """Return what is missing and may not be."""
    told = outcome.kernel_drops
    match fault.loss:
        case Loss.DOWNTIME:
            return [f"{outcome.runs} runs of an exporter's datagrams are missing"] if outcome.runs > 1 + told else []
        case Loss.BOUND:
            told += outcome.journal_full
            if outcome.missing == told:
                return []
            return [f"{outcome.missing} datagrams are missing, and the books know of {told}"]
    if len(found.missing) <= told:
        return []
    return [f"{len(found.missing)} datagrams are missing: {found.missing[:5].tolist()} ... {found.missing[-1]}"]


def _unbalanced(fault: Fault, outcome: Outcome, sent: Sent, grown: dict[str, int]) -> list[str]:
    """Return what the books of `flowkeep run` do not account for, since it began or since the round did."""
    wrong = []
    unread = grown["received"] - grown["datagrams_decoded"] - grown["datagrams_faulty"] - grown["waiting"]
    if unread:
        wrong.append(f"of the datagrams received, {unread} are in no account: {grown}")
    if grown["decoded"] != grown["stored"] + grown["dropped"]:
        wrong.append(f"flows decoded are not those stored and dropped: {grown}")
    unstored = outcome.received - outcome.journal_full - sent.announced - outcome.stored // RECORDS
    if unstored:
        wrong.append(f"of {outcome.received} datagrams that the receiver took, {unstored} are not stored")
    if fault.loss is Loss.DOWNTIME:
        return wrong
    if grown["stored"] != outcome.stored:
        wrong.append(f"the books say {grown['stored']} flows are stored, ClickHouse has {outcome.stored}")
    came = outcome.received + outcome.kernel_drops
    if came != sent.datagrams + sent.announced:
        wrong.append(f"{sent.datagrams + sent.announced} datagrams were sent, {came} received or dropped")
    return wrong
