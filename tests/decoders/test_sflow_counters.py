"""sFlow counter samples: every field of every structure, what is missing, what lies, and where each octet goes."""

from __future__ import annotations

import numpy as np
import pytest

from schema.batch import Nullable, Symbols
from schema.counters import COUNTER_TABLES
from tests.decoders.counter_wire import (
    KEYS,
    WIDTHS,
    WIRE,
    Key,
    body,
    datagram,
    decoded,
    distinct,
    field,
    fields,
    only,
    record,
    rows,
    sample,
    structure,
    told,
)
from tests.decoders.test_explain import wrong
from tests.decoders.wire import NOW

EACH = pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key[0]}:{key[1]}")
TABLES = {table.name: {column.name: column for column in table.columns} for table in COUNTER_TABLES}


@EACH
def test_every_field_of_every_structure(key: Key) -> None:
    values = distinct(key)
    result = decoded(datagram(sample(record(key, structure(key, values)))))
    row = only(result, WIRE[key][0]) if key != (0, 10) else rows(result, "counters_interface")[0]
    assert told(row, values) == values
    assert not +result.faults
    assert not result.passed_over


@EACH
@pytest.mark.parametrize("expanded", [False, True])
def test_columns_are_of_the_types_that_are_stored(key: Key, expanded: bool) -> None:
    one = sample(record(key, structure(key, distinct(key))), expanded=expanded)
    for table, found in decoded(datagram(one, one)).counters.items():
        for name, column in found.columns.items():
            stored = TABLES[table][name]
            assert isinstance(column, Nullable) == stored.nullable
            values = column.codes if isinstance(column, Symbols) else column
            values = values.values if isinstance(values, Nullable) else values
            assert values.dtype == np.dtype(stored.dtype), name
            assert values.shape == ((found.rows, stored.width) if stored.width else (found.rows,))


@EACH
def test_all_ones_is_unknown(key: Key) -> None:
    values = distinct(key)
    for code, column in fields(WIRE[key][1]):
        of_word = [name for letter, name in fields(WIRE[key][1]) if letter == "B"] if code == "B" else [column]
        unknown = values | dict.fromkeys(of_word)
        row = rows(decoded(datagram(sample(record(key, structure(key, unknown))))), WIRE[key][0])[0]
        assert told(row, values) == unknown


def test_an_octet_of_all_ones_in_a_word_that_is_not_is_known() -> None:
    values = distinct((0, 7)) | {"lag_actor_oper_port_state": 255}
    row = only(decoded(datagram(sample(record((0, 7), structure((0, 7), values))))), "counters_interface")
    assert told(row, values) == values


@pytest.mark.parametrize("word", [0x7FC00000, 0x7F800001, 0x7F800000, 0xFF800000, 0xBF800000, 0xFFFFFFFF])
def test_a_load_that_is_no_number_or_below_zero_is_unknown(word: int) -> None:
    octets = word.to_bytes(4, "big") + structure((0, 2003), distinct((0, 2003)))[4:]
    row = only(decoded(datagram(sample(record((0, 2003), octets)))), "counters_host")
    assert (row["load_one"], row["load_five"]) == (None, 2.5)


@EACH
def test_a_shorter_structure_lacks_the_fields_behind(key: Key) -> None:
    values = distinct(key)
    whole = body(WIRE[key][1], values)
    neighbour = distinct((0, 5))
    for length in range(len(whole)):
        short = sample(record(key, whole[:length]))
        result = decoded(datagram(short, sample(record((0, 5), structure((0, 5), neighbour)))), datagram(short))
        found = rows(result, WIRE[key][0])
        expected, at = {}, 0
        for code, column in fields(WIRE[key][1]):
            at += WIDTHS[code]
            expected[column] = values[column] if at <= length else None
        assert told(found[0], values) == expected
        assert told(found[-1], values) == expected
        assert told(rows(result, "counters_vlan")[-1 if key != (0, 5) else 1], neighbour) == neighbour
        assert not +result.faults


@EACH
def test_a_longer_structure_is_read_as_far_as_it_is_known(key: Key) -> None:
    values = distinct(key)
    result = decoded(datagram(sample(record(key, structure(key, values) + b"\x07" * 21))))
    assert told(rows(result, WIRE[key][0])[0], values) == values
    assert not +result.faults


@EACH
def test_of_a_structure_that_comes_twice_the_first_counts(key: Key) -> None:
    first, second = distinct(key), distinct(key, seed=1)
    pair = sample(record(key, structure(key, first)), record(key, structure(key, second)))
    found = rows(decoded(datagram(pair, pair)), WIRE[key][0])
    assert [told(row, first) for row in found] == [first, first]


