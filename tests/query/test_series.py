"""Series of volumes: the same sums as a slow evaluator's, on a real ClickHouse, with every step there."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from query.filter import parse
from query.series import points, series_report, step_of
from query.statistics import statistic
from settings.errors import ConfigError
from tests.query.filter_evaluator import holds
from tests.query.flow_rows import SINCE, UNTIL, Ask, Row

FILTER = parse("bytes > 10k and not src ip 10.0.0.1")
ODD = (SINCE + timedelta(minutes=7, milliseconds=250), UNTIL - timedelta(minutes=3))


def volumes(rows: list[Row]) -> tuple[int, int, int, int]:
    """What rows come to."""
    scaled = [sum(row[name] * (row["sampling_rate"] or 1) for row in rows) for name in ("packets", "bytes")]
    return len(rows), *scaled, sum(not row["sampling_rate"] for row in rows)


@pytest.mark.parametrize("step", [60, 420, 3600])
@pytest.mark.parametrize("word", ["", "proto", "tenant", "srcip4/16"])
@pytest.mark.parametrize("order", ["flows", "packets", "bytes"])
def test_a_series_sums_what_was_received_in_each_step(
    ask: Ask, rows: list[Row], step: int, word: str, order: str
) -> None:
    by = statistic(word) if word else None
    kept = [row for row in rows if ODD[0] <= row["time_received"] < ODD[1] and holds(FILTER, row)]
    found = ask(series_report(by, order, FILTER, *ODD, step, 2, "flows"))
    (whole,) = ask(series_report(None, order, FILTER, *ODD, 86400 * 365, 1)) or [()]
    line = list(points([(row[0].replace(tzinfo=UTC), *row[1:]) for row in found], *ODD, step))
    times = sorted({point.time for point in line})
    assert times == [times[0] + place * timedelta(seconds=step) for place in range(len(times))]
    assert times[0] <= ODD[0] < times[0] + timedelta(seconds=step)
    assert times[-1] < ODD[1] <= times[-1] + timedelta(seconds=step)
    seconds = {point.time: point.seconds for point in line}
    assert sum(seconds.values()) == pytest.approx((ODD[1] - ODD[0]).total_seconds())
    if word in ("", "proto", "srcip4/16"):  # of either end a flow may count twice
        sums = [
            sum(getattr(point, name) for point in line) for name in ("flows", "packets", "bytes", "unknown_sampling")
        ]
        assert tuple(sums) == volumes(kept) == tuple(whole[3:])
    by_step: dict[tuple[datetime, object], list[Row]] = defaultdict(list)
    for row in kept:
        begin = datetime.fromtimestamp(row["time_received"].timestamp() // step * step, UTC)
        for value in {row[name] for name in by.columns} if word in ("proto", "tenant") and by else [None]:
            by_step[begin, value].append(row)
    if word in ("proto", "tenant"):
        totals: dict[object, int] = defaultdict(int)
        place = ("flows", "packets", "bytes").index(order)
        for (_, value), of in by_step.items():
            totals[value] += volumes(of)[place]
        largest = sorted(totals, key=lambda value: (-totals[value], value))[:2]
        assert {point.key for point in line if not point.is_other} == set(largest)
        for point in line:
            if not point.is_other:
                expected = volumes(by_step.get((point.time, point.key), []))
                assert (point.flows, point.packets, point.bytes, point.unknown_sampling) == expected


def test_rates_are_by_second_of_the_time_asked_for() -> None:
    since = datetime(2026, 11, 20, 14, 0, 30, tzinfo=UTC)
    rows = [(datetime(2026, 11, 20, 14, tzinfo=UTC), "", 0, 60, 600, 6000, 0)]
    first, second = points(rows, since, since + timedelta(seconds=60), 60)
    assert first.rates == {"fps": 2.0, "pps": 20.0, "bps": 1600.0}
    assert (second.time, second.flows, second.rates["bps"]) == (datetime(2026, 11, 20, 14, 1, tzinfo=UTC), 0, 0.0)
    assert list(points([], since, since + timedelta(hours=1), 60)) == []


@pytest.mark.parametrize(
    ("text", "hours", "step"),
    [("", 1, 30), ("", 24, 900), ("", 24 * 7, 10800), ("", 24 * 3650, 86400), ("5m", 1, 300), ("1D", 48, 86400)],
)
def test_a_step_is_chosen_or_given(text: str, hours: int, step: int) -> None:
    assert step_of(text, SINCE, SINCE + timedelta(hours=hours)) == step


@pytest.mark.parametrize(("text", "problem"), [("5", "expected a time"), ("0s", "expected a time"), ("1s", "too many")])
def test_a_step_that_is_none_or_too_short_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match="expected a time" if problem == "expected a time" else "more than 10,000"):
        step_of(text, SINCE, SINCE + timedelta(hours=3))


def test_a_series_is_ordered_by_a_volume() -> None:
    with pytest.raises(ConfigError, match="by flows, packets or bytes here, not by 'bps'"):
        series_report(None, "bps", parse(""), SINCE, UNTIL, 60, 5)
