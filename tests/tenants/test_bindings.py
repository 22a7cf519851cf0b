"""Logs of CGNAT: what the forms of various makers mean, what is wrong with a line, and who was behind a port."""

from __future__ import annotations

from ipaddress import ip_address
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.addresses import packed
from settings.errors import ConfigError
from tenants.binding_log import Log, read_bindings
from tenants.cells import FOREVER, parse_time
from tests.tenants.binding_rows import Binding, bindings_at, rows

NOON = parse_time("2026-11-01T12:00:00Z")
MINUTE = 60_000
OUTSIDE = packed(ip_address("192.0.2.7"))
BERLIN = ZoneInfo("Europe/Berlin")


def host(number: int) -> bytes:
    return packed(ip_address(f"100.64.0.{number}"))


def read(*lines: str, zone: ZoneInfo | None = None) -> Log:
    return read_bindings((f"{line}\n" for line in lines), "nat.csv", zone)


def only(*lines: str, zone: ZoneInfo | None = None) -> Binding:
    log = read(*lines, zone=zone)
    assert log.faults == []
    (binding,) = rows(log.bindings)
    return binding


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("inside,outside,port_start,port_end,protocol,start,end", "100.64.0.1,192.0.2.7,1024,2047,,{start},{end}"),
        ("Private IP;Public IP;Port-Block;Start Time;End Time", "100.64.0.1;192.0.2.7;1024-2047;{start};{end}"),
        (
            "vrf\tinternal_address\texternal_address\tports\tproto\tstart\tend",
            "x\t100.64.0.1\t192.0.2.7\t[1024 - 2047]\tany\t{start}\t{end}",
        ),
        ("end,start,last_port,first_port,nat_ip,subscriber", "{end},{start},2047,1024,192.0.2.7,100.64.0.1"),
    ],
)
def test_headers_say_where_what_stands(header: str, line: str) -> None:
    told = line.format(start="2026-11-01T12:00:00Z", end="2026-11-01T13:01:00+01:00")
    assert only(f"\ufeff{header}", told) == Binding(host(1), OUTSIDE, 1024, 2047, 0, NOON, NOON + MINUTE)


def test_addresses_whole_single_ports_and_protocols() -> None:
    whole = only("inside,outside,start", f"2001:db8::7,192.0.2.7,{NOON}")
    assert whole == Binding(packed(ip_address("2001:db8::7")), OUTSIDE, 0, 65535, 0, NOON, None)
    for protocol, number in (("TCP", 6), ("17", 17), ("icmp", 1), ("*", 0)):
        one = only("inside,outside,outside_port,protocol,start", f"100.64.0.1,192.0.2.7,53,{protocol},{NOON // 1000}.5")
        assert one == Binding(host(1), OUTSIDE, 53, 53, number, NOON + 500, None)


def test_columns_are_ready_to_be_stored() -> None:
    bindings = read("inside,outside,start", "100.64.0.1,192.0.2.7,2026-11-01T12:00:00Z").bindings
    kinds = {name: getattr(bindings, name).dtype.name for name in bindings.__slots__}
    assert kinds == {
        "inside": "uint8",
        "outside": "uint8",
        "port_first": "uint16",
        "port_last": "uint16",
        "protocol": "uint8",
        "start": "int64",
        "end": "int64",
        "lines": "int32",
    }
    assert (bindings.inside.shape, bindings.end.tolist(), bindings.lines.tolist()) == ((1, 16), [FOREVER], [2])
    assert len(read("inside,outside,start").bindings) == 0


def test_times_without_a_zone_need_one_and_are_one_moment_in_it() -> None:
    head = "inside,outside,start,end"
    local = only(head, "100.64.0.1,192.0.2.7,2026-11-01 13:00:00,2026-11-01T13:01:00.0000", zone=BERLIN)
    assert (local.start, local.end) == (NOON, NOON + MINUTE)
    log = read(head, "100.64.0.1,192.0.2.7,2026-11-01 13:00:00,")
    assert log.faults == [(2, "'2026-11-01 13:00:00' has no zone; say with --zone which one the log is written in")]
    for when in ("2026-10-25 02:30:00", "2026-03-29 02:30:00"):
        (fault,) = read(head, f"100.64.0.1,192.0.2.7,{when},", zone=BERLIN).faults
        assert "is not one moment in Europe/Berlin, where clocks" in fault[1]


