"""Matrix, comparison and percentiles: the same as a slow evaluator's, from flows and from rollups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import ceil

import pytest

from query.comparison import comparison_report
from query.filter import parse
from query.matrix import Name, matrix, matrix_report
from query.percentile import percentile_report, whole_steps
from query.planner import flows_only
from query.reports import parse_order
from query.series import step_of
from query.statistics import Statistic, aggregation, statistic
from query.timespan import length
from settings.errors import ConfigError
from storage.ddl import FLOWS
from tests.query.days import DAYS, NOW, TODAY, planned
from tests.query.filter_evaluator import holds
from tests.query.flow_rows import Ask, Row

WINDOW = (DAYS[2] - timedelta(hours=3), NOW - timedelta(minutes=3))
FILTER = parse("proto 6 or proto 17")
PLACES = ("flows", "packets", "bytes")


def volume(row: Row, order: str) -> int:
    """What a flow counts."""
    return 1 if order == "flows" else int(row[order]) * (row["sampling_rate"] or 1)


def kept(days: list[Row], since: datetime, until: datetime) -> list[Row]:
    return [row for row in days if since <= row["time_received"] < until and holds(FILTER, row)]


def largest(totals: Counter[object], n: int) -> list[object]:
    return sorted(totals, key=lambda value: (-totals[value], value))[:n]


@pytest.mark.parametrize("order", PLACES)
@pytest.mark.parametrize("words", ["srctenant,dsttenant", "exporter,srcip"])
def test_a_matrix_has_the_volume_of_each_pair(ask_days: Ask, days: list[Row], words: str, order: str) -> None:
    first, second = aggregation(words)
    source = planned(ask_days, "proto 6 or proto 17", (first, second), *WINDOW)
    assert source.from_rollups == (words == "srctenant,dsttenant")
    found = ask_days(matrix_report((first, second), order, FILTER, *WINDOW, 3, source))
    shown = matrix([row[:7] for row in found], order)
    totals: tuple[Counter[object], Counter[object]] = (Counter(), Counter())
    names = [(each.columns[0], of) for each, of in zip((first, second), totals, strict=True)]
    rows = kept(days, *WINDOW)
    for row in rows:
        for column, of in names:
            of[row[column]] += volume(row, order)
    most = [largest(of, 3) for of in totals]
    cells: Counter[tuple[object, ...]] = Counter()
    for row in rows:
        ends = [row[column] if row[column] in top else None for (column, _), top in zip(names, most, strict=True)]
        cells[tuple(ends)] += volume(row, order)
    assert cells == {
        tuple(None if name.is_other else name.value for name in pair): volume for pair, volume in shown.cells.items()
    }
    assert [name.value for name in shown.rows if not name.is_other] == most[0]
    assert [name.value for name in shown.columns if not name.is_other] == most[1]
    assert shown.rows[-1].is_other
    assert shown.columns[-1].is_other
    assert sum(row[7] for row in found) == sum(not row["sampling_rate"] for row in rows)


def test_a_matrix_of_nothing_is_empty() -> None:
    assert matrix([], "bytes") == ((), (), {})
    assert matrix([("a", 0, "b", 1, 1, 2, 3)], "packets").cells == {(Name(False, "a"), Name(True, "b")): 2}


@pytest.mark.parametrize("order", PLACES)
@pytest.mark.parametrize("words", ["srctenant", "srcip,proto"])
def test_a_comparison_has_both_periods(ask_days: Ask, days: list[Row], words: str, order: str) -> None:
    by = aggregation(words)
    periods = (TODAY - timedelta(hours=6), NOW), (DAYS[1], DAYS[1] + timedelta(hours=20, minutes=3))
    plans = [planned(ask_days, "proto 6 or proto 17", by, *period) for period in periods]
    assert plans[0].from_rollups == (words == "srctenant")
    found = ask_days(comparison_report(by, order, FILTER, 10_000, plans[0], plans[1]))
    counts: tuple[list[Counter[tuple[object, ...]]], ...] = ([], [])
    for period, of in zip(periods, counts, strict=True):
        for place in PLACES:
            of.append(Counter())
            for row in kept(days, *period):
                of[-1][tuple(row[each.columns[0]] for each in by)] += volume(row, place)
    keys = {key for of in counts for counter in of for key in counter}
    assert {row[: len(by)]: row[len(by) : -1] for row in found} == {
        key: tuple(counter[key] for of in counts for counter in of) for key in keys
    }
    place = PLACES.index(order) + len(by)
    assert [max(row[place], row[place + 3]) for row in found] == sorted(
        (max(row[place], row[place + 3]) for row in found), reverse=True
    )


@pytest.mark.parametrize("percent", [0.1, 50, 95, 99.9, 100])
@pytest.mark.parametrize("words", ["srctenant", "exporter,inif", "tenant", "srcip"])
def test_a_percentile_is_the_nearest_rank_of_all_steps(
    ask_days: Ask, days: list[Row], words: str, percent: float
) -> None:
    step = 900
    by = (aggregation if words != "tenant" else _either)(words)
    since, until = whole_steps(*WINDOW, step)
    source = planned(ask_days, "proto 6 or proto 17", by, since, until, step)
    assert source.from_rollups == (words != "srcip")
    found = ask_days(percentile_report(by, percent, FILTER, since, until, step, 10_000, source))
    slots = (until - since) // timedelta(seconds=step)
    octets: dict[tuple[object, ...], Counter[int]] = {}
    for row in kept(days, since, until):
        ends = {(row["src_tenant"],), (row["dst_tenant"],)}
        keys = ends if words == "tenant" else {tuple(row[each.columns[0]] for each in by)}
        for key in keys:
            octets.setdefault(key, Counter())[(row["time_received"] - since) // timedelta(seconds=step)] += volume(
                row, "bytes"
            )
    expected = {}
    for key, of in octets.items():
        rates = sorted(of[slot] * 8 / step for slot in range(slots))
        rank = max(ceil(percent / 100 * slots - 1e-9), 1)
        expected[key] = (rates[rank - 1], pytest.approx(sum(rates) / slots), rates[-1])
    assert {row[: len(by)]: row[len(by) : -1] for row in found} == expected
    assert [row[len(by)] for row in found] == sorted((row[len(by)] for row in found), reverse=True)


def _either(word: str) -> tuple[Statistic, ...]:
    return (statistic(word),)


def test_steps_are_whole() -> None:
    at = datetime(2026, 11, 20, 14, 2, tzinfo=UTC)
    assert whole_steps(at, at + timedelta(minutes=20), 300) == (
        at + timedelta(minutes=3),
        at + timedelta(minutes=18),
    )
    with pytest.raises(ConfigError, match="no whole step of 300 s"):
        whole_steps(at, at + timedelta(minutes=7), 300)
    assert step_of("5m", at, at + timedelta(hours=1)) == 300


@pytest.mark.parametrize("percent", [0, -1, 100.1])
def test_a_percentage_is_one(percent: float) -> None:
    with pytest.raises(ConfigError, match="above 0 and at most 100"):
        percentile_report(aggregation("proto"), percent, FILTER, *WINDOW, 300, 5)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("srctenant,dsttenant/flows", ("srctenant,dsttenant", "flows")),
        ("srcip4/24", ("srcip4/24", "bytes")),
        ("srcip4/24,dstip4/16/packets", ("srcip4/24,dstip4/16", "packets")),
        ("srcip4/24,proto", ("srcip4/24,proto", "bytes")),
        ("proto", ("proto", "bytes")),
    ],
)
def test_the_order_stands_behind_the_statistics(text: str, found: tuple[str, str]) -> None:
    assert parse_order(text) == found


@pytest.mark.parametrize(
    "report",
    [
        lambda: matrix_report(aggregation("proto,srcip"), "bps", FILTER, *WINDOW, 5),  # type: ignore[arg-type]
        lambda: comparison_report(
            aggregation("proto"), "bpp", FILTER, 5, *(flows_only(*WINDOW, FLOWS, "") for _ in range(2))
        ),
        lambda: parse_order("proto/nonsense"),
        lambda: length("nonsense", "--with"),
        lambda: length("9" * 30 + "d", "--with"),
    ],
)
def test_what_cannot_be_is_refused(report: Callable[[], object]) -> None:
    with pytest.raises(ConfigError):
        report()
