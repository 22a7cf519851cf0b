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


@pytest.mark.parametrize(
    ("length", "raw", "seen"), [(1, b"\x40", 64), (2, b"\x00\x80", 128), (4, b"\0\0\0\x42", 66), (4, b"\x40\0\0\0", 64)]
)
def test_forwarding_status_of_any_length(length: int, raw: bytes, seen: int) -> None:
    assert one([(89, length)], raw)["forwarding_status"] == seen


@pytest.mark.parametrize(
    ("raw", "seen"),
    [
        (b"\x03\x50", 3 << 24 | 80),
        (b"\x03\x01\xbb", 3 << 24 | 443),
        (b"\x0d\x00\x01\xbb", 13 << 24 | 443),
        (b"\x0d\x00\x00\x01\xbb", 13 << 56 | 443),
        (b"\x14\x00\x00\x30\x44\x00\x00\x3e\x3f", 20 << 56 | 12356 << 32 | 15935),
    ],
)
def test_application_ids_of_any_length(raw: bytes, seen: int) -> None:
    assert one([(95, len(raw))], raw)["application"] == seen


def test_vrfs_segments_and_reasons() -> None:
    fields = [(234, 4), (235, 4), (351, 8), (136, 1), (312, 2)]
    row = one(fields, struct.pack(">IIQBH", 3, 4, 1 << 56 | 5001, 2, 1518))
    assert (row["in_vrf"], row["out_vrf"], row["layer2_segment_id"]) == (3, 4, 1 << 56 | 5001)
    assert (row["flow_end_reason"], row["frame_length"]) == (2, 1518)


@pytest.mark.parametrize("length", [48, 65535, 20, 200])
def test_segments_of_srv6(length: int) -> None:
    hops = [ip_address(f"2001:db8::{hop}") for hop in (1, 2, 3)]
    raw = b"".join(hop.packed for hop in hops)
    held = raw[:length].ljust(length, b"\0") if length < 65535 else bytes((len(raw),)) + raw
    expected = [str(hop) for hop in hops] if length > 20 else [str(hops[0])]  # what is no whole segment is none
    assert one([(497, length)], held)["srv6_segments"] == expected
    assert one([(495, 16)], hops[1].packed)["srv6_segments"] == [str(hops[1])]


def test_totals_are_kept_beside_deltas() -> None:
    row = one([(1, 8), (2, 8), (85, 8), (86, 8)], struct.pack(">4Q", 10, 1, 999, 9))
    assert (row["bytes"], row["bytes_total"], row["packets"], row["packets_total"]) == (10, 999, 1, 9)
    row = one([(85, 8), (86, 8)], struct.pack(">2Q", 999, 9))
    assert (row["bytes"], row["bytes_total"], row["packets"]) == (999, 999, 9)


def test_in_and_out_counters_are_not_added() -> None:
    assert one([(1, 4), (23, 4)], struct.pack(">II", 10, 12))["bytes"] == 10
    assert one([(1, 4), (23, 4)], struct.pack(">II", 0, 12))["bytes"] == 12


def test_a_duration_completes_the_times() -> None:
    from schema.render import time_text

    assert one([(152, 8), (161, 4)], struct.pack(">QI", NOW, 700))["flow_end"] == time_text(NOW + 700)
    assert one([(153, 8), (162, 4)], struct.pack(">QI", NOW, 700_000))["flow_start"] == time_text(NOW - 700)
    told = one([(152, 8), (153, 8), (161, 4)], struct.pack(">QQI", NOW, NOW + 5, 700))
    assert told["flow_end"] == time_text(NOW + 5)


def test_the_time_of_an_event_is_when_it_was_observed() -> None:
    from schema.render import time_text

    row = one([(152, 8), (323, 8)], struct.pack(">QQ", NOW - 9000, NOW))
    assert (row["flow_start"], row["flow_end"]) == (time_text(NOW - 9000), time_text(NOW))
    assert one([(323, 8)], struct.pack(">Q", NOW))["flow_start"] == time_text(NOW)


def test_elements_that_come_twice_keep_their_places_and_the_first_that_is_set_counts() -> None:
    outer, inner = ip_address("192.0.2.1").packed, ip_address("10.0.0.1").packed
    fields = [(8, 4), (7, 2), (8, 4), (7, 2), (1, 4)]
    row = one(fields, outer + struct.pack(">H", 5) + inner + struct.pack(">HI", 6, 77))
    assert (row["src_addr"], row["src_port"], row["bytes"]) == ("192.0.2.1", 5, 77)
    assert one(fields, bytes(6) + inner + struct.pack(">HI", 6, 77))["src_addr"] == "10.0.0.1"


def test_labels_that_come_twice_under_one_element_are_a_stack() -> None:
    entries = b"".join((label << 4).to_bytes(3, "big") for label in (100, 200, 300))
    assert one([(70, 3), (70, 3), (71, 3)], entries)["mpls_labels"] == [100, 200, 300]


@pytest.mark.parametrize("element", [291, 292, 293])
def test_lists_are_passed_over_by_their_length(element: int) -> None:
    for inside in (b"", b"\x00" * 9, b"\xff" * 40, struct.pack(">BHH", 3, 8, 0) + bytes(300)):
        prefix = bytes((len(inside),)) if len(inside) < 255 else b"\xff" + struct.pack(">H", len(inside))
        row = one([(7, 2), (element, 65535), (1, 4)], struct.pack(">H", 80) + prefix + inside + struct.pack(">I", 5))
        assert (row["src_port"], row["bytes"]) == (80, 5)


def test_enterprise_numbers_have_32_bits() -> None:
    assert one([(1, 4, 2**32 - 1), (1, 4, 65536), (1, 4)], struct.pack(">III", 1, 2, 3))["bytes"] == 3


def test_what_is_ipfix_in_netflow9_is_read_too() -> None:
    fields = [(152, 8), (281, 16), (43, 2), (0, 0), (371, 65535), (1, 4)]
    body = struct.pack(">Q16sHB3sI", NOW, bytes(15) + b"\1", 9, 3, b"eve", 6)
    row = one(fields, body, version=9)
    assert (row["bytes"], row["user_name"], row["post_nat_src_addr"]) == (6, "eve", "::1")


def test_the_start_time_may_stand_in_the_record_itself() -> None:
    from schema.render import time_text

    row = one([(160, 8), (22, 4), (21, 4)], struct.pack(">QII", NOW - 10_000, 1000, 2000))
    assert (row["flow_start"], row["flow_end"]) == (time_text(NOW - 9000), time_text(NOW - 8000))


def test_absurd_distances_from_the_export_time_stay_within_time() -> None:
    from schema.render import time_text

    assert one([(158, 8)], b"\xff" * 8)["flow_start"] == time_text(0)


def test_the_way_back_does_not_take_what_holds_of_the_way_there_only() -> None:
    fields = [(1, 4), (176, 1), (4, 1), (89, 1), (61, 1), (70, 3), (1, 4, 29305)]
    body = struct.pack(">IBBBB3sI", 10, 8, 1, 64, 1, b"\0\6\x41", 20)
    there, back = sorted(
        flows(ipfix(a_set(2, template(300, fields)), a_set(300, body))), key=lambda row: int(str(row["bytes"]))
    )
    assert (there["icmp_type"], there["mpls_labels"], there["forwarding_status"]) == (8, [100], 64)
    assert (back["icmp_type"], back["mpls_labels"], back["forwarding_status"], back["flow_direction"]) == (0, [], 0, 0)
