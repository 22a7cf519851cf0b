"""A sampled packet's header in one line: who sends to whom, as far as the octets tell."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from decoders.explain_names import PROTOCOLS, tcp_flags

_TAGS = (0x8100, 0x88A8, 0x9100)
_MOST_TAGS = 4
_TCP, _UDP, _SCTP = 6, 17, 132
_PORTED = (_TCP, _UDP, _SCTP)
_ICMP = (1, 58)

HEADER_PROTOCOLS = {
    1: "Ethernet", 2: "token bus", 3: "token ring", 4: "FDDI", 5: "frame relay", 6: "X.25", 7: "PPP", 8: "SMDS",
    9: "AAL5", 10: "AAL5-IP", 11: "IPv4", 12: "IPv6", 13: "MPLS", 14: "POS", 15: "802.11 MAC", 16: "802.11 A-MPDU",
    17: "802.11 A-MSDU subframe",
}  # fmt: skip
"""sFlow's header_protocol ("sFlow Version 5", section 5; "sFlow 802.11 Structures")."""


def summary(header: bytes, header_protocol: int) -> str:
    """Return a sampled header in words; a kind that is not taken apart is named."""
    match header_protocol:
        case 1:
            return _ethernet(header)
        case 11 | 12:
            return _ip(header)
        case _:
            return HEADER_PROTOCOLS.get(header_protocol, f"header protocol {header_protocol}")


def _ethernet(frame: bytes) -> str:
    if len(frame) < 14:
        return "cut short in the Ethernet header"
    parts = [f"{frame[6:12].hex(':')} -> {frame[:6].hex(':')}"]
    kind, at = int.from_bytes(frame[12:14], "big"), 14
    while kind in _TAGS and len(frame) >= at + 4 and len(parts) <= _MOST_TAGS:
        parts.append(f"VLAN {int.from_bytes(frame[at : at + 2], 'big') & 0xFFF}")
        kind, at = int.from_bytes(frame[at + 2 : at + 4], "big"), at + 4
    parts.append(_ip(frame[at:]) if kind in (0x0800, 0x86DD) else f"EtherType 0x{kind:04x}")
    return ", ".join(parts)


def _ip(packet: bytes) -> str:
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        proto, ends = packet[9], (IPv4Address(packet[12:16]), IPv4Address(packet[16:20]))
        later = int.from_bytes(packet[6:8], "big") & 0x1FFF
        behind = b"" if later else packet[(packet[0] & 15) * 4 :]
        length = int.from_bytes(packet[2:4], "big")
    elif version == 6 and len(packet) >= 40:
        proto, behind, length = packet[6], packet[40:], int.from_bytes(packet[4:6], "big") + 40
        return _flow(proto, IPv6Address(packet[8:24]), IPv6Address(packet[24:40]), behind, length)
    else:
        return "cut short in the IP header" if version in (0, 4, 6) else f"IP version {version}"
    return _flow(proto, *ends, behind, length)


def _flow(
    proto: int, source: IPv4Address | IPv6Address, destination: IPv4Address | IPv6Address, behind: bytes, length: int
) -> str:
    name = PROTOCOLS.get(proto, f"protocol {proto}")
    ports = [int.from_bytes(behind[at : at + 2], "big") for at in (0, 2)]
    if proto in _PORTED and len(behind) >= 4:
        flags = f" {tcp_flags(behind[13])}" if proto == _TCP and len(behind) >= 14 else ""
        return f"{name} {_end(source, ports[0])} -> {_end(destination, ports[1])}{flags.rstrip()}, {length} octets"
    more = f" type {behind[0]} code {behind[1]}" if proto in _ICMP and len(behind) >= 2 else ""
    return f"{name} {source} -> {destination}{more}, {length} octets"


def _end(address: IPv4Address | IPv6Address, port: int) -> str:
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"
