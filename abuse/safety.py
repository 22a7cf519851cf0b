"""The holds that keep the flows of open cases: one for each day that reports are about, as wide as these need.

A hold of its own for each case would be more than a query takes. What a hold covers follows from the reports of open
cases: it widens as they come in, narrows as cases are closed, and is released with the last of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from ipaddress import IPv6Network, ip_address
from typing import Any

from abuse.claims import claim_of
from abuse.desk import Desk
from abuse.store import Filed
from retention.held import covers, secure
from retention.hold_store import append, load
from retention.holds import Action, Clock, Event, Hold, Kind
from retention.plan import due_at, key_of
from retention.scope import Scope
from retention.stored import stored
from schema.addresses import packed
from storage.held_tables import HELD_COLUMNS
from storage.observe import Partition

_BEFORE, _AFTER = timedelta(hours=1), timedelta(hours=3)
"""What is kept around the times that are searched: what led to it, and flows that are exported late."""
_REVIEW_DAYS = 30
_MOST_HOSTS = 2000
"""Addresses of one hold: ClickHouse takes no longer list as one parameter."""
_SOON = timedelta(days=3)
"""What is to go this soon is copied at once, however much it is; the rest by the next purge, which comes first."""
_FEW = 20


def keep(desk: Desk, filed: Iterable[Filed]) -> int:
    """Have the flows of reports kept by a hold of their day, and return how many rows were copied for these.

    Each report knows its hold from then on. A few reports' flows are copied at once; of many only what is soon to go.
    """
    by_day: dict[date, list[Filed]] = {}
    for one in filed:
        by_day.setdefault(one.report.when.earliest.date(), []).append(one)
    few = sum(map(len, by_day.values())) <= _FEW
    return sum(
        _keep_day(desk, day, those[at : at + _MOST_HOSTS], few)
        for day, those in sorted(by_day.items())
        for at in range(0, len(those), _MOST_HOSTS)
    )


def let_go(desk: Desk, holds: Collection[str]) -> list[str]:
    """Have holds cover no more than the reports of open cases need; return those that ended, for nothing needs them.

    The next purge takes away what no hold covers.
    """
    ended = []
    with desk.files.alone():
        for hold in load(desk.retention) if holds else ():
            if hold.id not in holds or not hold.is_active(desk.now) or hold.released is not None:
                continue
            needed = desk.store.held_by(hold.id)
            scope = _scope(needed) if needed else None
            if scope is None:
                details: dict[str, Any] = {"reason": "the cases that it was placed for are closed"}
                desk.record("hold_released", {"hold": hold.id, "reference": hold.reference, **details})
                action: Action = Action.CASES_CLOSED
                ended.append(hold.id)
            else:
                if scope == hold.scope:
                    continue
                desk.record("hold_changed", {"hold": hold.id, "reference": hold.reference, "how": "narrowed"})
                action, details = Action.SCOPE_CHANGED, {"scope": scope.as_json()}
            append(desk.retention, Event(hold.id, hold.events + 1, desk.now, action, desk.person, details))
    return ended


def finish(desk: Desk) -> int:
    """Do what killed runs, and those without ClickHouse, left undone; return how many rows were copied.

    Reports that no hold keeps get one, and holds end that only closed cases needed.
    """
    if unneeded := desk.store.unneeded():
        active = {hold.id for hold in load(desk.retention) if hold.is_active(desk.now)}
        let_go(desk, active.intersection(unneeded))
    return keep(desk, [one for one in desk.store.unfinished() if not one.hold])


def _keep_day(desk: Desk, day: date, those: list[Filed], all_of_it: bool) -> int:
    scope = _scope(those)
    with desk.files.alone():
        hold, name = _of_day(load(desk.retention), day, scope, desk.now)
        if hold is None:
            details = {
                "kind": Kind.SAFETY.value, "clock": Clock.CASE.value, "days": _REVIEW_DAYS, "review": None,
                "scope": scope.as_json(), "reference": f"abuse cases about {day}", "reason": "cases are open",
            }  # fmt: skip
            _append(desk, Event(name, 1, desk.now, Action.PLACED, desk.person, details), "placed")
        elif (joined := scope.joined(hold.scope)) != hold.scope:
            changed = {"scope": joined.as_json()}
            _append(desk, Event(name, hold.events + 1, desk.now, Action.SCOPE_CHANGED, desk.person, changed), "widened")
        with desk.store.changing():  # before anybody else may find that nothing needs the hold
            desk.store.hold(those, name)
            for case in dict.fromkeys(one.case for one in those):
                desk.store.happen(case, desk.now, desk.person, "held", {"hold": name})
    return _copy(desk, name, all_of_it)


def _of_day(holds: Iterable[Hold], day: date, scope: Scope, now: datetime) -> tuple[Hold | None, str]:
    """Return the active hold for cases about a day that has room, or None; and its name, or that of a new one."""
    there = {hold.id: hold for hold in holds}
    number = 1
    while True:
        name = f"cases-{day:%Y%m%d}" + (f"-{number}" if number > 1 else "")
        hold = there.get(name)
        if hold is None:
            return None, name
        hosts = {*hold.scope.networks, *scope.networks}
        if hold.is_active(now) and hold.released is None and len(hosts) <= _MOST_HOSTS:
            return hold, name
        number += 1


def _scope(filed: Iterable[Filed]) -> Scope:
    """Return what has to be kept for reports: the addresses' rows around the times that are searched."""
    reports = [one.report for one in filed]
    claims = [claim_of(report) for report in reports]
    networks = {IPv6Network((packed(ip_address(str(report.address))), 128)) for report in reports}
    return Scope(
        networks=tuple(sorted(networks)),
        since=min(claim.near[0] for claim in claims) - _BEFORE,
        until=max(claim.near[1] for claim in claims) + _AFTER,
    )


def _append(desk: Desk, event: Event, how: str) -> None:
    append(desk.retention, event)
    action = "hold_placed" if event.action == Action.PLACED else "hold_changed"
    desk.record(action, {"hold": event.hold, "reference": event.details.get("reference"), "how": how})


def _copy(desk: Desk, name: str, all_of_it: bool) -> int:
    """Copy what the hold covers and is not copied: all, or what is soon to go; return how many rows it covers of it."""
    holds = load(desk.retention)
    partitions = [one for one in stored(desk.retention) if one.table in HELD_COLUMNS]
    if not all_of_it:
        partitions = [one for one in partitions if _goes_soon(desk, one)]
    mine = covers(desk.retention, [hold for hold in holds if hold.id == name], partitions, desk.now)
    found = covers(desk.retention, holds, [one for one in partitions if mine[key_of(one)].rows], desk.now)
    for partition in partitions:
        cover = found.get(key_of(partition))
        if cover is not None and not cover.copied:
            copy = secure(desk.retention, holds, partition, desk.now)
            table, retention_class, day = copy.key
            details = {"hold": name, "table": table, "class": retention_class, "day": day.isoformat()}
            desk.record("hold_copy", details | {"rows": copy.totals.rows})
    return sum(cover.rows for cover in mine.values())


def _goes_soon(desk: Desk, partition: Partition) -> bool:
    due = due_at(desk.policy, partition)
    return due is None or due <= desk.now + _SOON
