"""Times as reporters write them: tolerant about the form, strict about the time.

What is impossible, long past, in the future or readable in two ways is refused with a reason. A time without a zone
spans all that any zone makes of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from intake.errors import UnreadError
from intake.report import When
from intake.text import printable
from intake.zones import EAST, WEST, WRITTEN, zone

OLDEST = 2000
"""The first year that a report can be about."""
AHEAD = timedelta(days=2)
"""How far a reporter's clock may be ahead of ours."""

_SECOND = timedelta(0)
_MINUTE = timedelta(seconds=59, milliseconds=999)
_DAY = timedelta(days=1) - timedelta(milliseconds=1)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MOST_KEPT = 100_000
_MOST_IN_LINE = 16

_MONTH = (
    r"(?P<name>(?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?))\.?"
)
_CLOCK = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?(?![0-9])"
    r"(?:[ ]?(?P<half>[AaPp])\.?[Mm](?![A-Za-z])\.?)?"
)
_THEN = rf"(?:(?:[Tt:]|-(?=[0-9:]{{8}})|[ ,_]{{1,3}}(?:at[ ]|um[ ]|-[ ])?){_CLOCK}(?:{WRITTEN})?)?"
_WEEKDAY = r"(?:(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}[.,]?[ ]{1,2})?"
_NUMBER = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_FORMS = tuple(
    # What follows may not make an IPv6 address of a year: "Nov 20 14:03:11 2001:db8::7".
    re.compile(rf"(?<![\w.]){form}(?!\w|:\w{{0,4}}:)", re.ASCII)
    for form in (
        rf"(?P<year>[0-9]{{4}})(?P<dash>[-/.])(?P<month>[0-9]{{1,2}})(?P=dash)(?P<day>[0-9]{{1,2}}){_THEN}",
        rf"{_WEEKDAY}{_NUMBER}[ /.-]{{1,2}}{_MONTH}[ ,/-]{{1,2}}(?P<year>[0-9]{{4}}){_THEN}",
        rf"{_WEEKDAY}{_MONTH}[ ]{{1,2}}{_NUMBER},?[ ](?P<year>[0-9]{{4}})(?!:){_THEN}",
        rf"{_WEEKDAY}{_MONTH}[ ]{{1,2}}(?P<day>[0-9]{{1,2}})[ ]{_CLOCK}(?:{WRITTEN})?(?:[ ](?P<year>20[0-9]{{2}}))?",
        rf"(?P<day>[0-9]{{1,2}})\.(?P<month>[0-9]{{1,2}})\.(?P<year>[0-9]{{4}}){_THEN}",
        rf"(?P<one>[0-9]{{1,2}})(?P<dash>[/-])(?P<other>[0-9]{{1,2}})(?P=dash)(?P<year>[0-9]{{4}}){_THEN}",
        r"(?P<year>20[0-9]{2})(?P<month>[0-9]{2})(?P<day>[0-9]{2})[Tt]?(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})"
        rf"(?P<second>[0-9]{{2}})(?:[.,](?P<fraction>[0-9]{{1,9}}))?(?:{WRITTEN})?",
    )
)
_EPOCH = re.compile(r"(?P<epoch>[0-9]{9,10}(?:\.[0-9]{1,9})?|[0-9]{12,13})", re.ASCII)
_EPOCH_IN_LINE = re.compile(
    r"(?:^[ \t\[]{0,4}|(?<=time=)|(?<=stamp=)|(?<=ts=)|(?<=epoch=)|(?<=time: )|(?<=stamp: )|(?<=epoch: )|(?<=audit\())"
    r"(?P<epoch>1[0-9]{9}(?:\.[0-9]{1,6})?|1[0-9]{12})(?![\w.])",
    re.ASCII,
)
_PLAIN = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}")
"""The form of most tables, which the standard library parses several times as fast."""
_SPAN = re.compile(r"\b[0-9]{1,2}:[0-9]{2}-[0-9]{2}:?[0-9]{2}", re.ASCII)
"""Where this is not an offset behind ISO's T, it can be a second time of day: 10:03-11:00."""
_WORTH_A_LOOK = re.compile(r"[0-9]{4}|[0-9]:[0-9]{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Mention:
    """A time in a line: where it stands, and when it is, or why it is refused; `is_day` where it names no hour."""

    start: int
    end: int
    when: When | None
    why: str = ""
    is_day: bool = False


@dataclass(frozen=True, slots=True)
class Calendar:
    """What times are read by: the present, and the zone of those without one.

    Times without a year are near to `near`, the date of the mail they came in, or else to the present.
    """

    now: datetime
    zone: tzinfo | None = None
    near: datetime | None = None
    _kept: dict[str, When | str] = field(default_factory=dict, compare=False)

    def when(self, text: str) -> When:
        """Return the time that the whole text is; UnreadError where it is none."""
        if text not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            try:
                self._kept[text] = self._whole(text.strip())
            except UnreadError as fault:
                self._kept[text] = str(fault)
        kept = self._kept[text]
        if isinstance(kept, str):
            raise UnreadError(kept)
        return kept

    def found(self, line: str) -> list[Mention]:
        """Return the first times in a line; where forms overlap, the one that begins first and is longest."""
        if not _WORTH_A_LOOK.search(line):
            return []
        matches = [match for form in (*_FORMS, _EPOCH_IN_LINE) for match in form.finditer(line)]
        matches.sort(key=lambda match: (match.start(), -match.end()))
        mentions: list[Mention] = []
        for match in matches:
            if not mentions or match.start() >= mentions[-1].end:
                mentions.append(self._mention(match))
                if len(mentions) == _MOST_IN_LINE:
                    break
        return mentions

    def _mention(self, match: re.Match[str]) -> Mention:
        is_day = match.re is not _EPOCH_IN_LINE and match["hour"] is None
        try:
            return Mention(match.start(), match.end(), self._when(match), "", is_day)
        except UnreadError as fault:
            return Mention(match.start(), match.end(), None, str(fault), is_day)

    def _whole(self, text: str) -> When:
        text = text.strip("[] ")
        local = _plain(text) if _PLAIN.fullmatch(text) else None
        if local:
            return self._placed(local, _SECOND, self.zone, text)
        for form in (*_FORMS, _EPOCH):
            match = form.fullmatch(text)
            if match:
                return self._when(match)
        raise UnreadError(
            f"'{printable(text, 60)}' is not a time; write it as 2026-11-20T14:03:11Z" if text else "no time"
        )

    def _when(self, match: re.Match[str]) -> When:
        parts = match.groupdict()
        text = printable(match[0], 100)
        if parts.get("epoch"):
            return self._epoch(parts["epoch"], text)
        clock, length = _clock(parts, text)
        named = parts.get("zone")
        if length == _MINUTE and _SPAN.search(match[0]):
            raise UnreadError(f"'{text}' can be a span of time, or a time with an offset; write 2026-11-20T14:03:00Z")
        # A name of several zones is unsure, even where a zone is to be assumed for times without one.
        its_zone = zone(named) if named else self.zone
        possible, faults = [], []
        for day in self._days(parts, text):
            try:
                possible.append(self._placed(datetime(day.year, day.month, day.day) + clock, length, its_zone, text))
            except UnreadError as fault:
                faults.append(fault)
        if len(possible) > 1:
            raise UnreadError(f"'{text}' can be read as day/month or as month/day; write 2026-11-20")
        if not possible:
            raise faults[0]
        return possible[0]

    def _days(self, parts: dict[str, str | None], text: str) -> list[date]:
        """Return the days that are meant, which are two where day and month could change places."""
        year, month, day = (int(parts.get(name) or 0) for name in ("year", "month", "day"))
        if parts.get("name"):
            month = _MONTHS.index(str(parts["name"])[:3].lower()) + 1
        if not year:
            return [self._nearest(month, day, text)]
        one, other = int(parts.get("one") or 0), int(parts.get("other") or 0)
        tried = [(other, one), (one, other)] if one else [(month, day)]
        days = {found for month, day in tried if (found := _date(year, month, day))}
        if not days:
            raise UnreadError(f"'{text}' is no day of the calendar")
        return sorted(days)

    def _nearest(self, month: int, day: int, text: str) -> date:
        """Return the latest such day that is not after the moment the time is near to, give or take a clock error."""
        last = (self.near or self.now) + AHEAD
        for year in range(last.year, last.year - 9, -1):
            found = _date(year, month, day)
            if found and found <= last.date():
                return found
        raise UnreadError(f"'{text}' is no day of the calendar")

    def _placed(self, local: datetime, length: timedelta, its_zone: tzinfo | None, text: str) -> When:
        if not OLDEST <= local.year <= self.now.year + 1:
            raise UnreadError(f"'{text}' is {'long past' if local.year < OLDEST else 'in the future'}")
        if its_zone is None:
            earliest, latest = (local - EAST).replace(tzinfo=UTC), (local + WEST + length).replace(tzinfo=UTC)
            found = When(earliest, latest, text, local)
        elif isinstance(its_zone, timezone):
            found = When(instant := local.replace(tzinfo=its_zone).astimezone(UTC), instant + length, text)
        else:
            # The hour that is repeated when summer ends has two readings.
            both = [local.replace(tzinfo=its_zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
            found = When(min(both), max(both) + length, text)
        if found.earliest > self.now + AHEAD:
            raise UnreadError(f"'{text}' is in the future")
        return found

    def _epoch(self, digits: str, text: str) -> When:
        """Return the time of seconds since 1970, or of milliseconds where there are 12 digits or more."""
        whole, _, fraction = digits.partition(".")
        milliseconds = int(whole) if len(whole) >= 12 else int(whole) * 1000 + int(fraction.ljust(3, "0")[:3])
        local = datetime(1970, 1, 1) + timedelta(milliseconds=milliseconds)
        return self._placed(local, _SECOND, UTC, text)


def span(first: When, last: When) -> When:
    """Return the time from `first` to `last`; UnreadError where it would end before it begins."""
    if first == last:
        return first
    text = f"{first.text} - {last.text}"
    if last.latest < first.earliest or (first.local and last.local and last.local < first.local):
        raise UnreadError(f"'{text}' ends before it begins")
    earliest, latest = min(first.earliest, last.earliest), max(first.latest, last.latest)
    return When(earliest, latest, text, first.local or last.local)


def _plain(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _clock(parts: dict[str, str | None], text: str) -> tuple[timedelta, timedelta]:
    """Return how far into its day the time is, and how long what it names takes: a minute where it names no second."""
    if parts.get("hour") is None:
        return timedelta(0), _DAY
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    half = parts.get("half")
    if hour > (12 if half else 23) or minute > 59 or second > 59 or (half and not hour):
        raise UnreadError(f"'{text}' is no time of day")
    if half:
        hour = hour % 12 + (12 if half in "Pp" else 0)
    millisecond = int((parts.get("fraction") or "0").ljust(3, "0")[:3])
    whole = timedelta(hours=hour, minutes=minute, seconds=second, milliseconds=millisecond)
    return whole, _SECOND if parts["second"] else _MINUTE
