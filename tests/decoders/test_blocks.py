"""What must not depend on how datagrams fall into blocks, and what hostile octets must not do."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import Datagrams, Limits, State, decode, finish
from decoders.faults import DOCS, Fault
from demo.encode_ipfix import IpfixExporter
from demo.encode_netflow5 import NetFlow5Exporter
from demo.encode_netflow9 import NetFlow9Exporter
from demo.encode_sflow import SFlowExporter
from demo.provider import traffic
from demo.traffic import packets
from schema.render import rows
from tests.decoders.wire import EXPORTER, NOW, a_set, decoded, ipfix, template, v9


def exports() -> list[bytes]:
    flows = traffic(np.random.default_rng(4), 400, NOW - 60_000, NOW)
    old = flows.take(np.flatnonzero(flows.column("src_addr")[:, 10] == 0xFF))  # NetFlow v5 knows IPv4 only
    payloads: list[bytes] = []
    for exporter in (
        NetFlow5Exporter(NOW - 900_000), NetFlow9Exporter(5, NOW - 900_000), IpfixExporter(6),
        SFlowExporter("192.0.2.77", NOW - 900_000),
    ):  # fmt: skip
        carried = flows
        if isinstance(exporter, NetFlow5Exporter):
            carried = old
        elif isinstance(exporter, SFlowExporter):
            carried = packets(np.random.default_rng(4), flows, 100)
        payloads += [*exporter.announce(NOW), *exporter.datagrams(carried, NOW)]
    return payloads


def lines(results: list[object]) -> list[str]:
    return sorted(json.dumps(row) for result in results for row in rows(result.flows))  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_block_borders_change_nothing(size: int) -> None:
    payloads = exports()
    whole, state = decoded(*payloads), State()
    pieces = [decoded(*payloads[at : at + size], state=state) for at in range(0, len(payloads), size)]
    assert lines([whole]) == lines(pieces)
    assert whole.flows.rows > 1000
    assert whole.sequence_gaps == sum(piece.sequence_gaps for piece in pieces) == 0
    assert not whole.faults


def test_a_lost_datagram_is_one_gap() -> None:
    payloads = exports()
    state = State()
    assert decoded(*payloads[:3], *payloads[4:], state=state).sequence_gaps == 0  # it may yet come
    assert finish(state).sequence_gaps == 1


def test_variable_length_records_are_the_same_in_step_and_one_by_one() -> None:
    rng = np.random.default_rng(5)
    fields = [(1, 4), (82, 65535), (7, 2), (83, 65535), (2, 3)]
    datagrams, told = [ipfix(a_set(2, template(256, fields)))], []
    for _ in range(80):
        body = b""
        for _ in range(int(rng.integers(1, 9))):
            octets, port, packets = (int(rng.integers(1, limit)) for limit in (2**32, 2**16, 2**24))
            short, long = b"s" * int(rng.integers(0, 20)), b"l" * int(rng.integers(255, 400))
            body += struct.pack(">IB", octets, len(short)) + short + struct.pack(">HBH", port, 255, len(long)) + long
            body += packets.to_bytes(3, "big")
            told.append((octets, port, packets))
        datagrams.append(ipfix(a_set(256, body)))
    state = State()
    together = decoded(*datagrams).flows
    single = [decoded(datagram, state=state).flows for datagram in datagrams]
    for flows in ([together], single):
        seen = [
            row for part in flows
            for row in zip(*(part.column(name).tolist() for name in ("bytes", "src_port", "packets")), strict=True)
        ]  # fmt: skip
        assert sorted(seen) == sorted(told)


def test_a_variable_length_field_past_its_set_keeps_the_records_before_it() -> None:
    head = a_set(2, template(256, [(1, 4), (82, 65535)]))
    body = struct.pack(">IB2s", 5, 2, b"ab") + struct.pack(">IB", 6, 200)
    result = decoded(ipfix(head, a_set(256, body)))
    assert result.flows.column("bytes").tolist() == [5]
    assert result.faults == {Fault.RECORD_LENGTH: 1}


BASES = [*exports()[::4], v9(a_set(0, template(256, [(1, 4)])), a_set(256, bytes(64)))]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_mutated_datagrams_raise_nothing_and_the_books_balance(data: st.DataObject) -> None:
    payloads = []
    for payload in data.draw(st.lists(st.sampled_from(BASES), min_size=1, max_size=40)):
        mutated = bytearray(payload)
        for _ in range(data.draw(st.integers(0, 4))):
            mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.sampled_from((0, 1, 4, 127, 255)))
        payloads.append(bytes(mutated[: data.draw(st.integers(0, len(mutated)))]))
    result = decode(Datagrams.of(payloads, EXPORTER, NOW), State(), Limits())
    assert result.datagrams == len(payloads)
    assert 0 <= result.datagrams_bad <= result.datagrams
    assert len(result.origin) == result.flows.rows
    list(rows(result.flows))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=50))
def test_random_octets_raise_nothing(payloads: list[bytes]) -> None:
    assert decode(Datagrams.of(payloads, EXPORTER, NOW), State(), Limits()).datagrams == len(payloads)


def test_a_bad_datagram_costs_no_other() -> None:
    good = [v9(a_set(0, template(256, [(1, 4)])), a_set(256, struct.pack(">I", 5)))]
    bad = [b"", b"\x00", b"\x00\x09", b"\x00\x63" * 20, struct.pack(">HH", 5, 40) + bytes(60)]
    result = decoded(*bad, *good, *bad)
    assert result.flows.column("bytes").tolist() == [5]
    assert (result.datagrams, result.datagrams_bad) == (11, 10)
    assert result.faults == {Fault.TOO_SHORT: 6, Fault.UNKNOWN_VERSION: 2, Fault.BAD_COUNT: 2}


def test_every_fault_has_its_sentence() -> None:
    assert set(DOCS) == set(Fault)


def test_a_record_that_leaves_the_buffer_among_many_is_a_fault() -> None:
    head = ipfix(a_set(2, template(256, [(82, 65535), (1, 4), (83, 65535)])))
    good = ipfix(a_set(256, b"\x01a" + struct.pack(">I", 5) + b"\x01b"))
    bad = ipfix(a_set(256, b"\xfe" + bytes(9)))
    result = decoded(head, *[good] * 40, bad)
    assert (result.flows.rows, result.faults) == (40, {Fault.RECORD_LENGTH: 1})
