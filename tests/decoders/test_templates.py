"""Templates: scope, redefinition, order, and what hostile ones cost."""

from __future__ import annotations

import struct

from decoders import State
from decoders.faults import Fault
from tests.decoders.wire import a_set, decoded, flows, ipfix, options_template9, options_template10, template, v9

BYTES_AND_PORT = [(1, 4), (7, 2)]
PORT_AND_BYTES = [(7, 2), (1, 4)]


def record(octets: int, port: int) -> bytes:
    return struct.pack(">IH", octets, port)


def test_data_before_its_template_in_the_same_datagram_waits_for_it() -> None:
    early, late = a_set(256, record(1, 2)), a_set(256, record(3, 4))
    rows = flows(v9(early, a_set(0, template(256, BYTES_AND_PORT)), late))
    assert [row["bytes"] for row in rows] == [1, 3]


def test_redefinition_holds_from_its_own_place_on() -> None:
    rows = flows(
        v9(a_set(0, template(256, BYTES_AND_PORT)), a_set(256, record(1, 2))),
        v9(a_set(0, template(256, PORT_AND_BYTES)), a_set(256, struct.pack(">HI", 4, 3))),
        v9(a_set(256, struct.pack(">HI", 6, 5))),
    )
    assert [(row["bytes"], row["src_port"]) for row in rows] == [(1, 2), (3, 4), (5, 6)]


def test_templates_of_two_source_ids_and_two_versions_are_kept_apart() -> None:
    state = State()
    decoded(v9(a_set(0, template(256, BYTES_AND_PORT)), source=1), state=state)
    decoded(v9(a_set(0, template(256, PORT_AND_BYTES)), source=2), state=state)
    decoded(ipfix(a_set(2, template(256, [(2, 4)])), domain=1), state=state)
    assert flows(v9(a_set(256, record(9, 8)), source=1), state=state)[0]["bytes"] == 9
    assert flows(v9(a_set(256, struct.pack(">HI", 8, 9)), source=2), state=state)[0]["bytes"] == 9
    assert flows(ipfix(a_set(256, struct.pack(">I", 5)), domain=1), state=state)[0]["packets"] == 5


def test_withdrawal_over_udp_is_ignored() -> None:
    state = State()
    decoded(
        ipfix(a_set(2, template(256, BYTES_AND_PORT)), a_set(3, options_template10(257, [(149, 4)], [(34, 4)]))),
        state=state,
    )
    decoded(ipfix(a_set(2, struct.pack(">HH", 256, 0)), a_set(3, struct.pack(">HH", 3, 0))), state=state)
    assert flows(ipfix(a_set(256, record(1, 2))), state=state)[0]["src_port"] == 2
    assert len(state.templates.by_key) == 2


def test_withdrawal_of_all_templates_over_udp_is_ignored() -> None:
    everything = a_set(2, struct.pack(">HH", 2, 0))
    rows = decoded(ipfix(a_set(2, template(256, BYTES_AND_PORT)), everything, a_set(256, record(1, 2))))
    assert rows.flows.rows == 1
    assert not rows.faults


def test_an_options_template_without_scopes_makes_no_flows() -> None:
    nine = v9(a_set(1, options_template9(300, [], [(34, 4)])), a_set(300, struct.pack(">I", 100)))
    ten = ipfix(a_set(3, options_template10(300, [], [(34, 4)])), a_set(300, struct.pack(">I", 100)))
    state = State()
    result = decoded(nine, ten, state=state)
    assert result.flows.rows == 0
    assert result.option_records == 2
    assert [state.samplers.plain(stream) for stream in state.samplers.streams()] == [100, 100]


def test_a_template_without_octets_makes_faults_not_loops() -> None:
    result = decoded(v9(a_set(0, template(256, [(1, 0), (7, 0)])), a_set(256, b"\x00" * 400)))
    assert result.flows.rows == 0
    assert result.faults == {Fault.TEMPLATE_EMPTY: 1}


def test_a_set_of_length_zero_ends_its_message_only() -> None:
    good = v9(a_set(0, template(256, BYTES_AND_PORT)), a_set(256, record(1, 2)))
    result = decoded(good + struct.pack(">HH", 256, 0) + b"\x01" * 8, v9(a_set(256, record(3, 4))))
    assert sorted(result.flows.column("bytes").tolist()) == [1, 3]
    assert result.faults == {Fault.SET_LENGTH: 1}


def test_zero_filled_tail_is_padding() -> None:
    result = decoded(v9(a_set(0, template(256, BYTES_AND_PORT)), a_set(256, record(1, 2))) + bytes(900))
    assert result.flows.rows == 1
    assert not result.faults


def test_padding_shorter_than_a_record_is_padding() -> None:
    result = decoded(v9(a_set(0, template(256, [(1, 8)])), a_set(256, struct.pack(">Q", 1) + bytes(7))))
    assert result.flows.column("bytes").tolist() == [1]
    assert not result.faults


def test_a_malformed_template_keeps_those_before_it() -> None:
    cut = template(257, BYTES_AND_PORT)[:-2]
    result = decoded(v9(a_set(0, template(256, BYTES_AND_PORT) + cut), a_set(256, record(1, 2))))
    assert result.flows.rows == 1
    assert result.faults == {Fault.TEMPLATE_MALFORMED: 1}


def test_templates_of_one_exporter_are_bounded_and_neighbours_unharmed() -> None:
    state = State()
    first = v9(a_set(0, template(256, BYTES_AND_PORT)), source=1)
    flood = [
        v9(a_set(0, b"".join(template(256 + id_, [(1, 4)]) for id_ in range(1000))), source=n) for n in range(2, 9)
    ]
    result = decoded(first, *flood, v9(a_set(256, record(1, 2)), source=1), state=state)
    assert result.flows.rows == 1
    assert len(state.templates.by_key) == 4096
    assert result.faults == {Fault.TEMPLATE_LIMIT: 1 + 7000 - 4096}
