"""What a filter selects on a real ClickHouse is what its tree means, and nothing typed reaches the SQL text."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from query.expression import DERIVED, End, Named, Node
from query.filter import MAX_LENGTH, parse
from query.reports import flows_report
from query.sql import MAX_PARAMETERS, Parameters, Sql, condition
from query.words import MAX_NESTING
from schema.columns import BY_NAME, MAX_LABELS
from tests.query.filter_evaluator import holds
from tests.query.filter_strategies import FILTERS, text_of
from tests.query.flow_rows import SINCE, UNTIL, Ask, Row

_PLACEHOLDER = re.compile(r"\{p[0-9]+:(Array\()?(UInt8|UInt16|UInt32|UInt64|Int64|IPv6|String)\)?\}")
_LABELS = {f"mpls_labels[{place}]" for place in range(1, MAX_LABELS + 1)}
_OF_DERIVED = {word for derived in DERIVED.values() for word in re.findall(r"[^\s(),]+", derived.sql)}
_OF_NAMES = {
    "SELECT",
    "id",
    "FROM",
    "names",
    "FINAL",
    "WHERE",
    "naming",
    "'interface'",
    "'application'",
    "name",
    "toUInt64",
}
_OF_TIMES = {"fromUnixTimestamp64Milli", "'UTC'"}
_VOCABULARY = {
    *BY_NAME,
    *_OF_DERIVED,
    *_OF_NAMES,
    *_OF_TIMES,
    *_LABELS,
    "arrayExists",
    "value",
    "->",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "bitAnd",
    "=",
    "<",
    ">",
    "<=",
    ">=",
    "0",
    "1",
    "6",
    "58",
}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(node=FILTERS)
def test_clickhouse_selects_what_the_tree_means(ask: Ask, rows: list[Row], node: Node) -> None:
    report = flows_report(parse(text_of(node)), SINCE, UNTIL, len(rows), ("observation_domain",))
    selected = sorted(number for (number,) in ask(report))
    assert selected == [row["observation_domain"] for row in rows if holds(node, row)]


@settings(max_examples=400, deadline=None)
@given(FILTERS)
def test_the_text_is_placeholders_columns_and_operators_only(node: Node) -> None:
    text = condition(node, Parameters())
    rest = _PLACEHOLDER.sub("", text)
    assert set(re.findall(r"[^\s(),]+", rest)) <= _VOCABULARY


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_a_name_is_carried_by_a_parameter_whatever_it_is(name: str) -> None:
    parameters = Parameters()
    assert condition(Named("tenant", name, End.SOURCE), parameters) == "src_tenant = {p0:String}"
    assert parameters.values == {"p0": name}


def test_an_address_after_translation_is_found_by_its_index(ask: Ask) -> None:
    for end in ("src ", "dst "):
        report = flows_report(parse(f"{end}nat ip 198.51.100.7 and nat port 443"), SINCE, UNTIL, 10, ("src_addr",))
        explained = ask(Sql(f"EXPLAIN indexes = 1 {report.text}", report.parameters))
        assert any(f"Name: post_nat_{end.strip()}_addr_bloom" in line for (line,) in explained)


def test_who_used_a_public_address_and_port_is_found_in_flows_and_in_blocks(ask: Ask, rows: list[Row]) -> None:
    flow = next(row for row in rows if row["post_nat_src_port"] == 443)
    block = next(row for row in rows if row["nat_port_start"] == 2048)
    for asked, port in ((flow, 443), (block, 2050)):
        public = asked["post_nat_src_addr"]
        node = parse(f"nat ip {public.ipv4_mapped or public} and nat port {port}")
        found = {number for (number,) in ask(flows_report(node, SINCE, UNTIL, 1000, ("observation_domain",)))}
        assert asked["observation_domain"] in found
        for row in (rows[number] for number in found):
            assert public in (row["post_nat_src_addr"], row["post_nat_dst_addr"])
            ports = (row["post_nat_src_port"], row["post_nat_dst_port"])
            assert port in ports or row["nat_port_start"] <= port <= row["nat_port_end"]


def test_clickhouse_takes_the_deepest_nesting_and_the_longest_list(ask: Ask, rows: list[Row]) -> None:
    nested = "tcp"
    for _ in range(MAX_NESTING // 2):
        nested = f"not ({nested} and tcp or udp)"
    hosts = "0.0.0.0 " * (MAX_LENGTH // 8 - 2)
    prefixes = "10.0.0.0/15 " * (MAX_PARAMETERS // 2 - 1)
    conditions = " or ".join(["port 80"] * (MAX_PARAMETERS - 2))
    for text in (nested, f"ip in [{hosts}]", f"ip in [{prefixes}]", conditions):
        node = parse(text)
        selected = sorted(number for (number,) in ask(flows_report(node, SINCE, UNTIL, 1000, ("observation_domain",))))
        assert selected == [row["observation_domain"] for row in rows if holds(node, row)]
