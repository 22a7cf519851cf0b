"""Explains the contents of one sFlow record by the fields of its structure, which are XDR (RFC 4506)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from decoders.explain_octets import Cursor, Line, octets
from decoders.explain_packet import HEADER_PROTOCOLS, summary
from decoders.explain_values import quoted
from schema.sflow_structures import MACHINE_TYPES, OS_NAMES, Part, Structure, element_structures

_Walk = Generator[Line, None, bool]
"""Lines, and in the end whether what they explain is there whole."""


def _chosen(names: Sequence[str]) -> Callable[[bytes], str]:
    """Return how to show a number that stands for one of `names`."""

    def shown(body: bytes) -> str:
        number = int.from_bytes(body, "big")
        return f"{number} ({names[number] if number < len(names) else 'not known'})"

    return shown


_FIXED: dict[str, tuple[int, Callable[[bytes], str]]] = {
    "": (4, lambda body: str(int.from_bytes(body, "big"))),
    "int": (4, lambda body: str(int.from_bytes(body, "big", signed=True))),
    "octet": (1, lambda body: f"{body[0]:#04x}"),
    "long": (8, lambda body: str(int.from_bytes(body, "big"))),
    "float": (4, lambda body: f"{struct.unpack('>f', body)[0]:g}"),
    "ipv4": (4, lambda body: str(IPv4Address(body))),
    "ipv6": (16, lambda body: str(IPv6Address(body))),
    "mac": (8, lambda body: f"{body[:6].hex(':')}, and two octets of padding"),
    "uuid": (16, lambda body: body.hex()),
    "machine": (4, _chosen(MACHINE_TYPES)),
    "os": (4, _chosen(OS_NAMES)),
    "protocol": (4, lambda body: f"{(kind := int.from_bytes(body, 'big'))} ({HEADER_PROTOCOLS.get(kind, 'unknown')})"),
}
"""Kinds of one length: their octets, and how they are shown."""

_ABSENT = ("", "int", "long", "float", "mac")
"""Kinds of which all ones stand for a counter that the agent does not have; of a MAC address, its six octets."""


def explain_fields(cursor: Cursor, stop: int, depth: int, structure: Structure, counters: bool) -> Iterator[Line]:
    """Explain a record that ends at `stop`; of counters, all ones stand for one that the agent does not have."""
    header_protocol = cursor.peek(4)  # where the structure is a sampled_header
    for part in structure.parts:
        if part.optional and cursor.at == stop:
            return
        if not (yield from _part(cursor, stop, depth, part, counters, header_protocol)):
            return
    yield from cursor.leave(stop, depth, "more than the structure is known to have" if structure.parts else "not known")


def _part(cursor: Cursor, stop: int, depth: int, part: Part, counters: bool, header_protocol: int) -> _Walk:
    if part.kind in _FIXED:
        return (yield from _fixed(cursor, stop, depth, part, counters))
    return (yield from _VARIABLE[part.kind](cursor, stop, depth, part.name, header_protocol))


def _fixed(cursor: Cursor, stop: int, depth: int, part: Part, counters: bool) -> _Walk:
    length, shown = _FIXED[part.kind]
    body = cursor.ahead(length)
    if not (yield from _room(cursor, stop, depth, part.name, length)):
        return False
    told = body[:6] if part.kind == "mac" else body
    absent = counters and part.kind in _ABSENT and told == b"\xff" * len(told)
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


def _opaque(cursor: Cursor, stop: int, depth: int, name: str, _: int) -> _Walk:
    """Explain octets that are the payload of a packet, or whose meaning is not told."""
    length = cursor.peek(4)
    if not (yield from _counted(cursor, stop, depth, name, "octets", 1)):
        return False
    yield from cursor.field(length, depth, name, "")
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


def _elements(kind: str, cursor: Cursor, stop: int, depth: int, name: str, _: int) -> _Walk:
    """Explain structures of one kind, each of some fields, whose number stands before them."""
    element = element_structures()[kind]
    least = sum(_FIXED[part.kind][0] if part.kind in _FIXED else 4 for part in element.parts)
    count = cursor.peek(4)
    if not (yield from _counted(cursor, stop, depth, name, "", least)):
        return False
    single = len(element.parts) == 1
    for number in range(count):
        if not single:
            yield cursor.heading(depth + 1, f"{element.name} {number + 1}")
        for part in element.parts:
            if not (yield from _part(cursor, stop, depth + 2 - single, part, counters=True, header_protocol=0)):
                return False
    return True


_VARIABLE: dict[str, Callable[[Cursor, int, int, str, int], _Walk]] = {
    "address": _address, "string": _string, "opaque": _opaque, "header": _header, "list": _list, "queues": _list,
    "path": _path, **{kind: partial(_elements, kind) for kind in element_structures()},
}  # fmt: skip
"""Kinds whose length is told by their own octets."""
