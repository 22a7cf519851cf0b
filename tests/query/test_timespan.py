"""Time ranges as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from query.timespan import Timespan, last, moment, window
from settings.errors import ConfigError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("2h", timedelta(hours=2)),
        ("1h30m", timedelta(minutes=90)),
        ("7D", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_last_counts_back_from_now(text: str, length: timedelta) -> None:
    assert last(text, NOW) == Timespan(NOW - length, NOW)


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-2h", "2y", "0s", "99999999d", "9" * 5000 + "d"])
def test_last_refuses_what_is_no_length(text: str) -> None:
    with pytest.raises(ConfigError, match="--last"):
        last(text, NOW)


@pytest.mark.parametrize(
    ("text", "since", "until"),
    [
        ("2026/11/20.14:00-15:00", at(2026, 11, 20, 14), at(2026, 11, 20, 15)),
        ("2026/11/20.14:00:30-2026/11/21.01:02:03", at(2026, 11, 20, 14, 0, 30), at(2026, 11, 21, 1, 2, 3)),
        ("2026/11/20-2026/11/21", at(2026, 11, 20), at(2026, 11, 21)),
        ("2026/11/20.14", at(2026, 11, 20, 14), NOW),
        ("2026/11", at(2026, 11, 1), NOW),
        ("2026-11-20T14:00/15:00", at(2026, 11, 20, 14), at(2026, 11, 20, 15)),
        ("2026-11-20T14:00Z/2026-11-20T14:00:00.5Z", at(2026, 11, 20, 14), at(2026, 11, 20, 14, 0, 0, 500000)),
        ("2026-11-20T14:00+02:00/15:00", at(2026, 11, 20, 12), at(2026, 11, 20, 13)),
        (" 2026-11-20 ", at(2026, 11, 20), NOW),
    ],
)
def test_windows_in_nfdumps_form_and_in_iso_8601(text: str, since: datetime, until: datetime) -> None:
    assert window(text, NOW) == Timespan(since, until)


def test_a_zone_is_for_times_that_name_no_offset() -> None:
    zurich = ZoneInfo("Europe/Zurich")
    assert window("2026/07/01.14:00-15:00", NOW, zurich) == Timespan(at(2026, 7, 1, 12), at(2026, 7, 1, 13))
    assert moment("2026-07-01T14:00Z", zurich) == at(2026, 7, 1, 14)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026/13/01", "2026/11/20.25:00", "2026/11/20.14:00-15", "20/11/2026"]
)
def test_a_window_that_is_no_time_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ConfigError, match=r"2026/11/20.14:00-15:00"):
        window(text, NOW)


@pytest.mark.parametrize("text", ["2026/11/20.23:00-01:00", "2026/11/22", "2026-11-20/2026-11-20"])
def test_an_empty_window_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is empty"):
        window(text, NOW)
