"""How many packet headers a second one core parses: 128 octets captured of Ethernet frames, IPv4 and IPv6 mixed, as in
an access network, and the same frames in VXLAN, as in a data centre."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet

from decoders.packet_header import parse

HEADERS = 200_000
CAPTURED = 128
ROUNDS = 5


def frames() -> list[bytes]:
    """Return twenty frames in about the proportions of an access network."""
    v4, v6 = IP(src="192.0.2.1", dst="198.51.100.2", tos=8), IPv6(src="2001:db8::1", dst="2001:db8::2", tc=8)
    tcp, udp, load = TCP(sport=443, dport=50000, flags="PA"), UDP(sport=53, dport=50001), b"\0" * 400
    kinds: list[tuple[int, Packet]] = [
        (8, v4 / tcp),
        (3, v4 / udp),
        (1, v4 / ICMP()),
        (5, v6 / tcp),
        (2, v6 / udp),
        (1, v6 / IPv6ExtHdrFragment() / udp),
    ]
    packets = [packet / load for times, packet in kinds for _ in range(times)]
    # Every fourth frame carries a VLAN tag.
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    links = [link / Dot1Q(vlan=100) if i % 4 == 0 else link for i in range(len(packets))]
    return [bytes(link / packet) for link, packet in zip(links, packets, strict=True)]


def tunnelled() -> list[bytes]:
    """Return the same frames, each in VXLAN."""
    outer = Ether(src="02:00:00:00:00:03") / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=50000, dport=4789, chksum=0)
    return [bytes(outer / VXLAN(vni=5000, flags=8) / frame) for frame in frames()]


def sample(count: int, kinds: list[bytes] | None = None) -> npt.NDArray[np.uint8]:
    """Return `count` headers of CAPTURED octets, uint8 (count, CAPTURED), shuffled, addresses and ports as they are."""
    distinct = np.stack([np.frombuffer(frame[:CAPTURED], np.uint8) for frame in kinds or frames()])
    return distinct[np.random.default_rng(1).integers(0, len(distinct), count)]


def run() -> Iterator[dict[str, Any]]:
    for name, kinds, inner in (("mixed", frames(), False), ("in_vxlan", tunnelled(), True)):
        headers, lengths = sample(HEADERS, kinds), np.full(HEADERS, CAPTURED)
        assert parse(headers, lengths, 1, inner).ok.all()
        seconds = []
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            parse(headers, lengths, 1, inner)
            seconds.append(time.perf_counter() - begin)
        yield {"bench": f"packet_header_{name}", "value": round(HEADERS / min(seconds) / 1e6, 2), "unit": "M headers/s"}


if __name__ == "__main__":
    for line in run():
        print(line)
