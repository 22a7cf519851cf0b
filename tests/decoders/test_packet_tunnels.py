"""Packets inside packets: every tunnel, both sides of it, against scapy's own dissection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.contrib.geneve import GENEVE
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrSegmentRouting
from scapy.layers.l2 import ARP, GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from decoders.packet_header import COLUMNS, HEADER_PROTOCOLS, HeaderColumns, parse
from schema.columns import LAYERS, TUNNELS
from tests.decoders.test_packet_header import ETHERNET, LINK, MACS, parse_list, text
from tests.decoders.test_packet_links import LINKS

OUTER4, OUTER6 = IP(src="192.0.2.1", dst="192.0.2.2", tos=4), IPv6(src="2001:db8::1", dst="2001:db8::2", tc=4)
INNER4, INNER6 = IP(src="10.0.0.1", dst="10.0.0.2", tos=8), IPv6(src="fd00::1", dst="fd00::2", tc=8)
FRAME = Ether(src="0a:00:00:00:00:01", dst="0a:00:00:00:00:02")
SEGMENT = TCP(sport=1234, dport=80, flags="SA") / (b"\xee" * 30)
SEGMENTS = ["2001:db8:f::3", "2001:db8:f::2", "2001:db8:f::1"]

IN_OUTER4 = {"src_addr": "192.0.2.1", "dst_addr": "192.0.2.2", "tos": 4}
IN_OUTER6 = {"src_addr": "2001:db8::1", "dst_addr": "2001:db8::2", "tos": 4}
IN_INNER4 = {"src_addr": "10.0.0.1", "dst_addr": "10.0.0.2", "tos": 8, "bytes": 70}
IN_INNER6 = {"src_addr": "fd00::1", "dst_addr": "fd00::2", "tos": 8, "bytes": 90}
IN_SEGMENT = {"proto": 6, "src_port": 1234, "dst_port": 80, "tcp_flags": 0x12}


def udp(port: int) -> UDP:
    return UDP(sport=50000, dport=port, chksum=0)


def over(port: int) -> dict[str, Any]:
    return {"proto": 17, "src_port": 50000, "dst_port": port}


def routed(next_header: int, count: int = 3) -> IPv6ExtHdrSegmentRouting:
    return IPv6ExtHdrSegmentRouting(addresses=SEGMENTS[:count], nh=next_header, lastentry=count - 1, segleft=1)


# what carries, what is carried; what is told of the outer packet, of the inner, of both; octets before the inner header
TUNNELLED: dict[str, tuple[Any, Any, dict[str, Any], dict[str, Any], dict[str, Any], int]] = {
    "IPv4 in IPv4": (OUTER4, INNER4 / SEGMENT, IN_OUTER4 | {"proto": 4}, IN_INNER4, {"tunnel": "ipip"}, 20),
    "IPv6 in IPv4": (OUTER4, INNER6 / SEGMENT, IN_OUTER4 | {"proto": 41}, IN_INNER6, {"tunnel": "ipip"}, 20),
    "IPv4 in IPv6": (OUTER6, INNER4 / SEGMENT, IN_OUTER6 | {"proto": 4}, IN_INNER4, {"tunnel": "ipip"}, 40),
    "IPv6 in IPv6 with options": (
        OUTER6 / IPv6ExtHdrDestOpt(nh=41), INNER6 / SEGMENT, IN_OUTER6 | {"proto": 41}, IN_INNER6,
        {"tunnel": "ipip"}, 48,
    ),
    "GRE": (OUTER4 / GRE(), INNER4 / SEGMENT, IN_OUTER4 | {"proto": 47}, IN_INNER4, {"tunnel": "gre"}, 24),
    "GRE with all fields": (
        OUTER6 / GRE(chksum_present=1, key_present=1, seqnum_present=1, key=0x01020304), INNER6 / SEGMENT,
        IN_OUTER6 | {"proto": 47}, IN_INNER6, {"tunnel": "gre"}, 56,
    ),
    "GRE with a frame": (
        OUTER4 / GRE(), FRAME / Dot1Q(vlan=7) / INNER4 / SEGMENT, IN_OUTER4 | {"proto": 47}, IN_INNER4,
        {"tunnel": "gre"}, 42,
    ),
    "GRE with labels": (
        OUTER4 / GRE(proto=0x8847), MPLS(label=16, s=1, ttl=1) / INNER6 / SEGMENT, IN_OUTER4 | {"proto": 47}, IN_INNER6,
        {"tunnel": "gre"}, 28,
    ),
    "NVGRE": (
        OUTER4 / GRE(key_present=1, key=0xABCDEF42), FRAME / INNER6 / SEGMENT, IN_OUTER4 | {"proto": 47}, IN_INNER6,
        {"tunnel": "gre", "layer2_segment_id": 2 << 56 | 0xABCDEF}, 42,
    ),
    "VXLAN": (
        OUTER4 / udp(4789) / VXLAN(vni=0x123456, flags=8), FRAME / INNER4 / SEGMENT, IN_OUTER4 | over(4789), IN_INNER4,
        {"tunnel": "vxlan", "layer2_segment_id": 1 << 56 | 0x123456}, 50,
    ),
    "VXLAN over IPv6 on the old port, frame with tags": (
        OUTER6 / udp(8472) / VXLAN(vni=1, flags=8), FRAME / Dot1AD(vlan=3) / Dot1Q(vlan=4) / INNER6 / SEGMENT,
        IN_OUTER6 | over(8472), IN_INNER6, {"tunnel": "vxlan", "layer2_segment_id": 1 << 56 | 1}, 78,
    ),
    "Geneve": (
        OUTER4 / udp(6081) / GENEVE(vni=0xFEDCBA, proto=0x6558), FRAME / INNER4 / SEGMENT, IN_OUTER4 | over(6081),
        IN_INNER4, {"tunnel": "geneve", "layer2_segment_id": 0xFEDCBA}, 50,
    ),
    "Geneve with options and IPv6 at once": (
        OUTER6 / udp(6081) / GENEVE(vni=9, proto=0x86DD, optionlen=3) / Raw(b"\x01\x02\x80\x02" + b"\xff" * 8),
        INNER6 / SEGMENT, IN_OUTER6 | over(6081), IN_INNER6, {"tunnel": "geneve", "layer2_segment_id": 9}, 68,
    ),
    "SRv6 with IPv4": (
        OUTER6 / routed(4), INNER4 / SEGMENT, IN_OUTER6 | {"proto": 4}, IN_INNER4,
        {"tunnel": "srv6", "srv6_segments": SEGMENTS}, 96,
    ),
    "SRv6 with IPv6": (
        OUTER6 / routed(41, 2), INNER6 / SEGMENT, IN_OUTER6 | {"proto": 41}, IN_INNER6,
        {"tunnel": "srv6", "srv6_segments": SEGMENTS[:2]}, 80,
    ),
    "SRv6 with a frame": (
        OUTER6 / routed(143), Raw(bytes(FRAME / INNER4 / SEGMENT)), IN_OUTER6 | {"proto": 143}, IN_INNER4,
        {"tunnel": "srv6", "srv6_segments": SEGMENTS}, 110,
    ),
    "SRv6 with a frame and no routing header": (
        IPv6(src="2001:db8::1", dst="2001:db8::2", tc=4, nh=143), Raw(bytes(FRAME / INNER6 / SEGMENT)),
        IN_OUTER6 | {"proto": 143}, IN_INNER6, {"tunnel": "srv6"}, 54,
    ),
    "tunnel in a tunnel": (
        OUTER4 / GRE(), INNER4 / IP(src="172.16.0.1", dst="172.16.0.2") / Raw(b"\xee" * 30), IN_OUTER4 | {"proto": 47},
        IN_INNER4 | {"proto": 4}, {"tunnel": "gre"}, 24,
    ),
}  # fmt: skip

UNOPENED: dict[str, tuple[Any, dict[str, Any]]] = {
    "GRE with routing": (OUTER4 / GRE(routing_present=1) / INNER4, {}),
    "GRE of version 1": (OUTER4 / GRE(version=1, proto=0x800) / Raw(bytes(INNER4)), {}),
    "GRE with ERSPAN": (OUTER4 / GRE(proto=0x88BE) / Raw(b"\x10" * 40), {"tunnel": "gre"}),
    "VXLAN without an identifier": (OUTER4 / udp(4789) / VXLAN(flags=0) / FRAME / INNER4, {}),
    "VXLAN with ARP": (
        OUTER4 / udp(4789) / VXLAN(vni=5, flags=8) / FRAME / ARP(),
        {"tunnel": "vxlan", "layer2_segment_id": 1 << 56 | 5},
    ),
    "Geneve of version 1": (OUTER4 / udp(6081) / GENEVE(version=1, proto=0x800) / Raw(bytes(INNER4)), {}),
    "VXLAN's port as the source's": (OUTER4 / UDP(sport=4789, dport=9) / VXLAN(flags=8) / FRAME / INNER4, {}),
    "later fragment": (IP(src="192.0.2.1", dst="192.0.2.2", proto=4, frag=9) / Raw(bytes(INNER4)), {}),
    "later fragment of IPv6": (OUTER6 / IPv6ExtHdrFragment(offset=9, nh=41) / Raw(bytes(INNER6)), {}),
    "IPv4 that claims to be IPv6": (OUTER4 / INNER4.__class__(version=6, src="10.0.0.1"), {"tunnel": "ipip"}),
    "routing header of another type": (
        OUTER6 / IPv6ExtHdrSegmentRouting(type=3, addresses=SEGMENTS, nh=59, lastentry=2), {},
    ),
    "segments on the way to TCP": (
        OUTER6 / routed(6) / TCP(), {"srv6_segments": SEGMENTS},
    ),
}  # fmt: skip


def held(columns: HeaderColumns, index: int) -> dict[str, Any]:
    """One packet's columns that are not zero, as people read them."""
    found: dict[str, Any] = {}
    for name, values in columns.arrays.items():
        value = values[index]
        if not value.any():
            continue
        if name.endswith("addr"):
            found[name] = text(value.tobytes())
        elif name == "srv6_segments":
            found[name] = [text(octets.tobytes()) for octets in value.reshape(-1, 16) if octets.any()]
        elif name == "mpls_labels":
            found[name] = [entry for entry in value.tolist() if entry]
        else:
            found[name] = {"tunnel": TUNNELS, "tunnel_layer": LAYERS}.get(name, range(2**63))[int(value)]
    return found


