"""Exporters that begin anew, redefine, stop refreshing or send late: which template reads what (V9-2, V9-3, I-4)."""

from __future__ import annotations

import json
import struct

import pytest

from decoders import Datagrams, Limits, State, decode, finish
from decoders.faults import Fault
from tests.decoders.wire import EXPORTER, NOW, SECONDS, a_set, decoded, flows, ipfix, options_template9, template, v9

BYTES_AND_PORT, PORT_AND_BYTES = [(1, 4), (7, 2)], [(7, 2), (1, 4)]
ONE, OTHER = a_set(0, template(256, BYTES_AND_PORT)), a_set(0, template(256, PORT_AND_BYTES))
DATA = a_set(256, struct.pack(">IH", 9, 80))


def test_an_uptime_that_went_backwards_voids_templates_and_samplers() -> None:
    state = State()
    plain = a_set(1, options_template9(302, [(1, 4)], [(34, 4)])) + a_set(302, struct.pack(">II", 7, 100))
    decoded(v9(ONE, DATA, plain, uptime=9_000_000, sequence=70), state=state)
    again = decoded(v9(DATA, uptime=2000, sequence=0, seconds=SECONDS + 5), state=state)
    assert (again.flows.rows, state.waiting.sets) == (0, 1)
    rows = flows(v9(ONE, uptime=3000, sequence=1, seconds=SECONDS + 6), state=state)
    assert [(row["bytes"], row["sampling_rate"]) for row in rows] == [(9, 0)]


def test_a_restart_within_a_block_parts_the_data_before_it_from_the_data_after() -> None:
    rows = flows(
        v9(ONE, DATA, uptime=9_000_000, sequence=70),
        v9(OTHER, a_set(256, struct.pack(">HI", 443, 5)), uptime=2000, sequence=0, seconds=SECONDS + 5),
        v9(a_set(256, struct.pack(">HI", 53, 6)), uptime=2500, sequence=1, seconds=SECONDS + 5),
    )
    assert [(row["bytes"], row["src_port"]) for row in rows] == [(9, 80), (5, 443), (6, 53)]


def test_the_same_template_again_after_a_restart_serves_from_there_on() -> None:
    state = State()
    rows = flows(
        v9(ONE, DATA, uptime=9_000_000, sequence=70),
        v9(DATA, uptime=1500, sequence=0, seconds=SECONDS + 5),
        v9(ONE, DATA, uptime=2000, sequence=1, seconds=SECONDS + 5),
        state=state,
    )
    assert [row["bytes"] for row in rows] == [9, 9, 9]
    assert state.waiting.sets == 0


def test_a_clock_that_was_set_voids_templates() -> None:
    state = State()
    decoded(v9(ONE, DATA, sequence=1), state=state)
    assert decoded(v9(DATA, uptime=1_001_000, sequence=2, seconds=SECONDS + 86_400), state=state).flows.rows == 0


@pytest.mark.parametrize("seconds", [0, 4_295])
def test_an_uptime_that_wraps_is_no_restart(seconds: int) -> None:
    state = State()
    decoded(v9(ONE, uptime=2**32 - 1000, sequence=1), state=state)
    later = v9(DATA, uptime=(2**32 - 1000 + seconds * 1000 + 2000) % 2**32, sequence=2, seconds=SECONDS + seconds + 2)
    assert decoded(later, state=state).flows.rows == 1


def test_a_numbering_far_ahead_with_the_same_boot_is_no_restart() -> None:
    state = State()
    decoded(v9(ONE, sequence=2855), state=state)
    assert decoded(v9(DATA, sequence=60_342_277, uptime=1_024_000, seconds=SECONDS + 24), state=state).flows.rows == 1


def test_messages_much_older_than_the_last_are_late_and_no_restart() -> None:
    state = State()
    decoded(ipfix(a_set(2, template(256, BYTES_AND_PORT)), sequence=12_228_323), state=state)
    assert decoded(ipfix(DATA, sequence=12_226_053, seconds=SECONDS - 23), state=state).flows.rows == 1


def test_an_ipfix_numbering_that_begins_anew_voids_templates() -> None:
    state = State()
    decoded(ipfix(a_set(2, template(256, BYTES_AND_PORT)), sequence=12_228_323), state=state)
    assert decoded(ipfix(DATA, sequence=0, seconds=SECONDS + 9), state=state).flows.rows == 0


