"""The values of fields as people read them, by the abstract data type of their element (RFC 7011 section 6.1)."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from decoders.elements import REVERSE_ENTERPRISE
from decoders.explain_names import meaning
from decoders.explain_octets import octets as in_octets
from decoders.registry import DataType, Entry, entry_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970
_NTP_ERA = 2**32
_LONGEST_TEXT = 200
_SINGULAR = {"entries": "entry"}
_UPTIMES, _BEFORE_EXPORT, _APPLICATION, _LABELS = (21, 22), (158, 159), 95, range(70, 80)
_LENGTHS = {DataType.MAC_ADDRESS: 6, DataType.IPV4_ADDRESS: 4, DataType.IPV6_ADDRESS: 16, DataType.BOOLEAN: 1}
_NO_ENTRY = Entry("", DataType.UNKNOWN, "")


class Clock(NamedTuple):
    """A message's own time: `export` in ms since 1970, `uptime` in ms, None where the protocol does not tell it."""

    export: int
    uptime: int | None

    def at(self, stamp: int) -> str:
        """Return the time of an uptime stamp, in ms; the distance is signed, so that a wrap does no harm."""
        if self.uptime is None:
            return ""
        since = (self.uptime - stamp + 2**31) % 2**32 - 2**31
        return moment(self.export * 10**6 - since * 10**6, 3)


def moment(nanoseconds: int, digits: int = 0) -> str:
    """Return nanoseconds since 1970 as RFC 3339 UTC, with so many digits behind the second."""
    seconds, rest = divmod(nanoseconds, 10**9)
    try:
        text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    except OverflowError:
        return "a time beyond the year 9999"
    return text + (f".{rest:09d}"[: digits + 1] if digits else "") + "Z"


def value_text(enterprise: int, id_: int, octets: bytes, clock: Clock) -> str:
    """Return the value of an element's `octets`; empty where the octets say it all."""
    if not octets:
        return "empty"
    entry = entry_of(enterprise, id_) or _NO_ENTRY
    home = 0 if enterprise == REVERSE_ENTERPRISE else enterprise
    if home == 0 and id_ == _APPLICATION and 2 <= len(octets) <= 9:
        return f"engine {octets[0]}, selector {int.from_bytes(octets[1:], 'big')}"
    if home == 0 and id_ in _LABELS and len(octets) == 3:
        return meaning(id_, int.from_bytes(octets, "big"))
    expected = _LENGTHS.get(entry.type)
    if expected is not None and len(octets) != expected:
        return f"! {entry.type} has {in_octets(expected)}, not {len(octets)}"
    match entry.type:
        case DataType.MAC_ADDRESS:
            return octets.hex(":")
        case DataType.IPV4_ADDRESS:
            return str(IPv4Address(octets))
        case DataType.IPV6_ADDRESS:
            return str(IPv6Address(octets))
        case DataType.BOOLEAN:
            return {1: "true", 2: "false"}.get(octets[0], f"! {octets[0]} is neither true (1) nor false (2)")
        case DataType.STRING:
            return quoted(octets)
        case DataType.FLOAT32 | DataType.FLOAT64:
            return _float(octets)
        case DataType.OCTET_ARRAY:
            return _readable(octets)
        case DataType.UNKNOWN:
            return str(int.from_bytes(octets, "big")) if len(octets) <= 8 else _readable(octets)
        case _:
            return _number(home, id_, entry, octets, clock)


def _number(enterprise: int, id_: int, entry: Entry, octets: bytes, clock: Clock) -> str:
    """Return an integer or a time; both may be sent in fewer octets than their type has (RFC 7011 section 6.2)."""
    if len(octets) > (32 if entry.type is DataType.UNSIGNED256 else 8):
        return f"! too long for {entry.type}"
    value = int.from_bytes(octets, "big", signed=entry.type.startswith("signed"))
    match entry.type:
        case DataType.DATE_TIME_SECONDS:
            return moment(value * 10**9)
        case DataType.DATE_TIME_MILLISECONDS:
            return moment(value * 10**6, 3)
        case DataType.DATE_TIME_MICROSECONDS | DataType.DATE_TIME_NANOSECONDS:
            return _ntp(value, 6 if entry.type is DataType.DATE_TIME_MICROSECONDS else 9)
    text = f"{value} {_unit(entry.unit, value)}" if entry.unit else str(value)
    if enterprise:
        return text
    if id_ in _UPTIMES:
        when = clock.at(value)
        return f"{text} of uptime ({when})" if when else f"{text} of uptime"
    if id_ in _BEFORE_EXPORT:
        return f"{text} before the export ({moment(clock.export * 10**6 - value * 1000, 6)})"
    stands_for = meaning(id_, value)
    return f"{text} ({stands_for})" if stands_for else text


def _unit(unit: str, value: int) -> str:
    return _SINGULAR.get(unit, unit.removesuffix("s")) if value == 1 else unit


def _ntp(value: int, digits: int) -> str:
    """Return an NTP timestamp (RFC 7011 sections 6.1.9 and 6.1.10), of 1968 to 2104; 0 is none."""
    if not value:
        return "0, no time"
    seconds, fraction = value >> 32, value & 0xFFFFFFFF
    seconds += (_NTP_ERA if seconds < _NTP_ERA // 2 else 0) - _NTP_EPOCH
    return moment(seconds * 10**9 + (fraction * 10**9 >> 32), digits)


def _float(octets: bytes) -> str:
    form = {4: ">f", 8: ">d"}.get(len(octets))
    return f"{struct.unpack(form, octets)[0]:g}" if form else f"! a float has 4 or 8 octets, not {len(octets)}"


def quoted(octets: bytes) -> str:
    """Return a string in quotes: nothing in it can move a terminal's cursor, and a long one is cut short."""
    body = octets.rstrip(b"\0")
    try:
        text, note = body.decode(), ""
    except UnicodeDecodeError:
        text, note = body.decode("utf-8", "replace"), " (not UTF-8)"
    if len(text) > _LONGEST_TEXT:
        text, note = text[:_LONGEST_TEXT], f"{note} (cut short)"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    shown = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in escaped)
    nuls = len(octets) - len(body)
    return f'"{shown}"{note}' + (f" and {nuls} NUL{'s' if nuls > 1 else ''}" if nuls else "")


def _readable(octets: bytes) -> str:
    """Return octets as a string where they look like one: four printable ASCII characters or more."""
    body = octets.rstrip(b"\0")
    return quoted(octets) if len(body) >= 4 and all(32 <= octet < 127 for octet in body) else ""
