"""What hostile or broken exporters can make the decoders keep, and what their extreme values do: nothing."""

from __future__ import annotations

import json
import struct

import pytest

from decoders import Datagrams, Limits, State, decode, finish
from decoders.faults import Fault
from decoders.sampling import By
from schema.render import time_text
from tests.decoders.wire import (
    EXPORTER,
    NOW,
    a_set,
    decoded,
    flows,
    ipfix,
    options_template9,
    options_template10,
    template,
    v9,
)  # fmt: skip

BY_SAMPLER = a_set(1, options_template9(300, [(1, 4)], [(48, 4), (34, 4)]))
BY_INTERFACE = a_set(1, options_template9(301, [(2, 4)], [(34, 4)]))
PLAIN = a_set(1, options_template9(302, [(1, 4)], [(34, 4)]))
START = a_set(3, options_template10(303, [(149, 4)], [(160, 8)]))


def under(limits: Limits, state: State, *payloads: bytes) -> None:
    decode(Datagrams.of(payloads, EXPORTER, NOW), state, limits)


def rates(state: State) -> int:
    return sum(len(table) for tables in state.samplers.tables.values() for table in tables.values())


def test_sampling_rates_of_one_exporter_are_bounded_over_all_its_domains() -> None:
    state, limits = State(), Limits(samplers=50)
    told = [
        v9(
            BY_SAMPLER, BY_INTERFACE, PLAIN,
            a_set(300, struct.pack(">III", 7, id_, 9)), a_set(301, struct.pack(">II", id_, 9)),
            a_set(302, struct.pack(">II", 7, 9)), source=id_,
        )
        for id_ in range(40)
    ]  # fmt: skip
    under(limits, state, *told)
    assert rates(state) == 50
    saved = json.loads(json.dumps(state.dump()))
    again = State.load(saved)
    under(limits, again, v9(PLAIN, a_set(302, struct.pack(">II", 7, 9)), source=99))
    assert rates(again) == 50
    under(limits, again, v9(BY_SAMPLER, a_set(300, struct.pack(">III", 7, 0, 8)), source=0))
    assert next(iter(again.samplers.tables[By.SAMPLER].values())).get(0) == 8


def test_start_times_of_one_exporter_are_bounded() -> None:
    state = State()
    under(
        Limits(starts=5), state,
        *(ipfix(START, a_set(303, struct.pack(">IQ", 7, NOW)), domain=domain) for domain in range(20)),
    )  # fmt: skip
    assert len(state.started) == 5
    again = State.load(json.loads(json.dumps(state.dump())))
    under(Limits(starts=5), again, ipfix(START, a_set(303, struct.pack(">IQ", 7, NOW)), domain=77))
    assert again.started == state.started


def test_of_too_many_streams_the_one_heard_longest_ago_is_forgotten() -> None:
    state, limits = State(), Limits(streams=3)
    for source in (1, 2, 3, 1, 4):
        under(limits, state, v9(source=source))
    assert [stream.domain for stream in state.sequences.numberings] == [3, 1, 4]
    agents = [struct.pack(">II4sIIII", 5, 1, bytes((10, 0, 0, host)), 0, 0, 0, 0) for host in range(9)]
    under(limits, state, *agents)
    assert len(state.sequences.numberings) == 3


def test_specifiers_of_one_exporter_are_bounded_and_those_used_longest_ago_go() -> None:
    state, limits = State(), Limits(specifiers=5)
    block = [
        v9(a_set(0, template(256, [(1, 4), (2, 4)])), a_set(256, bytes(8))),
        v9(a_set(0, template(256, [(1, 4)] * 6)), a_set(256, bytes(24))),
        v9(a_set(0, template(257, [(1, 4)] * 5)), a_set(257, bytes(20))),
        v9(a_set(0, template(258, [(1, 4)])), a_set(258, bytes(4))),
    ]
    result = decode(Datagrams.of(block, EXPORTER, NOW), state, limits)
    assert result.flows.rows == 4
    assert result.faults == {Fault.TEMPLATE_LIMIT: 2}
    assert decode(Datagrams.of([block[1][:20] + a_set(256, bytes(24))], EXPORTER, NOW), state, limits).flows.rows == 0
    assert finish(state).faults == {Fault.TEMPLATE_MISSING: 1}  # too large a template does not outlast its datagram
    assert [key.id for key in state.templates.by_key] == [258]


def test_a_start_time_beyond_all_export_times_is_none() -> None:
    options = START + a_set(303, struct.pack(">IQ", 7, 2**64 - 1))
    (row,) = flows(ipfix(options, a_set(2, template(256, [(22, 4)])), a_set(256, bytes(4))))
    assert row["flow_start"] == time_text(0)