def other(ends: dict[str, Any]) -> dict[str, Any]:
    return {"tunnel_src_addr": ends["src_addr"], "tunnel_dst_addr": ends["dst_addr"]}


def expected(name: str, inner: bool) -> dict[str, Any]:
    carrier, carried, of_outer, of_inner, of_both, _ = TUNNELLED[name]
    common = MACS | of_both | {"tunnel_layer": "inner" if inner else "outer"}
    if inner:
        return common | (IN_SEGMENT if "proto" not in of_inner else {}) | of_inner | other(of_outer)
    return common | of_outer | other(of_inner) | {"bytes": len(carrier / carried)}


def whole(name: str) -> bytes:
    return bytes(LINK / TUNNELLED[name][0] / TUNNELLED[name][1])


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("name", TUNNELLED)
def test_tunnel_gives_both_packets(name: str, inner: bool) -> None:
    columns = parse_list([whole(name)], ETHERNET, inner=inner)
    assert columns.ok[0]
    assert held(columns, 0) == expected(name, inner)
    assert columns.link[0] == 14 + (TUNNELLED[name][5] if inner else 0)


@pytest.mark.parametrize("inner", [False, True])
def test_all_tunnels_in_one_batch(inner: bool) -> None:
    columns = parse_list([whole(name) for name in TUNNELLED], ETHERNET, inner=inner)
    assert [held(columns, index) for index in range(len(TUNNELLED))] == [expected(name, inner) for name in TUNNELLED]


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("name", UNOPENED)
def test_what_holds_no_packet_leaves_the_outer_one(name: str, inner: bool) -> None:
    packet, told = UNOPENED[name]
    columns = parse_list([bytes(LINK / packet)], ETHERNET, inner=inner)
    found = held(columns, 0)
    assert found["src_addr"] in ("192.0.2.1", "2001:db8::1")
    names = ("tunnel", "tunnel_layer", "tunnel_src_addr", "tunnel_dst_addr", "layer2_segment_id", "srv6_segments")
    assert {name: found[name] for name in names if name in found} == told
    assert columns.link[0] == 14


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("name", TUNNELLED)
def test_cut_anywhere_a_tunnel_gives_less_but_nothing_else(name: str, inner: bool) -> None:
    octets, before = whole(name), 14 + TUNNELLED[name][5]
    headers = [octets[:length] for length in range(len(octets) + 1)]
    columns = parse_list(headers, ETHERNET, padding=0xFF, inner=inner)
    again = parse_list(headers, ETHERNET, padding=0, inner=inner)
    opened = before + (40 if octets[before] >> 4 == 6 else 20)
    for length in range(len(headers)):
        found = held(columns, length)
        assert found == held(again, length)
        segments = found.pop("srv6_segments", [])
        assert segments == SEGMENTS[: len(segments)]
        assert ("tunnel_layer" in found) == (length >= opened)
        if found.get("proto") in (43, 60):  # of the extension header that it names nothing was captured
            del found["proto"]
        # before the inner header was captured whole the outer one's columns stand, whatever was asked for
        most = expected(name, inner and length >= opened)
        assert found == {key: value for key, value in most.items() if key in found}, length


