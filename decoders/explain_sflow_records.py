"""Explains the contents of one sFlow record by the fields of its structure, which are XDR (RFC 4506)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterator
from ipaddress import IPv4Address, IPv6Address

from decoders.explain_octets import Cursor, Line, octets
from decoders.explain_packet import HEADER_PROTOCOLS, summary
from decoders.explain_sflow_structures import Part, Structure
from decoders.explain_values import quoted

_Walk = Generator[Line, None, bool]
"""Lines, and in the end whether what they explain is there whole."""

_FIXED: dict[str, tuple[int, Callable[[bytes], str]]] = {
    "": (4, lambda body: str(int.from_bytes(body, "big"))),
    "long": (8, lambda body: str(int.from_bytes(body, "big"))),
    "float": (4, lambda body: f"{struct.unpack('>f', body)[0]:g}"),
    "ipv4": (4, lambda body: str(IPv4Address(body))),
    "ipv6": (16, lambda body: str(IPv6Address(body))),
    "mac": (8, lambda body: f"{body[:6].hex(':')}, and two octets of padding"),
    "uuid": (16, lambda body: body.hex()),
    "protocol": (4, lambda body: f"{(kind := int.from_bytes(body, 'big'))} ({HEADER_PROTOCOLS.get(kind, 'unknown')})"),
}
"""Kinds of one length: their octets, and how they are shown."""


def explain_fields(cursor: Cursor, stop: int, depth: int, structure: Structure, counters: bool) -> Iterator[Line]:
    """Explain a record that ends at `stop`; of counters, all ones stand for one that the agent does not have."""
    header_protocol = cursor.peek(4)  # where the structure is a sampled_header
    for part in structure.parts:
        if part.kind in _FIXED:
            whole = yield from _fixed(cursor, stop, depth, part, counters)
        else:
            whole = yield from _VARIABLE[part.kind](cursor, stop, depth, part.name, header_protocol)
        if not whole:
            return
    yield from cursor.leave(stop, depth, "more than the structure is known to have" if structure.parts else "not known")


def _fixed(cursor: Cursor, stop: int, depth: int, part: Part, counters: bool) -> _Walk:
    length, shown = _FIXED[part.kind]
    body = cursor.ahead(length)
    if not (yield from _room(cursor, stop, depth, part.name, length)):
        return False
    absent = counters and part.kind in ("", "long") and body == b"\xff" * length
    value = "unknown (all ones)" if absent else f"{shown(body)} {part.unit}".rstrip()
    yield from cursor.field(length, depth, part.name, value)
    return True


def _room(cursor: Cursor, stop: int, depth: int, name: str, length: int) -> _Walk:
    """Say what is wrong where fewer than `length` octets are left, and take them."""
    left = stop - cursor.at
    if left >= length:
        return True
    yield from cursor.give_up(stop, depth, f"{name} has {octets(length)}, and the record {left} more")
    return False


def _address(cursor: Cursor, stop: int, depth: int, name: str, _: int) -> _Walk:
    if not (yield from _room(cursor, stop, depth, f"the type of {name}", 4)):
        return False
    kind = cursor.peek(4)
    length = {1: 4, 2: 16}.get(kind, 0)
    yield from cursor.number(4, depth, f"type of {name}", {0: "(none)", 1: "(IPv4)", 2: "(IPv6)"}.get(kind, ""))
    if kind > 2:
        yield from cursor.give_up(stop, depth, f"{kind} is no type of address: the rest of the record is not read")
        return False
    if not (yield from _room(cursor, stop, depth, name, length)):
        return False
    yield from cursor.field(length, depth, name, address_text(cursor.ahead(length)))
    return True


def address_text(body: bytes) -> str:
    """Return an address of 4 or 16 octets as text; empty for none."""
    return str(IPv4Address(body) if len(body) == 4 else IPv6Address(body)) if body else ""


def _counted(cursor: Cursor, stop: int, depth: int, name: str, unit: str, size: int) -> _Walk:
    """Explain the word that says how many items of `size` octets follow; False where they do not fit."""
    word = f"length of {name}" if size == 1 else f"count of {name}"
    if not (yield from _room(cursor, stop, depth, word, 4)):
        return False
    count = cursor.peek(4)
    yield from cursor.number(4, depth, word, unit)
    return (yield from _room(cursor, stop, depth, name, count * size))


def _string(cursor: Cursor, stop: int, depth: int, name: str, _: int) -> _Walk:
    length = cursor.peek(4)
    if not (yield from _counted(cursor, stop, depth, name, "octets", 1)):
        return False
    yield from cursor.field(length, depth, name, quoted(cursor.ahead(length)))
    yield from cursor.leave(min(cursor.at + -length % 4, stop), depth, "padding")
    return True


def _header(cursor: Cursor, stop: int, depth: int, name: str, header_protocol: int) -> _Walk:
    length = cursor.peek(4)
    if not (yield from _counted(cursor, stop, depth, name, "octets", 1)):
        return False
    yield from cursor.field(length, depth, name, summary(cursor.ahead(length), header_protocol))
    yield from cursor.leave(min(cursor.at + -length % 4, stop), depth, "padding")
    return True


def _list(cursor: Cursor, stop: int, depth: int, name: str, _: int) -> _Walk:
    count = cursor.peek(4)
    if not (yield from _counted(cursor, stop, depth, name, "", 4)):
        return False
    for _entry in range(count):
        yield from cursor.number(4, depth + 1, "entry")
    return True


def _path(cursor: Cursor, stop: int, depth: int, name: str, _: int) -> _Walk:
    """Explain an AS path: segments, each a set or a sequence of AS numbers."""
    segments = cursor.peek(4)
    if not (yield from _counted(cursor, stop, depth, name, "segments", 8)):
        return False
    for _segment in range(segments):
        if not (yield from _room(cursor, stop, depth + 1, "a segment's type", 4)):
            return False
        kind = {1: "(AS set)", 2: "(AS sequence)"}.get(cursor.peek(4), "")
        yield from cursor.number(4, depth + 1, "segment type", kind)
        if not (yield from _list(cursor, stop, depth + 1, "AS numbers", 0)):
            return False
    return True


_VARIABLE: dict[str, Callable[[Cursor, int, int, str, int], _Walk]] = {
    "address": _address, "string": _string, "header": _header, "list": _list, "path": _path,
}  # fmt: skip
"""Kinds whose length is told by their own octets."""
