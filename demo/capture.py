"""A packet capture with a known small mix of traffic, and the account of what is in it: the input of real exporters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.utils import PcapWriter

CLIENT_MAC, SERVER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
_GAP = 0.01
_SEGMENT = 1200


class CapturedFlow(NamedTuple):
    """One direction of a conversation: the key, ports 0 for ICMP, with packets and octets from the IP header on."""

    src_addr: str
    dst_addr: str
    src_port: int
    dst_port: int
    proto: int
    packets: int
    bytes: int


class _Side(NamedTuple):
    address: str
    port: int
    mac: str


def write_capture(
    path: Path, pairs: Sequence[tuple[str, str]], start: float, *, segments: int = 5, vlan: int = 0
) -> list[CapturedFlow]:
    """Write a pcap of what each (client, server) pair says, and return its flows in order of their keys.

    Every pair, both IPv4 or both IPv6, makes a TCP connection (`segments` of 1200 octets come back), a DNS query and
    an echo request. `start` is the first packet's time (seconds since the epoch), the others follow 10 ms apart.
    `vlan`, where not 0, tags every frame. Same arguments, same file.
    """
    accounts: dict[tuple[str, str, int, int, int], list[int]] = {}
    with PcapWriter(str(path), linktype=1, sync=False) as writer:
        for number, (source, destination, packet) in enumerate(_packets(pairs, segments)):
            frame = Ether(src=source.mac, dst=destination.mac)
            if vlan:
                frame /= Dot1Q(vlan=vlan)
            frame /= packet
            frame.time = start + number * _GAP
            writer.write(frame)
            key = (source.address, destination.address, source.port, destination.port, _protocol(packet))
            account = accounts.setdefault(key, [0, 0])
            account[0] += 1
            account[1] += len(packet)
    return [CapturedFlow(*key, *account) for key, account in sorted(accounts.items())]


def _protocol(packet: Any) -> int:
    return int(packet.proto if packet.version == 4 else packet.nh)


def _packets(pairs: Iterable[tuple[str, str]], segments: int) -> Iterator[tuple[_Side, _Side, Any]]:
    for number, (client, server) in enumerate(pairs):
        port = 40_000 + number
        yield from _web(_Side(client, port, CLIENT_MAC), _Side(server, 443, SERVER_MAC), segments)
        yield from _dns(_Side(client, port, CLIENT_MAC), _Side(server, 53, SERVER_MAC), number)
        yield from _echo(_Side(client, 0, CLIENT_MAC), _Side(server, 0, SERVER_MAC), number)


def _ip(source: _Side, destination: _Side) -> Any:
    layer = IP if ip_address(source.address).version == 4 else IPv6
    return layer(src=source.address, dst=destination.address)


def _web(client: _Side, server: _Side, segments: int) -> Iterator[tuple[_Side, _Side, Any]]:
    """Yield a TCP connection from handshake to the last acknowledgement: (from, to, IP packet)."""
    sent = {client: 1000, server: 5000}

    def segment(source: _Side, destination: _Side, flags: str, data: bytes = b"") -> tuple[_Side, _Side, Any]:
        layer = TCP(sport=source.port, dport=destination.port, flags=flags, seq=sent[source])
        if "A" in flags:
            layer.ack = sent[destination]
        sent[source] += len(data) + ("S" in flags or "F" in flags)
        return source, destination, _ip(source, destination) / layer / data

    yield segment(client, server, "S")
    yield segment(server, client, "SA")
    yield segment(client, server, "A")
    yield segment(client, server, "PA", b"\x16\x03\x01" + bytes(200))
    for _ in range(segments):
        yield segment(server, client, "A", bytes(_SEGMENT))
        yield segment(client, server, "A")
    yield segment(server, client, "FA")
    yield segment(client, server, "FA")
    yield segment(server, client, "A")


def _dns(client: _Side, server: _Side, number: int) -> Iterator[tuple[_Side, _Side, Any]]:
    question = DNSQR(qname="www.example.net")
    query = DNS(id=number, qd=[question])
    answer = DNS(id=number, qr=1, rcode=3, qd=[question])
    yield client, server, _ip(client, server) / UDP(sport=client.port, dport=server.port) / query
    yield server, client, _ip(server, client) / UDP(sport=server.port, dport=client.port) / answer


def _echo(client: _Side, server: _Side, number: int) -> Iterator[tuple[_Side, _Side, Any]]:
    v4 = ip_address(client.address).version == 4
    data = bytes(56)
    request = ICMP(type=8, id=number) if v4 else ICMPv6EchoRequest(id=number, data=data)
    reply = ICMP(type=0, id=number) if v4 else ICMPv6EchoReply(id=number, data=data)
    yield client, server, _ip(client, server) / request / (data if v4 else b"")
    yield server, client, _ip(server, client) / reply / (data if v4 else b"")
