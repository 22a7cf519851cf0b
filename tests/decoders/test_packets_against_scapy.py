"""Mixed packets in packets: our columns are what scapy's own dissection finds."""

from __future__ import annotations

import random
from typing import Any

import pytest
from scapy.contrib.geneve import GENEVE
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrSegmentRouting
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import NoPayload, Packet, Raw

from schema.columns import TUNNELS
from tests.decoders.test_packet_header import ETHERNET, parse_list
from tests.decoders.test_packet_tunnels import SEGMENT, SEGMENTS, held, other, udp


def upper_of(layer: Packet) -> Packet:
    """What follows an IP header, behind its extension headers; nothing in a later fragment."""
    if isinstance(layer, IP):
        return layer.payload if layer.frag == 0 else NoPayload()
    upper = layer.payload
    while isinstance(upper, (IPv6ExtHdrDestOpt, IPv6ExtHdrSegmentRouting, IPv6ExtHdrFragment)):
        if isinstance(upper, IPv6ExtHdrFragment) and upper.offset:
            return NoPayload()
        upper = upper.payload
    return upper


def of_ip(layer: Packet) -> dict[str, Any]:
    upper = upper_of(layer)
    found = {"src_addr": layer.src, "dst_addr": layer.dst}
    if isinstance(layer, IP):
        found |= {"tos": layer.tos, "bytes": layer.len, "proto": layer.proto}
    else:
        found |= {"tos": layer.tc, "bytes": layer.plen + 40}
        last = layer
        while isinstance(last.payload, (IPv6ExtHdrDestOpt, IPv6ExtHdrSegmentRouting, IPv6ExtHdrFragment)):
            last = last.payload
        found["proto"] = last.nh
    if isinstance(upper, (TCP, UDP)):
        found |= {"src_port": upper.sport, "dst_port": upper.dport}
    if isinstance(upper, TCP):
        found["tcp_flags"] = int(upper.flags)
    if isinstance(upper, ICMP):
        found |= {"icmp_type": upper.type, "icmp_code": upper.code}
    return found


def dissected(octets: bytes, inner: bool) -> dict[str, Any]:
    """What scapy finds in a frame: of its layers, from the first on, those that our columns speak of."""
    frame = Ether(octets)
    found: dict[str, Any] = {"src_mac": int(frame.src.replace(":", ""), 16)}
    found["dst_mac"] = int(frame.dst.replace(":", ""), 16)
    headers: list[Packet] = []
    layer, frames, vlans, labels = frame, 0, [], []
    while not isinstance(layer, NoPayload):
        frames += isinstance(layer, Ether)
        if isinstance(layer, Dot1Q) and frames == 1:  # Dot1AD is one too
            vlans.append(layer.vlan)
        if isinstance(layer, MPLS) and not headers:
            labels.append(layer.label << 4 | layer.cos << 1 | layer.s)
        if isinstance(layer, (IP, IPv6)):
            headers.append(layer)
            upper = upper_of(layer)
            if len(headers) == 1 and isinstance(upper, (IP, IPv6)):
                found["tunnel"] = "srv6" if layer.haslayer(IPv6ExtHdrSegmentRouting) else "ipip"
        if isinstance(layer, IPv6ExtHdrSegmentRouting) and len(headers) == 1:
            found["srv6_segments"] = list(layer.addresses)
        if len(headers) == 1 and isinstance(layer, (GRE, VXLAN, GENEVE)):
            found["tunnel"] = type(layer).__name__.lower()
            kind = {"vxlan": 1, "geneve": 0, "gre": 2}[found["tunnel"]]
            if not isinstance(layer, GRE):
                found["layer2_segment_id"] = kind << 56 | layer.vni
            elif layer.proto == 0x6558 and layer.key_present:
                found["layer2_segment_id"] = kind << 56 | layer.key >> 8
        layer = layer.payload
    found |= dict(zip(("src_vlan", "inner_vlan"), vlans, strict=False)) | {"mpls_labels": labels}
    first, second = of_ip(headers[0]), of_ip(headers[1]) if len(headers) > 1 else {}
    if second:
        found |= {"tunnel_layer": "inner" if inner else "outer"} | other(first if inner else second)
    found |= second if second and inner else first
    return {name: value for name, value in found.items() if value}


