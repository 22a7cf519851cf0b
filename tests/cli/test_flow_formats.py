"""nfdump's formats of flows: what each tag shows, and that lines stand under each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from typing import Any

import pytest

from cli.flow_formats import FORMATS, TAGS, LineFormat
from schema.columns import BY_NAME
from settings.errors import ConfigError

START = datetime(2026, 11, 20, 14, 3, 0, 123_000, UTC)
ROW: dict[str, Any] = {
    "time_received": START + timedelta(seconds=9), "flow_start": START, "proto": 6,
    "flow_end": START + timedelta(milliseconds=61_500), "src_addr": IPv6Address("::ffff:192.0.2.1"),
    "dst_addr": IPv6Address("2001:db8::1"), "src_port": 50000, "dst_port": 443,
    "packets": 123, "bytes": 61_500, "tcp_flags": 0x1B, "tos": 184, "mpls_labels": [16, 17],
    "src_mac": 0x001B540A0B0C, "src_tenant": "acme", "exporter": IPv6Address("::ffff:10.0.0.1"),
}  # fmt: skip


def told(form: str, *rows: dict[str, Any]) -> list[str]:
    return list(LineFormat(form).lines(rows or (ROW,)))


def test_a_line_is_nfdumps() -> None:
    head, line = told("line")
    assert line.split() == [
        "2026-11-20", "14:03:00.123", "00:01:01.500", "TCP", "192.0.2.1:50000", "->", "2001:db8::1.443",
        "123", "61500", "1",
    ]  # fmt: skip
    assert head.split("->")[0].endswith("Src IP Addr:Port ")
    assert head.index("->") == line.index("->")


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("flg", "...AP.SF"), ("bps", "8000"), ("pps", "2"), ("bpp", "500"), ("mpls1", "16"), ("mpls3", "0"),
        ("ismc", "00:1b:54:0a:0b:0c"), ("stn", "acme"), ("tsr", f"{START.timestamp():.3f}"), ("fl", "1"),
        ("sp", "50000"),
        ("tr", "2026-11-20 14:03:09.123"), ("ra", "10.0.0.1"),
    ],
)  # fmt: skip
def test_a_tag_shows(tag: str, text: str) -> None:
    assert told(f"fmt:%{tag}")[1].strip() == text


def test_protocols_without_a_name_and_flows_of_an_instant() -> None:
    row = ROW | {"proto": 200, "flow_end": START - timedelta(seconds=1)}
    assert told("fmt:%pr %td %bps", row)[1].split() == ["200", "00:00:00.000", "0"]


def test_lines_stand_under_each_other_whatever_is_in_them() -> None:
    wide = ROW | {"src_addr": IPv6Address("2001:db8:1111:2222:3333:4444:5555:6666"), "bytes": 10**18}
    lines = told("fmt:[%sa] %byt|", ROW, wide)
    assert len({(line.index("]"), line.index("|")) for line in lines}) == 1


def test_a_format_may_name_another() -> None:
    assert told("fmt:%long %ra")[1] == told("long")[1] + "  10.0.0.1"


def test_every_tag_is_made_of_columns_that_there_are() -> None:
    assert {column for tag in TAGS.values() for column in tag.columns} <= set(BY_NAME)
    for name in FORMATS:
        assert set(LineFormat(name).columns) <= set(BY_NAME)


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("lines", "unknown format 'lines'; did you mean 'line'?"),
        ("fmt:%tss", "unknown tag '%tss'; did you mean '%"),
        ("fmt:plain", "needs at least one tag"),
    ],
)
def test_a_wrong_format_says_what_is_wrong(form: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LineFormat(form)
    assert problem.removesuffix("%") in str(caught.value)
