"""Packet headers: frames built by scapy against what they were built from, anything else against a slow parser."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP

from decoders.packet_header import BASIC, COLUMNS, HeaderColumns, parse, parse_at
from decoders.packet_ip import MAX_EXTENSIONS
from decoders.packet_link import MAX_TAGS
from schema.columns import BY_NAME, Kind

ETHERNET, IPV4, IPV6 = 1, 11, 12


def v4(**fields: Any) -> IP:
    return IP(src="192.0.2.1", dst="198.51.100.2", tos=0xB8, **fields)


LINK = Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:0b")
V4 = v4()
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2", tc=0x28, fl=0xABCDE)
SEGMENT = TCP(sport=443, dport=50000, flags="SAEC", reserved=0)
DATAGRAM = UDP(sport=53, dport=50001)
PAYLOAD = b"\xee" * 100

MACS = {"src_mac": 0x02000000000A, "dst_mac": 0x02000000000B}
IN_V4 = {"src_addr": "192.0.2.1", "dst_addr": "198.51.100.2", "tos": 0xB8}
IN_V6 = {"src_addr": "2001:db8::1", "dst_addr": "2001:db8::2", "tos": 0x28}
IN_TCP = {"proto": 6, "src_port": 443, "dst_port": 50000, "tcp_flags": 0xD2}
IN_UDP = {"proto": 17, "src_port": 53, "dst_port": 50001}

BUILT: dict[str, tuple[Any, dict[str, Any]]] = {
    "tcp over v4": (LINK / V4 / SEGMENT / PAYLOAD, MACS | IN_V4 | IN_TCP | {"bytes": 140}),
    "udp over v4": (LINK / V4 / DATAGRAM / PAYLOAD, MACS | IN_V4 | IN_UDP | {"bytes": 128}),
    "tcp over v6": (LINK / V6 / SEGMENT / PAYLOAD, MACS | IN_V6 | IN_TCP | {"bytes": 160}),
    "udp over v6": (LINK / V6 / DATAGRAM / PAYLOAD, MACS | IN_V6 | IN_UDP | {"bytes": 148}),
    "sctp": (
        LINK / V4 / SCTP(sport=2905, dport=2906) / PAYLOAD,
        MACS | IN_V4 | {"proto": 132, "src_port": 2905, "dst_port": 2906, "bytes": 132},
    ),
    "accurate ecn bit": (LINK / V4 / TCP(flags="N"), MACS | IN_V4 | {"proto": 6, "dst_port": 80, "src_port": 20}
                         | {"tcp_flags": 0x100, "bytes": 40}),
    "icmp": (
        LINK / V4 / ICMP(type=3, code=13) / PAYLOAD,
        MACS | IN_V4 | {"proto": 1, "icmp_type": 3, "icmp_code": 13, "bytes": 128},
    ),
    "icmpv6": (
        LINK / V6 / ICMPv6EchoRequest(data=PAYLOAD),
        MACS | IN_V6 | {"proto": 58, "icmp_type": 128, "bytes": 148},
    ),
    "other protocol": (LINK / v4(proto=50) / PAYLOAD,
                       MACS | IN_V4 | {"proto": 50, "bytes": 120}),
    "vlan": (LINK / Dot1Q(vlan=4094, prio=7) / V4 / DATAGRAM, MACS | IN_V4 | IN_UDP | {"src_vlan": 4094, "bytes": 28}),
    "provider bridge": (
        LINK / Dot1AD(vlan=100) / Dot1Q(vlan=200) / V6 / DATAGRAM,
        MACS | IN_V6 | IN_UDP | {"src_vlan": 100, "inner_vlan": 200, "bytes": 48},
    ),
    "two plain tags": (
        LINK / Dot1Q(vlan=100) / Dot1Q(vlan=200) / V4 / DATAGRAM,
        MACS | IN_V4 | IN_UDP | {"src_vlan": 100, "inner_vlan": 200, "bytes": 28},
    ),
    "old provider tag": (
        Ether(src=LINK.src, dst=LINK.dst, type=0x9100) / Dot1Q(vlan=300) / V4 / DATAGRAM,
        MACS | IN_V4 | IN_UDP | {"src_vlan": 300, "bytes": 28},
    ),
    "as many tags as are followed": (
        LINK / Dot1AD(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / Dot1Q(vlan=4) / V4 / DATAGRAM,
        MACS | IN_V4 | IN_UDP | {"src_vlan": 1, "inner_vlan": 2, "bytes": 28},
    ),
    "udp-lite": (
        LINK / v4(proto=136) / bytes(DATAGRAM),
        MACS | IN_V4 | {"proto": 136, "src_port": 53, "dst_port": 50001, "bytes": 28},
    ),
    "dccp": (
        LINK / IPv6(src="2001:db8::1", dst="2001:db8::2", tc=0x28, nh=33) / bytes(DATAGRAM),
        MACS | IN_V6 | {"proto": 33, "src_port": 53, "dst_port": 50001, "bytes": 48},
    ),
    "v4 options": (
        LINK / v4(options=[IPOption_NOP()] * 40) / DATAGRAM,
        MACS | IN_V4 | IN_UDP | {"bytes": 68},
    ),
    "first v4 fragment": (
        LINK / v4(flags="MF") / DATAGRAM / PAYLOAD,
        MACS | IN_V4 | IN_UDP | {"bytes": 128},
    ),
    "later v4 fragment": (
        LINK / v4(frag=185, proto=17) / PAYLOAD,
        MACS | IN_V4 | {"proto": 17, "bytes": 120},
    ),
    "extension headers": (
        LINK / V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrRouting(addresses=["2001:db8::9"]) / IPv6ExtHdrFragment()
        / AH(nh=60, payloadlen=4, icv=b"\1" * 12) / IPv6ExtHdrDestOpt() / SEGMENT,
        MACS | IN_V6 | IN_TCP | {"bytes": 40 + 8 + 24 + 8 + 24 + 8 + 20},
    ),
    "later v6 fragment": (
        LINK / V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(offset=180, nh=6) / PAYLOAD,
        MACS | IN_V6 | {"proto": 6, "bytes": 156},
    ),
    "later v6 fragment of extension headers": (
        LINK / V6 / IPv6ExtHdrFragment(offset=1, nh=60) / PAYLOAD,
        MACS | IN_V6 | {"proto": 60, "bytes": 148},
    ),
    "nothing above": (LINK / IPv6(src="2001:db8::1", dst="2001:db8::2", tc=0x28, nh=59),
                      MACS | IN_V6 | {"proto": 59, "bytes": 40}),
}  # fmt: skip

REJECTED = {
    "arp": LINK / ARP(),
    "five tags": LINK / Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) / Dot1Q(vlan=4) / Dot1Q(vlan=5) / V4 / DATAGRAM,
    "version 6 under the EtherType of 4": LINK / v4(version=6) / DATAGRAM,
    "header length below 20": LINK / v4(ihl=4) / DATAGRAM,
}


def parse_list(
    headers: Sequence[bytes], protocol: Sequence[int] | int, padding: int = 0, inner: bool = False
) -> HeaderColumns:
    width = max(map(len, headers))
    matrix = np.full((len(headers), width), padding, np.uint8)
    for row, header in zip(matrix, headers, strict=True):
        row[: len(header)] = np.frombuffer(header, np.uint8)
    codes = protocol if isinstance(protocol, int) else np.array(protocol, np.uint32)
    return parse(matrix, np.array([len(header) for header in headers]), codes, inner)


def row(columns: HeaderColumns, index: int) -> dict[str, Any]:
    """One packet's columns that are not zero, addresses as text."""
    found = {name: values[index] for name, values in columns.arrays.items() if np.any(values[index])}
    return {name: text(bytes(value)) if name.endswith("addr") else int(value) for name, value in found.items()}


