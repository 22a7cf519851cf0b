"""Packet sections (IANA 104, 313, 315): the packet's own header says what the record leaves open."""

from __future__ import annotations

import struct

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN

from decoders import sections
from tests.decoders.wire import a_set, flows, ipfix, template

PACKET = IP(src="192.0.2.1", dst="198.51.100.2", tos=8) / TCP(sport=1234, dport=80, flags="SA") / (b"x" * 100)
FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Dot1Q(vlan=42) / PACKET


@pytest.mark.parametrize("length", [65535, 200, 40])
def test_a_section_of_an_ip_packet(length: int) -> None:
    octets = bytes(PACKET)
    held = octets[:length].ljust(length, b"\0") if length < 65535 else bytes((len(octets),)) + octets
    (row,) = flows(ipfix(a_set(2, template(300, [(302, 4), (313, length)])), a_set(300, struct.pack(">I", 9) + held)))
    assert (row["src_addr"], row["dst_addr"], row["src_port"], row["dst_port"]) == (
        "192.0.2.1",
        "198.51.100.2",
        1234,
        80,
    )
    assert (row["proto"], row["tcp_flags"], row["tos"], row["bytes"], row["packets"]) == (6, 0x12, 8, 140, 1)


@pytest.mark.parametrize("element", [315, 104])
def test_a_section_of_a_frame(element: int) -> None:
    octets = bytes(FRAME)
    fields = [(312, 4), (408, 2), (element, 65535)]
    body = struct.pack(">IHB", len(octets), 1, len(octets)) + octets
    (row,) = flows(ipfix(a_set(2, template(300, fields)), a_set(300, body)))
    assert (row["src_addr"], row["src_vlan"], row["src_mac"]) == ("192.0.2.1", 42, "02:00:00:00:00:01")
    assert (row["bytes"], row["frame_length"]) == (140, 158)


def test_ipv6_and_what_the_record_says_itself_goes_first() -> None:
    octets = bytes(IPv6(src="2001:db8::1", dst="2001:db8::2") / UDP(sport=5, dport=53))
    fields = [(7, 2), (2, 4), (410, 2), (313, 100)]
    body = struct.pack(">HIH", 99, 7, len(octets)) + octets.ljust(100, b"\xff")
    (row,) = flows(ipfix(a_set(2, template(300, fields)), a_set(300, body)))
    assert (row["src_addr"], row["src_port"], row["dst_port"], row["packets"]) == ("2001:db8::1", 99, 53, 7)


@pytest.mark.parametrize("held", [b"", b"\x45", b"\xff" * 40])
def test_what_is_no_packet_fills_nothing(held: bytes) -> None:
    body = struct.pack(">IB", 5, len(held)) + held
    (row,) = flows(ipfix(a_set(2, template(300, [(1, 4), (313, 65535)])), a_set(300, body)))
    assert (row["bytes"], row["packets"], row["src_addr"]) == (5, 0, "::")


def test_another_link_type_is_not_taken_for_ethernet() -> None:
    octets = bytes(FRAME)
    body = struct.pack(">HB", 2, len(octets)) + octets
    (row,) = flows(ipfix(a_set(2, template(300, [(408, 2), (315, 65535)])), a_set(300, body)))
    assert row["src_addr"] == "::"


def section(frame: bytes, fields: list[tuple[int, int]], values: bytes) -> bytes:
    """A message with a flow of `fields` and a dataLinkFrameSection."""
    record = values + bytes((len(frame),)) + frame
    return ipfix(a_set(2, template(300, [*fields, (315, 65535)])), a_set(300, record))


def test_labels_and_tags_of_a_frame_unless_the_record_has_its_own() -> None:
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Dot1Q(vlan=42) / Dot1Q(vlan=43)
    frame = bytes(link / MPLS(label=16, s=0, ttl=1) / MPLS(label=17, s=1, ttl=1) / PACKET)
    (row,) = flows(section(frame, [(1, 4)], struct.pack(">I", 5)))
    assert (row["src_vlan"], row["inner_vlan"], row["mpls_labels"], row["bytes"]) == (42, 43, [16, 17], 5)
    (row,) = flows(section(frame, [(1, 4), (70, 3)], struct.pack(">I", 5) + b"\x00\x06\x31"))
    assert (row["mpls_labels"], row["src_addr"]) == ([99], "192.0.2.1")


@pytest.mark.parametrize("inner", [False, True])
def test_a_section_of_a_packet_inside_another(monkeypatch: pytest.MonkeyPatch, inner: bool) -> None:
    complete = sections.complete
    monkeypatch.setattr(sections, "complete", lambda parts, sink, *_: complete(parts, sink, inner))
    link, outer = Ether(src="02:00:00:00:00:01"), IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5, dport=4789)
    frame = bytes(link / outer / VXLAN(vni=7, flags=8) / Ether() / PACKET)
    (row,) = flows(section(frame, [(61, 1)], b"\0"))
    ends = {"outer": ("10.0.0.1", "10.0.0.2", 4789, 17), "inner": ("192.0.2.1", "198.51.100.2", 80, 6)}
    layer, hidden = ("inner", "outer") if inner else ("outer", "inner")
    assert (row["src_addr"], row["dst_addr"], row["dst_port"], row["proto"]) == ends[layer]
    assert (row["tunnel_src_addr"], row["tunnel_dst_addr"]) == ends[hidden][:2]
    assert (row["tunnel"], row["tunnel_layer"]) == ("vxlan", layer)
    assert (row["layer2_segment_id"], row["bytes"]) == (1 << 56 | 7, 140 if inner else 190)
