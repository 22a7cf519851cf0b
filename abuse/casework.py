"""What people do with a case: take it, write to it, close it; each is an event of the case and on the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from abuse import safety
from abuse.desk import Desk
from abuse.store import OUTCOMES, STATES, Case, Store
from settings.errors import ConfigError, RefusalError


def note(desk: Desk, id_: str, text: str) -> Case:
    """Write a note to a case. What it says is in the case alone: the ledger outlives it."""
    case = desk.store.case(id_)
    return _happen(desk, case, "note", {"text": text}, {})


def assign(desk: Desk, id_: str, assignee: str) -> Case:
    """Give an open case to somebody; it is then being investigated."""
    case = _open(desk, id_)
    state = "investigating" if case.state == "open" else case.state
    told = {"to": assignee}
    return _happen(desk, case, "assigned", told, told, assignee=assignee, state=state)


def move(desk: Desk, id_: str, state: str) -> Case:
    """Bring an open case into another state that is not its end."""
    case = _open(desk, id_)
    if state not in STATES[:-1]:
        raise ConfigError(
            f"'{state}' is no state of an open case: {', '.join(STATES[:-1])}; `flowkeep case close` ends it"
        )
    return _happen(desk, case, "state", {"to": state}, {"to": state}, state=state)


def close(desk: Desk, id_: str, outcome: str, reason: str) -> tuple[Case, dict[str, bool]]:
    """Close a case, count it, and let go of the flows that it held; return it, and of each of its holds if it ended."""
    case = _open(desk, id_)
    if outcome not in OUTCOMES:
        raise ConfigError(f"'{outcome}' is no outcome: {', '.join(OUTCOMES)}")
    holds = sorted({one.hold for one in desk.store.reports([case.id]) if one.hold})
    told, ledgered = {"outcome": outcome, "reason": reason}, {"outcome": outcome}
    case = _happen(desk, case, "closed", told, ledgered, state="closed", closed=desk.now, outcome=outcome)
    ended = safety.let_go(desk, holds)
    return case, {hold: hold in ended for hold in holds}


def forget(data_dir: Path, record: Callable[[str, Mapping[str, Any]], None], days: int, now: datetime) -> int:
    """Delete the cases that were closed more than so many days ago; return how many. Counters of offences stay."""
    if not Store.path(data_dir).exists():
        return 0
    with Store.of(data_dir) as store:
        gone = store.forget(now - timedelta(days=days))
    if gone:
        record("case", {"what": "closed cases deleted", "cases": gone, "kept_days": days})
    return gone


def _open(desk: Desk, id_: str) -> Case:
    case = desk.store.case(id_)
    if case.state == "closed":
        raise RefusalError(f"case {case.id} was closed on {case.closed:%Y-%m-%d}; a new report opens another")
    return case


def _happen(
    desk: Desk, case: Case, action: str, told: Mapping[str, Any], ledgered: Mapping[str, Any], **changes: Any
) -> Case:
    """Put on the ledger and in the case what happens to it, with what that changes; return it as it is then."""
    desk.record("case", {"case": case.id, "what": action, **ledgered})
    with desk.store.changing():
        desk.store.happen(case.id, desk.now, desk.person, action, told)
        case = desk.store.change(case, **changes)
        if case.closed:
            desk.store.offend(case, desk.now)
    return case
