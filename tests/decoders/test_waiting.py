"""Data before its template: it waits, within bounds of octets and time, and no flow is lost or told twice."""

from __future__ import annotations

import json
import struct

from decoders import Datagrams, Decoded, Limits, Octets, State, decode, finish
from decoders.faults import Fault
from schema.render import rows
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

FIELDS = [(1, 4), (7, 2)]
NINE, TEN = a_set(0, template(256, FIELDS)), a_set(2, template(256, FIELDS))


def data(*octets: int) -> bytes:
    return a_set(256, b"".join(struct.pack(">IH", each, 80) for each in octets))


def at(time: int, *payloads: bytes, state: State, limits: Limits | None = None) -> list[int]:
    result = decode(Datagrams.of(payloads, EXPORTER, time), state, limits or Limits())
    return [int(octets) for octets in result.flows.column("bytes")]


def result_times(result: Decoded) -> list[int]:
    ordered = result.flows.take(result.origin.argsort(kind="stable"))
    return [int(time) for time in ordered.column("time_received")]


def test_data_waits_for_its_template_in_a_later_block() -> None:
    state = State()
    first = decoded(v9(data(1, 2), sequence=1), ipfix(data(3), sequence=5), state=state)
    assert (first.flows.rows, first.faults) == (0, {})
    assert first.octets[Octets.WAITING] == len(data(1, 2)) + len(data(3)) - 8
    assert state.waiting.sets == 2
    later = decode(Datagrams.of([v9(NINE, data(4)), ipfix(TEN)], EXPORTER, NOW + 60_000), state, Limits())
    told = list(rows(later.flows.take(later.origin.argsort(kind="stable"))))
    assert [row["bytes"] for row in told] == [1, 2, 3, 4]
    received = result_times(later)
    assert received == [NOW, NOW, NOW, NOW + 60_000]
    assert [row["flow_type"] for row in told] == ["netflow9", "netflow9", "ipfix", "netflow9"]
    assert state.waiting.sets == state.waiting.octets == 0


def test_what_waited_keeps_the_time_it_was_received_and_its_uptime() -> None:
    state = State()
    at(NOW - 5000, v9(a_set(256, struct.pack(">II", 9, 400)), uptime=1000), state=state)
    result = decode(
        Datagrams.of([v9(a_set(0, template(256, [(1, 4), (22, 4)])), uptime=1000)], EXPORTER, NOW), state, Limits()
    )
    assert result.flows.column("time_received").tolist() == [NOW - 5000]
    assert result.flows.column("flow_start").tolist() == [NOW - 600]


def test_what_waits_too_long_is_given_up_and_counted() -> None:
    state, limits = State(), Limits(waiting_time=60_000)
    at(NOW, v9(data(1)), state=state)
    at(NOW + 50_000, v9(data(2)), state=state)
    result = decode(Datagrams.of([v9()], EXPORTER, NOW + 61_000), state, limits)
    assert result.faults == {Fault.TEMPLATE_MISSING: 1}
    assert at(NOW + 62_000, v9(NINE), state=state) == [2]


def test_the_octets_that_wait_are_bounded_by_exporter_and_in_all() -> None:
    limits = Limits(waiting_octets=1000)
    state = State()
    block = Datagrams.gather([v9(data(1))] * 100 + [v9(data(2))], [EXPORTER] * 100 + [bytes(15) + b"\x09"], [NOW] * 101)
    result = decode(block, state, limits)
    assert state.waiting.octets <= 2000
    assert state.waiting.per_exporter[bytes(15) + b"\x09"] > 0
    assert result.faults[Fault.TEMPLATE_MISSING] + state.waiting.sets == 101
    assert sum(result.octets.values()) == int(block.lengths.sum())
    assert (
        finish(state).faults[Fault.TEMPLATE_MISSING] == state.waiting.sets + 101 - result.faults[Fault.TEMPLATE_MISSING]
    )
    state = State()
    decode(block, state, Limits(all_waiting_octets=400))
    assert 0 < state.waiting.octets <= 400


def test_a_restart_of_ours_forgets_nothing_that_waits() -> None:
    state = State()
    before = state.revision
    decoded(v9(data(7)), state=state)
    assert state.revision > before
    again = State.load(json.loads(json.dumps(state.dump())))
    assert at(NOW, v9(NINE), state=again) == [7]


def test_options_data_waits_too() -> None:
    state = State()
    flow = a_set(0, template(256, [(1, 4)]))
    decoded(v9(a_set(302, struct.pack(">II", 7, 100))), state=state)
    (row,) = flows(
        v9(a_set(1, options_template9(302, [(1, 4)], [(34, 4)])), flow, a_set(256, struct.pack(">I", 1))), state=state
    )
    assert (row["sampling_rate"], row["sampling_source"]) == (100, "plain")


def test_of_two_definitions_the_first_is_the_one_that_was_waited_for() -> None:
    state = State()
    decoded(ipfix(data(5)), state=state)
    other = a_set(2, template(256, [(7, 2), (1, 4)]))
    assert at(NOW, ipfix(TEN), ipfix(other), state=state) == [5]


def test_a_template_of_options_for_another_domain_releases_nothing() -> None:
    state = State()
    decoded(ipfix(data(5), domain=1), state=state)
    decoded(ipfix(a_set(3, options_template10(256, [(149, 4)], [(34, 4)])), domain=2), state=state)
    assert state.waiting.sets == 1
