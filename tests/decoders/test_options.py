"""Options data: sampling by sampler, interface and plain; interface names; what overrides what."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from decoders import Datagrams, Limits, State, decode
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

FLOW = a_set(0, template(256, [(1, 4), (10, 2), (48, 1)]))


def flow(octets: int, interface: int, sampler: int) -> bytes:
    return a_set(256, struct.pack(">IHB", octets, interface, sampler))


def test_rates_by_sampler_interface_and_plain() -> None:
    samplers = a_set(1, options_template9(300, [(1, 4)], [(48, 1), (50, 4)]))
    interfaces = a_set(1, options_template9(301, [(2, 2)], [(34, 4)]))
    plain = a_set(1, options_template9(302, [(1, 4)], [(34, 4), (35, 1)]))
    data = (
        a_set(300, struct.pack(">IBI", 7, 2, 512) + struct.pack(">IBI", 7, 3, 1024)),
        a_set(301, struct.pack(">HI", 9, 64)),
        a_set(302, struct.pack(">IIB", 7, 100, 1)),
    )
    state = State()
    decoded(v9(samplers, interfaces, plain, *data), state=state)
    rows = flows(v9(FLOW, flow(1, 1, 2), flow(2, 1, 3), flow(3, 9, 0), flow(4, 1, 0)), state=state)
    assert [row["sampling_rate"] for row in rows] == [512, 1024, 64, 100]


def test_what_is_told_last_on_the_wire_holds_whatever_template_tells_it() -> None:
    told = a_set(1, options_template9(300, [(1, 4)], [(34, 4)]) + options_template9(301, [(1, 4)], [(50, 4)]))
    data = [a_set(id_, struct.pack(">II", 7, rate)) for id_, rate in ((300, 10), (301, 20), (300, 30))]
    for order in ((0, 1, 2), (2, 1, 0), (0, 2, 1)):
        (row,) = flows(v9(FLOW, told, *(data[index] for index in order), flow(1, 1, 2)))
        assert row["sampling_rate"] == (10, 20, 30)[order[-1]]


def test_options_behind_the_flows_they_explain_in_one_datagram() -> None:
    plain = a_set(1, options_template9(302, [(1, 4)], [(34, 4)]))
    rows = flows(v9(FLOW, flow(1, 1, 0), plain, a_set(302, struct.pack(">II", 7, 100))))
    assert rows[0]["sampling_rate"] == 100


def test_unknown_is_zero_and_other_domains_do_not_leak() -> None:
    state = State()
    plain = a_set(1, options_template9(302, [(1, 4)], [(34, 4)]))
    decoded(v9(plain, a_set(302, struct.pack(">II", 7, 100)), source=1), state=state)
    assert flows(v9(FLOW, flow(1, 1, 0), source=2), state=state)[0]["sampling_rate"] == 0


@pytest.mark.parametrize(("fields", "figures", "rate"), [
    ([(305, 4), (306, 4)], (1, 99), 100),
    ([(305, 4), (306, 4)], (10, 990), 100),
    ([(309, 4), (310, 4)], (2, 200), 100),
    ([(50, 2)], (4000,), 4000),
])  # fmt: skip
def test_figures_of_rfc5477(fields: list[tuple[int, ...]], figures: tuple[int, ...], rate: int) -> None:
    form = "".join({4: "I", 2: "H"}[length] for _, length in fields)
    options = a_set(3, options_template10(300, [(149, 4)], fields)) + a_set(300, struct.pack(f">I{form}", 7, *figures))
    sets = a_set(2, template(256, [(1, 4)])), a_set(256, struct.pack(">I", 1))
    assert flows(ipfix(options, *sets))[0]["sampling_rate"] == rate
    inside = a_set(2, template(257, [(1, 4), *fields])), a_set(257, struct.pack(f">I{form}", 1, *figures))
    assert flows(ipfix(*inside))[0]["sampling_rate"] == rate


def test_the_operators_override_wins() -> None:
    plain = a_set(1, options_template9(302, [(1, 4)], [(34, 4)])) + a_set(302, struct.pack(">II", 7, 100))
    block = Datagrams.of([v9(plain, FLOW, flow(1, 1, 0))], EXPORTER, NOW)
    block = replace(block, senders=replace(block.senders, override=np.array([2000], np.uint32)))
    assert decode(block, State(), Limits()).flows.column("sampling_rate").tolist() == [2000]


def test_interface_names_of_fixed_and_variable_length() -> None:
    options = a_set(1, options_template9(300, [(2, 4)], [(82, 8), (83, 8)]))
    result = decoded(v9(options, a_set(300, struct.pack(">I8s8s", 3, b"ge-0/0/3", b"uplink"))))
    (name,) = result.names
    assert (name.exporter, name.id, name.name, name.description) == (EXPORTER, 3, "ge-0/0/3", "uplink")
    options = a_set(3, options_template10(300, [(10, 4)], [(82, 65535)]))
    result = decoded(
        ipfix(options, a_set(300, struct.pack(">I", 4) + b"\x04eth4" + struct.pack(">I", 5) + b"\xff\0\4eth5"))
    )
    assert [(name.id, name.name) for name in result.names] == [(4, "eth4"), (5, "eth5")]


def test_names_are_valid_printable_and_bounded() -> None:
    options = a_set(3, options_template10(300, [(10, 4)], [(82, 65535)]))
    raw = b"\xfe\x1b[31m" + b"x" * 400
    body = struct.pack(">I", 4) + b"\xff" + struct.pack(">H", len(raw)) + raw
    (name,) = decoded(ipfix(options, a_set(300, body))).names
    assert name.name.startswith("\ufffd\ufffd[31mxxx")
    assert len(name.name) <= 256