def any_ip(draw: random.Random) -> Packet:
    if draw.random() < 0.5:
        return IP(
            src=f"192.0.2.{draw.randrange(256)}", dst=f"198.51.100.{draw.randrange(256)}", tos=draw.randrange(256)
        )
    ends = (f"2001:db8::{draw.randrange(1, 65536):x}" for _ in range(2))
    packet = IPv6(src=next(ends), dst=next(ends), tc=draw.randrange(256))
    return draw.choice([packet, packet, packet / IPv6ExtHdrDestOpt(), packet / IPv6ExtHdrFragment(m=1)])


def any_upper(draw: random.Random) -> Packet:
    ports = {"sport": draw.randrange(20000, 65536), "dport": draw.randrange(1, 1024)}
    return draw.choice([TCP(**ports, flags=draw.randrange(256)), UDP(**ports)]) / Raw(b"\xee" * draw.randrange(60))


def any_link(draw: random.Random) -> Packet:
    packet = Ether(src=f"02:00:00:00:00:{draw.randrange(256):02x}", dst=f"06:00:00:00:00:{draw.randrange(256):02x}")
    for _ in range(draw.choice([0, 0, 0, 1, 2])):
        packet = packet / draw.choice([Dot1Q, Dot1AD])(vlan=draw.randrange(1, 4095))
    return packet


def any_label(draw: random.Random) -> Packet:
    return MPLS(label=draw.randrange(16, 2**20), cos=draw.randrange(8), s=1, ttl=9)


def any_carrier(draw: random.Random) -> Packet:
    """A tunnel and what it carries, to be put behind an IP header."""
    bridged, packet = any_link(draw), any_ip(draw) / any_upper(draw)
    network = draw.randrange(1, 2**24)
    return draw.choice([
        lambda: GRE(key_present=draw.randrange(2), key=network << 8 | 5) / draw.choice([packet, bridged / packet]),
        lambda: GRE(chksum_present=1, seqnum_present=1) / packet,
        lambda: udp(draw.choice([4789, 8472])) / VXLAN(vni=network, flags=8) / bridged / packet,
        lambda: udp(6081) / GENEVE(vni=network) / bridged / packet,
        lambda: packet,
    ])()  # fmt: skip


def any_frame(draw: random.Random) -> bytes:
    link, outer = any_link(draw), any_ip(draw)
    if draw.random() < 0.2:
        link = link / any_label(draw)
    elif draw.random() < 0.1:
        link = link / PPPoE(sessionid=1) / PPP(proto=0x21 if isinstance(outer, IP) else 0x57)
    if isinstance(outer, IPv6) and draw.random() < 0.2:
        return bytes(link / outer / IPv6ExtHdrSegmentRouting(addresses=SEGMENTS, lastentry=2) / any_ip(draw) / SEGMENT)
    return bytes(link / outer / (any_carrier(draw) if draw.random() < 0.6 else any_upper(draw)))


@pytest.mark.parametrize("inner", [False, True])
def test_scapy_dissects_mixed_packets_the_same(inner: bool) -> None:
    draw = random.Random(4)
    frames = [any_frame(draw) for _ in range(400)]
    columns = parse_list(frames, ETHERNET, inner=inner)
    assert columns.ok.all()
    kinds = {held(columns, index).get("tunnel", "none") for index in range(len(frames))}
    assert kinds == set(TUNNELS) - {"other"}
    for index, frame in enumerate(frames):
        assert held(columns, index) == dissected(frame, inner), frame.hex()
