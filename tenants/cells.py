"""The cells of one row of an allocation file: text in, checked values out, ValueError in words where it is wrong."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_interface

from schema.addresses import packed

UNASSIGNED = "unassigned"
"""The tenant of an address that nobody held; no allocation may bear the name."""
MAX_NAME = 128
ALWAYS = -(2**63)
"""Start, in ms, of an allocation whose `valid_from` is empty."""
FOREVER = 2**63 - 1
"""End, in ms, of an allocation whose `valid_to` is empty."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d(?:\.\d+)?)([Zz]|[+-]\d\d:\d\d)?)?")


def parse_prefix(text: str) -> tuple[bytes, int]:
    """Return a prefix as its first address, 16 octets with IPv4 mapped, and its length in those 128 bits."""
    if "%" in text:
        raise ValueError(f"'{text}' has a zone; a prefix is held everywhere")
    try:
        if ":" in text:
            network = IPv6Network(text)
            return network.network_address.packed, network.prefixlen
        mapped = IPv4Network(text)
    except ValueError:
        raise ValueError(_explain_prefix(text)) from None
    return packed(mapped.network_address), mapped.prefixlen + 96


def _explain_prefix(text: str) -> str:
    try:
        right = ip_interface(text).network
    except ValueError:
        return f"'{text}' is not a prefix, such as 192.0.2.0/24 or 2001:db8::/32"
    return f"'{text}' has bits set beyond its length; did you mean {right}?"


@lru_cache(4096)
def parse_time(text: str) -> int:
    """Return an RFC 3339 time, or a date alone as its midnight UTC, in milliseconds since the epoch, rounded down."""
    match = _TIME.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is not a time, such as 2026-11-01 or 2026-11-01T12:00:00Z")
    day, clock, zone = match.groups()
    if clock and not zone:
        raise ValueError(f"'{text}' has no zone; write {text}Z if it is UTC")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{(zone or 'Z').upper()}")
    except ValueError as error:
        raise ValueError(f"'{text}' is not a time: {error}") from None
    return (moment - _EPOCH) // _MILLISECOND


def parse_start(text: str) -> int:
    """Return a `valid_from`, inclusive, in ms; `ALWAYS` where it is empty."""
    return parse_time(text) if text else ALWAYS


def parse_end(text: str) -> int:
    """Return a `valid_to`, exclusive, in ms; `FOREVER` where it is empty."""
    return parse_time(text) if text else FOREVER


def parse_tenant(text: str) -> str:
    """Return the name of a tenant: printable, 1 to 128 characters, not the reserved one."""
    if not text:
        raise ValueError("the tenant is empty")
    if text == UNASSIGNED:
        raise ValueError(f"the tenant '{UNASSIGNED}' is reserved for addresses that nobody holds")
    return parse_label(text)


def parse_label(text: str) -> str:
    """Return the name of a resource, service, region or class: printable, at most 128 characters, empty for none."""
    if len(text) > MAX_NAME:
        raise ValueError(f"'{text[:20]}...' has {len(text)} characters; the limit is {MAX_NAME}")
    if not text.isprintable():
        raise ValueError(f"{text!r} has characters that cannot be printed")
    return text