def text(octets: bytes) -> str:
    address = ipaddress.IPv6Address(octets)
    return str(address.ipv4_mapped or address)


def slow(header: bytes, protocol: int) -> tuple[bool, dict[str, Any]]:
    """The obvious parser: one packet, octet by octet; what is absent is not in the result."""
    found: dict[str, Any] = {}

    def number(at: int, size: int) -> int:
        octets = header[at : at + size]
        return int.from_bytes(octets, "big") if len(octets) == size else 0

    at, kind = 0, {IPV4: 0x0800, IPV6: 0x86DD}.get(protocol, 0)
    if protocol == ETHERNET:
        found |= {"dst_mac": number(0, 6), "src_mac": number(6, 6)}
        at, kind = 14, number(12, 2)
        for vlan in ("src_vlan", "inner_vlan", "", "")[:MAX_TAGS]:
            if kind in (0x8100, 0x88A8, 0x9100):
                found |= {vlan: number(at, 2) & 0xFFF} if vlan else {}
                at, kind = at + 4, number(at + 2, 2)
    ok = True
    if kind == 0x0800 and len(header) >= at + 20 and header[at] >> 4 == 4 and header[at] & 15 >= 5:
        found |= {"src_addr": text(b"\0" * 10 + b"\xff" * 2 + header[at + 12 : at + 16])}
        found |= {"dst_addr": text(b"\0" * 10 + b"\xff" * 2 + header[at + 16 : at + 20])}
        proto, whole = header[at + 9], number(at + 6, 2) & 0x1FFF == 0
        found |= {"bytes": number(at + 2, 2), "tos": header[at + 1]}
        at += header[at] % 16 * 4
    elif kind == 0x86DD and len(header) >= at + 40 and header[at] >> 4 == 6:
        found |= {"src_addr": text(header[at + 8 : at + 24]), "dst_addr": text(header[at + 24 : at + 40])}
        found |= {"bytes": number(at + 4, 2) + 40, "tos": number(at, 2) >> 4 & 0xFF}
        proto, at, whole = header[at + 6], at + 40, True
        for _ in range(MAX_EXTENSIONS):
            if proto not in (0, 43, 44, 51, 60) or at >= len(header) or not whole:
                break
            if proto == 44:
                size, whole = 8, number(at + 2, 2) >> 3 == 0
            else:
                size = (number(at + 1, 1) + 2) * 4 if proto == 51 else (number(at + 1, 1) + 1) * 8
            proto, at = header[at], at + size
    else:
        ok, proto, whole = False, 0, False
    found["proto"] = proto
    if whole and proto in (6, 17, 33, 132, 136):
        found |= {"src_port": number(at, 2), "dst_port": number(at + 2, 2)}
    if whole and proto == 6:
        found["tcp_flags"] = number(at + 12, 2) & 0xFFF
    if whole and proto in (1, 58):
        found |= {"icmp_type": number(at, 2) >> 8, "icmp_code": number(at, 2) & 0xFF}
    return ok, {name: value for name, value in found.items() if value and value != "::"}