def test_late_data_is_read_by_the_template_of_its_export_time() -> None:
    state = State()
    decoded(ipfix(a_set(2, template(256, BYTES_AND_PORT)), DATA, sequence=0), state=state)
    decoded(ipfix(a_set(2, template(256, PORT_AND_BYTES)), sequence=2, seconds=SECONDS + 3), state=state)
    (late,) = flows(ipfix(DATA, sequence=1, seconds=SECONDS + 1), state=state)
    assert (late["bytes"], late["src_port"]) == (9, 80)
    (new,) = flows(ipfix(a_set(256, struct.pack(">HI", 443, 5)), sequence=2, seconds=SECONDS + 3), state=state)
    assert (new["bytes"], new["src_port"]) == (5, 443)


def test_a_template_that_is_not_sent_again_expires() -> None:
    state, limits = State(), Limits(template_lifetime=10_000)
    decode(Datagrams.of([v9(ONE)], EXPORTER, NOW), state, limits)
    assert decode(Datagrams.of([v9(DATA)], EXPORTER, NOW + 9000), state, limits).flows.rows == 1
    decode(Datagrams.of([v9(ONE)], EXPORTER, NOW + 9500), state, limits)
    assert decode(Datagrams.of([v9(DATA)], EXPORTER, NOW + 19_000), state, limits).flows.rows == 1
    assert decode(Datagrams.of([v9(DATA)], EXPORTER, NOW + 20_000), state, limits).flows.rows == 0
    assert finish(state).faults == {Fault.TEMPLATE_MISSING: 1}


def test_a_redefined_options_template_takes_what_it_told_along() -> None:
    state = State()
    by_sampler = a_set(1, options_template9(300, [(1, 4)], [(48, 1), (34, 4)]))
    decoded(v9(by_sampler, a_set(300, struct.pack(">IBI", 7, 3, 64))), state=state)
    flow = a_set(0, template(256, [(1, 4), (48, 1)])), a_set(256, struct.pack(">IB", 1, 3))
    assert flows(v9(*flow), state=state)[0]["sampling_rate"] == 64
    decoded(v9(a_set(1, options_template9(300, [(1, 4)], [(41, 4)]))), state=state)
    assert flows(v9(*flow), state=state)[0]["sampling_rate"] == 0


def test_options_data_before_a_redefinition_tells_nothing_after_it() -> None:
    by_sampler = a_set(1, options_template9(300, [(1, 4)], [(48, 1), (34, 4)]))
    told = a_set(300, struct.pack(">IBI", 7, 3, 64))
    other = a_set(1, options_template9(300, [(1, 4)], [(41, 4)]))
    (row,) = flows(v9(by_sampler, told), v9(other), v9(a_set(0, template(256, [(48, 1)])), a_set(256, b"\x03")))
    assert (row["sampling_rate"], row["sampling_source"]) == (0, "unknown")


def test_late_data_is_told_apart_after_a_restart_of_ours_too() -> None:
    state = State()
    decoded(ipfix(a_set(2, template(256, BYTES_AND_PORT)), sequence=0), state=state)
    decoded(ipfix(a_set(2, template(256, PORT_AND_BYTES)), sequence=0, seconds=SECONDS + 3), state=state)
    again = State.load(json.loads(json.dumps(state.dump())))
    (late,) = flows(ipfix(DATA, sequence=0, seconds=SECONDS + 1), state=again)
    assert (late["bytes"], late["src_port"]) == (9, 80)


def test_templates_that_serve_late_data_are_bounded() -> None:
    state, limits = State(), Limits(templates=16)
    for turn in range(200):
        for fields in (BYTES_AND_PORT, PORT_AND_BYTES):
            payload = v9(a_set(0, template(256 + turn, fields)))
            decode(Datagrams.of([payload], EXPORTER, NOW), state, limits)
    assert len(state.templates.late) <= 16


def test_an_exporter_that_began_anew_while_we_were_down_is_noticed() -> None:
    state = State()
    decoded(v9(ONE, DATA, uptime=9_000_000, sequence=70), state=state)
    for current in (True, False):
        again = State.load(json.loads(json.dumps(state.dump())), current)
        assert decoded(v9(DATA, uptime=2000, seconds=SECONDS + 5), state=again).flows.rows == 0
    again = State.load(json.loads(json.dumps(state.dump())), current=False)
    assert decoded(v9(DATA, uptime=9_005_000, sequence=90, seconds=SECONDS + 5), state=again).flows.rows == 1
