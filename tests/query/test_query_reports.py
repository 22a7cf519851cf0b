"""The flow listing and the top-N report, on a real ClickHouse."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, timedelta

import pytest

from query.expression import Node
from query.filter import parse
from query.reports import ORDERS, STATISTICS, flows_report, parse_statistic, top_report
from schema.columns import FLOW_COLUMNS
from settings.errors import ConfigError
from tests.query.filter_evaluator import holds
from tests.query.flow_rows import SINCE, UNTIL, Ask, Row

FILTER = parse("bytes > 10k and not src ip 10.0.0.1 and packets < 1M")


def expected_top(statistic: str, order: str, node: Node, rows: list[Row]) -> list[tuple[object, ...]]:
    sums: dict[object, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for row in filter(lambda row: holds(node, row), rows):
        rate = row["sampling_rate"] or 1
        for key in {row[column] for column in STATISTICS[statistic]}:
            total = sums[key]
            for place, value in enumerate((1, row["packets"] * rate, row["bytes"] * rate, row["sampling_rate"] == 0)):
                total[place] += value
    return sorted(((key, *total) for key, total in sums.items()), key=lambda line: -line[1 + ORDERS.index(order)])


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("order", ORDERS)
def test_top_sums_scaled_volumes_by_value(ask: Ask, rows: list[Row], statistic: str, order: str) -> None:
    found = ask(top_report(statistic, order, FILTER, SINCE, UNTIL, 1000))
    expected = expected_top(statistic, order, FILTER, rows)
    assert sorted(map(str, found)) == sorted(map(str, expected))
    place = 1 + ORDERS.index(order)
    assert [line[place] for line in found] == [line[place] for line in expected]
    assert ask(top_report(statistic, order, FILTER, SINCE, UNTIL, 2)) == found[:2]


def test_flows_come_newest_first_with_every_column(ask: Ask, rows: list[Row]) -> None:
    found = ask(flows_report(parse(""), SINCE, UNTIL, 10))
    newest = sorted(rows, key=lambda row: row["time_received"], reverse=True)[:10]
    names = [column.name for column in FLOW_COLUMNS]
    number = names.index("observation_domain")
    assert [line[number] for line in found] == [row["observation_domain"] for row in newest]
    assert dict(zip(names, found[0], strict=True))["dst_tenant"] == newest[0]["dst_tenant"]


def test_the_time_range_includes_its_start_and_not_its_end(ask: Ask, rows: list[Row]) -> None:
    times = sorted(row["time_received"] for row in rows)
    first, second = times[100], times[200]
    found = ask(flows_report(parse("any"), first, second, 1000, ("time_received",)))
    assert sorted(time.replace(tzinfo=UTC) for (time,) in found) == [time for time in times if first <= time < second]


def test_every_report_bounds_the_time() -> None:
    for report in (
        flows_report(parse("any or tcp"), SINCE, UNTIL, 5),
        top_report("ip", "bytes", parse("any or tcp"), SINCE, UNTIL, 5),
    ):
        assert "WHERE time_received >= fromUnixTimestamp64Milli({p0:Int64}, 'UTC') AND time_received < " in report.text
        assert report.parameters["p0"] == int(SINCE.timestamp()) * 1000
        assert report.parameters["p1"] == int((SINCE + timedelta(hours=1)).timestamp()) * 1000


def test_a_statistic_is_named_as_in_nfdump() -> None:
    assert parse_statistic("srcip/bytes") == ("srcip", "bytes")
    assert parse_statistic("dstPort") == ("dstport", "flows")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("scrip/bytes", "unknown statistic 'scrip'; did you mean 'srcip'?"),
        ("srcip/byte", "unknown order 'byte'; did you mean 'bytes'?"),
        ("srcip/", "unknown order ''; known are flows, packets, bytes"),
    ],
)
def test_an_unknown_statistic_or_order_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_statistic(text)
    assert str(caught.value) == problem


def test_unknown_columns_and_silly_limits_are_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean 'src_addr'"):
        flows_report(parse(""), SINCE, UNTIL, 5, ("src_adr",))
    with pytest.raises(ConfigError, match="1 or more"):
        flows_report(parse(""), SINCE, UNTIL, 0)