def test_more_segments_than_a_column_holds_and_lengths_that_lie() -> None:
    many = IPv6ExtHdrSegmentRouting(addresses=[f"2001:db8:f::{i + 1}" for i in range(12)], nh=59, lastentry=11)
    few = IPv6ExtHdrSegmentRouting(addresses=SEGMENTS, nh=59, lastentry=255)
    columns = parse_list([bytes(LINK / OUTER6 / many), bytes(LINK / OUTER6 / few / Raw(b"\xee" * 99))], ETHERNET)
    assert held(columns, 0)["srv6_segments"] == [f"2001:db8:f::{i + 1}" for i in range(8)]
    assert held(columns, 1)["srv6_segments"] == SEGMENTS


def test_of_several_routing_headers_the_first_is_kept() -> None:
    twice = OUTER6 / routed(43) / IPv6ExtHdrSegmentRouting(addresses=["2001:db8::9"], nh=4, lastentry=0) / INNER4
    found = held(parse_list([bytes(LINK / twice)], ETHERNET), 0)
    assert (found["srv6_segments"], found["tunnel"], found["tunnel_src_addr"]) == (SEGMENTS, "srv6", "10.0.0.1")


@pytest.mark.parametrize("inner", [False, True])
def test_a_packet_of_nothing_but_tunnels_costs_a_bounded_number_of_layers(inner: bool) -> None:
    nested = bytes(IP(src="192.0.2.1", dst="192.0.2.2", proto=4)) * 3000
    columns = parse_list([nested], 11, inner=inner)
    assert columns.link[0] == (20 if inner else 0)
    assert held(columns, 0)["tunnel_layer"] == ("inner" if inner else "outer")
    pseudowires = (bytes(MPLS(label=16, s=1)) + bytes(Ether(src=LINK.src, dst=LINK.dst, type=0x8847))) * 3000
    assert not parse_list([pseudowires], 13).ok[0]


