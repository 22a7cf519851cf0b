"""Reports against flows: who held the address, what was seen, and the verdict on each report of some cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from abuse.claims import TOLERANCE, Claim, claim_of
from abuse.coverage import Coverage, coverage
from abuse.desk import Desk
from abuse.facts import Facts, facts, span
from abuse.store import Filed
from abuse.verdict import Circumstances, Verdict, judge
from abuse.who import Answer, Asked, answers, who
from retention.plan import due_at
from storage.ddl import FLOWS
from storage.observe import Partition

_FEW = 20


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
    holders = _holders(desk, filed, source)
    with desk.store.changing():
        for one, claim, seen in zip(filed, claims, found, strict=True):
            answer = holders[_asked(one)]
            verdict = judge(claim, seen, _around(desk, claim, seen, heard, answer))
            desk.store.judge(one.report.digest, as_json(verdict, seen, answer, desk.now))
        for case in ids:
            desk.store.happen(case, desk.now, desk.person, "investigated", {})
    return desk.store.reports(ids)


def _asked(filed: Filed) -> Asked:
    when = filed.report.when
    return filed.report.address, when.earliest, when.latest


def _holders(desk: Desk, filed: list[Filed], source: str) -> dict[Asked, Answer]:
    """Return who held the address of each report; of few reports also behind a translator."""
    if len(filed) > _FEW:
        return answers(desk.query, map(_asked, filed))
    return {_asked(one): who(desk.query, *_asked(one), port=one.report.port, source=source) for one in filed}


def _around(desk: Desk, claim: Claim, seen: Facts, heard: Coverage, answer: Answer) -> Circumstances:
    silent = heard.silent(claim.first, claim.last)
    mine = seen.exporters or tuple(heard.exporters)
    return Circumstances(
        _expired(desk, claim, answer),
        tuple(str(one.ipv4_mapped or one) for one in silent if one in mine),
        len(mine),
        heard.rate(mine),
    )


def _expired(desk: Desk, claim: Claim, answer: Answer) -> datetime | None:
    """Return until when flows of the claim's last day were kept, if that is over; by the longest of their classes."""
    classes = {
        desk.policy.class_of(held.tenant, held.service, held.region, held.retention_class)
        for one in answer.now.during
        if (held := one.allocation)
    } or {desk.policy.unassigned_class}
    days = [Partition("", name, claim.last.date(), 0, 0, None, None, table=FLOWS) for name in classes]
    due = max(moment for day in days if (moment := due_at(desk.policy, day)) is not None)
    return due if due <= desk.now else None


def as_json(verdict: Verdict, seen: Facts, answer: Answer, now: datetime) -> dict[str, Any]:
    """Return a verdict with what it goes by, as JSON."""
    numbers = {name: value for name, value in asdict(seen).items() if isinstance(value, int)}
    return {
        "verdict": verdict.word.value, "reasons": list(verdict.reasons), "began": verdict.began,
        "probability": verdict.probability, "hints": list(verdict.hints), "zones": list(verdict.zones),
        "tenants": list(answer.tenants), "stored_under": list(seen.tenants),
        "holder": answer.as_json(), "facts": numbers, "at": now.isoformat(),
    }  # fmt: skip