def assert_same(columns: HeaderColumns, headers: Sequence[bytes], protocols: Sequence[int]) -> None:
    for index, (header, protocol) in enumerate(zip(headers, protocols, strict=True)):
        assert (bool(columns.ok[index]), row(columns, index)) == slow(header, protocol), header.hex()


@pytest.mark.parametrize("name", BUILT)
def test_frame_gives_what_it_was_built_from(name: str) -> None:
    packet, expected = BUILT[name]
    columns = parse_list([bytes(packet)], ETHERNET)
    assert columns.ok[0]
    assert row(columns, 0) == expected


def test_a_mixed_batch_gives_the_same_rows() -> None:
    columns = parse_list([bytes(packet) for packet, _ in BUILT.values()], ETHERNET)
    assert [row(columns, index) for index in range(len(BUILT))] == [expected for _, expected in BUILT.values()]


@pytest.mark.parametrize("name", REJECTED)
def test_frame_without_an_ip_header_that_can_be_read(name: str) -> None:
    columns = parse_list([bytes(REJECTED[name])], ETHERNET)
    assert not columns.ok[0]
    assert row(columns, 0).keys() <= {"src_mac", "dst_mac", "src_vlan", "inner_vlan"}


def test_header_protocols_of_sflow() -> None:
    v4, v6 = bytes(V4 / DATAGRAM), bytes(V6 / DATAGRAM)
    columns = parse_list([v4, v6, v6, v4, v4], [IPV4, IPV6, IPV4, IPV6, 5])
    assert columns.ok.tolist() == [True, True, False, False, False]
    assert row(columns, 0) == IN_V4 | IN_UDP | {"bytes": 28}
    assert row(columns, 1) == IN_V6 | IN_UDP | {"bytes": 48}
    assert row(columns, 2) == row(columns, 3) == row(columns, 4) == {}