def test_assignments_and_releases_are_paired_in_order_of_time() -> None:
    log = read(
        "# written by the translator",
        "",
        "time,event,inside,outside,port_block",
        "2026-11-01T12:02:00Z,assign,100.64.0.2,192.0.2.7,1024-2047",
        "2026-11-01T12:02:00Z,assign,100.64.0.1,192.0.2.7,4096-5119",
        "2026-11-01T12:01:00Z,release,100.64.0.1,192.0.2.7,1024-2047",
        "# and again",
        "2026-11-01T12:00:00Z,assign,100.64.0.1,192.0.2.7,1024-2047",
        "2026-11-01T12:00:30Z,PORT_BLOCK_ASSIGN,100.64.0.1,192.0.2.7,1024-2047",
    )
    assert log.faults == []
    assert rows(log.bindings) == [
        Binding(host(2), OUTSIDE, 1024, 2047, 0, NOON + 2 * MINUTE, None),
        Binding(host(1), OUTSIDE, 4096, 5119, 0, NOON + 2 * MINUTE, None),
        Binding(host(1), OUTSIDE, 1024, 2047, 0, NOON, NOON + MINUTE),
    ]
    assert log.bindings.lines.tolist() == [4, 5, 8]


def test_releases_that_are_missing_or_alone_are_told() -> None:
    log = read(
        "start,end,event,inside,outside,port",
        "2026-11-01T12:00:00Z,,allocated,100.64.0.1,192.0.2.7,53",
        "2026-11-01T12:01:00Z,,allocated,100.64.0.2,192.0.2.7,53",
        ",2026-11-01T12:02:00Z,freed,100.64.0.1,192.0.2.7,53",
        ",2026-11-01T12:03:00Z,freed,100.64.0.2,192.0.2.7,53",
        ",2026-11-01T12:04:00Z,freed,100.64.0.2,192.0.2.7,53",
    )
    assert rows(log.bindings) == [
        Binding(host(1), OUTSIDE, 53, 53, 0, NOON, NOON + MINUTE),
        Binding(host(2), OUTSIDE, 53, 53, 0, NOON + MINUTE, NOON + 3 * MINUTE),
    ]
    assert log.faults == [
        (2, "was not released before it was assigned anew; it is taken to end then (line 3)"),
        (4, "is released, but no line assigns it"),
        (6, "is released, but no line assigns it"),
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("100.64.0.1,192.0.2.7,1-2,tcp", "4 cells, but the header has 6"),
        ("100.64.0.300,192.0.2.7,1-2,tcp,{t},", "'100.64.0.300' is not an IP address"),
        ("100.64.0.1,,1-2,tcp,{t},", "'' is not an IP address"),
        ("100.64.0.1,192.0.2.7,1024,tcp,{t},", "'1024' is not a block of ports, such as 1024-2047"),
        ("100.64.0.1,192.0.2.7,1-65536,tcp,{t},", "'65536' is not a port, 0 to 65535"),
        ("100.64.0.1,192.0.2.7,9-2,tcp,{t},", "the block of ports begins at 9 and ends before, at 2"),
        ("100.64.0.1,192.0.2.7,1-2,tpc,{t},", "'tpc' is no protocol, such as tcp or 17"),
        ("100.64.0.1,192.0.2.7,1-2,256,{t},", "'256' is no protocol, such as tcp or 17"),
        ("100.64.0.1,192.0.2.7,1-2,tcp,,", "'' is not a time, such as 2026-11-01T12:00:00Z"),
        ("100.64.0.1,192.0.2.7,1-2,tcp,2026-02-30T12:00:00Z,", "not a time: day is out of range for month"),
        ("100.64.0.1,192.0.2.7,1-2,tcp,{t},2026-11-01T11:00:00Z", "the end is before the start"),
    ],
)
def test_a_line_that_is_wrong_is_told_and_the_others_are_read(line: str, fault: str) -> None:
    good = "100.64.0.1,192.0.2.7,1024-2047,tcp,2026-11-01T12:00:00Z,"
    log = read("inside,outside,ports,protocol,start,end", good, line.format(t="2026-11-01T12:00:00Z"), "", good)
    assert [number for number, _ in log.faults] == [3]
    assert fault in log.faults[0][1]
    assert log.bindings.lines.tolist() == [2, 5]


