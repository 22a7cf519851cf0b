"""What single fields decode to: reduced sizes, choices between elements, times, ICMP, biflows, enterprise elements."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest

from tests.decoders.wire import NOW, SECONDS, a_set, flows, ipfix, options_template10, template, v9


def one(fields: list[tuple[int, ...]], record: bytes, *, version: int = 10, before: bytes = b"") -> dict[str, object]:
    """The one flow of a record of `fields`."""
    make, set_id = (ipfix, 2) if version == 10 else (v9, 0)
    (row,) = flows(make(before, a_set(set_id, template(300, fields)), a_set(300, record)))
    return row


@pytest.mark.parametrize("length", range(1, 9))
def test_reduced_size_counters(length: int) -> None:
    value = int.from_bytes(bytes(range(1, length + 1)), "big")
    assert one([(1, length)], value.to_bytes(length, "big"))["bytes"] == value


def test_a_value_too_large_for_its_column_is_absent() -> None:
    assert one([(58, 4)], b"\xff\xff\xff\xff")["src_vlan"] == 0
    assert one([(7, 4)], struct.pack(">I", 443))["src_port"] == 443


@pytest.mark.parametrize(("delta", "total", "seen"), [(5, 0, 5), (0, 7, 7), (5, 7, 5)])
def test_of_delta_and_total_counters_the_first_that_is_not_zero_counts(delta: int, total: int, seen: int) -> None:
    assert one([(85, 8), (1, 8)], struct.pack(">QQ", total, delta))["bytes"] == seen


def test_of_two_address_families_the_one_that_is_set_counts() -> None:
    v4, v6 = ip_address("192.0.2.9"), ip_address("2001:db8::9")
    fields = [(8, 4), (27, 16)]
    assert one(fields, v4.packed + bytes(16))["src_addr"] == "192.0.2.9"
    assert one(fields, bytes(4) + v6.packed)["src_addr"] == "2001:db8::9"


def test_physical_interfaces_serve_when_logical_ones_are_absent() -> None:
    assert one([(252, 4), (253, 4)], struct.pack(">II", 3, 4))["in_if"] == 3
    assert one([(10, 4), (252, 4)], struct.pack(">II", 8, 3))["in_if"] == 8


def test_icmp_type_and_code_leave_the_port() -> None:
    row = one([(4, 1), (7, 2), (11, 2)], struct.pack(">BHH", 1, 0, 3 << 8 | 13))
    assert (row["icmp_type"], row["icmp_code"], row["src_port"], row["dst_port"]) == (3, 13, 0, 0)
    row = one([(4, 1), (32, 2), (11, 2)], struct.pack(">BHH", 1, 8 << 8, 77))
    assert (row["icmp_type"], row["icmp_code"], row["dst_port"]) == (8, 0, 0)


@pytest.mark.parametrize(
    ("element", "raw", "milliseconds"),
    [
        (150, struct.pack(">I", SECONDS), SECONDS * 1000),
        (152, struct.pack(">Q", NOW + 5), NOW + 5),
        (154, struct.pack(">II", SECONDS + 2_208_988_800, 1 << 31), SECONDS * 1000 + 500),
        (156, struct.pack(">II", 10, 0), (2**32 + 10 - 2_208_988_800) * 1000),  # NTP era 1, from 2036
        (158, struct.pack(">I", 2_500_000), SECONDS * 1000 - 2500),
    ],
)
def test_times(element: int, raw: bytes, milliseconds: int) -> None:
    from schema.render import time_text

    assert one([(element, len(raw))], raw)["flow_start"] == time_text(milliseconds)


@pytest.mark.parametrize(("uptime", "stamp", "offset"), [(1000, 400, -600), (1000, 1200, 200), (50, 2**32 - 50, -100)])
def test_uptime_stamps_are_signed_and_wrap(uptime: int, stamp: int, offset: int) -> None:
    from schema.render import time_text

    record = a_set(300, struct.pack(">I", stamp))
    (row,) = flows(v9(a_set(0, template(300, [(22, 4)])), record, uptime=uptime))
    assert row["flow_start"] == time_text(SECONDS * 1000 + offset)


def test_uptime_stamps_in_ipfix_need_the_start_time() -> None:
    from schema.render import time_text

    options = a_set(3, options_template10(301, [(149, 4)], [(160, 8)])) + a_set(
        301, struct.pack(">IQ", 7, NOW - 60_000)
    )
    assert one([(22, 4)], struct.pack(">I", 1500), before=options)["flow_start"] == time_text(NOW - 58_500)
    assert one([(22, 4)], struct.pack(">I", 1500))["flow_start"] == time_text(0)


def test_a_biflow_becomes_two_flows_and_a_silent_reverse_side_none() -> None:
    fields = [(8, 4), (12, 4), (7, 2), (11, 2), (1, 4), (2, 4), (1, 4, 29305), (2, 4, 29305)]
    here, there = ip_address("192.0.2.1").packed, ip_address("198.51.100.2").packed
    sets = a_set(2, template(300, fields))
    both = here + there + struct.pack(">HHIIII", 5000, 80, 100, 2, 9000, 8)
    silent = here + there + struct.pack(">HHIIII", 5001, 80, 40, 1, 0, 0)
    rows = flows(ipfix(sets, a_set(300, both + silent)))
    seen = {(row["src_addr"], row["src_port"], row["dst_port"], row["bytes"], row["packets"]) for row in rows}
    assert len(rows) == 3
    assert seen == {
        ("192.0.2.1", 5000, 80, 100, 2), ("198.51.100.2", 80, 5000, 9000, 8), ("192.0.2.1", 5001, 80, 40, 1)
    }  # fmt: skip


def test_enterprise_elements_are_not_taken_for_iana_ones() -> None:
    row = one([(1, 4, 9), (1, 4)], struct.pack(">II", 999, 5))
    assert row["bytes"] == 5


def test_mpls_labels_and_nat_and_mac() -> None:
    fields = [(70, 3), (71, 3), (56, 6), (225, 4), (228, 2)]
    record = (100 << 4 | 1).to_bytes(3, "big") + (200 << 4 | 1).to_bytes(3, "big") + bytes.fromhex("020000000001")
    row = one(fields, record + ip_address("203.0.113.5").packed + struct.pack(">H", 1024))
    assert row["mpls_labels"] == [100, 200]
    assert row["src_mac"] == "02:00:00:00:00:01"
    assert (row["post_nat_src_addr"], row["post_nat_dst_port"]) == ("203.0.113.5", 1024)
