"""The filter language: every tree can be said and is read back, and all else is one clear error."""

from __future__ import annotations

import json
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from query.expression import And, Compare, Everything, Flags, Named, Node, Not, Or, Within
from query.filter import MAX_LENGTH, expanded, parse
from query.sql import Parameters, condition
from query.words import KEYWORDS, MAX_NESTING
from settings.errors import ConfigError
from tests.query.filter_strategies import FILTERS, text_of

EXPORTERS = {
    "edge-1": (ip_network("192.0.2.1/32"),),
    "pop-west": (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")),
}
GOLDEN = Path(__file__).with_name("filters.json")


@settings(max_examples=400, deadline=None)
@given(FILTERS)
def test_a_tree_said_as_text_is_read_back(node: Node) -> None:
    assert parse(text_of(node)) == node


_PIECES = st.sampled_from(
    [*KEYWORDS, "(", ")", "[", "]", ",", "=", ">", "!", "80", "1k", "10.0.0.1", "::/0", "x", "'", '"']
)


@settings(max_examples=1000, deadline=None)
@given(st.one_of(st.text(), st.lists(_PIECES).map(" ".join), st.binary().map(lambda octets: octets.decode("latin-1"))))
def test_whatever_is_typed_is_read_or_refused(text: str) -> None:
    message = "filter: as read\n\n^"
    try:
        condition(parse(text), Parameters())
    except ConfigError as error:
        message = str(error)
    first, *_, marks = message.split("\n")
    assert first.startswith("filter: ")
    assert set(marks.strip()) <= set("^~")


@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text()), ids=lambda case: case["filter"])
def test_filters_become_the_sql_of_the_golden_file(case: dict[str, object]) -> None:
    parameters = Parameters()
    sql = condition(parse(str(case["filter"]), EXPORTERS), parameters)
    assert {"filter": case["filter"], "sql": sql, "parameters": parameters.values} == case


def test_not_binds_before_and_before_or() -> None:
    tcp, udp = Compare("proto", "=", 6), Compare("proto", "=", 17)
    assert parse("not tcp and udp or tcp") == Or((And((Not(tcp), udp)), tcp))
    assert parse("not (tcp and (udp or tcp))") == Not(And((tcp, Or((udp, tcp)))))


def test_case_blanks_comments_and_symbols_do_not_matter() -> None:
    plain = parse("src ip 10.0.0.1 and not port >= 1k or any")
    assert parse("SRC Host 10.0.0.1 &&\n ! PORT GE 1000 # a comment (\n\t|| ANY#") == plain


@pytest.mark.parametrize("text", ["", "  ", "\n# nothing\n", "any"])
def test_an_empty_filter_is_any(text: str) -> None:
    assert parse(text) == Everything()


def test_flags_are_letters_even_where_they_spell_a_keyword() -> None:
    assert parse("flags as") == parse("flags SA") == Flags(18)
    assert parse("flags X") == Flags(63)
    assert parse("flags 2") == Compare("flags", "=", 2)


def test_an_exporter_is_a_name_of_the_configuration_or_a_place() -> None:
    assert parse("exporter pop-west", EXPORTERS) == Within("exporter", EXPORTERS["pop-west"])
    assert parse("exporter 10.1.2.3/16") == Within("exporter", (ip_network("10.1.0.0/16"),))


def test_words_of_a_phrase_are_names_by_themselves() -> None:
    for word in sorted({word for phrase in KEYWORDS if " " in phrase for word in phrase.split()} - set(KEYWORDS)):
        assert parse(f"tenant {word} and direction ingress") == And(
            (Named("tenant", word), Named("direction", "ingress"))
        )


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("src xip 192.0.2.1 and nport > 80", "src nat ip 192.0.2.1 and nat port > 80"),
        ("NAT\n\tHost 192.0.2.1", "nip 192.0.2.1"),
        ("dst xnet 192.0.2.0 255.255.255.0", "dst nat net 192.0.2.0/24"),
        ("odid in [7]", "observation  domain\tid in [7]"),
        ("nat pblock start 5 or nat pblock end 5", "pblock start 5 or pblock end 5"),
        ("src tunip 192.0.2.1", "src tun ip 192.0.2.1"),
        ("TUN  Host 192.0.2.1 or dst tun net 10.0.0.0 255.0.0.0", "tun ip 192.0.2.1 or dst tun ip 10.0.0.0/8"),
        ("inner\tVLAN 7", "inner vlan = 7"),
        ("asa event term", "asa event delete"),
        ("nat event Add", "nat event == 1"),
        ("Router IP 10.0.0.1", "exporter 10.0.0.1"),
        (
            "in  src MAC 00-1B-54-0a-0b-0c or out mac 1:02:03:04:05:06",
            "src mac 001b.540a.0b0c or mac 01:02:03:04:05:06",
        ),
        ("FLOW > 1 and in packets > 1k", "flows > 1 and packets > 1000"),
        ("first  seen 2026/11/20.14:00", "first seen = '2026-11-20T15:00:00+01:00'"),
        ("flowdir EGRESS", "flowdir 1"),
    ],
)
def test_a_field_may_have_several_words(text: str, plain: str) -> None:
    assert parse(text) == parse(plain)


