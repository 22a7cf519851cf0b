"""Reads template sets: the definitions, and the withdrawals, in the body of one set (RFC 3954 sections 5.2 and 6.1,
RFC 7011 section 3.4)."""

from __future__ import annotations

import struct
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple

from decoders.elements import SCOPE_ENTERPRISE
from decoders.layout import Field, Template
from decoders.limits import Limits

_WORDS = struct.Struct(">HH")
_ENTERPRISE = 0x8000

TEMPLATE_SETS = {(9, 0): False, (9, 1): True, (10, 2): False, (10, 3): True}
"""(version, set id) of the sets that hold templates -> whether they are options templates."""


class TemplateSet(NamedTuple):
    """What a template set says: definitions in order, None where the template of that id is withdrawn; `malformed`
    definitions; and how its octets divide."""

    definitions: tuple[tuple[int, Template | None], ...]
    malformed: int
    templates: int
    padding: int
    faulty: int


def parse(body: bytes, version: int, options: bool, limits: Limits) -> TemplateSet:
    """Read a template set's body.

    An options template's header counts octets in NetFlow v9 (RFC 3954 section 6.1) and fields in IPFIX (RFC 7011
    section 3.4.2.2). A definition without fields withdraws (IPFIX only, RFC 7011 section 8.1).
    """
    definitions: list[tuple[int, Template | None]] = []
    at, end, malformed, faulty = 0, len(body), 0, 0
    header = 6 if options else 4
    while end - at >= 4:
        id_, count = _WORDS.unpack_from(body, at)
        withdrawal = version == 10 and count == 0 and id_ > 0
        if withdrawal:
            definitions.append((id_, None))
            at += 4
            continue
        if (id_ == 0 and count == 0) or end - at < header:
            break
        scopes = 0
        if options and version == 9:
            scopes, others = count // 4, _WORDS.unpack_from(body, at + 2)[1] // 4
            count = scopes + others
        elif options:
            scopes = _WORDS.unpack_from(body, at + 2)[1]
        fields, stop = _fields(body, at + header, count, version, scopes)
        if len(fields) < count:
            return TemplateSet(tuple(definitions), malformed + 1, at - faulty, 0, faulty + end - at)
        if id_ < 256 or not count or count > limits.fields or scopes > count:
            malformed, faulty = malformed + 1, faulty + stop - at
        else:
            definitions.append((id_, Template(tuple(fields), options)))
        at = stop
    return TemplateSet(tuple(definitions), malformed, at - faulty, end - at, faulty)


_parse_again = lru_cache(maxsize=512)(parse)
_USUAL = 1500


def recall(body: bytes, version: int, options: bool, limits: Limits) -> TemplateSet:
    """Return what `parse` does; exporters send the same template sets again and again, none of them long."""
    return (_parse_again if len(body) <= _USUAL else parse)(body, version, options, limits)


def _fields(body: bytes, at: int, count: int, version: int, scopes: int) -> tuple[list[Field], int]:
    """Read up to `count` field specifiers from `at`; return those that are whole, and where they end."""
    room = min(count, (len(body) - at) // 4)
    words = struct.unpack_from(f">{2 * room}H", body, at)
    ids, lengths = words[::2], words[1::2]
    if version == 9:
        spaces = [SCOPE_ENTERPRISE] * min(scopes, room) + [0] * (room - scopes)
        return list(map(Field, spaces, ids, lengths)), at + 4 * room
    if not any(map(_ENTERPRISE.__le__, ids)):
        return list(map(Field, repeat(0), ids, lengths)), at + 4 * room
    return _fields_of_enterprises(body, at, count)


def _fields_of_enterprises(body: bytes, at: int, count: int) -> tuple[list[Field], int]:
    fields: list[Field] = []
    end = len(body)
    while len(fields) < count and end - at >= 4:
        id_, length = _WORDS.unpack_from(body, at)
        at += 4
        enterprise = 0
        if id_ & _ENTERPRISE:
            if end - at < 4:
                break
            enterprise = int.from_bytes(body[at : at + 4], "big")
            id_ &= _ENTERPRISE - 1
            at += 4
        fields.append(Field(enterprise, id_, length))
    return fields, at