SAMPLES = [whole(name) for name in TUNNELLED] + [bytes(LINK / packet) for packet, _ in UNOPENED.values()]
SAMPLES += [bytes(packet) for _, packet, _, _ in LINKS.values()]


@st.composite
def header(draw: st.DrawFn) -> tuple[bytes, int]:
    """Random octets, or a packet with octets overwritten and cut anywhere, under any header protocol."""
    protocol = draw(st.sampled_from([*HEADER_PROTOCOLS, *HEADER_PROTOCOLS, 0, 5]))
    if draw(st.booleans()):
        return draw(st.binary(max_size=200)), protocol
    octets = bytearray(draw(st.sampled_from(SAMPLES)))
    for place, value in draw(st.lists(st.tuples(st.integers(0, 140), st.integers(0, 255)), max_size=4)):
        if place < len(octets):
            octets[place] = value
    first = 0 if protocol == ETHERNET else draw(st.sampled_from([0, 12, 14]))
    return bytes(octets[first : draw(st.integers(first, len(octets)))]), protocol


@settings(deadline=None, max_examples=300)
@given(st.lists(header(), min_size=1, max_size=10), st.booleans())
def test_a_batch_gives_what_each_header_gives_alone(drawn: list[tuple[bytes, int]], inner: bool) -> None:
    headers, protocols = [octets for octets, _ in drawn], [protocol for _, protocol in drawn]
    columns = parse_list(headers, protocols, padding=0xFF, inner=inner)
    assert set(columns.arrays) <= set(COLUMNS)
    for index, (octets, protocol) in enumerate(drawn):
        alone = parse_list([octets], protocol, inner=inner)
        assert (columns.ok[index], columns.link[index]) == (alone.ok[0], alone.link[0])
        assert held(columns, index) == held(alone, 0), octets.hex()


@settings(deadline=None, max_examples=200)
@given(header())
def test_the_other_layer_is_the_same_packet_seen_from_the_other_side(drawn: tuple[bytes, int]) -> None:
    octets, protocol = drawn
    outer, inner = (held(parse_list([octets], protocol, inner=side), 0) for side in (False, True))
    assert ("tunnel_layer" in outer) == ("tunnel_layer" in inner)
    if "tunnel_layer" not in outer:
        assert outer == inner
    else:
        for end in ("src_addr", "dst_addr"):
            assert (outer.get(end), outer.get(f"tunnel_{end}")) == (inner.get(f"tunnel_{end}"), inner.get(end))


def test_tunnels_in_a_batch_of_several_chunks() -> None:
    names = list(TUNNELLED)
    order = np.random.default_rng(1).integers(0, len(names), 40_000)
    frames = [np.frombuffer(whole(name).ljust(256, b"\xff"), np.uint8) for name in names]
    lengths = np.array([len(whole(name)) for name in names])[order]
    columns = parse(np.stack(frames)[order], lengths, ETHERNET, inner=True)
    once = parse_list([whole(name) for name in names], ETHERNET, inner=True)
    assert np.array_equal(columns.link, once.link[order])
    for name, values in columns.arrays.items():
        assert np.array_equal(values, once.arrays[name][order]), name
