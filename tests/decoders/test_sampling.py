"""Where a sampling rate comes from (O-1 to O-4): the order of the sources, and that unknown is not one in one."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np
import pytest

from decoders import Datagrams, Limits, Senders, State, decode
from schema.columns import SAMPLING_SOURCES
from tests.decoders.wire import (
    EXPORTER,
    NOW,
    a_set,
    decoded,
    flows,
    ipfix,
    options_template9,
    options_template10,
    record5,
    template,
    v5,
    v9,
)  # fmt: skip

FLOW = a_set(0, template(256, [(1, 4), (10, 2), (48, 1), (34, 4)]))
SAMPLER = a_set(1, options_template9(300, [(1, 4)], [(48, 1), (50, 4)])) + a_set(300, struct.pack(">IBI", 7, 3, 512))
INTERFACE = a_set(1, options_template9(301, [(2, 2)], [(34, 4)])) + a_set(301, struct.pack(">HI", 9, 64))
TEMPLATE = a_set(1, options_template9(303, [(5, 2)], [(34, 4)])) + a_set(303, struct.pack(">HI", 256, 32))
PLAIN = a_set(1, options_template9(302, [(1, 4)], [(34, 4)])) + a_set(302, struct.pack(">II", 7, 100))


def flow(interface: int = 0, sampler: int = 0, inside: int = 0) -> bytes:
    return a_set(256, struct.pack(">IHBI", 1, interface, sampler, inside))


def senders(override: int = 0, default: int = 0) -> Senders:
    nobody = Senders.nobody()
    return replace(nobody, override=np.array([override], np.uint32), default=np.array([default], np.uint32))


def told(*payloads: bytes, by: Senders | None = None) -> list[tuple[int, str]]:
    block = replace(Datagrams.of(payloads, EXPORTER, NOW), senders=by or senders())
    result = decode(block, State(), Limits()).flows
    sources = [SAMPLING_SOURCES[code] for code in result.column("sampling_source").tolist()]
    return list(zip(result.column("sampling_rate").tolist(), sources, strict=True))


ALL = SAMPLER + INTERFACE + TEMPLATE + PLAIN


@pytest.mark.parametrize(
    ("options", "data", "by", "expected"),
    [
        (ALL, flow(9, 3, 7), senders(override=2000, default=5), (2000, "override")),
        (ALL, flow(9, 3, 7), senders(default=5), (512, "sampler")),
        (ALL, flow(9, 4, 7), senders(default=5), (7, "record")),
        (ALL, flow(9, 4), senders(default=5), (64, "scope")),
        (ALL, flow(8, 4), senders(default=5), (32, "scope")),
        (PLAIN, flow(8, 4), senders(default=5), (100, "plain")),
        (b"", flow(8, 4), senders(default=5), (5, "default")),
        (b"", flow(8, 4), senders(), (0, "unknown")),
        (b"", flow(8, 4), senders(override=1), (1, "override")),
    ],
)
def test_the_order_of_the_sources(options: bytes, data: bytes, by: Senders, expected: tuple[int, str]) -> None:
    assert told(v9(FLOW, options, data), by=by) == [expected]


def test_a_sampler_without_a_name_in_the_records_serves_them_all() -> None:
    unnamed = a_set(1, options_template9(300, [(1, 4)], [(48, 1), (50, 4)])) + a_set(
        300, struct.pack(">IBI", 7, 0, 512)
    )
    assert told(v9(unnamed, a_set(0, template(256, [(1, 4)])), a_set(256, bytes(4)))) == [(512, "plain")]


def test_selectors_and_template_ids_of_ipfix() -> None:
    selector = a_set(3, options_template10(300, [(302, 8)], [(305, 4), (306, 4)]))
    by_template = a_set(3, options_template10(301, [(145, 2)], [(309, 4), (310, 4)]))
    data = (
        a_set(300, struct.pack(">QII", 2**40, 1, 999)), a_set(301, struct.pack(">HII", 257, 2, 300)),
        a_set(2, template(256, [(302, 8)]) + template(257, [(1, 4)])),
        a_set(256, struct.pack(">Q", 2**40)), a_set(257, bytes(4)),
    )  # fmt: skip
    assert sorted(told(ipfix(selector, by_template, *data))) == [(150, "scope"), (1000, "sampler")]


@pytest.mark.parametrize(
    ("word", "rate", "mode", "source"),
    [(0x4064, 100, 1, "plain"), (0x8002, 2, 2, "plain"), (0, 0, 0, "unknown"), (0x0001, 1, 0, "plain")],
)
def test_the_sampling_word_of_netflow5(word: int, rate: int, mode: int, source: str) -> None:
    (row,) = flows(v5(record5(), sampling=word))
    assert (row["sampling_rate"], row["sampling_mode"], row["sampling_source"]) == (rate, mode, source)


def test_the_sampling_word_is_read_in_every_datagram() -> None:
    rows = flows(v5(record5(), sampling=0x4064), v5(record5(), sampling=0x4002, sequence=1))
    assert [row["sampling_rate"] for row in rows] == [100, 2]


def test_a_sampling_algorithm_in_the_record() -> None:
    (row,) = flows(
        ipfix(a_set(2, template(256, [(1, 4), (34, 4), (35, 1)])), a_set(256, struct.pack(">IIB", 1, 10, 2)))
    )
    assert (row["sampling_rate"], row["sampling_mode"]) == (10, 2)


def test_a_rate_in_fewer_octets_is_read() -> None:
    plain = a_set(1, options_template9(302, [(1, 4)], [(34, 2)])) + a_set(302, struct.pack(">IH", 7, 100))
    assert told(v9(FLOW, plain, flow())) == [(100, "plain")]


def test_names_of_applications_vrfs_and_samplers() -> None:
    applications = a_set(1, options_template9(300, [(1, 4)], [(95, 4), (96, 8), (94, 16)]))
    vrfs = a_set(1, options_template9(301, [(1, 4)], [(234, 4), (236, 8)]))
    samplers = a_set(1, options_template9(302, [(1, 4)], [(48, 1), (84, 8)]))
    result = decoded(
        v9(
            applications, a_set(300, struct.pack(">II8s16s", 7, 3 << 24 | 80, b"http", b"Web traffic")),
            vrfs, a_set(301, struct.pack(">II8s", 7, 5, b"customer")),
            samplers, a_set(302, struct.pack(">IB8s", 7, 2, b"random")),
        )
    )  # fmt: skip
    seen = {(name.naming, name.id, name.name, name.description) for name in result.names}
    assert seen == {
        ("application", 3 << 24 | 80, "http", "Web traffic"), ("vrf", 5, "customer", ""), ("sampler", 2, "random", ""),
    }  # fmt: skip


def test_names_that_one_datagram_tells_are_bounded() -> None:
    options = a_set(1, options_template9(300, [(2, 1)], [(82, 1)]))
    body = b"".join(bytes((index % 256, 65 + index % 26)) for index in range(700))
    result = decoded(v9(options, a_set(300, body)))
    assert result.option_records == 700
    assert 0 < len(result.names) <= Limits().layouts + (20 + len(options) + 4 + 1400) // 16
