"""Protocols by the names that reporters use: IANA's protocol numbers."""

from __future__ import annotations

import re

_NUMBERS = {
    "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "icmpv6": 58, "icmp6": 58,
    "ipv6-icmp": 58, "sctp": 132, "udplite": 136,
}  # fmt: skip
_IN_LINE = re.compile(r"(?<![\w./-])(?P<name>tcp|udp|icmpv6|icmp6|icmp|sctp|gre)(?![\w.-])", re.ASCII | re.IGNORECASE)


def number(value: object) -> int | None:
    """Return the number of the protocol that a field names or numbers; None for others, such as "smtp"."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value <= 255 else None
    if not isinstance(value, str):
        return None
    text = value[:20].strip().lower().split("/")[0]
    if text.isascii() and text.isdigit():
        return int(text) if int(text) <= 255 else None
    return _NUMBERS.get(text)


def named(line: str) -> int | None:
    """Return the number of the first protocol that a line of text names."""
    match = _IN_LINE.search(line)
    return _NUMBERS[match["name"].lower()] if match else None
