"""Packet headers: every link layer, built by scapy where it can, cut at every octet."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import UDP
from scapy.layers.l2 import LLC, SNAP, Dot1AD, Dot1AH, Dot1Q, Dot3, Ether
from scapy.layers.ppp import HDLC, PPP, PPPoE

from tests.decoders.test_packet_header import (
    ETHERNET,
    IN_UDP,
    IN_V4,
    IN_V6,
    LINK,
    MACS,
    PAYLOAD,
    V4,
    V6,
    parse_list,
    row,
)

PPP_LINE, MPLS_LINE, SONET, WIRELESS = 7, 13, 14, 15

UPPER = UDP(sport=53, dport=50001) / PAYLOAD
CUSTOMER = Ether(src="02:00:00:00:00:cc", dst="0a:00:00:00:00:cd")
"""A frame inside another; without a control word its first four bits are zeros, as those of most addresses."""
OVER_V4, OVER_V6 = IN_V4 | IN_UDP | {"bytes": 128}, IN_V6 | IN_UDP | {"bytes": 148}
SNAP_HEAD = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0)
BSSID = b"\x02\0\0\0\0\x0c"


def stack(*labels: int) -> Any:
    """Label stack entries with TTL 64, the last one marked as the bottom."""
    packet = MPLS(label=labels[0], cos=0, s=int(len(labels) == 1), ttl=64)
    return packet if len(labels) == 1 else packet / stack(*labels[1:])


def entries(*labels: int) -> list[int]:
    return [label << 4 | (i == len(labels) - 1) for i, label in enumerate(labels)]


def wireless(control: int, *addresses: bytes, more: bytes = b"", sequence: int = 0x120) -> bytes:
    """A frame of IEEE 802.11 with an IPv4 packet, or what it looks like under `control`."""
    fourth = b"".join(addresses[3:])
    head = struct.pack("<HH18sH", control, 0, b"".join(addresses[:3]), sequence) + fourth + more
    return head + bytes(SNAP_HEAD / V4 / UPPER)


TO, FROM = bytes.fromhex("02000000000b"), bytes.fromhex("02000000000a")

LINKS: dict[str, tuple[int, Any, dict[str, Any], int]] = {
    "802.3 with SNAP": (ETHERNET, Dot3(src=LINK.src, dst=LINK.dst) / SNAP_HEAD / V4 / UPPER, MACS | OVER_V4, 22),
    "SNAP under a tag": (
        ETHERNET,
        Ether(src=LINK.src, dst=LINK.dst, type=0x8100) / Dot1Q(vlan=7, type=136) / SNAP_HEAD / V4 / UPPER,
        MACS | OVER_V4 | {"src_vlan": 7},
        26,
    ),
    "backbone bridge": (
        ETHERNET,
        LINK / Dot1AD(vlan=9, type=0x88E7) / Dot1AH(isid=0xABCDEF) / CUSTOMER / Dot1Q(vlan=300) / V6 / UPPER,
        MACS | OVER_V6 | {"src_vlan": 9},
        40,
    ),
    "labels, then IPv4": (
        ETHERNET,
        LINK / Dot1Q(vlan=5) / stack(16, 1048575, 17) / V4 / UPPER,
        MACS | OVER_V4 | {"src_vlan": 5, "mpls_labels": entries(16, 1048575, 17)},
        30,
    ),
    "labels, then IPv6, by themselves": (
        MPLS_LINE, stack(2, 99) / V6 / UPPER, OVER_V6 | {"mpls_labels": entries(2, 99)}, 8,
    ),
    "upstream labels": (
        ETHERNET,
        Ether(src=LINK.src, dst=LINK.dst, type=0x8848) / bytes(stack(16) / V4 / UPPER),
        MACS | OVER_V4 | {"mpls_labels": entries(16)},
        18,
    ),
    "as many labels as are followed": (
        MPLS_LINE, stack(*range(100, 110)) / V4 / UPPER, OVER_V4 | {"mpls_labels": entries(*range(100, 110))}, 40,
    ),
    "pseudowire with a control word": (
        ETHERNET,
        LINK / stack(16) / (b"\0\0\x12\x34" + bytes(CUSTOMER / Dot1Q(vlan=300) / V4 / UPPER)),
        MACS | OVER_V4 | {"mpls_labels": entries(16)},
        40,
    ),
    "pseudowire without": (
        ETHERNET,
        LINK / stack(16) / bytes(CUSTOMER / V4 / UPPER),
        MACS | OVER_V4 | {"mpls_labels": entries(16)},
        32,
    ),
    "pseudowire to an address that looks like IPv4": (
        MPLS_LINE,
        stack(16) / bytes(Ether(src=LINK.src, dst="40:00:00:00:00:01") / V6 / UPPER),
        OVER_V6 | {"mpls_labels": entries(16)},
        18,
    ),
    "PPPoE": (ETHERNET, LINK / PPPoE(sessionid=5) / PPP(proto=0x21) / V4 / UPPER, MACS | OVER_V4, 22),
    "PPPoE in two tags": (
        ETHERNET,
        LINK / Dot1Q(vlan=5) / Dot1Q(vlan=6) / PPPoE(sessionid=5) / PPP(proto=0x57) / V6 / UPPER,
        MACS | OVER_V6 | {"src_vlan": 5, "inner_vlan": 6},
        30,
    ),
    "PPP": (PPP_LINE, bytes.fromhex("0021") + bytes(V4 / UPPER), OVER_V4, 2),
    "PPP, protocol compressed": (PPP_LINE, bytes.fromhex("57") + bytes(V6 / UPPER), OVER_V6, 1),
    "PPP in HDLC framing": (SONET, HDLC() / PPP(proto=0x57) / V6 / UPPER, OVER_V6, 4),
    "PPP with labels": (
        PPP_LINE, bytes.fromhex("ff030281") + bytes(stack(16) / V4 / UPPER), OVER_V4 | {"mpls_labels": entries(16)}, 8,
    ),
    "Cisco HDLC": (SONET, bytes.fromhex("0f000800") + bytes(V4 / UPPER), OVER_V4, 4),
    "Cisco HDLC, broadcast": (PPP_LINE, bytes.fromhex("8f0086dd") + bytes(V6 / UPPER), OVER_V6, 4),
    "802.11 to the access point": (WIRELESS, wireless(0x0108, BSSID, FROM, TO), MACS | OVER_V4, 32),
    "802.11 from the access point": (WIRELESS, wireless(0x0208, TO, BSSID, FROM), MACS | OVER_V4, 32),
    "802.11 between stations": (WIRELESS, wireless(0x0008, TO, FROM, BSSID), MACS | OVER_V4, 32),
    "802.11 in four addresses, with QoS and HT control": (
        WIRELESS, wireless(0x8388, BSSID, BSSID, TO, FROM, more=b"\0" * 6), MACS | OVER_V4, 44,
    ),
}  # fmt: skip

NOTHING: dict[str, tuple[int, Any]] = {
    "802.3 without SNAP": (ETHERNET, Dot3(src=LINK.src, dst=LINK.dst) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / PAYLOAD),
    "SNAP of another OUI": (
        ETHERNET,
        Dot3(src=LINK.src, dst=LINK.dst) / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=12, code=0x800) / V4 / UPPER,
    ),
    "one label too many": (MPLS_LINE, stack(*range(100, 111)) / V4 / UPPER),
    "pseudowire with ARP": (MPLS_LINE, stack(16) / bytes(Ether(src=LINK.src, dst=LINK.dst, type=0x806) / PAYLOAD)),
    "PPPoE that is no session": (ETHERNET, LINK / PPPoE(code=9) / bytes.fromhex("0021") / V4 / UPPER),
    "link control of PPP": (PPP_LINE, bytes.fromhex("ff03c021") + PAYLOAD),
    "802.11 beacon": (WIRELESS, wireless(0x0080, TO, FROM, BSSID)),
    "802.11 without data": (WIRELESS, wireless(0x0048, TO, FROM, BSSID)),
    "802.11 encrypted": (WIRELESS, wireless(0x4008, TO, FROM, BSSID)),
    "802.11 later fragment": (WIRELESS, wireless(0x0008, TO, FROM, BSSID, sequence=0x121)),
}


def held(columns: Any, index: int) -> dict[str, Any]:
    """One packet's columns that are not zero, labels without the places that are free."""
    arrays = dict(columns.arrays)
    labels = arrays.pop("mpls_labels", None)
    found = row(type(columns)(columns.ok, columns.link, arrays), index)
    return found if labels is None or not labels[index].any() else found | {"mpls_labels": labels[index].tolist()}


