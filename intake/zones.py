"""Zones as people name them: Z, UTC+2, +0100, CEST, Europe/Berlin; and what a text says of the zone of its times.

A name that is in use for more than one zone (IST, CST, BST, ...) says none.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from datetime import UTC, timedelta, timezone, tzinfo

WEST = timedelta(hours=12)
"""How far behind UTC a zone can be (UTC-12:00)."""
EAST = timedelta(hours=14)
"""How far ahead of UTC a zone can be (UTC+14:00)."""

_HOURS = {
    "UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "SAST": 2, "BRT": -3, "HKT": 8, "JST": 9, "KST": 9, "AWST": 8, "AEST": 10, "AEDT": 11,
    "NZST": 12, "NZDT": 13, "EST": -5, "EDT": -4, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8,
    "HST": -10,
}  # fmt: skip
_AMBIGUOUS = ("ADT", "AMT", "AST", "BST", "CDT", "CST", "ECT", "GST", "IST", "SST")
"""Irish, Israeli or Indian; Chinese, Cuban or Central: written behind a time, they are part of it, and say nothing."""

_SHORT = r"(?:\+(?:0[0-9]|1[0-4])|-(?:0[0-9]|1[0-2]))"
_OFFSET = rf"{_SHORT}:?(?:00|15|30|45)"
_FROM_UTC = r"(?:UTC|GMT|utc|gmt)[ ]?(?:\+(?:0?[0-9]|1[0-4])|-(?:0?[0-9]|1[0-2]))(?::?(?:00|15|30|45))?"
_NAMES = "|".join(sorted((*_HOURS, *_AMBIGUOUS), key=len, reverse=True))
WRITTEN = (
    rf"[ ]?(?P<open>[\[(])?(?P<zone>{_FROM_UTC}|{_OFFSET}|(?<=[0-9]){_SHORT}(?![0-9.:])|{_NAMES}|z|utc|gmt)"
    r"(?(open)[\])])(?![A-Za-z0-9_/]|[.:-][A-Za-z0-9])(?:[ ]\([A-Z]{1,5}\))?"
)
"""How a zone stands behind a time, its group named `zone`: a pattern to be put into others."""

_ZONE = re.compile(r"(?:UTC|GMT|utc|gmt)?[ ]?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>[0-5]\d))?", re.ASCII)
_SAID = (
    r"(?P<said>(?:UTC|GMT|utc|gmt)(?:[ ]?[+-][0-9]{1,2}(?::?[0-9]{2})?)?|[+-][0-9]{2}:?[0-9]{2}|[A-Z]{2,5}|"
    r"[A-Z][a-z]{2,15}/[A-Za-z_/-]{2,30})(?![A-Za-z])"
)
_STATEMENTS = (
    re.compile(rf"(?i:time[ -]?zone|zeitzone|utc offset)[ \t]{{0,3}}(?i:is|of|:|=|-)?[ \t]{{0,3}}\(?{_SAID}"),
    re.compile(
        r"(?i:\b(?:times|timestamps?|time stamps|dates|logs|log (?:files|lines|entries)|zeiten|zeitangaben)\b)"
        r"(?:[ ]|[^.\n0-9]{0,60}?(?i:[ ](?:in|are|is|use|using|as)[ ]|[:=(][ ]?))"
        rf"(?i:(?:the|local|time|zone|timezone)[ ]){{0,3}}{_SAID}"
    ),
)


def zone(text: str) -> tzinfo | None:
    """Return the zone that is written, None where it is none, or one of several."""
    text = text.strip(" \t()[]")
    match = _ZONE.fullmatch(text)
    if match:
        offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
        return _fixed(-offset if match["sign"] == "-" else offset)
    if text.upper() in _HOURS:
        return _fixed(timedelta(hours=_HOURS[text.upper()]))
    return zoneinfo.ZoneInfo(text) if text in _places() else None


def _fixed(offset: timedelta) -> tzinfo | None:
    if not -WEST <= offset <= EAST:
        return None
    return timezone(offset) if offset else UTC


@functools.cache
def _places() -> frozenset[str]:
    """Return the names of the machine's own list of zones, such as Europe/Berlin."""
    try:
        return frozenset(name for name in zoneinfo.available_timezones() if "/" in name)
    except OSError:
        return frozenset()


def stated(text: str) -> tzinfo | None:
    """Return the zone that a text says its times are in: "all times are UTC", "Timezone: UTC+2".

    None where it says none, one of several, or two that differ.
    """
    said = {match["said"] for statement in _STATEMENTS for match in statement.finditer(text)}
    zones = {zone(name) for name in said if name in _AMBIGUOUS or zone(name)}
    return zones.pop() if len(zones) == 1 else None
