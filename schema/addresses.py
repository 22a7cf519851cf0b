"""The form in which every address is kept: 16 octets in network order, IPv4 mapped. Standard library only."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

V4_MAPPED = bytes(10) + b"\xff\xff"
"""What stands before the four octets of an IPv4 address (RFC 4291 section 2.5.5.2)."""


def packed(address: IPv4Address | IPv6Address) -> bytes:
    """Return the address's 16 octets."""
    return address.packed if address.version == 6 else V4_MAPPED + address.packed


def shown(address: IPv6Address) -> str:
    """Return an address as people read it: dotted quad for IPv4-mapped ones, RFC 5952 otherwise."""
    return str(address.ipv4_mapped or address)
