"""The time range of a query, from what people type: `--last 2h`, nfdump's `-t`, or ISO 8601. `now` is an argument."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from settings.errors import ConfigError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LAST = re.compile(r"([0-9]+[smhdw])+", re.IGNORECASE)
_NFDUMP = re.compile(r"(\d{4})/(\d{1,2})(?:/(\d{1,2})(?:\.(\d{1,2})(?::(\d{1,2})(?::(\d{1,2}))?)?)?)?", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_FORMS = "2026/11/20.14:00-15:00, 2026-11-20T14:00/15:00, or a start alone"


@dataclass(frozen=True, slots=True)
class Timespan:
    """From `since` up to, not including, `until`; both aware."""

    since: datetime
    until: datetime


def last(text: str, now: datetime) -> Timespan:
    """Return the time before `now` that `text` such as 90s, 2h, 1h30m or 7d says; ConfigError where it says none."""
    try:
        since = now - length(text, "--last")
    except OverflowError:
        raise ConfigError(f"--last: '{text}' reaches back further than the calendar") from None
    return _ordered(since, now, f"--last: '{text}'")


def length(text: str, option: str) -> timedelta:
    """Return how long `text` such as 90s, 2h, 1h30m or 7d is; ConfigError, which names the `option`, for others."""
    if not _LAST.fullmatch(text):
        raise ConfigError(f"{option}: expected a time such as 90s, 30m, 2h, 7d or 1h30m, not '{text}'")
    parts = re.findall(r"([0-9]+)([a-z])", text.lower())
    try:
        return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())
    except (OverflowError, ValueError):
        raise ConfigError(f"{option}: '{text}' reaches back further than the calendar") from None


def window(text: str, now: datetime, zone: tzinfo = UTC) -> Timespan:
    """Return the window `text`: nfdump's 2026/11/20.14:00-15:00, ISO 8601's 2026-11-20T14:00/15:00, or a start alone.

    An end may be a time of the start's day; without an end the window reaches up to `now`. A time without an offset is
    in `zone`. ConfigError says what is wrong.
    """
    start, _, end = (part.strip() for part in text.partition("-" if _NFDUMP.match(text.strip()) else "/"))
    since = moment(start, zone)
    if not end:
        return _ordered(since, now, f"time window '{text}'")
    of_day = _TIME.fullmatch(end)
    until = moment(f"{since:%Y/%m/%d}.{end}", since.tzinfo or zone) if of_day else moment(end, zone)
    return _ordered(since, until, f"time window '{text}'")


def moment(text: str, zone: tzinfo = UTC) -> datetime:
    """Return the one moment `text`, nfdump's 2026/11/20.14:00:00 or ISO 8601, in `zone` where it names no offset.

    Parts left out are the first possible: 2026/11 is 1 November, 00:00. ConfigError where it is no time.
    """
    try:
        match = _NFDUMP.fullmatch(text)
        if match:
            year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
            return datetime(year, month, day or 1, hour, minute, second, tzinfo=zone)
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"'{text}' is not a time ({error}); write {_FORMS}") from None
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _ordered(since: datetime, until: datetime, what: str) -> Timespan:
    if since >= until:
        raise ConfigError(f"{what} is empty: it begins at {since.isoformat()} and ends at {until.isoformat()}")
    return Timespan(since, until)