def test_columns_are_those_of_the_schema_and_only_those_that_some_packet_has() -> None:
    plain = parse_list([b"\0"] * 3, ETHERNET).arrays
    assert tuple(plain) == BASIC
    tagged = parse_list([bytes(BUILT["provider bridge"][0])] * 3, ETHERNET).arrays
    assert tuple(tagged) == (*BASIC, "inner_vlan")
    assert set(BASIC) < set(COLUMNS) <= set(BY_NAME)
    for name, values in tagged.items():
        assert values.dtype == BY_NAME[name].dtype
        assert values.shape == ((3, 16) if BY_NAME[name].kind is Kind.ADDRESS else (3,))


def test_link_is_what_stands_before_the_ip_header() -> None:
    names = ["udp over v4", "vlan", "provider bridge", "as many tags as are followed"]
    columns = parse_list([bytes(BUILT[name][0]) for name in names] + [bytes(LINK / ARP())], ETHERNET)
    assert columns.link.tolist() == [14, 18, 22, 30, 0]
    assert parse_list([bytes(V4 / DATAGRAM)], IPV4).link.tolist() == [0]


@pytest.mark.parametrize("shape", [(0, 128), (0, 0), (3, 0)])
def test_no_headers_and_empty_headers(shape: tuple[int, int]) -> None:
    columns = parse(np.zeros(shape, np.uint8), np.zeros(shape[0], np.int64), ETHERNET)
    assert columns.ok.tolist() == [False] * shape[0]


def test_extension_headers_are_followed_up_to_the_bound() -> None:
    def chain(count: int) -> bytes:
        packet = V6
        for _ in range(count):
            packet = packet / IPv6ExtHdrDestOpt()
        return bytes(packet / DATAGRAM)

    columns = parse_list([chain(MAX_EXTENSIONS), chain(MAX_EXTENSIONS + 1)], IPV6)
    assert columns.ok.all()
    assert columns.arrays["src_port"].tolist() == [53, 0]
    assert columns.arrays["proto"].tolist() == [17, 60]


def test_every_truncation_of_every_frame() -> None:
    frames = [bytes(packet) for packet in [packet for packet, _ in BUILT.values()] + list(REJECTED.values())]
    headers = [frame[:length] for frame in frames for length in range(len(frame) + 1)]
    # What lies behind the captured octets is another packet's, or a sender's: it must not show.
    assert_same(parse_list(headers, ETHERNET, padding=0xFF), headers, [ETHERNET] * len(headers))


def test_headers_in_place_in_a_buffer_longer_than_one_chunk() -> None:
    frames = [bytes(packet) for packet, _ in BUILT.values()]
    repeats = 1500
    data = np.frombuffer(b"".join(frames) * repeats, np.uint8)
    lengths = np.array([len(frame) for frame in frames] * repeats, np.uint32)
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    order = np.random.default_rng(1).permutation(len(starts))
    columns = parse_at(data, starts[order], lengths[order], ETHERNET)
    once = parse_list(frames, ETHERNET)
    assert columns.ok.all()
    for name, values in columns.arrays.items():
        assert np.array_equal(values, once.arrays[name][order % len(frames)]), name


@st.composite
def header(draw: st.DrawFn) -> tuple[bytes, int]:
    """Random octets, or a built frame with octets overwritten and cut anywhere, under any header protocol."""
    protocol = draw(st.sampled_from([ETHERNET, ETHERNET, IPV4, IPV6, 0, 5]))
    if draw(st.booleans()):
        return draw(st.binary(max_size=160)), protocol
    frame = bytearray(bytes(draw(st.sampled_from(list(BUILT.values())))[0])[0 if protocol == ETHERNET else 14 :])
    for place in draw(st.lists(st.integers(0, 79), max_size=4)):
        if place < len(frame):
            frame[place] = draw(st.sampled_from([0, 1, 6, 17, 43, 44, 51, 60, 0x45, 0x4F, 0x60, 0x81, 0xFF]))
    return bytes(frame[: draw(st.integers(0, len(frame)))]) if draw(st.booleans()) else bytes(frame), protocol


@settings(deadline=None, max_examples=300)
@given(st.lists(header(), min_size=1, max_size=12), st.sampled_from([0, 0xFF]))
def test_any_octets_parse_as_the_slow_parser_does(drawn: list[tuple[bytes, int]], padding: int) -> None:
    headers, protocols = [octets for octets, _ in drawn], [protocol for _, protocol in drawn]
    assert_same(parse_list(headers, protocols, padding), headers, protocols)
