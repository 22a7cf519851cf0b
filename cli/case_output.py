"""Cases as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from abuse.claims import Claim, claim_of
from abuse.store import Case, Event, Filed
from abuse.surroundings import Surroundings
from abuse.taking import Taken
from cli.tables import print_table

_SHOWN = 50


def taken_json(taken: Taken, filed: Iterable[Filed]) -> dict[str, Any]:
    """Return what came of taking files in, with the verdict on each report."""
    return {
        "messages": taken.messages, "known": taken.known, "reports": taken.reports, "duplicates": taken.duplicates,
        "unread": taken.unread,
        "opened": [case.id for case in taken.opened], "added_to": sorted(taken.added), "rows_held": taken.rows,
        "problems": taken.problems, "verdicts": [_line(one) for one in filed],
    }  # fmt: skip


def print_taken(taken: Taken, filed: Sequence[Filed]) -> None:
    """Print what came of taking files in."""
    print_verdict_table(filed[:_SHOWN])
    if len(filed) > _SHOWN:
        print(f"and {len(filed) - _SHOWN:,} more; `flowkeep case list` has all")
    print(
        f"{taken.messages:,} messages, {taken.known:,} more that came before: {taken.reports:,} reports, "
        f"{taken.duplicates:,} known already; "
        f"{len(taken.opened):,} cases opened, {len(taken.added):,} added to; {taken.rows:,} rows are held"
    )
    for problem in taken.problems:
        print(f"look at this: {problem}")
    if taken.unread:
        print(f"{taken.unread:,} parts could not be read: `flowkeep case unread` says which, and why")


def print_verdict_table(filed: Iterable[Filed]) -> None:
    """Print reports with their verdicts, a line each."""
    titles = ("case", "address", "time", "tenant", "verdict", "began")
    rows = [
        (
            line["case"],
            line["address"],
            line["time"],
            " or ".join(line["tenants"]),
            line["verdict"],
            line["began"] or "-",
        )
        for line in map(_line, filed)
    ]
    if rows:
        print_table(titles, rows)


def _line(one: Filed) -> dict[str, Any]:
    verdict = one.verdict
    return {
        "case": one.case, "address": str(one.report.address), "time": one.report.when.text,
        "zone_known": one.report.when.is_sure, "tenants": list(verdict.get("tenants", ())),
        "verdict": verdict.get("verdict", ""), "began": verdict.get("began", ""),
        "probability": verdict.get("probability"), "reasons": list(verdict.get("reasons", ())),
    }  # fmt: skip


def print_cases(cases: Iterable[Case], filed: Iterable[Filed]) -> None:
    """Print cases, a line each."""
    first: dict[str, str] = {}
    for one in filed:
        first.setdefault(one.case, str(one.verdict.get("verdict", "")))
    rows = [
        (case.id, case.state, case.address, case.kind or "-", " or ".join(case.tenants), first.get(case.id, "-"),
         case.assignee or "-", case.outcome or "-")
        for case in cases
    ]  # fmt: skip
    if rows:
        print_table(("case", "state", "address", "kind", "tenant", "verdict", "assignee", "outcome"), rows)
    else:
        print("there is no such case")


def case_json(
    case: Case, filed: Iterable[Filed], events: Iterable[Event], offences: Mapping[str, Sequence[tuple[Any, ...]]]
) -> dict[str, Any]:
    """Return all of a case."""
    return case.as_json() | {
        "reports": [
            _line(one) | {"digest": one.report.digest, "message": one.message, "times": one.times,
                          "form": one.report.form, "reporter": one.report.reporter, "reference": one.report.reference,
                          "hold": one.hold, "hints": one.verdict.get("hints", []),
                          "zones": one.verdict.get("zones", []),
                          "holder": one.verdict.get("holder"), "facts": one.verdict.get("facts")}
            for one in filed
        ],
        "events": [
            {"time": each.time.isoformat(), "person": each.person, "action": each.action, "details": dict(each.details)}
            for each in events
        ],
        "offences": {tenant: [list(row) for row in rows] for tenant, rows in offences.items()},
    }  # fmt: skip


def print_case(
    case: Case, filed: Sequence[Filed], events: Iterable[Event], offences: Mapping[str, Sequence[tuple[Any, ...]]]
) -> None:
    """Print all of a case."""
    print(f"{case.id}: {case.state}, {case.kind or 'of no known kind'}, {case.address}, {' or '.join(case.tenants)}")
    holds = ", ".join(sorted({one.hold for one in filed if one.hold}))
    print(f"assignee {case.assignee or '-'}, held by {holds or '-'}, outcome {case.outcome or '-'}")
    print_verdicts(filed)
    for tenant, rows in offences.items():
        for month, kind, outcome, cases in rows[:5]:
            print(f"earlier: {tenant}, {month}: {cases} {kind or 'other'} {outcome}")
    print_table(
        ("time", "who", "what", "details"), [(_minute(e.time), e.person, e.action, _details(e)) for e in events]
    )


def print_verdicts(filed: Sequence[Filed]) -> None:
    """Print each report with its verdict, the reasons, and who held the address."""
    for one in filed:
        report, verdict = one.report, one.verdict
        far = f" towards {report.target}" if report.target else ""
        print(
            f"\n{report.reporter or 'somebody'} reports {report.address}{far} at {report.when.text} ({one.times} times)"
        )
        print(f"  {verdict.get('verdict', 'no verdict yet')}: {' or '.join(verdict.get('tenants', ()))}")
        for text in (*verdict.get("reasons", ()), *verdict.get("hints", ())):
            print(f"  - {text}")
        stored = verdict.get("stored_under", ())
        if set(stored) - set(verdict.get("tenants", ())):
            print(f"  beware: flows of that time are stored under {' and '.join(stored)}")
        for warning in (verdict.get("holder") or {}).get("warnings", ()):
            print(f"  beware: {warning}")
    print()


def claims_of(filed: Iterable[Filed]) -> list[Claim]:
    """Return the claims of reports, each address and time once, the first `_SHOWN` of them."""
    return list(dict.fromkeys(claim_of(one.report) for one in filed))[:_SHOWN]


def print_surroundings(claim: Claim, found: Surroundings) -> None:
    """Print what was around a claim."""
    print(f"{claim.address}, {_minute(claim.near[0])} to {_minute(claim.near[1])}")
    most = max((row[2] + row[5] for row in found.timeline), default=0)
    titles = ("minute", "sent", "packets", "octets", "received", "packets", "octets", "")
    print_table(titles, [(_minute(row[0]), *row[1:], "#" * round(30 * (row[2] + row[5]) / (most or 1)))
                         for row in found.timeline])  # fmt: skip
    tables: tuple[tuple[str, Sequence[str], Sequence[Sequence[Any]]], ...] = (
        ("far ends", ("far end", "sent", "received", "packets", "octets", "first", "last"), found.peers),
        ("services", ("protocol", "port", "flows", "far ends"), found.services),
        ("others with the same far end", ("tenant", "address", "flows", "first", "last"), found.others),
    )
    for name, heads, rows in tables:
        if rows:
            print(f"\n{name}:")
            print_table(heads, [[_shown(value) for value in row] for row in rows])


def print_unread(found: Iterable[Mapping[str, str]]) -> None:
    """Print what could not be read."""
    rows = [(one["received"][:16], one["name"], one["place"], one["why"]) for one in found]
    if rows:
        print_table(("received", "file", "where", "why"), rows)
    else:
        print("all was read")


def print_offences(rows: Sequence[tuple[Any, ...]]) -> None:
    """Print closed cases by month."""
    if rows:
        print_table(("month", "kind", "outcome", "cases"), rows)
    else:
        print("no case was ever closed")


def _details(event: Event) -> str:
    return ", ".join(f"{name} {value}" for name, value in event.details.items())[:200]


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def _shown(value: Any) -> object:
    if isinstance(value, datetime):
        return _minute(value)
    return (value.ipv4_mapped or value) if hasattr(value, "ipv4_mapped") else value
