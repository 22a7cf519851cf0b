"""NetFlow v5 (Cisco, "NetFlow export datagram formats"): what is easily read wrong."""

from __future__ import annotations

import struct

import pytest

from decoders import Datagrams, Limits, State, decode, finish
from decoders.faults import Fault
from schema.render import time_text
from tests.decoders.wire import EXPORTER, NOW, SECONDS, decoded, flows, record5, v5


@pytest.mark.parametrize(
    ("uptime", "first", "since"),
    [(1000, 400, -600), (1000, 1200, 200), (50, 2**32 - 50, -100), (0, 0xFFFFFFFF, -1), (2**32 - 1, 2**32 - 1, 0)],
)
def test_times_are_signed_distances_from_the_uptime(uptime: int, first: int, since: int) -> None:
    (row,) = flows(v5(record5(first=first, last=first), uptime=uptime))
    assert row["flow_start"] == row["flow_end"] == time_text(SECONDS * 1000 + since)


@pytest.mark.parametrize(("count", "rows"), [(0, 0), (1, 1), (2, 2), (3, 0), (0xFFFF, 0)])
def test_the_count_must_fit_the_datagram(count: int, rows: int) -> None:
    datagram = bytearray(v5(record5(1), record5(2)))
    datagram[2:4] = struct.pack(">H", count)
    result = decoded(bytes(datagram))
    assert result.flows.rows == rows
    assert result.faults[Fault.BAD_COUNT] == (rows == 0)


def test_several_pdus_in_one_datagram() -> None:
    result = decoded(v5(record5(1), record5(2)) + v5(record5(3), sequence=2) + b"\x01" * 5)
    assert sorted(result.flows.column("bytes").tolist()) == [1, 2, 3]
    assert result.faults == {Fault.TRAILING_OCTETS: 1}


def test_engines_number_their_flows_by_themselves() -> None:
    state = State()
    for engine in (0x0001, 0x0102):
        decoded(*(v5(record5(1), record5(2), sequence=2 * n, engine=engine) for n in range(5) if n != 3), state=state)
    lost = {news.domain: (news.lost, news.gaps) for news in finish(state).sequence}
    assert lost == {0x0001: (2, 1), 0x0102: (2, 1)}
    assert {row["observation_domain"] for row in flows(v5(record5(), engine=0x0102))} == {0x0102}


def test_the_sequence_counts_flows_and_wraps() -> None:
    state = State()
    first = v5(*(record5(n) for n in range(1, 4)), sequence=2**32 - 2)
    decoded(first, v5(record5(9), sequence=1), v5(record5(9), sequence=4), state=state)
    (news,) = finish(state).sequence
    assert (news.lost, news.version) == (2, 5)


def test_as_numbers_stay_as_exported() -> None:
    (row,) = flows(v5(record5(source_as=23456)))
    assert row["src_as"] == 23456


def test_a_short_datagram_is_a_fault_and_costs_no_other() -> None:
    block = Datagrams.of([v5(record5())[:40], v5(record5(7))[:20], v5(record5(8))], EXPORTER, NOW)
    result = decode(block, State(), Limits())
    assert result.flows.column("bytes").tolist() == [8]
    assert result.faults == {Fault.BAD_COUNT: 1, Fault.TOO_SHORT: 1}


def test_more_than_thirty_records_are_none() -> None:
    assert decoded(v5(*(record5(n) for n in range(30)))).flows.rows == 30
    assert decoded(v5(*(record5(n) for n in range(31)))).faults == {Fault.BAD_COUNT: 1}