def padded(expected: dict[str, Any]) -> dict[str, Any]:
    labels = expected.get("mpls_labels")
    return expected if labels is None else expected | {"mpls_labels": labels + [0] * (10 - len(labels))}


@pytest.mark.parametrize("name", LINKS)
def test_link_layer_leads_to_the_packet(name: str) -> None:
    protocol, packet, expected, link = LINKS[name]
    columns = parse_list([bytes(packet)], protocol)
    assert columns.ok[0]
    assert held(columns, 0) == padded(expected)
    assert columns.link[0] == link


def test_all_link_layers_in_one_batch() -> None:
    columns = parse_list([bytes(packet) for _, packet, _, _ in LINKS.values()], [each[0] for each in LINKS.values()])
    assert [held(columns, index) for index in range(len(LINKS))] == [padded(each[2]) for each in LINKS.values()]
    assert columns.link.tolist() == [each[3] for each in LINKS.values()]


@pytest.mark.parametrize("name", NOTHING)
def test_what_leads_to_no_packet(name: str) -> None:
    protocol, packet = NOTHING[name]
    columns = parse_list([bytes(packet)], protocol)
    assert not columns.ok[0]
    assert columns.link[0] == 0
    assert held(columns, 0).keys() <= {"src_mac", "dst_mac", "mpls_labels"}


@pytest.mark.parametrize("name", LINKS)
def test_cut_anywhere_a_header_gives_less_but_nothing_else(name: str) -> None:
    protocol, packet, expected, link = LINKS[name]
    octets = bytes(packet)
    headers = [octets[:length] for length in range(len(octets) + 1)]
    columns = parse_list(headers, protocol, padding=0xFF)
    again = parse_list(headers, protocol, padding=0)
    size = 40 if octets[link] >> 4 == 6 else 20
    assert columns.ok.tolist() == [length >= link + size for length in range(len(octets) + 1)]
    assert np.array_equal(columns.link, link * columns.ok)
    whole = padded(expected)
    for index in range(len(headers)):
        found = held(columns, index)
        assert found == held(again, index)
        labels, all_labels = (np.array(each.pop("mpls_labels", [0] * 10)) for each in (found, whole.copy()))
        assert ((labels == all_labels) | (labels == 0)).all()
        assert found.items() <= whole.items(), octets[:index].hex()
