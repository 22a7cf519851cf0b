"""Transport sessions: IPFIX over TCP has its own rules (RFC 7011 section 8), and ports may tell exporters apart."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from decoders import Datagrams, Limits, Senders, State, decode
from decoders.faults import Fault
from tests.decoders.wire import EXPORTER, NOW, a_set, ipfix, options_template10, template, v9

BYTES_AND_PORT, PORT_AND_BYTES = [(1, 4), (7, 2)], [(7, 2), (1, 4)]
DEFINE = a_set(2, template(256, BYTES_AND_PORT))
DATA = a_set(256, struct.pack(">IH", 9, 80))
ONE, OTHER = 1_795_000_000_001, 1_795_000_000_002


def by_tcp(session: int, *payloads: bytes, state: State) -> tuple[int, dict[Fault, int], set[int]]:
    count = len(payloads)
    block = Datagrams.gather(payloads, [EXPORTER] * count, [NOW] * count, sessions=[session] * count)
    result = decode(block, state, Limits())
    assert sum(result.octets.values()) == int(block.lengths.sum())
    return result.flows.rows, dict(result.faults), result.broken_sessions


def test_templates_belong_to_their_session_and_end_with_it() -> None:
    state = State()
    assert by_tcp(ONE, ipfix(DEFINE, DATA), state=state) == (1, {}, set())
    assert by_tcp(OTHER, ipfix(DATA), state=state) == (0, {Fault.TEMPLATE_MISSING: 1}, set())
    assert decode(Datagrams.of([ipfix(DATA)], EXPORTER, NOW), state, Limits()).flows.rows == 0
    assert by_tcp(ONE, ipfix(DATA), b"", state=state) == (1, {}, set())
    assert not state.templates.by_key
    block = Datagrams.gather([b""], [EXPORTER], [NOW], sessions=[ONE])
    assert decode(block, state, Limits()).datagrams == 0


def test_templates_of_tcp_do_not_expire() -> None:
    state, limits = State(), Limits(template_lifetime=1000)
    for payload, time in ((ipfix(DEFINE), NOW), (ipfix(DATA), NOW + 10**7)):
        block = Datagrams.gather([payload], [EXPORTER], [time], sessions=[ONE])
        rows = decode(block, state, limits).flows.rows
    assert rows == 1


def test_withdrawals_are_honoured_over_tcp() -> None:
    state = State()
    options = a_set(3, options_template10(257, [(149, 4)], [(34, 4)]))
    by_tcp(ONE, ipfix(DEFINE, a_set(2, template(258, [(2, 4)])), options), state=state)
    withdrawn = ipfix(a_set(2, struct.pack(">HH", 256, 0)), DATA)
    assert by_tcp(ONE, withdrawn, state=state) == (0, {Fault.TEMPLATE_MISSING: 1}, set())
    redefined = a_set(2, template(256, PORT_AND_BYTES))
    assert by_tcp(ONE, ipfix(redefined, a_set(256, struct.pack(">HI", 1, 2))), state=state) == (1, {}, set())
    by_tcp(ONE, ipfix(a_set(2, struct.pack(">HH", 2, 0))), state=state)
    assert [key.id for key in state.templates.by_key] == [257]
    by_tcp(ONE, ipfix(a_set(3, struct.pack(">HH", 3, 0))), state=state)
    assert not state.templates.by_key


def test_a_redefinition_without_withdrawal_breaks_the_session() -> None:
    state = State()
    by_tcp(ONE, ipfix(DEFINE), state=state)
    _, faults, broken = by_tcp(ONE, ipfix(a_set(2, template(256, PORT_AND_BYTES)), DATA), state=state)
    assert (faults, broken) == ({Fault.TEMPLATE_CONFLICT: 1, Fault.TEMPLATE_MISSING: 1}, {ONE})
    assert by_tcp(ONE, ipfix(DATA), state=state) == (0, {Fault.SESSION_BROKEN: 1}, set())
    assert by_tcp(OTHER, ipfix(DEFINE, DATA), state=state)[0] == 1
    by_tcp(ONE, b"", state=state)
    assert not state.broken


def test_only_ipfix_comes_by_tcp() -> None:
    assert by_tcp(ONE, v9(a_set(0, template(256, [(1, 4)]))), state=State())[1] == {Fault.UNKNOWN_VERSION: 1}


def test_ports_tell_exporters_apart_where_the_operator_says_so() -> None:
    no, yes, rates = np.zeros(1, np.bool_), np.ones(1, np.bool_), np.zeros(1, np.uint32)
    for by_port, expected in ((yes, [9, 5]), (no, [9])):
        payloads = [
            v9(a_set(0, template(256, BYTES_AND_PORT))), v9(a_set(0, template(256, PORT_AND_BYTES))), v9(DATA),
            v9(a_set(256, struct.pack(">HI", 443, 5))),
        ]  # fmt: skip
        block = Datagrams.gather(
            payloads, [EXPORTER] * 4, [NOW] * 4, [1000, 2000, 1000, 2000],
            senders=Senders(rates, rates, no, by_port),
        )  # fmt: skip
        octets = decode(block, State(), Limits()).flows.column("bytes").tolist()
        assert octets[-len(expected) :] == expected if by_port is yes else octets != [9, 5]


def test_the_exporter_in_the_record_is_believed_of_trusted_senders_only() -> None:
    sets = a_set(2, template(256, [(1, 4), (130, 4)])), a_set(256, struct.pack(">I4s", 1, bytes((203, 0, 113, 7))))
    block = Datagrams.of([ipfix(*sets)], EXPORTER, NOW)
    assert decode(block, State(), Limits()).flows.column("exporter")[0].tobytes() == EXPORTER
    trusting = replace(block, senders=replace(block.senders, trusted=np.ones(1, np.bool_)))
    exporter = decode(trusting, State(), Limits()).flows.column("exporter")[0]
    assert exporter.tolist() == [0] * 10 + [255, 255, 203, 0, 113, 7]


def test_the_trusted_name_holds_for_reverse_flows_too() -> None:
    fields = [(1, 4), (130, 4), (1, 4, 29305)]
    body = b"".join(struct.pack(">I4sI", 1, bytes((203, 0, 113, host)), host % 2) for host in (7, 8, 9))
    block = Datagrams.of([ipfix(a_set(2, template(256, fields)), a_set(256, body))], EXPORTER, NOW)
    trusting = replace(block, senders=replace(block.senders, trusted=np.ones(1, np.bool_)))
    assert sorted(decode(trusting, State(), Limits()).flows.column("exporter")[:, 15].tolist()) == [7, 7, 8, 9, 9]


def test_data_after_a_forbidden_redefinition_is_not_read_in_its_block_either() -> None:
    state = State()
    rows, faults, _ = by_tcp(
        ONE, ipfix(DEFINE), ipfix(a_set(2, template(256, PORT_AND_BYTES))), ipfix(DATA), state=state
    )
    assert (rows, faults[Fault.TEMPLATE_CONFLICT]) == (0, 1)


def test_what_waits_is_read_under_a_configuration_that_has_changed() -> None:
    state, rates, no = State(), np.zeros(3, np.uint32), np.zeros(3, np.bool_)
    many = Senders(rates, rates, no, no)
    decode(Datagrams.gather([ipfix(DATA)], [EXPORTER], [NOW], entries=[2], senders=many), state, Limits())
    again = State.load(state.dump())
    assert decode(Datagrams.of([ipfix(DEFINE)], EXPORTER, NOW), again, Limits()).flows.rows == 1
