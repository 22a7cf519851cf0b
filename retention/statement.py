"""The retention periods in plain words, for a web site or for a person who asks, with what is measured beside. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from retention.classes import RetentionClass
from retention.plan import Database, due_at
from retention.policy import CATEGORIES, Policy
from storage.ddl import FLOWS

_PURPOSES = {
    "attack_detection": "to detect attacks", "abuse": "to deal with abuse", "troubleshooting": "to find faults",
    "capacity": "to plan capacity", "legal_process": "to answer legal process", "dsr": "to answer requests of persons",
    "audit": "to account for what our staff and systems did",
}  # fmt: skip
_BASES = {
    "consent": "consent", "contract": "a contract", "legal_obligation": "a legal obligation",
    "legitimate_interest": "a legitimate interest",
}  # fmt: skip
_WHAT = {
    "flows": "records of network traffic (who spoke with whom, when and how much, never what)",
    "counters": "counters of network devices and machines",
    "discards": "headers of packets that were discarded",
    "rollups": "sums of traffic without addresses",
    "ledger": "the record of what staff and systems did with the data",
    "logs": "the database's own logs of queries",
    "cases": "abuse cases that are closed, with the reports",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One period: what is kept, how long, what for, and the oldest of it that was measured.

    `overdue` says that something older than promised is there.
    """

    what: str
    name: str
    days: int
    purpose: str
    basis: str
    reason: str
    oldest: datetime | None
    overdue: bool


def statement(policy: Policy, database: Database, now: datetime) -> list[Line]:
    """Return a line for each class of flows and each category that is kept, the shortest-kept first."""
    lines = [_line(_WHAT["flows"], name, kept, _of(policy, database, name, True, now))
             for name, kept in policy.classes.items()]  # fmt: skip
    lines += [_line(_WHAT[name], name, kept, _of(policy, database, name, False, now))
              for name, kept in policy.named.items()]  # fmt: skip
    return sorted(lines, key=lambda line: (line.days, line.name))


def _of(policy: Policy, database: Database, name: str, flows: bool, now: datetime) -> tuple[datetime | None, bool]:
    """Return the oldest row of a class or category, and whether any of it ought to be gone."""
    mine = [
        each for each in database.partitions
        if each.retention_class == name and (each.table == FLOWS if flows else CATEGORIES.get(each.table) == name)
    ]  # fmt: skip
    overdue = any((due := due_at(policy, each)) is not None and due <= now for each in mine)
    return min((each.oldest for each in mine if each.oldest), default=None), overdue


def _line(what: str, name: str, kept: RetentionClass, found: tuple[datetime | None, bool]) -> Line:
    purpose, basis = _PURPOSES[kept.purpose], _BASES[kept.legal_basis]
    return Line(what, name, kept.keep_for, purpose, basis, kept.justification, *found)


def as_text(lines: Iterable[Line], policy: str, now: datetime) -> str:
    """Return the statement as text for a person."""
    parts = [f"How long we keep what, as measured on {_day(now)} (policy {policy})", ""]
    for line in lines:
        parts += [f"{line.what}, class '{line.name}': {_days(line.days)}",
                  f"  {line.purpose}; on the basis of {line.basis}. {line.reason}",
                  f"  {_measured(line)}", ""]  # fmt: skip
    parts.append(_END)
    return "\n".join(parts)


_END = (
    "A day counts from its end (UTC), and what is due is deleted within a day. Data under a legal or safety hold is "
    "kept until the hold ends."
)


def as_html(lines: Iterable[Line], policy: str, now: datetime) -> str:
    """Return the statement as an HTML fragment."""
    rows = "".join(
        f"<tr><td>{html.escape(line.what)}</td><td>{html.escape(line.name)}</td><td>{_days(line.days)}</td>"
        f"<td>{html.escape(line.purpose)}; {html.escape(line.basis)}. {html.escape(line.reason)}</td>"
        f"<td>{html.escape(_measured(line))}</td></tr>\n"
        for line in lines
    )
    return (
        f"<section><h2>How long we keep what</h2>\n<table><thead><tr><th>What</th><th>Class</th><th>Kept for</th>"
        f"<th>Why</th><th>Measured</th></tr></thead>\n<tbody>\n{rows}</tbody></table>\n<p>{_END}</p>\n"
        f"<p>Measured on {_day(now)}; policy {html.escape(policy)}.</p></section>\n"
    )


def as_json(lines: Iterable[Line], policy: str, now: datetime) -> Mapping[str, Any]:
    """Return the statement as JSON values."""
    return {
        "policy": policy,
        "measured": now.astimezone(UTC).isoformat(timespec="seconds"),
        "periods": [
            {"what": line.what, "class": line.name, "days": line.days, "purpose": line.purpose, "basis": line.basis,
             "reason": line.reason, "oldest": line.oldest.isoformat() if line.oldest else None,
             "kept": not line.overdue}
            for line in lines
        ],
    }  # fmt: skip


def _measured(line: Line) -> str:
    if line.oldest is None:
        return "There is none of it."
    late = " Some of it is due and goes with the next purge." if line.overdue else ""
    return f"The oldest of it is of {line.oldest:%Y-%m-%d %H:%M} UTC.{late}"


def _days(days: int) -> str:
    return f"{days} day{'s' if days != 1 else ''}"


def _day(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y-%m-%d}"