def test_quotes_let_a_name_be_anything() -> None:
    assert parse("tenant 'and # \"so\" on'") == Named("tenant", 'and # "so" on')


@pytest.mark.parametrize(
    ("text", "caret", "problem"),
    [
        ("srcc ip 10.0.0.1", "srcc", "did you mean 'src'?"),
        ("src prot 80", "prot", "did you mean 'port'?"),
        ("tcp and src ip 10.0.0.256", "10.0.0.256", "an address or a prefix"),
        ("port 65536", "65536", "65536 is more than 65535"),
        ("bytes > 18446745T", "18446745T", "is more than 18446744073709551615"),
        ("port 80 tcp", "tcp", "expected 'and', 'or' or the end, found 'tcp'"),
        ("(tcp or udp", "", "')'"),
        ("tcp or", "", "expected a condition such as"),
        ("port in []", "]", "expected a number"),
        ("direction ingres", "ingres", "did you mean 'ingress'?"),
        ("type netflow7", "netflow7", "netflow5, netflow9, ipfix or sflow"),
        ("exporter edge-2", "edge-2", "did you mean 'edge-1'?"),
        ("tcp and geo CH", "geo", "'geo' cannot be asked for: no database of places is read"),
        ("out bytes > 1M", "out bytes", "a flow has one way here"),
        ("tun proto 47", "tun proto", "write 'tunnel gre'"),
        ("tenant geo", "geo", 'needs quotes: "geo"'),
        ("src mac 192.0.2.1", "192.0.2.1", "expected a number or a name"),
        ("src mac 00:1b:54", "00:1b:54", "expected a MAC address such as"),
        ("last seen > yesterday", "yesterday", "'yesterday' is not a time"),
        ("tunnel gree", "gree", "did you mean 'gre'?"),
        ("durations > 5", "durations", "did you mean 'duration'?"),
        ("src tenant and port 80", "and", 'needs quotes: "and"'),
        ("src tenant acme%", "%", "'%' has no meaning here"),
        ("src tenant 'acme", "'", "this quote is not closed"),
        ("flags Q", "Q", "TCP flags"),
        ("net 10.0.0.0 255.0.0.7", "255.0.0.7", "is not a mask"),
        ("net 10.0.0.0/33", "10.0.0.0/33", "an address or a prefix"),
        ("tcp and\n  dst port eighty or any", "eighty", "a number"),
        ("not " * (MAX_NESTING + 1) + "any", "not", "nested more than"),
        ("nat 192.0.2.1", "nat", "did you mean 'nat event', 'nat host', 'nat ip'"),
        ("tcp and mpls label11 5", "mpls", "'mpls label1'"),
        ("src nat event 1", "nat event", "'nat port', 'net'"),
        ("nat event created", "created", "expected a number, add or delete, found 'created'"),
        ("asa event 256", "256", "256 is more than 255"),
        ("flowdir up", "up", "ingress or egress"),
        ("tenant nat ip", "nat ip", 'needs quotes: "nat ip"'),
        ("tun 192.0.2.1", "tun", "did you mean 'tun host', 'tun ip' or 'tun net'?"),
        ("src inner vlan 7", "inner vlan", "'vlan'"),
        ("inner vlan 65536", "65536", "65536 is more than 65535"),
        ("port " + "9" * 5000, "9" * 50, "expected 'in', a number"),
    ],
)
def test_a_fault_is_shown_with_a_caret_what_was_expected_and_the_nearest_word(
    text: str, caret: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, EXPORTERS)
    first, line, marks = str(caught.value).split("\n")
    assert problem in first
    start = marks.index("^")
    assert line[start : start + len(marks.strip())].strip() == caret
    assert caught.value.exit_code == 2


def test_a_filter_may_include_files_but_not_from_comments_and_names() -> None:
    files = {"ours.nf": "net 192.0.2.0/24 # ours @include nothing\n", "both": "(@include ours.nf or port 80)"}
    text = "tcp and @include both and not tenant '@include ours.nf' # @include no"
    assert parse(expanded(text, files.__getitem__)) == parse(
        "tcp and (net 192.0.2.0/24\n or port 80) and not tenant '@include ours.nf'"
    )
    with pytest.raises(ConfigError, match="more than 8 deep"):
        expanded("@include again", {"again": "@include again"}.__getitem__)


def test_limits_are_told() -> None:
    with pytest.raises(ConfigError, match="characters long"):
        parse("any " * MAX_LENGTH)
    with pytest.raises(ConfigError, match="too many conditions"):
        condition(parse(" or ".join(["src net 10.0.0.0/8"] * 451)), Parameters())
