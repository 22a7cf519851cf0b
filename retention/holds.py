"""Holds: what keeps rows past their age, for how long, and how that ends. Pure: a fold over events, `now` passed in.

A hold is never stored, only what happened to it. Where the events do not make sense, it stays active and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from types import MappingProxyType
from typing import Any

from retention.scope import EVERYTHING, Scope, read_scope
from settings.errors import ConfigError, RefusalError

_MOST_SAFETY_DAYS = 90
_MOST_REVIEW_DAYS = 366
_MOST_DELAY_DAYS = 365
_NOTICE = timedelta(days=7)
"""How long before its end a hold is to be reviewed, or half its length, unless it says otherwise."""


class Kind(StrEnum):
    """Why rows are held."""

    LEGAL = "legal"
    SAFETY = "safety"


class Clock(StrEnum):
    """What says how long a hold lasts.

    `epoc`: a European preservation order (Regulation (EU) 2023/1543), 60 days, once 30 more; `2703f`: a request under
    18 U.S.C. 2703(f), 90 days, once 90 more; `case`: until the case is closed, with a review every so many days;
    `safety`: so many days.
    """

    EPOC = "epoc"
    PRESERVATION = "2703f"
    CASE = "case"
    SAFETY = "safety"


class Action(StrEnum):
    """What happens to a hold.

    The last two are of safety holds that cases placed: they go by which of these are open, and need no second person.
    """

    PLACED = "placed"
    EXTENDED = "extended"
    RELEASE_REQUESTED = "release_requested"
    RELEASE_APPROVED = "release_approved"
    RELEASE_CANCELLED = "release_cancelled"
    SCOPE_CHANGED = "scope_changed"
    CASES_CLOSED = "cases_closed"


TERMS = {Clock.EPOC: (60, 30), Clock.PRESERVATION: (90, 90)}
"""Days that a hold of the clock lasts, and days by which it can be extended, once."""
DELAYS = {Kind.LEGAL: 30, Kind.SAFETY: 0}
"""Days that a released hold still holds, unless its release says otherwise."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a hold, the `number`th; `by` is a login name, `details` are JSON."""

    hold: str
    number: int
    time: datetime
    action: str
    by: str
    details: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as its events make it. `expires` is None for one that goes by its case alone.

    `days` is the clock's own number where it has one: the length of a safety hold, a case's days between reviews.
    `released` is when a second person approved the release; it holds for `delay` longer. `doubts` are its events that
    make no sense: with any, it ends by a release alone.
    """

    id: str
    kind: Kind
    clock: Clock
    scope: Scope
    placed: datetime
    by: str
    reason: str
    reference: str
    review: datetime
    expires: datetime | None
    days: int | None = None
    extended: datetime | None = None
    requested: datetime | None = None
    requested_by: str = ""
    release_reason: str = ""
    delay: timedelta = timedelta()
    released: datetime | None = None
    approved_by: str = ""
    doubts: tuple[str, ...] = ()
    events: int = 1

    @property
    def ends(self) -> datetime | None:
        """When it ceases to hold, by what is known so far; None where only a release can end it."""
        ends = [] if self.expires is None or self.doubts else [self.expires]
        if self.released is not None:
            ends.append(self.released + self.delay)
        return min(ends, default=None)

    def is_active(self, now: datetime) -> bool:
        """Say whether it holds at `now`: true also in the delay after its release."""
        return self.ends is None or now < self.ends

    def state(self, now: datetime) -> str:
        """Return in words how it stands."""
        if not self.is_active(now):
            return "released" if self.released is not None else "lapsed"
        if self.released is not None:
            return "released, still holds"
        return "release requested" if self.requested is not None else "active"

    def findings(self, now: datetime) -> tuple[str, ...]:
        """Return what a person has to look at: a review that is past, events that make no sense."""
        if not self.is_active(now):
            return ()
        past = now >= self.review and self.released is None
        text = f"hold {self.id}: its review was due {self.review:%Y-%m-%d}; it still holds: extend or release it"
        return (*(f"hold {self.id}: {doubt}" for doubt in self.doubts), *((text,) if past else ()))


class _DoubtError(Exception):
    """An event that cannot have happened to the hold as it was."""


def fold(events: Iterable[Event]) -> tuple[Hold, ...]:
    """Return the holds that the events, in any order, make; by the time they were placed."""
    ordered = sorted(events, key=lambda event: (event.hold, event.number, event.time, event.action, event.by))
    holds = []
    for _, group in groupby(ordered, key=lambda event: event.hold):
        hold: Hold | None = None
        before: Event | None = None
        for event in group:
            if event != before:  # an insert that was sent twice
                hold = _after(hold, event)
            before = event
        if hold:
            holds.append(hold)
    return tuple(sorted(holds, key=lambda hold: (hold.placed, hold.id)))


def active(holds: Iterable[Hold], now: datetime) -> tuple[Hold, ...]:
    """Return those that hold at `now`."""
    return tuple(hold for hold in holds if hold.is_active(now))


def permitted(hold: Hold | None, event: Event) -> Hold:
    """Return the hold as the event would leave it; RefusalError says why it cannot happen."""
    try:
        return _step(hold, event)
    except _DoubtError as doubt:
        raise RefusalError(f"hold {event.hold}: {doubt}; nothing was changed") from None


def _after(hold: Hold | None, event: Event) -> Hold:
    """Return the hold after an event that is on record: where it makes no sense, active, with the doubt."""
    try:
        after = _step(hold, event)
    except _DoubtError as doubt:
        text = f"event {event.number}, {event.action} by {event.by}: {doubt}"
        after = _doubtful(hold or _unknown(event), event, text)
    return replace(after, events=max(event.number, hold.events if hold else 0))


def _step(hold: Hold | None, event: Event) -> Hold:
    if event.action not in set(Action):
        raise _DoubtError("this version knows no such event")
    if hold is not None and event.number != hold.events + 1:
        raise _DoubtError(f"follows event {hold.events}, so that one is missing or there are two")
    try:
        return _STEPS[Action(event.action)](hold, event)
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError, ConfigError) as error:
        raise _DoubtError(f"its details cannot be read ({error})") from None


def _unknown(event: Event) -> Hold:
    """Return what is assumed of a hold whose beginning is not known, or cannot be read."""
    return Hold(
        event.hold, Kind.LEGAL, Clock.CASE, _scope_of(event), event.time, event.by, "not known", "", event.time, None
    )


def _scope_of(event: Event) -> Scope:
    """Return the scope that an event says; everything where it says none that can be read."""
    try:
        return read_scope(event.details["scope"])
    except (KeyError, ValueError, TypeError, AttributeError):
        return EVERYTHING


def _doubtful(hold: Hold, event: Event, doubt: str) -> Hold:
    """Return the hold, active until it is released anew."""
    says = event.action in (Action.PLACED, Action.SCOPE_CHANGED)
    scope = hold.scope.joined(_scope_of(event)) if says else hold.scope
    return replace(_unreleased(hold), scope=scope, doubts=(*hold.doubts, doubt))


def _unreleased(hold: Hold) -> Hold:
    return replace(
        hold, requested=None, requested_by="", release_reason="", delay=timedelta(), released=None, approved_by=""
    )


def _placed(hold: Hold | None, event: Event) -> Hold:
    if hold is not None:
        raise _DoubtError("it was placed already")
    if event.number != 1:
        raise _DoubtError("it is not the first event, so that one is missing")
    details = event.details
    kind, clock, days = Kind(details["kind"]), Clock(details["clock"]), details["days"]
    if clock not in ((Clock.SAFETY, Clock.CASE) if kind is Kind.SAFETY else (*TERMS, Clock.CASE)):
        raise _DoubtError(f"a {kind} hold cannot go by the clock '{clock}'")
    length, between = _lengths(clock, days)
    expires = event.time + timedelta(days=length) if length else None
    review = event.time + timedelta(days=between) if between else None
    if details["review"] is not None:
        review = _utc(details["review"])
    if review is None and expires is not None:
        review = max(expires - _NOTICE, event.time + (expires - event.time) / 2)
    if review is None or review < event.time or (expires and review > expires):
        raise _DoubtError("its review has to be after it is placed, and not after it lapses")
    if between and review > event.time + timedelta(days=between):
        raise _DoubtError(f"its first review has to be within {between} days")
    return Hold(
        event.hold, kind, clock, read_scope(details["scope"]), event.time, event.by, _said(details, "reason"),
        _said(details, "reference"), review, expires, days,
    )  # fmt: skip


def _lengths(clock: Clock, days: int | None) -> tuple[int | None, int | None]:
    """Return how many days a hold lasts, and how many there are between reviews; None where the clock has none."""
    if clock in TERMS:
        if days is not None:
            raise _DoubtError(f"the clock '{clock}' has {TERMS[clock][0]} days, and takes no other number")
        return TERMS[clock][0], None
    most = _MOST_SAFETY_DAYS if clock is Clock.SAFETY else _MOST_REVIEW_DAYS
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= most:
        what = "how many days it lasts" if clock is Clock.SAFETY else "every how many days it is reviewed"
        raise _DoubtError(f"the clock '{clock}' needs to know {what}: 1 to {most}")
    return (days, None) if clock is Clock.SAFETY else (None, days)


def _extended(hold: Hold | None, event: Event) -> Hold:
    hold = _running(hold, event)
    if hold.released is not None:
        raise _DoubtError("it is released; cancel the release first")
    if hold.clock is Clock.CASE:
        return replace(hold, review=event.time + timedelta(days=hold.days or 1), extended=event.time)
    if hold.clock not in TERMS or hold.expires is None:
        raise _DoubtError("a safety hold cannot be extended; place another, or a legal one")
    if hold.extended is not None:
        raise _DoubtError("it was extended already, which is possible once")
    expires = hold.expires + timedelta(days=TERMS[hold.clock][1])
    return replace(hold, expires=expires, review=max(hold.review, expires - _NOTICE), extended=event.time)


def _release_requested(hold: Hold | None, event: Event) -> Hold:
    hold = _running(hold, event)
    if hold.requested is not None:
        raise _DoubtError(f"{hold.requested_by} has requested its release already")
    days = event.details["delay"]
    if not isinstance(days, int) or isinstance(days, bool) or not 0 <= days <= _MOST_DELAY_DAYS:
        raise _DoubtError(f"the delay after a release is 0 to {_MOST_DELAY_DAYS} days")
    return replace(
        hold, requested=event.time, requested_by=event.by, release_reason=_said(event.details, "reason"),
        delay=timedelta(days=days),
    )  # fmt: skip


def _release_approved(hold: Hold | None, event: Event) -> Hold:
    hold = _running(hold, event)
    if hold.requested is None:
        raise _DoubtError("nobody has requested its release")
    if hold.released is not None:
        raise _DoubtError("its release is approved already")
    if event.by.strip().casefold() == hold.requested_by.strip().casefold():
        raise _DoubtError(f"{event.by} has requested the release; another person has to approve it")
    # A clock that was set back must not let the delay begin before the request.
    return replace(hold, released=max(event.time, hold.requested), approved_by=event.by)


def _release_cancelled(hold: Hold | None, event: Event) -> Hold:
    hold = _running(hold, event)
    if hold.requested is None:
        raise _DoubtError("nobody has requested its release")
    return _unreleased(hold)


def _scope_changed(hold: Hold | None, event: Event) -> Hold:
    return replace(_of_cases(hold, event), scope=read_scope(event.details["scope"]))


def _cases_closed(hold: Hold | None, event: Event) -> Hold:
    hold = _of_cases(hold, event)
    reason = _said(event.details, "reason")
    return replace(
        hold, requested=event.time, requested_by=event.by, release_reason=reason, released=event.time,
        approved_by=event.by,
    )  # fmt: skip


def _of_cases(hold: Hold | None, event: Event) -> Hold:
    hold = _running(hold, event)
    if hold.kind is not Kind.SAFETY or hold.clock is not Clock.CASE:
        raise _DoubtError("only a safety hold that cases placed goes by which of them are open")
    if hold.released is not None:
        raise _DoubtError("it is released already")
    return hold


def _running(hold: Hold | None, event: Event) -> Hold:
    if hold is None:
        raise _DoubtError("nothing is known of how it was placed")
    if not event.by.strip():
        raise _DoubtError("nobody did it")
    if not hold.is_active(event.time):
        raise _DoubtError(f"it is over since {hold.ends:%Y-%m-%d %H:%M}Z")
    return hold


def _said(details: Mapping[str, Any], name: str) -> str:
    text = details[name]
    if not isinstance(text, str) or not text.strip():
        raise _DoubtError(f"its {name} is not said")
    return text


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


_STEPS: Mapping[Action, Callable[[Hold | None, Event], Hold]] = {
    Action.PLACED: _placed,
    Action.EXTENDED: _extended,
    Action.RELEASE_REQUESTED: _release_requested,
    Action.RELEASE_APPROVED: _release_approved,
    Action.RELEASE_CANCELLED: _release_cancelled,
    Action.SCOPE_CHANGED: _scope_changed,
    Action.CASES_CLOSED: _cases_closed,
}