def test_a_port_alone_or_an_event_that_is_none_is_told() -> None:
    assert read("inside,outside,port,start", "100.64.0.1,192.0.2.7,,1").faults == [(2, "'' is not a port, 0 to 65535")]
    (fault,) = read("inside,outside,time,event", "100.64.0.1,192.0.2.7,2026-11-01T12:00:00Z,seen").faults
    assert fault == (2, "'seen' is no event, such as assign or release")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("a,b", "nat.csv:1: no column tells inside and outside and start, or time and event; the header is a, b"),
        (
            "inside,outside,time",
            "nat.csv:1: no column tells start, or time and event; the header is inside, outside, time",
        ),
        ("inside,outside,start,port_start", "nat.csv:1: no column tells port_end"),
        ("inside,outside,start,Port From", "nat.csv:1: no column tells port_start and port_end, port_block or port;"),
        ("inside,private_ip,outside,start", "nat.csv:1: two columns tell 'inside': inside and private_ip"),
    ],
)
def test_a_header_that_tells_no_log_is_refused(header: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(header, "100.64.0.1,192.0.2.7,2026-11-01T12:00:00Z,")
    assert words in str(refused.value)


def test_what_is_no_csv_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"nat\.csv:3: not valid CSV"):
        read("inside,outside,start", "100.64.0.1,192.0.2.7,1", "x" * 200_000)


def test_who_was_behind_a_port_at_a_moment() -> None:
    log = read(
        "inside,outside,ports,protocol,start,end",
        "100.64.0.1,192.0.2.7,1024-2047,,2026-11-01T12:00:00Z,2026-11-01T12:01:00Z",
        "100.64.0.2,192.0.2.7,1024-2047,tcp,2026-11-01T12:01:00Z,",
        "100.64.0.3,192.0.2.7,1024-2047,udp,2026-11-01T12:01:00Z,",
        "100.64.0.4,192.0.2.8,1024-2047,,2026-11-01T12:00:00Z,",
        "100.64.0.5,192.0.2.9,1-1,,2026-11-01T12:00:00Z,2026-11-01T12:00:00Z",
    )

    def behind(outside: bytes, port: int, time: int, protocol: int = 0) -> list[bytes]:
        return [found.inside for found in bindings_at(log.bindings, outside, port, time, protocol)]

    assert behind(OUTSIDE, 1024, NOON) == [host(1)]
    assert behind(OUTSIDE, 2047, NOON + MINUTE - 1, 6) == [host(1)]
    assert behind(OUTSIDE, 2047, NOON + MINUTE, 6) == [host(2)]
    assert behind(OUTSIDE, 2047, NOON + MINUTE) == [host(2), host(3)]
    for outside, port, time in ((OUTSIDE, 1023, NOON), (OUTSIDE, 2048, NOON), (OUTSIDE, 1024, NOON - 1)):
        assert behind(outside, port, time) == []
    assert behind(packed(ip_address("192.0.2.9")), 1, NOON) == [host(5)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=15), st.data())
def test_pairing_is_what_a_translator_did(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    """Each second a block is released if it is held, and assigned if not; lines come in any order."""
    held: dict[int, int] = {}
    truth: list[dict[int, int]] = []
    lines = []
    for second, (block, wanting) in enumerate(steps):
        event = "release" if block in held else "assign"
        inside = held.pop(block) if block in held else held.setdefault(block, wanting)
        lines.append(f"{NOON + second},{event},100.64.0.{inside},192.0.2.7,{block}-{block}")
        truth.append(dict(held))
    log = read("time,event,inside,outside,ports", *data.draw(st.permutations(lines)))
    assert log.faults == []
    for second, state in enumerate(truth):
        for block in range(3):
            found = bindings_at(log.bindings, OUTSIDE, block, NOON + second)
            assert [one.inside for one in found] == [host(inside) for held, inside in state.items() if held == block]


def test_an_empty_log_has_no_header() -> None:
    with pytest.raises(ConfigError, match="no column tells inside"):
        read()
