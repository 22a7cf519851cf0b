"""What hostile or broken exporters can make the decoders keep, and what their extreme values do: nothing."""

from __future__ import annotations

import json
import struct

import pytest

from decoders import Datagrams, Limits, State, decode
from decoders.faults import Fault
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
    tables = [*state.samplers.by_sampler.values(), *state.samplers.by_interface.values()]
    return len(state.samplers.plain) + sum(map(len, tables))


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
    assert next(iter(again.samplers.by_sampler.values())).get(0) == 8


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
    assert [stream.domain for stream in state.sequences.expected] == [3, 1, 4]
    agents = [struct.pack(">II4sIIII", 5, 1, bytes((10, 0, 0, host)), 0, 0, 0, 0) for host in range(9)]
    under(limits, state, *agents)
    assert len(state.sequences.expected) == 3


def test_specifiers_of_one_exporter_are_bounded_and_a_refused_definition_ends_the_one_before() -> None:
    state, limits = State(), Limits(specifiers=5)
    block = [
        v9(a_set(0, template(256, [(1, 4), (2, 4)])), a_set(256, bytes(8))),
        v9(a_set(0, template(256, [(1, 4)] * 6)), a_set(256, bytes(24))),
        v9(a_set(0, template(257, [(1, 4)] * 5)), a_set(257, bytes(20))),
        v9(a_set(0, template(258, [(1, 4)])), a_set(258, bytes(4))),
    ]
    result = decode(Datagrams.of(block, EXPORTER, NOW), state, limits)
    assert result.flows.rows == 2
    assert result.faults == {Fault.TEMPLATE_LIMIT: 2, Fault.TEMPLATE_MISSING: 2}
    assert [key.id for key in state.templates.by_key] == [257]


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
