"""Datagrams built octet by octet, so that tests do not trust the encoders that the demo uses."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from decoders import Datagrams, Decoded, Limits, State, decode
from schema.render import rows

EXPORTER = bytes(10) + b"\xff\xff" + bytes((192, 0, 2, 1))
NOW = 1_795_000_000_000
SECONDS = NOW // 1000


def a_set(set_id: int, body: bytes) -> bytes:
    return struct.pack(">HH", set_id, 4 + len(body)) + body


def v9(
    *sets: bytes, source: int = 7, uptime: int = 1_000_000, sequence: int = 0, count: int = 1, seconds: int = SECONDS
) -> bytes:
    return struct.pack(">HHIIII", 9, count, uptime, seconds, sequence, source) + b"".join(sets)


def ipfix(*sets: bytes, domain: int = 7, sequence: int = 0, seconds: int = SECONDS) -> bytes:
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), seconds, sequence, domain) + body


def v5(*records: bytes, uptime: int = 1_000_000, sequence: int = 0, engine: int = 0, sampling: int = 0) -> bytes:
    head = struct.pack(">HHIIIIHH", 5, len(records), uptime, SECONDS, 0, sequence, engine, sampling)
    return head + b"".join(records)


def record5(octets: int = 1, first: int = 0, last: int = 0, source_as: int = 0) -> bytes:
    return struct.pack(
        ">4s4s4sHHIIIIHHBBBBHHBBH", bytes(4), bytes(4), bytes(4), 1, 2, 1, octets, first, last, 1, 2, 0, 0, 6, 0,
        source_as, 0, 24, 24, 0,
    )  # fmt: skip


def template(id_: int, fields: Iterable[tuple[int, ...]]) -> bytes:
    """A template record; fields are (element, length) or (element, length, enterprise)."""
    fields = list(fields)
    return struct.pack(">HH", id_, len(fields)) + b"".join(map(_specifier, fields))


def options_template9(id_: int, scopes: list[tuple[int, int]], fields: list[tuple[int, int]]) -> bytes:
    head = struct.pack(">HHH", id_, 4 * len(scopes), 4 * len(fields))
    return head + b"".join(map(_specifier, scopes + fields))


def options_template10(id_: int, scopes: list[tuple[int, ...]], fields: list[tuple[int, ...]]) -> bytes:
    return struct.pack(">HHH", id_, len(scopes) + len(fields), len(scopes)) + b"".join(map(_specifier, scopes + fields))


def _specifier(field: tuple[int, ...]) -> bytes:
    if len(field) == 3:
        return struct.pack(">HHI", field[0] | 0x8000, field[1], field[2])
    return struct.pack(">HH", *field)


def decoded(*payloads: bytes, state: State | None = None) -> Decoded:
    return decode(Datagrams.of(payloads, EXPORTER, NOW), state or State(), Limits())


def flows(*payloads: bytes, state: State | None = None) -> list[dict[str, object]]:
    """The flows of a block in the order on the wire."""
    result = decoded(*payloads, state=state)
    return list(rows(result.flows.take(result.origin.argsort(kind="stable"))))
