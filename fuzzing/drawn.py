"""Seeds drawn at random: templates of any elements in any lengths, and data that fits them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from decoders.elements import ELEMENTS, Read
from fuzzing.messages import FRAMES, VARIABLE, Field, a_set, message, options_template, template, template_set, variable

T = TypeVar("T")

_TELLING = (
    34, 35, 41, 42, 48, 49, 50, 82, 83, 84, 94, 95, 96, 104, 130, 131, 141, 144, 145, 148, 149, 160, 161, 173, 210, 234,
    235, 236, 240, 291, 292, 293, 302, 304, 305, 306, 309, 310, 312, 313, 315, 335, 408, 410, 497,
)  # fmt: skip
"""Elements that are no column's, but tell of samplers, names, times, lists and packets; and paddingOctets."""

_WIDTHS = {Read.ADDRESS4: 4, Read.ADDRESS6: 16, Read.MAC: 6, Read.NTP: 8, Read.LABEL: 3, Read.TYPE_AND_CODE: 2}
_KNOWN: list[tuple[int, int, int]] = [
    (enterprise, id_, _WIDTHS.get(element.read, 0)) for (enterprise, id_), element in sorted(ELEMENTS.items())
] + [(0, id_, 0) for id_ in _TELLING]
_ODD = (0, 0, 1, 3, 5, 6, 7, 9, 16, 17, 33, 64, 200, VARIABLE, VARIABLE)
_MOST = 1400


def pick(rng: random.Random, among: Sequence[T]) -> T:
    """Return one of `among`; quicker than `choice`."""
    return among[int(rng.random() * len(among))]


def drawn(rng: random.Random) -> list[bytes]:
    """Return one to three datagrams of templates, options templates and data sets, in some order."""
    version = pick(rng, (9, 10))
    domain = pick(rng, (0, 7, 2**32 - 1))
    told: list[bytes] = []
    data: list[bytes] = []
    for id_ in range(256, 257 + int(rng.random() * 4)):
        options = rng.random() < 0.3
        fields = [_field(rng, version) for _ in range(1 + int(rng.random() ** 2 * 16))]
        if options:
            scopes, rest = fields[: 1 + len(fields) // 4], fields[1 + len(fields) // 4 :]
            if version == 9:
                scopes = [(pick(rng, (1, 1, 2, 3, 4, 5)), field[1]) for field in scopes]
            told.append(template_set(version, options_template(version, id_, scopes, rest), options=True))
            fields = [*scopes, *rest]
        else:
            told.append(template_set(version, template(id_, fields)))
        data.append(_data(rng, id_, fields))
    match int(rng.random() * 4):
        case 0:
            sets = [[*told, *data]]
        case 1:
            sets = [told, data]
        case 2:
            sets = [[one for pair in zip(told, data, strict=True) for one in pair], data]
        case _:
            sets = [data, told, data]
    return [message(version, *one, domain=domain) for one in sets]


def _field(rng: random.Random, version: int) -> Field:
    enterprise, id_, width = pick(rng, _KNOWN)
    odds = rng.random()
    if odds < 0.1:
        return (int(rng.random() * 0x8000), pick(rng, _ODD))
    octets = width or pick(rng, (1, 2, 4, 4, 8, 8, 3))
    if odds < 0.2:
        octets = pick(rng, _ODD)
    elif id_ in (82, 83, 84, 94, 96, 236, 291, 292, 293, 313, 315, 335):
        octets = VARIABLE if odds < 0.7 else 24
    if version == 10 and (enterprise or rng.random() < 0.06):
        return (id_, octets, enterprise or pick(rng, (29305, 29305, 9, 32473, 0, 2**32 - 1)))
    return (id_, octets)


def _data(rng: random.Random, id_: int, fields: Sequence[Field]) -> bytes:
    records: list[bytes] = []
    room = int(rng.random() ** 2 * _MOST)
    for _ in range(40):
        record = b"".join(_value(rng, field[0], field[1]) for field in fields)
        room -= len(record)
        if records and room < 0:
            break
        records.append(record)
    return a_set(id_, b"".join(records) + bytes(int(rng.random() * 4)))


def _value(rng: random.Random, id_: int, octets: int) -> bytes:
    if octets == VARIABLE:
        long = rng.random() < 0.1
        if id_ in (313, 315):
            return variable(pick(rng, FRAMES), long)
        return variable(rng.randbytes(int(rng.random() ** 3 * (300 if long else 40))), long)
    odds = rng.random()
    if odds < 0.3:
        return bytes(octets)
    if odds < 0.5:
        return bytes([pick(rng, (1, 6, 17, 58, 0x7F, 0xFF))]).rjust(octets, b"\0")[:octets]
    if odds < 0.55:
        return b"\xff" * octets
    return rng.randbytes(octets)