@pytest.mark.parametrize("element", [150, 152])
def test_a_time_that_no_column_holds_is_absent(element: int) -> None:
    (row,) = flows(ipfix(a_set(2, template(256, [(element, 8)])), a_set(256, b"\x80" + bytes(6) + b"\x05")))
    assert row["flow_start"] == time_text(0)


def test_a_biflow_template_without_one_whole_record() -> None:
    result = decoded(ipfix(a_set(2, template(256, [(82, 65535), (1, 4, 29305)])), a_set(256, b"\x09" + bytes(6))))
    assert result.flows.rows == 0
    assert result.faults == {Fault.RECORD_LENGTH: 1}


def test_each_stream_looks_in_its_own_sampler_table() -> None:
    told = [
        v9(
            BY_SAMPLER, a_set(300, b"".join(struct.pack(">III", 7, id_, 100 * source + id_) for id_ in range(1, 9))),
            source=source,
        )
        for source in (1, 2)
    ]  # fmt: skip
    sampled = [
        v9(a_set(0, template(256, [(1, 4), (48, 2)])), a_set(256, struct.pack(">IHIH", 1, 3, 1, id_)), source=source)
        for source, id_ in ((2, 8), (3, 1), (1, 9), (1, 7))
    ]
    rows = flows(*told, *sampled)
    assert [row["sampling_rate"] for row in rows] == [203, 208, 0, 0, 103, 0, 103, 107]


def test_a_flood_of_a_million_templates_costs_its_sender_only() -> None:
    state, limits = State(), Limits()
    neighbour = bytes(15) + b"\x09"
    defined = v9(a_set(0, template(256, [(1, 4)])))
    decode(Datagrams.of([defined], neighbour, NOW), state, limits)
    own = v9(a_set(0, template(256, [(1, 4), (7, 2)])), source=2**31)
    usual = v9(a_set(256, struct.pack(">IH", 5, 80)), source=2**31)
    decode(Datagrams.of([own, usual], EXPORTER, NOW), state, limits)
    sets = [
        a_set(0, b"".join(template(256 + (16 * part + id_) % 65280, [(1 + part % 90, 4)]) for id_ in range(160)))
        for part in range(250)
    ]
    for flood in range(25):
        payloads = [v9(each, source=250 * flood + part) for part, each in enumerate(sets)]
        decode(Datagrams.of(payloads, EXPORTER, NOW), state, limits)
        used = decode(Datagrams.of([usual], EXPORTER, NOW), state, limits)  # what is in use stays, flood or not
        assert used.flows.column("bytes").tolist() == [5]
    assert len(state.templates.by_key) <= limits.templates + 1
    data = v9(a_set(256, struct.pack(">I", 77)))
    assert decode(Datagrams.of([data], neighbour, NOW), state, limits).flows.column("bytes").tolist() == [77]


def test_templates_of_all_exporters_together_are_bounded() -> None:
    state, limits = State(), Limits(all_templates=50, all_specifiers=60)
    for host in range(200):
        payload = v9(a_set(0, template(256, [(1, 4)])))
        decode(Datagrams.of([payload], bytes(15) + bytes((host,)), NOW), state, limits)
    assert len(state.templates.by_key) == 50


def test_a_datagram_of_many_layouts_is_decoded_so_far_as_its_size_allows() -> None:
    state = State()
    many = [a_set(0, template(256 + id_, [(1, 1), (7, 1 + id_ % 8), (9000 + id_, 1)])) for id_ in range(250)]
    decoded(*(v9(each) for each in many), state=state)
    data = v9(*(a_set(256 + id_, bytes(2 + 1 + id_ % 8)) for id_ in range(250)))
    result = decoded(data, state=state)
    allowed = Limits().layouts + len(data) // Limits().octets_per_layout
    assert result.flows.rows == allowed
    assert result.faults == {Fault.WORK_LIMIT: 250 - allowed}
    usual = v9(*(a_set(256 + id_ % 3, bytes(2 + 1 + (id_ % 3) % 8)) for id_ in range(250)))
    assert decoded(usual, state=state).flows.rows == 250


def test_what_hangs_others_is_over_at_once() -> None:
    """A template of no length, and a set of no length: endless loops in netflow 0.12 and goflow2 2.2."""
    state = State()
    assert decoded(v9(a_set(0, template(256, [(1, 0)])), a_set(256, bytes(40))), state=state).flows.rows == 0
    assert decoded(ipfix(struct.pack(">HH", 2, 0)), state=state).faults == {Fault.SET_LENGTH: 1}
    assert decoded(ipfix(a_set(2, struct.pack(">HH", 256, 0)), a_set(256, bytes(40))), state=state).flows.rows == 0
