"""Reports against flows: who held the address, what was seen, and the verdict on each report of some cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

from abuse.claims import TOLERANCE, Claim, claim_of
from abuse.coverage import Coverage, coverage
from abuse.desk import Desk
from abuse.facts import Facts, facts, span
from abuse.store import Filed
from abuse.verdict import Circumstances, Verdict, judge
from abuse.who import Answer, Asked, answers, who
from retention.hold_store import load
from retention.holds import active
from storage.ddl import FLOWS
from storage.observe import partitions

_FEW = 20


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept: the days of classes that are there, and the holds that keep what is not."""

    days: frozenset[tuple[str, date]]
    holds: frozenset[str]

    @classmethod
    def of(cls, desk: Desk) -> _Kept:
        there = partitions(desk.retention, FLOWS)
        holds = active(load(desk.retention), desk.now)
        return cls(frozenset((one.retention_class, one.day) for one in there), frozenset(one.id for one in holds))


def investigate(desk: Desk, cases: Iterable[str], tolerance: timedelta | None = None) -> list[Filed]:
    """Give each report of the cases its verdict, keep it, and return the reports with theirs."""
    filed = desk.store.reports(cases)
    if not filed:
        return []
    ids = sorted({one.case for one in filed})
    desk.record("privileged_query", {"case": ids[0], "cases": len(ids), "purpose": "abuse", "what": "verdicts"})
    claims = [claim_of(one.report, TOLERANCE if tolerance is None else tolerance) for one in filed]
    since, until = span(claims)
    source = desk.source(since, until)
    found = facts(desk.query, claims, source)
    heard = coverage(desk.query, [(claim.first, claim.last) for claim in claims], source, desk.now)
    holders, kept = _holders(desk, filed, source), _Kept.of(desk)
    with desk.store.changing():
        for one, claim, seen in zip(filed, claims, found, strict=True):
            answer = holders[one.report.digest]
            expired, partly = _expired(desk, one, claim, answer, kept)
            verdict = judge(claim, seen, _around(claim, seen, heard, expired, partly))
            told = as_json(verdict, seen, answer, desk.now) | {"whole": expired is None}
            desk.store.judge(one.report.digest, told)
        for case in ids:
            desk.store.happen(case, desk.now, desk.person, "investigated", {})
    return desk.store.reports(ids)


def _asked(filed: Filed) -> Asked:
    when = filed.report.when
    return filed.report.address, when.earliest, when.latest


def _holders(desk: Desk, filed: list[Filed], source: str) -> dict[str, Answer]:
    """Return who held the address, by the digest of each report; of few reports also behind a translator."""
    if len(filed) > _FEW:
        found = answers(desk.query, map(_asked, filed))
        return {one.report.digest: found[_asked(one)] for one in filed}
    return {
        one.report.digest: who(
            desk.query, *_asked(one), port=one.report.port, protocol=one.report.protocol, source=source
        )
        for one in filed
    }


def _around(claim: Claim, seen: Facts, heard: Coverage, expired: datetime | None, partly: bool) -> Circumstances:
    silent = heard.silent(claim.first, claim.last)
    mine = seen.exporters or tuple(heard.exporters)
    names = tuple(str(one.ipv4_mapped or one) for one in silent if one in mine)
    return Circumstances(expired, partly, names, len(mine), heard.rate(mine))


def _expired(desk: Desk, one: Filed, claim: Claim, answer: Answer, kept: _Kept) -> tuple[datetime | None, bool]:
    """Return until when flows of the claim's time were kept, if any of these are gone, and whether some are not.

    They go by days and classes, whole. What a hold has kept since all was there is there still.
    """
    if one.hold in kept.holds and one.verdict.get("whole"):
        return None, False
    classes = {
        desk.policy.class_of(held.tenant, held.service, held.region, held.retention_class)
        for holding in answer.now.during
        if (held := holding.allocation)
    } or {desk.policy.unassigned_class}
    first = claim.first.date()
    days = [first + timedelta(days=number) for number in range((claim.last.date() - first).days + 1)]
    wanted = {(name, day) for name in classes for day in days} - kept.days
    dues = [due for name, day in wanted if (due := desk.policy.due(FLOWS, name, day)) is not None and due <= desk.now]
    return max(dues, default=None), len(dues) < len(classes) * len(days)


def as_json(verdict: Verdict, seen: Facts, answer: Answer, now: datetime) -> dict[str, Any]:
    """Return a verdict with what it goes by, as JSON."""
    numbers = {name: value for name, value in asdict(seen).items() if isinstance(value, int)}
    return {
        "verdict": verdict.word.value, "reasons": list(verdict.reasons), "began": verdict.began,
        "probability": verdict.probability, "hints": list(verdict.hints), "zones": list(verdict.zones),
        "tenants": list(answer.tenants), "stored_under": list(seen.tenants),
        "holder": answer.as_json(), "facts": numbers, "at": now.isoformat(),
    }  # fmt: skip
