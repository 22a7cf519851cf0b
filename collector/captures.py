"""Datagrams from files: UDP payloads of pcap and pcapng captures, or files that hold one raw datagram each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import dpkt

from schema.addresses import V4_MAPPED
from settings.errors import ConfigError

_MAGICS = {
    bytes.fromhex(magic): reader
    for reader, magics in (
        (dpkt.pcap.Reader, ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1")),
        (dpkt.pcapng.Reader, ("0a0d0d0a",)),
    )
    for magic in magics
}
_LARGEST = 65535


class Captured(NamedTuple):
    """One UDP payload: when it was captured (ms, None for a raw file), by whom it was sent (16 octets, empty for a raw
    file), from which port, and how many octets of its file are behind it."""

    time: int | None
    sender: bytes
    port: int
    payload: bytes
    read: int


def datagrams(path: Path, left_out: Counter[str]) -> Iterator[Captured]:
    """Yield the datagrams of a file in order; ConfigError where it cannot be read.

    UDP packets that are not there whole are counted in `left_out`, by why.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            file.seek(0)
            reader = _MAGICS.get(magic)
            if reader is None:
                payload = file.read(_LARGEST + 1)
                if len(payload) > _LARGEST:
                    raise ConfigError(
                        f"{path}: neither a capture (pcap, pcapng) nor one datagram of at most 65535 octets"
                    )
                yield Captured(None, b"", 0, payload, len(payload))
            else:
                yield from _capture(path, file, reader, left_out)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None


def _capture(path: Path, file: BinaryIO, reader: type, left_out: Counter[str]) -> Iterator[Captured]:
    try:
        capture = reader(file)
        link = capture.datalink()
        for stamp, frame in capture:
            found = _udp(link, frame)
            if isinstance(found, str):
                left_out[found] += 1
            elif found:
                yield Captured(round(float(stamp) * 1000), *found, file.tell())
    except (ValueError, dpkt.Error) as error:
        raise ConfigError(f"{path}: the capture is damaged near octet {file.tell()}: {error}") from None


def _udp(link: int, frame: bytes) -> tuple[bytes, int, bytes] | str | None:
    """Return sender, port and payload of a frame that is a whole UDP datagram, why it is not whole, or None."""
    try:
        packet = _network(link, frame)
    except (dpkt.Error, ValueError, IndexError):
        return None
    if isinstance(packet, dpkt.ip.IP) and packet.p == dpkt.ip.IP_PROTO_UDP:
        sender, fragment = V4_MAPPED + packet.src, bool(packet.mf or packet.offset)
    elif isinstance(packet, dpkt.ip6.IP6) and packet.p == dpkt.ip.IP_PROTO_UDP:
        sender, fragment = packet.src, dpkt.ip.IP_PROTO_FRAGMENT in packet.extension_hdrs
    else:
        return None
    udp = packet.data
    if fragment:
        return "IP fragments"
    if not isinstance(udp, dpkt.udp.UDP) or len(udp.data) < udp.ulen - 8:
        return "packets that the capture cut short"
    return sender, udp.sport, bytes(udp.data)


def _network(link: int, frame: bytes) -> object:
    match link:
        case dpkt.pcap.DLT_EN10MB:
            packet: object = dpkt.ethernet.Ethernet(frame).data
        case dpkt.pcap.DLT_LINUX_SLL:
            packet = dpkt.sll.SLL(frame).data
        case dpkt.pcap.DLT_LINUX_SLL2:
            packet = dpkt.sll2.SLL2(frame).data
        case dpkt.pcap.DLT_NULL | dpkt.pcap.DLT_LOOP:
            packet = dpkt.loopback.Loopback(frame).data
        case _:
            packet = dpkt.ip6.IP6(frame) if frame[:1] and frame[0] >> 4 == 6 else dpkt.ip.IP(frame)
    return packet
