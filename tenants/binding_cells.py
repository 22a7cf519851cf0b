"""The cells of a log of address translation: text in, checked values out, ValueError in words where it is wrong.

Such logs have no standard form; what the makers of translators write is read as far as it can only mean one thing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from ipaddress import ip_address

from schema.addresses import packed

ASSIGN, RELEASE = "assign", "release"
LAST_PORT = 65535

_BLOCK = re.compile(r"\[?\s*(\d{1,5})\s*(?:-|:|\.\.)\s*(\d{1,5})\s*\]?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d+)?)\s?([Zz]|[+-]\d\d:?\d\d)?")
_SECONDS = re.compile(r"(\d{9,10})(?:\.(\d{1,9}))?")
_MILLISECONDS = re.compile(r"\d{12,13}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "dccp": 33, "gre": 47, "icmpv6": 58, "icmp6": 58, "sctp": 132}
_PROTOCOLS |= dict.fromkeys(("", "*", "-", "any", "all"), 0)
_EVENTS = {
    ASSIGN: ("assign", "assigned", "allocate", "allocated", "alloc", "create", "created", "add", "start", "begin"),
    RELEASE: ("release", "released", "free", "freed", "deallocate", "delete", "deleted", "withdraw", "stop", "end"),
}
_BY_WORD = {word: event for event, words in _EVENTS.items() for word in words}


@lru_cache(2**16)
def parse_address(text: str) -> bytes:
    """Return an IPv4 or IPv6 address as 16 octets, IPv4 mapped."""
    try:
        return packed(ip_address(text))
    except ValueError:
        raise ValueError(f"'{text}' is not an IP address") from None


def parse_port(text: str) -> int:
    """Return a port."""
    if not (text.isascii() and text.isdecimal()) or int(text) > LAST_PORT:
        raise ValueError(f"'{text}' is not a port, 0 to {LAST_PORT}")
    return int(text)


def parse_block(text: str) -> tuple[int, int]:
    """Return the first and the last port of a block, such as 1024-2047."""
    match = _BLOCK.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is not a block of ports, such as 1024-2047")
    return ordered(parse_port(match[1]), parse_port(match[2]))


def ordered(first: int, last: int) -> tuple[int, int]:
    """Return the two ports, of which the first may not be the greater."""
    if first > last:
        raise ValueError(f"the block of ports begins at {first} and ends before, at {last}")
    return first, last


def parse_protocol(text: str) -> int:
    """Return IANA's number of a protocol given by name or number; 0 for any."""
    number = _PROTOCOLS.get(text.lower())
    if number is None and text.isascii() and text.isdecimal() and int(text) < 256:
        number = int(text)
    if number is None:
        raise ValueError(f"'{text}' is no protocol, such as tcp or 17")
    return number


def parse_event(text: str) -> str:
    """Return `ASSIGN` or `RELEASE`."""
    event = _BY_WORD.get(text.lower().removeprefix("port_block_").removeprefix("port-block-"))
    if event is None:
        raise ValueError(f"'{text}' is no event, such as assign or release")
    return event


@lru_cache(2**12)
def parse_moment(text: str, zone: tzinfo | None) -> int:
    """Return a time in ms: RFC 3339, or seconds or milliseconds since 1970; one without a zone is in `zone`, if any."""
    if match := _SECONDS.fullmatch(text):
        return int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0")[:3])
    if _MILLISECONDS.fullmatch(text):
        return int(text)
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is not a time, such as 2026-11-01T12:00:00Z")
    day, clock, told = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{(told or '').upper()}")
    except ValueError as error:
        raise ValueError(f"'{text}' is not a time: {error}") from None
    return ((moment if told else _in_zone(moment, text, zone)) - _EPOCH) // _MILLISECOND


def _in_zone(local: datetime, text: str, zone: tzinfo | None) -> datetime:
    if zone is None:
        raise ValueError(f"'{text}' has no zone; say with --zone which one the log is written in")
    moment = local.replace(tzinfo=zone)
    if moment.utcoffset() != moment.replace(fold=1).utcoffset():
        raise ValueError(f"'{text}' is not one moment in {zone}, where clocks are put forward or back then")
    return moment
