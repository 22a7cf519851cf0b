"""Times: every form that is written, and that nothing about them is guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from intake.errors import UnreadError
from intake.report import When
from intake.times import Calendar, span
from intake.zones import stated, zone
from tests.intake.samples import NOW, at, known, unsure

CALENDAR = Calendar(NOW)
MINUTE = timedelta(seconds=59, milliseconds=999)
DAY = timedelta(days=1) - timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T14:03:11Z",
        "2026-11-20t14:03:11z",
        "2026-11-20 14:03:11 UTC",
        "2026-11-20 14:03:11 (UTC)",
        "2026-11-20 15:03:11 +0100",
        "2026-11-20T15:03:11+01:00",
        "2026-11-20 15:03:11+01",
        "2026/11/20 15:03:11 CET",
        "2026-11-20 16:03:11 UTC+2",
        "2026-11-20 10:33:11 GMT-3:30",
        "2026-11-20 09:03:11 EST",
        "20/Nov/2026:15:03:11 +0100",
        "[20/Nov/2026:15:03:11 +0100]",
        "20.11.2026 15:03:11 MEZ",
        "20.11.2026 um 15:03:11 MEZ",
        "11/20/2026-14:03:11.000 UTC",
        "Fri, 20 Nov 2026 15:03:11 +0100",
        "Fri, 20 Nov 2026 15:03:11 +0100 (CET)",
        "20-Nov-2026 14:03:11 UTC",
        "Fri Nov 20 14:03:11 UTC 2026",
        "Nov 20 2026 14:03:11 UTC",
        "November 20th, 2026 at 2:03:11 PM UTC",
        "20261120T140311Z",
        "11/20/2026 02:03:11 pm UTC",
        "20/11/2026 14:03:11 GMT",
        "1795183391",
        "1795183391000",
    ],
)
def test_an_instant_is_read_in_every_form(text: str) -> None:
    found = CALENDAR.when(text)
    assert (found.earliest, found.latest, found.is_sure) == (at(20, 14, 3, 11), at(20, 14, 3, 11), True)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T14:03:11", "2026-11-20 14:03:11", "2026/11/20 14:03:11", "20.11.2026 14:03:11",
        "Nov 20 14:03:11", "Fri Nov 20 14:03:11 2026", "20/Nov/2026:14:03:11", "11/20/2026 2:03:11 PM",
        "2026-11-20 14:03:11 IST", "2026-11-20 14:03:11 CST", "2026-11-20 14:03:11 BST",
    ],
)  # fmt: skip
def test_a_time_without_a_zone_or_with_one_of_several_spans_all_zones(text: str) -> None:
    assert CALENDAR.when(text) == unsure(at(20, 14, 3, 11), text)


def test_minutes_and_days_are_covered_whole() -> None:
    assert CALENDAR.when("2026-11-20T14:03Z") == When(at(20, 14, 3), at(20, 14, 3) + MINUTE, "2026-11-20T14:03Z")
    assert CALENDAR.when("20.11.2026 14:03") == unsure(at(20, 14, 3), "20.11.2026 14:03", MINUTE)
    assert CALENDAR.when("2026-11-20") == unsure(at(20), "2026-11-20", DAY)


def test_minutes_with_an_offset_are_no_span_of_time() -> None:
    assert CALENDAR.when("Fri, 20 Nov 2026 10:03 -0500").earliest == at(20, 15, 3)
    assert CALENDAR.when("2026-11-20T10:03-05:00").earliest == at(20, 15, 3)


def test_fractions_are_kept_to_milliseconds() -> None:
    assert CALENDAR.when("2026-11-20T14:03:11.1239999Z").earliest == at(20, 14, 3, 11, 123)
    assert CALENDAR.when("2026-11-20 14:03:11,5 UTC").earliest == at(20, 14, 3, 11, 500)
    assert CALENDAR.when("1795183391.5").earliest == at(20, 14, 3, 11, 500)
    assert CALENDAR.when("1795183391007").earliest == at(20, 14, 3, 11, 7)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no time"),
        ("yesterday", "not a time"),
        ("2026-02-30 10:00:00", "no day of the calendar"),
        ("2026-13-01", "no day of the calendar"),
        ("Nov 31 14:03:11", "no day of the calendar"),
        ("2026-11-20 24:00:00", "no time of day"),
        ("2026-11-20 14:60", "no time of day"),
        ("2026-11-20 13:00:00 PM", "no time of day"),
        ("1999-12-31 23:59:59Z", "long past"),
        ("0", "not a time"),
        ("946684799000", "long past"),
        ("2026-11-24T00:00:00Z", "in the future"),
        ("9999-12-31T23:59:59Z", "in the future"),
        ("9999999999", "in the future"),
        ("2026-11-20T14:03:11+15:00", "not a time"),
        ("2026-11-20T14:03:11-13:00", "not a time"),
        ("2026-11-20 10:03-11:00", "span of time"),
        ("20 Oct 2026 10:03-1100", "span of time"),
        ("03/04/2026 10:00", "day/month"),
        ("03-04-2026", "day/month"),
        ("٢٠٢٦-١١-٢٠ ١٤:٠٣:١١", "not a time"),
        ("2026-11-20T14:03:11Z; DROP", "not a time"),
        ("2026-11-20-05:00", "not a time"),
    ],
)
def test_what_cannot_be_trusted_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(UnreadError, match=why):
        CALENDAR.when(text)
    with pytest.raises(UnreadError, match=why):
        CALENDAR.when(text)


def test_day_and_month_are_told_apart_where_one_reading_is_impossible() -> None:
    assert CALENDAR.when("20/11/2026 10:00:00Z") == known(at(20, 10), "20/11/2026 10:00:00Z")
    assert CALENDAR.when("11/11/2026 10:00:00Z") == known(at(11, 10), "11/11/2026 10:00:00Z")
    # 12 November, for 11 December is in the future.
    assert CALENDAR.when("11/12/2026 10:00:00Z") == known(at(12, 10), "11/12/2026 10:00:00Z")


def test_two_days_of_a_fast_clock_are_forgiven() -> None:
    assert CALENDAR.when("2026-11-23T12:00:00Z").earliest == at(23, 12)
    with pytest.raises(UnreadError, match="future"):
        CALENDAR.when("2026-11-23T12:00:01Z")


@pytest.mark.parametrize(
    ("text", "near", "year"),
    [
        ("Nov 20 14:03:11", datetime(2026, 11, 21, tzinfo=UTC), 2026),
        ("Nov 22 14:03:11", datetime(2026, 11, 21, tzinfo=UTC), 2026),
        ("Nov 25 14:03:11", datetime(2026, 11, 21, tzinfo=UTC), 2025),
        ("Dec 31 23:59:59", datetime(2026, 1, 2, tzinfo=UTC), 2025),
        ("Jan  1 00:10:00", datetime(2025, 12, 31, 15, tzinfo=UTC), 2026),
        ("Feb 29 12:00:00", datetime(2026, 11, 21, tzinfo=UTC), 2024),
    ],
)
def test_a_time_without_a_year_is_the_last_one_before_its_mail(text: str, near: datetime, year: int) -> None:
    found = Calendar(NOW, UTC, near).when(text)
    assert found.earliest.year == year


def test_an_assumed_zone_makes_a_time_sure_but_not_one_with_a_zone_that_is_not_known() -> None:
    berlin = Calendar(NOW, ZoneInfo("Europe/Berlin"))
    assert berlin.when("2026-11-20 15:03:11") == known(at(20, 14, 3, 11), "2026-11-20 15:03:11")
    assert berlin.when("2026-11-20 14:03:11Z") == known(at(20, 14, 3, 11), "2026-11-20 14:03:11Z")
    assert not berlin.when("2026-11-20 15:03:11 IST").is_sure


def test_the_hour_that_summer_time_repeats_has_both_readings() -> None:
    found = Calendar(NOW, ZoneInfo("Europe/Berlin")).when("2026-10-25 02:30:00")
    assert found.earliest == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert found.latest == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert found.is_sure


def test_times_are_found_in_lines() -> None:
    line = "[20/Nov/2026:14:03:11 +0100] a 10.1.2.3 b 2026-11-20T14:03:12Z, 2026-11-20; Nov 20 14:03:13 host"
    found = CALENDAR.found(line)
    assert [mention.when.text for mention in found if mention.when] == [
        "20/Nov/2026:14:03:11 +0100", "2026-11-20T14:03:12Z", "2026-11-20", "Nov 20 14:03:13",
    ]  # fmt: skip
    assert [mention.is_day for mention in found] == [False, False, True, False]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1795183391.123    200 192.0.2.7 TCP_MISS/200", "1795183391.123"),
        ("type=SYSCALL msg=audit(1795183391.123:456): x", "1795183391.123"),
        ('time=1795183391 src="192.0.2.7"', "1795183391"),
        ("call 1795183391 or ticket 1795183391123", ""),
        ("version 2026.11.20 of 2026-11-20x", "2026.11.20"),
        ("2026-11-20 14:03:11 -9999 bytes", "2026-11-20 14:03:11"),
        ("2026-11-20 14:03:11 MYHOST sshd", "2026-11-20 14:03:11"),
        ("Nov 20 14:03:11 2001:db8::7 sshd", "Nov 20 14:03:11"),
        ("[Fri Nov 20 14:03:11.123456 2026] [error]", "Fri Nov 20 14:03:11.123456 2026"),
    ],
)
def test_numbers_in_lines_are_times_only_where_they_look_like_it(line: str, text: str) -> None:
    assert [mention.when.text for mention in CALENDAR.found(line) if mention.when] == ([text] if text else [])


def test_a_span_keeps_what_is_unsure_and_does_not_end_before_it_begins() -> None:
    first, last = CALENDAR.when("2026-11-20T14:00:00Z"), CALENDAR.when("2026-11-20T15:00:00Z")
    assert span(first, last) == When(at(20, 14), at(20, 15), "2026-11-20T14:00:00Z - 2026-11-20T15:00:00Z")
    assert span(first, first) is first
    with pytest.raises(UnreadError, match="ends before it begins"):
        span(last, first)
    one, other = CALENDAR.when("2026-11-20 14:00:00"), CALENDAR.when("2026-11-20 15:00:00")
    assert span(one, other).local == datetime(2026, 11, 20, 14)
    with pytest.raises(UnreadError, match="ends before it begins"):
        span(other, one)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Z", UTC),
        ("utc", UTC),
        ("UTC+2", timezone(timedelta(hours=2))),
        ("GMT -3:30", timezone(-timedelta(hours=3, minutes=30))),
        ("+0545", timezone(timedelta(hours=5, minutes=45))),
        ("CEST", timezone(timedelta(hours=2))),
        ("Europe/Berlin", ZoneInfo("Europe/Berlin")),
        ("IST", None),
        ("BST", None),
        ("+15:00", None),
        ("-12:30", None),
        ("+0199", None),
        ("Mars/Base", None),
        ("../../etc/passwd", None),
        ("", None),
    ],
)
def test_zones_by_name(text: str, expected: tzinfo | None) -> None:
    assert zone(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("All times are in UTC.", UTC),
        ("(all times UTC)", UTC),
        ("Timestamps: GMT+1", timezone(timedelta(hours=1))),
        ("Timezone: UTC+2", timezone(timedelta(hours=2))),
        ("Time zone is CET", timezone(timedelta(hours=1))),
        ("Please note that all log lines below use the local time zone Europe/Berlin", ZoneInfo("Europe/Berlin")),
        ("The times given are GMT+1", timezone(timedelta(hours=1))),
        ("Alle Zeiten in MEZ", timezone(timedelta(hours=1))),
        ("Timezone: IST", None),
        ("Timezone: UTC\nall times are in CET", None),
        ("Timezone: IST, all times are UTC", None),
        ("timestamp: 2026-11-20 14:03 (UTC)", None),
        ("We had good times. UTC is nice.", None),
        ("logs from SSH", None),
    ],
)
def test_what_a_text_says_of_its_zone(text: str, expected: tzinfo | None) -> None:
    assert stated(text) == expected
