"""The flow listing and the top-N report, on a real ClickHouse."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, timedelta
from ipaddress import IPv6Address, ip_network
from itertools import product

import pytest

from query.expression import Node
from query.filter import parse
from query.reports import ORDERS, flows_report, grouped_report, parse_statistic, stored_report
from query.statistics import RECORD, STATISTICS, Statistic, aggregation, statistic
from schema.columns import FLOW_COLUMNS
from settings.errors import ConfigError
from tests.query.filter_evaluator import holds
from tests.query.flow_rows import SINCE, UNTIL, Ask, Row

FILTER = parse("bytes > 10k and not src ip 10.0.0.1 and packets < 1M")


def values(row: Row, by: Statistic) -> set[object]:
    """What a row counts by."""
    if by.name.startswith("mpls"):
        place = int(by.name.removeprefix("mpls"))
        return {(row["mpls_labels"] + [0] * place)[place - 1]}
    if by.name in ("srcnet", "dstnet") or "/" in by.name:
        return {network(row, by.name)}
    return {row[column] for column in by.columns}


def network(row: Row, name: str) -> IPv6Address:
    """The first address of the network of one end."""
    address = row[f"{name[:3]}_addr"]
    length = row[f"{name[:3]}_mask"]
    is_v4 = address.ipv4_mapped is not None
    if "/" in name:
        version, _, bits = name[5:].partition("/")
        length = int(bits) if is_v4 == (version == "4") else 128
    return ip_network((address, min(length + 96 * is_v4, 128)), strict=False)[0]


def expected_top(by: tuple[Statistic, ...], order: str, node: Node, rows: list[Row]) -> list[tuple[object, ...]]:
    sums: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in filter(lambda row: holds(node, row), rows):
        for key in product(*(values(row, each) for each in by)):
            sums[key].append(row)
    lines = []
    for key, of in sums.items():
        packets, octets = (sum(row[name] * (row["sampling_rate"] or 1) for row in of) for name in ("packets", "bytes"))
        first, last = min(row["flow_start"] for row in of), max(row["flow_end"] for row in of)
        lines.append((*key, len(of), packets, octets, sum(not row["sampling_rate"] for row in of), first, last))
    return sorted(lines, key=lambda line: -size(line, order))


def size(line: tuple[object, ...], order: str) -> float:
    """What a line is sorted by."""
    flows, packets, octets, _, first, last = line[-6:]
    if order == "bpp":
        return octets / packets if packets else 0
    seconds = (last - first).total_seconds()
    rates = {"pps": packets, "bps": octets * 8}
    if order in rates:
        return rates[order] / seconds if seconds > 0 else 0
    return {"flows": flows, "packets": packets, "bytes": octets}[order]


def aware(line: tuple[object, ...]) -> tuple[object, ...]:
    """A line of ClickHouse's, whose times are UTC and do not say so."""
    return (*line[:-2], *(time.replace(tzinfo=UTC) for time in line[-2:]))


@pytest.mark.parametrize(
    ("text", "order"),
    [
        *((name, "flows") for name in STATISTICS),
        *product(("srcip", "tenant", "record", "dstport:p", "srcip4/24", "dstip6/40"), ORDERS),
    ],
)
def test_top_sums_scaled_volumes_by_value(ask: Ask, rows: list[Row], text: str, order: str) -> None:
    by, order = parse_statistic(f"{text}/{order}")
    found = [aware(line) for line in ask(grouped_report(by, order, FILTER, SINCE, UNTIL, 1000))]
    expected = expected_top(by, order, FILTER, rows)
    assert sorted(map(str, found)) == sorted(map(str, expected))
    assert [size(line, order) for line in found] == pytest.approx([size(line, order) for line in expected])
    assert [aware(line) for line in ask(grouped_report(by, order, FILTER, SINCE, UNTIL, 2))] == found[:2]


