"""The holds that keep the flows of open cases: one for each day that cases are about, as wide as these need.

A hold of its own for each case would be more than a query takes. What a hold covers follows from its open cases: it
widens as they are opened, narrows as they are closed, and is released with the last of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from ipaddress import IPv6Network, ip_address

from abuse.claims import claim_of
from abuse.desk import Desk
from abuse.store import Case, Filed
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


def keep(desk: Desk, cases: Iterable[Case]) -> int:
    """Place or widen the holds that keep the flows of the cases, new ones; return how many rows were copied for them.

    Each case knows its hold from then on. A few cases' flows are copied at once; of many only what is soon to go.
    """
    by_day: dict[date, list[tuple[Case, list[Filed]]]] = {}
    opened = list(cases)
    filed = _by_case(desk.store.reports(case.id for case in opened))
    for case in opened:
        first = min(one.report.when.earliest for one in filed[case.id])
        by_day.setdefault(first.date(), []).append((case, filed[case.id]))
    rows = 0
    for day, those in sorted(by_day.items()):
        for at in range(0, len(those), _MOST_HOSTS):
            rows += _keep_day(desk, day, those[at : at + _MOST_HOSTS], len(opened) <= _FEW)
    return rows


def widen(desk: Desk, case: Case) -> None:
    """Have the hold of a case, to which a report came, cover that too."""
    hold = next((one for one in load(desk.retention) if one.id == case.hold), None)
    if hold is not None and hold.is_active(desk.now):
        scope = _scope(desk.store.reports([case.id])).joined(hold.scope)
        if scope != hold.scope:
            _happen(desk, hold.id, hold.events + 1, Action.SCOPE_CHANGED, {"scope": scope.as_json()}, "widened")
            _copy(desk, hold.id, all_of_it=True)


def let_go(desk: Desk, case: Case) -> bool:
    """Have the hold of a case that is closed cover what others still need; True where that is nothing, and it ends.

    The next purge takes away what no hold covers.
    """
    with desk.files.alone():
        hold = next((one for one in load(desk.retention) if one.id == case.hold), None)
        if hold is None or not hold.is_active(desk.now) or hold.released is not None:
            return True
        others = [one.id for one in desk.store.held_by(hold.id) if one.id != case.id]
        number = hold.events + 1
        if not others:
            details = {"reason": f"case {case.id} is closed, the last that it was placed for"}
            desk.record("hold_released", {"hold": hold.id, "reference": case.id, **details})
            append(desk.retention, Event(hold.id, number, desk.now, Action.CASES_CLOSED, desk.person, details))
            return True
        scope = _scope(desk.store.reports(others))
        desk.record("hold_changed", {"hold": hold.id, "reference": case.id, "how": "narrowed"})
        changed = {"scope": scope.as_json()}
        append(desk.retention, Event(hold.id, number, desk.now, Action.SCOPE_CHANGED, desk.person, changed))
        return False


def _keep_day(desk: Desk, day: date, those: list[tuple[Case, list[Filed]]], all_of_it: bool) -> int:
    scope = _scope(one for _, reports in those for one in reports)
    with desk.files.alone():
        hold, name = _of_day(load(desk.retention), day, len(scope.networks), desk.now)
        if hold is None:
            details = {
                "kind": Kind.SAFETY.value, "clock": Clock.CASE.value, "days": _REVIEW_DAYS, "review": None,
                "scope": scope.as_json(), "reference": f"abuse cases about {day}", "reason": "cases are open",
            }  # fmt: skip
            _append(desk, Event(name, 1, desk.now, Action.PLACED, desk.person, details), "placed")
        else:
            changed = {"scope": scope.joined(hold.scope).as_json()}
            _append(desk, Event(name, hold.events + 1, desk.now, Action.SCOPE_CHANGED, desk.person, changed), "widened")
    with desk.store.changing():
        for case, _ in those:
            desk.store.change(case, hold=name)
            desk.store.happen(case.id, desk.now, desk.person, "held", {"hold": name})
    return _copy(desk, name, all_of_it)


def _of_day(holds: Iterable[Hold], day: date, hosts: int, now: datetime) -> tuple[Hold | None, str]:
    """Return the active hold for cases about a day that has room, or None; and its name, or that of a new one."""
    there = {hold.id: hold for hold in holds}
    number = 1
    while True:
        name = f"cases-{day:%Y%m%d}" + (f"-{number}" if number > 1 else "")
        hold = there.get(name)
        if hold is None:
            return None, name
        if hold.is_active(now) and hold.released is None and len(hold.scope.networks) + hosts <= _MOST_HOSTS:
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


def _happen(desk: Desk, hold: str, number: int, action: Action, details: Mapping[str, object], how: str) -> None:
    with desk.files.alone():
        _append(desk, Event(hold, number, desk.now, action, desk.person, details), how)


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


def _by_case(filed: Iterable[Filed]) -> dict[str, list[Filed]]:
    found: dict[str, list[Filed]] = {}
    for one in filed:
        found.setdefault(one.case, []).append(one)
    return found
