"""Holds as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli.tables import print_table
from retention.copies import Copy
from retention.holds import Event, Hold
from retention.plan import Key


@dataclass(frozen=True, slots=True)
class Copied:
    """What a hold was found to cover, rows by partition, and the oldest row that there is to be held.

    `already` are rows of partitions that are gone from their table, and that another hold has kept.
    """

    rows: dict[Key, int]
    copied: int
    already: int
    oldest: datetime | None


def hold_json(hold: Hold, now: datetime) -> dict[str, Any]:
    """Return a hold with its state at `now`."""
    return {
        "id": hold.id,
        "kind": hold.kind.value,
        "clock": hold.clock.value,
        "state": hold.state(now),
        "active": hold.is_active(now),
        "scope": hold.scope.as_json(),
        "placed": _iso(hold.placed),
        "by": hold.by,
        "reason": hold.reason,
        "reference": hold.reference,
        "review": _iso(hold.review),
        "expires": _iso(hold.expires),
        "extended": _iso(hold.extended),
        "release_requested": _iso(hold.requested),
        "release_requested_by": hold.requested_by or None,
        "release_reason": hold.release_reason or None,
        "released": _iso(hold.released),
        "released_by": hold.approved_by or None,
        "delay_days": hold.delay.days if hold.requested else None,
        "holds_until": _iso(hold.ends),
        "findings": list(hold.findings(now)),
    }


def print_holds(holds: Iterable[Hold], now: datetime) -> None:
    """Print a line for each hold."""
    rows = [
        (hold.id, hold.kind, hold.clock, hold.state(now), str(hold.scope), hold.reference, hold.by,
         _day(hold.review), _day(hold.ends))
        for hold in holds
    ]  # fmt: skip
    print_table(("hold", "kind", "clock", "state", "covers", "reference", "placed by", "review", "holds until"), rows)


def print_hold(hold: Hold, events: Iterable[Event], copies: Sequence[Copy], now: datetime) -> None:
    """Print all of a hold: what it is, what happened to it, and the copies that were made for it."""
    facts = hold_json(hold, now) | {"scope": str(hold.scope), "findings": None}
    print_table(("", ""), [(name.replace("_", " "), text) for name, text in facts.items() if text is not None])
    print()
    rows = [(f"{event.time:%Y-%m-%d %H:%M:%S}Z", event.action, event.by) for event in events]
    print_table(("when", "what", "who"), rows)
    if copies:
        print()
        print_table(("table", "class", "day", "rows in the copy"), [(*copy.key, copy.totals.rows) for copy in copies])


def print_copied(hold: Hold, copied: Copied) -> None:
    """Say which rows of which days a hold covers, and what it cannot cover because it is gone."""
    by_day: dict[tuple[str, str], int] = {}
    for (table, _, day), rows in sorted(copied.rows.items(), key=lambda item: (item[0][0], item[0][2])):
        by_day[table, str(day)] = by_day.get((table, str(day)), 0) + rows
    print(f"hold {hold.id} covers {sum(by_day.values()):,} rows; {copied.copied} partitions copied and verified")
    if by_day:
        print_table(("table", "day", "rows"), [(table, day, rows) for (table, day), rows in by_day.items()])
    if copied.already:
        print(f"and {copied.already:,} rows of days that are gone from their tables, which other holds have kept")
    print(limits(hold, copied.oldest))


def limits(hold: Hold, oldest: datetime | None) -> str:
    """Return in words what the hold cannot cover, because it is gone, and what it will yet cover."""
    since, until = hold.scope.since, hold.scope.until
    later = "" if until else "; rows to come are copied before they are dropped"
    if oldest is None:
        return f"there are no rows yet{later}"
    when = f"{oldest:%Y-%m-%d %H:%M:%S}Z"
    if until and until <= oldest:
        return f"the oldest row is of {when}: all of the time that the hold is about is gone already"
    if since and since >= oldest:
        return f"the oldest row is of {when}, so that nothing of the time was gone{later}"
    return f"the oldest row is of {when}: what was received before is gone already, and not held{later}"


def print_findings(holds: Iterable[Hold], now: datetime) -> bool:
    """Print what a person has to look at; return whether there is anything."""
    found = [text for hold in holds for text in hold.findings(now)]
    for text in found:
        print(f"look at this: {text}")
    return bool(found)


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z") if moment else None


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "-"