def test_an_aggregation_has_one_end_each() -> None:
    assert [each.name for each in aggregation("srcip4/24, DstPort,proto,proto")] == ["srcip4/24", "dstport", "proto"]
    for text, problem in (
        ("ip,port", "'ip' is either end, and flows cannot be aggregated by it; write srcip or dstip"),
        ("if", "write inif or outif"),
        ("srcip4/33", "an address of IP version 4 has 32 bits"),
        (" , ", "name what to aggregate by"),
        ("srcprot", "unknown statistic 'srcprot'; did you mean 'srcport'?"),
    ):
        with pytest.raises(ConfigError, match=re.escape(problem)):
            aggregation(text)


def test_flows_come_newest_first_with_every_column(ask: Ask, rows: list[Row]) -> None:
    found = ask(flows_report(parse(""), SINCE, UNTIL, 10))
    newest = sorted(rows, key=lambda row: row["time_received"], reverse=True)[:10]
    names = [column.name for column in FLOW_COLUMNS]
    number = names.index("observation_domain")
    assert [line[number] for line in found] == [row["observation_domain"] for row in newest]
    assert dict(zip(names, found[0], strict=True))["dst_tenant"] == newest[0]["dst_tenant"]


def test_flows_of_one_instant_come_in_an_order_of_their_own(ask: Ask, rows: list[Row]) -> None:
    named = ("flow_start", "exporter", "src_addr", "dst_addr", "src_port", "dst_port", "proto", "bytes")
    at_once = f"(SELECT * REPLACE (toDateTime64('{SINCE:%Y-%m-%d %H:%M:%S}', 3, 'UTC') AS time_received) FROM flows)"

    def key(row: Row) -> tuple[object, ...]:
        return (-row["flow_start"].timestamp(), *(row[name] for name in named[1:]))

    found = ask(flows_report(parse(""), SINCE, UNTIL, 300, ("observation_domain",), at_once))
    assert [number for (number,) in found] == [row["observation_domain"] for row in sorted(rows, key=key)[:300]]


def test_the_time_range_includes_its_start_and_not_its_end(ask: Ask, rows: list[Row]) -> None:
    times = sorted(row["time_received"] for row in rows)
    first, second = times[100], times[200]
    found = ask(flows_report(parse("any"), first, second, 1000, ("time_received",)))
    assert sorted(time.replace(tzinfo=UTC) for (time,) in found) == [time for time in times if first <= time < second]


def test_how_much_is_stored_of_a_time_and_at_all(ask: Ask, rows: list[Row]) -> None:
    times = sorted(row["time_received"] for row in rows)
    ((within, count, first, last),) = ask(stored_report(times[10], times[20]))
    assert (within, count) == (sum(times[10] <= time < times[20] for time in times), len(rows))
    assert [time.replace(tzinfo=UTC) for time in (first, last)] == [times[0], times[-1]]


def test_every_report_bounds_the_time() -> None:
    for report in (
        flows_report(parse("any or tcp"), SINCE, UNTIL, 5),
        grouped_report((statistic("ip"),), "bytes", parse("any or tcp"), SINCE, UNTIL, 5),
    ):
        assert "WHERE time_received >= fromUnixTimestamp64Milli({p0:Int64}, 'UTC') AND time_received < " in report.text
        assert report.parameters["p0"] == int(SINCE.timestamp()) * 1000
        assert report.parameters["p1"] == int((SINCE + timedelta(hours=1)).timestamp()) * 1000


def test_a_statistic_is_named_as_in_nfdump() -> None:
    assert parse_statistic("srcip/bytes") == ((statistic("srcip"),), "bytes")
    assert parse_statistic("dstPort") == ((statistic("dstport"),), "flows")
    assert parse_statistic("srcip4/24:p/bps") == ((statistic("srcip4/24"), statistic("proto")), "bps")
    assert [each.name for each in parse_statistic("record/packets")[0]] == list(RECORD)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("scrip/bytes", "unknown statistic 'scrip'; did you mean 'srcip'?"),
        ("srcip/byte", "unknown order 'byte'; did you mean 'bytes'?"),
        ("srcip/", "unknown order ''; known are flows, packets, bytes, pps, bps, bpp"),
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