def test_a_load_of_negative_zero_is_zero() -> None:
    octets = b"\x80\0\0\0" + structure((0, 2003), distinct((0, 2003)))[4:]
    assert only(decoded(datagram(sample(record((0, 2003), octets)))), "counters_host")["load_one"] == 0


def test_what_follows_a_short_structure_is_not_among_its_values() -> None:
    neighbour = sample(record((0, 5), structure((0, 5), distinct((0, 5)))))
    result = decoded(datagram(sample(record((0, 1), bytes(12))), neighbour))
    for column in result.counters["counters_interface"].columns.values():
        assert not isinstance(column, Nullable) or not column.values.any()


def test_an_old_host_does_not_tell_of_stolen_time() -> None:
    values = distinct((0, 2003))
    octets = structure((0, 2003), values)[:68]
    row = only(decoded(datagram(sample(record((0, 2003), octets)))), "counters_host")
    assert [row[name] for name in ("contexts", "cpu_steal", "cpu_guest", "cpu_guest_nice")] == [
        values["contexts"], None, None, None,
    ]  # fmt: skip
    assert wrong(datagram(sample(record((0, 2003), octets)))) == []


@pytest.mark.parametrize("expanded", [False, True])
def test_rows_say_where_they_come_from(expanded: bool) -> None:
    vlan = record((0, 5), structure((0, 5), distinct((0, 5))))
    result = decoded(
        datagram(sample(vlan, source=(1, 7), sequence=11, expanded=expanded), sample(vlan, source=(3, 0xFFFFFF)),
                 agent=9, sub_agent=5, uptime=77),
        datagram(sample(vlan, source=(3, 2**24 + 8) if expanded else (3, 8), expanded=expanded), agent=8),
    )  # fmt: skip
    found = rows(result, "counters_vlan")
    mapped = bytes(10) + b"\xff\xff" + bytes((198, 51, 100))
    assert [
        (row["exporter"], *(row[name] for name in (
            "time_received", "observation_domain", "source_class", "source_index", "sequence", "uptime", "name")))
        for row in found
    ] == [
        (mapped + b"\x09", NOW, 5, 1, 7, 11, 77, ""),
        (mapped + b"\x09", NOW, 5, 3, 0xFFFFFF, 1, 77, ""),
        (mapped + b"\x08", NOW, 0, 3, 2**24 + 8 if expanded else 8, 1, 1000, ""),
    ]  # fmt: skip
    assert result.counter_samples == 3


def test_structures_of_one_sample_and_table_are_one_row() -> None:
    """Also where records of others stand between, and where other samples have fewer structures, or others."""
    interface, ethernet, lag = distinct((0, 1)), distinct((0, 2)), distinct((0, 7))
    unknown = record((99, 3), b"private"), record((0, 1003), bytes(52)), record((1, 1), bytes(88))
    both = sample(
        unknown[0], record((0, 1), structure((0, 1), interface)), unknown[1], unknown[2],
        record((0, 2), structure((0, 2), ethernet)),
    )  # fmt: skip
    alone = sample(record((0, 7), structure((0, 7), lag)))
    for copies in (1, 40):
        result = decoded(*[datagram(both, alone, sample(unknown[0]))] * copies)
        found = rows(result, "counters_interface")
        assert len(found) == 2 * copies
        for row in found[::2]:
            assert told(row, interface | ethernet | lag) == interface | ethernet | dict.fromkeys(lag)
        for row in found[1::2]:
            assert told(row, interface | ethernet | lag) == dict.fromkeys([*interface, *ethernet]) | lag
        assert result.passed_over == {
            ("counter", 99, 3): 2 * copies, ("counter", 0, 1003): copies, ("counter", 1, 1): copies,
        }  # fmt: skip
        assert list(result.counters) == ["counters_interface"]


def test_only_columns_of_structures_that_came_are_there() -> None:
    result = decoded(datagram(sample(record((0, 2), structure((0, 2), distinct((0, 2)))))))
    assert "dot3_stats_fcs_errors" in result.counters["counters_interface"].columns
    assert "if_in_octets" not in result.counters["counters_interface"].columns


def test_numbers_of_the_wire_are_big_endian() -> None:
    """The encoder itself, against octets written out by hand."""
    assert field("I", 0x01020304) == bytes((1, 2, 3, 4))
    assert field("i", -2) == b"\xff\xff\xff\xfe"
    assert field("M", 0x010203040506) == bytes((1, 2, 3, 4, 5, 6, 0, 0))
    assert field("f", 1.0) == b"\x3f\x80\0\0"
    assert (field("Q", None), field("M", None)) == (b"\xff" * 8, b"\xff" * 6 + bytes(2))
