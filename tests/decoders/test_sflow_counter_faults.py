"""sFlow counter samples: what lies, where each octet goes, and any selection and mutation of structures."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import Octets
from decoders.faults import Fault
from tests.decoders.counter_wire import (
    KEYS,
    WIRE,
    Key,
    Values,
    body,
    datagram,
    decoded,
    distinct,
    fields,
    host_adapters,
    host_descr,
    lane,
    port_buffers,
    record,
    rows,
    sample,
    sfp,
    string,
    structure,
    told,
)
from tests.decoders.test_explain import explained, wrong
from tests.decoders.test_sflow_counters import EACH, TABLES


def test_a_record_that_lies_costs_itself_and_what_follows_in_its_sample() -> None:
    values = distinct((0, 1))
    good = record((0, 1), structure((0, 1), values))
    liar = struct.pack(">II", 2, 113) + bytes(52)  # an octet more than there are
    ethernet = record((0, 2), bytes(52))
    spoilt = sample(good, liar, ethernet)
    for copies in (1, 40):
        result = decoded(*[datagram(spoilt, sample(good, ethernet))] * copies)
        found = rows(result, "counters_interface")
        assert [row["dot3_stats_fcs_errors"] for row in found] == [None, 0] * copies
        assert [told(row, values) for row in found] == [values] * 2 * copies
        assert result.octets[Octets.FAULTY] == copies * (8 + 52 + 8 + 52)
        assert result.faults[Fault.SAMPLE_LENGTH] == copies


def test_octets_have_one_account_each() -> None:
    good = record((0, 5), structure((0, 5), distinct((0, 5))))
    odd = record((0, 1005), string(b"abc")[:-1])
    liar = struct.pack(">II", 1, 9999) + bytes(8)
    for payload, expected in (
        (datagram(sample(good)), {Octets.COUNTERS: 12 + 8 + 28}),
        (datagram(sample(good, expanded=True)), {Octets.COUNTERS: 16 + 8 + 28}),
        (datagram(sample(odd, good)), {Octets.COUNTERS: 12 + 8 + 7 + 8 + 28, Octets.PADDING: 1}),
        (datagram(sample(good, good, count=1)), {Octets.COUNTERS: 12 + 8 + 28, Octets.PADDING: 36}),
        (datagram(sample(good, liar)), {Octets.COUNTERS: 12 + 8 + 28, Octets.FAULTY: 16}),
        (datagram(record((0, 2), bytes(11))), {Octets.FAULTY: 11}),
        (datagram(record((0, 4), bytes(15))), {Octets.FAULTY: 15}),
    ):
        assert +decoded(payload).octets == expected


def test_samples_too_short_for_their_head_are_faults() -> None:
    result = decoded(datagram(record((0, 2), bytes(8)), sample(record((0, 5), bytes(28))), record((0, 4), bytes(12))))
    assert +result.faults == {Fault.SAMPLE_LENGTH: 2}
    assert (result.counter_samples, len(rows(result, "counters_vlan"))) == (3, 1)


@pytest.mark.parametrize("payloads", [(), (datagram(),), (datagram(sample()),)])
def test_nothing_is_nothing(payloads: tuple[bytes, ...]) -> None:
    result = decoded(*payloads)
    assert (result.counters, result.names, +result.passed_over) == ({}, [], {})


def test_hostile_counts_cost_no_more_than_their_octets() -> None:
    """Each claims 2**32 - 1 of what it has none or one of."""
    most = 2**32 - 1
    one = sfp(distinct((0, 10)), [lane(1)], count=most)
    adapters = host_adapters((1, [2]), count=most)
    no_macs = most.to_bytes(4, "big") + struct.pack(">II", 1, most)
    buffers = body(WIRE[4413, 2][1], distinct((4413, 2))) + most.to_bytes(4, "big") * 2
    name = most.to_bytes(4, "big") + b"name"
    keys = ((0, 10), (0, 2001), (4413, 2), (0, 1005), (0, 2000))
    bodies = (one, adapters, buffers, name, name)
    hostile = sample(*(record(key, octets) for key, octets in zip(keys, bodies, strict=True)), count=most)
    result = decoded(*[datagram(hostile, sample(record((0, 2001), no_macs)), count=most)] * 500)
    assert {table: found.rows for table, found in result.counters.items()} == {
        "counters_interface": 500, "counters_lane": 500, "counters_adaptor": 1000, "counters_host": 500,
    }  # fmt: skip
    assert not result.names
    assert not +result.faults


def test_formats_without_end_are_counted_together() -> None:
    strange = [record((one, 9), b"") for one in range(1, 3001)]
    result = decoded(datagram(sample(*strange)), datagram(sample(strange[2500])))
    assert len(result.passed_over) == 1025
    assert result.passed_over["counter", 2501, 9] == 2
    assert result.passed_over["counter", 0, 0] == 3000 - 1024
    assert sum(result.passed_over.values()) == 3001


VALUES = {
    "I": st.none() | st.integers(0, 2**32 - 2), "i": st.none() | st.integers(-(2**23), -2) | st.integers(0, 2**23),
    "Q": st.none() | st.integers(0, 2**64 - 2), "M": st.none() | st.integers(0, 2**48 - 2),
    "f": st.none() | st.floats(0, 1e9, width=32).map(abs), "B": st.integers(0, 254),
}  # fmt: skip


@st.composite
def samples(draw: st.DrawFn) -> tuple[bytes, dict[str, Values]]:
    """A sample, and the row that it must give in each table."""
    expected: dict[str, Values] = {}
    records = []
    for key in draw(st.lists(st.sampled_from([*KEYS, (0, 9), (77, 2)]), max_size=7)):
        if key not in WIRE:
            records.append(record(key, draw(st.binary(max_size=20))))
            continue
        table, text = WIRE[key]
        values = {column: draw(VALUES[code]) for code, column in fields(text)}
        records.append(record(key, structure(key, values) + draw(st.sampled_from((b"", bytes(4))))))
        row = expected.setdefault(table, {})
        if not set(values) <= set(row):
            row |= values
    source = draw(st.sampled_from(((0, 1), (0, 77), (2, 1), (3, 2**24 - 1))))
    sequence, expanded = draw(st.integers(0, 2**32 - 1)), draw(st.booleans())
    for row in expected.values():
        row |= {"source_class": source[0], "source_index": source[1], "sequence": sequence}
    return sample(*records, source=source, sequence=sequence, expanded=expanded), expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(samples(), max_size=4), max_size=8), st.integers(1, 8))
def test_any_selection_of_structures_comes_back(block: list[list[tuple[bytes, dict[str, Values]]]], size: int) -> None:
    payloads = [datagram(*(octets for octets, _ in held)) for held in block]
    whole = decoded(*payloads)
    pieces = [decoded(*payloads[at : at + size]) for at in range(0, len(payloads), size)]
    for table, columns in TABLES.items():
        expected = [row[table] for held in block for _, row in held if table in row]
        for results in ([whole], pieces):
            found = [row for result in results for row in rows(result, table)]
            assert len(found) == len(expected)
            for row, values in zip(found, expected, strict=True):
                counters = {name: row.get(name) for name, column in columns.items() if column.nullable}
                assert counters == dict.fromkeys(counters) | {name: values[name] for name in values if name in counters}
                assert {**row, **values} == row
    assert not +whole.faults
    assert +whole.octets == sum((piece.octets for piece in pieces), start=+whole.octets - +whole.octets)


def every() -> bytes:
    """A datagram that has every structure."""
    records = [record(key, structure(key, distinct(key))) for key in KEYS if key not in ((0, 10), (4413, 2))]
    records += [
        record((0, 10), sfp(distinct((0, 10)), [lane(1), lane(2)])),
        record((4413, 2), port_buffers(distinct((4413, 2)), [1, 2], [3])),
        record((0, 1005), string(b"eth3")),
        record((0, 2000), host_descr(b"metal", bytes(range(16)), 3, 2, b"6.1.0")),
        record((0, 2001), host_adapters((1, [0xA, None]), (2, []))),
    ]
    return datagram(sample(*records[::2]), sample(*records[1::2], expanded=True), sample(*records))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_mutated_samples_raise_nothing_and_cost_no_others(data: st.DataObject) -> None:
    payload = every()
    mutated = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(28, len(mutated) - 1))
        mutated[at] = data.draw(st.sampled_from((0, 1, 2, 4, 127, 255)))
    broken = bytes(mutated[: data.draw(st.integers(28, len(mutated)))])
    copies = data.draw(st.sampled_from((1, 20)))
    together = decoded(*[broken, payload] * copies)
    alone, clean = decoded(broken), decoded(payload)
    for table in TABLES:
        one = [*rows(alone, table), *rows(clean, table)]
        names = {name for row in one for name in row}
        absent = {name: None if TABLES[table][name].nullable else "" for name in names}
        assert rows(together, table) == [absent | row for row in one] * copies
    assert +together.octets == {
        kind: copies * (alone.octets[kind] + clean.octets[kind]) for kind in alone.octets | clean.octets
        if alone.octets[kind] + clean.octets[kind]
    }  # fmt: skip


@EACH
def test_each_structure_is_explained(key: Key) -> None:
    whole = structure(key, distinct(key))
    assert wrong(datagram(sample(record(key, whole)))) == []
    for length in range(len(whole)):
        explained(datagram(sample(record(key, whole[:length]))))
    told_all = [line.text for line in explained(datagram(sample(record(key, whole))))]
    assert not [text for text in told_all if "not known" in text or "more than the structure" in text]


def test_lists_are_explained() -> None:
    payload = every()
    assert wrong(payload) == []
    for length in range(0, len(payload), 13):
        explained(payload[:length])
    texts = [line.text for line in explained(payload)]
    for text in (
        "data format: enterprise 5703, format 1 (nvidia_gpu)",
        "machine_type: 3 (x86_64)",
        "os_name: 2 (linux)",
        "count of lanes: 2",
        "lane 2",
        "rx_wavelength: 209 nanometres",
        "module_temperature: -5 thousandths of a degree Celsius",
        "adapter 1",
        "mac_address: 00:00:00:00:00:0a, and two octets of padding",
        "mac_address: unknown (all ones)",
        "count of mac_address: 0",
        "count of egress_queue_mc_pc: 1",
        "actorOperPortState: 0x05",
    ):
        assert text in texts, text
