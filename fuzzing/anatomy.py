"""Where a datagram's sets, samples, lengths and templates lie, so that mutations hit what decoders act on.

A second, forgiving reading of the protocols, in plain Python: what makes no sense ends it.
"""

from __future__ import annotations

from functools import lru_cache
from struct import unpack_from
from typing import NamedTuple


class Anatomy(NamedTuple):
    """Positions in a datagram.

    `items` are (start, end) of its sets, samples or v5 records. `lengths` are (position, octets) of lengths and counts.
    `heads` are the positions of template records, `specifiers` those of field specifiers. `templates` are the indices
    in `items` of sets that hold templates.
    """

    items: list[tuple[int, int]]
    lengths: list[tuple[int, int]]
    heads: list[int]
    specifiers: list[int]
    templates: list[int]


@lru_cache(1 << 9)
def anatomy(data: bytes) -> Anatomy:
    """Return where the parts of a datagram lie, as far as it can be read."""
    found = Anatomy([], [], [], [], [])
    version = kind(data)
    at = 0
    while version in (5, 10) and len(data) - at >= 16 and data[at : at + 2] == data[:2]:
        length = unpack_from(">H", data, at + 2)[0]
        found.lengths.append((at + 2, 2))
        if version == 5:
            end = min(at + 24 + 48 * length, len(data))
            found.items.extend((start, start + 48) for start in range(at + 24, end - 47, 48))
            at += 24 + 48 * length
        else:
            _sets(data, at + 16, min(at + length, len(data)), 10, found)
            at += max(length, 16)
    if version == 9:
        found.lengths.append((2, 2))
        _sets(data, 20, len(data), 9, found)
    if version == 105:
        _samples(data, found)
    return found


def kind(data: bytes) -> int:
    """Return the version that a datagram claims: 5, 9, 10, 105 for sFlow v5, or 0."""
    if data[:4] == b"\0\0\0\5":
        return 105
    version = int.from_bytes(data[:2], "big")
    return version if version in (5, 9, 10) else 0


def _sets(data: bytes, at: int, end: int, version: int, found: Anatomy) -> None:
    while end - at >= 4:
        id_, length = unpack_from(">HH", data, at)
        if length < 4 or at + length > end:
            return
        found.lengths.append((at + 2, 2))
        if id_ < 4:
            found.templates.append(len(found.items))
            _records(data, at + 4, at + length, version, id_ in (1, 3), found)
        found.items.append((at, at + length))
        at += length


def _records(data: bytes, at: int, end: int, version: int, options: bool, found: Anatomy) -> None:
    """Find the template records of a set."""
    while end - at >= 8:
        count = unpack_from(">H", data, at + 2)[0]
        found.heads.append(at)
        found.lengths.append((at + 2, 2))
        at += 4
        if options:
            second = unpack_from(">H", data, at)[0]
            found.lengths.append((at, 2))
            at += 2
            count = (count + second) // 4 if version == 9 else count
        for _ in range(count):
            if end - at < 4:
                return
            found.specifiers.append(at)
            at += 8 if version == 10 and data[at] & 0x80 else 4


def _samples(data: bytes, found: Anatomy) -> None:
    """Find the samples of an sFlow datagram, and the records inside them."""
    at = 40 if data[4:8] == b"\0\0\0\2" else 28
    found.lengths.append((at - 4, 4))
    while len(data) - at >= 8:
        format_, length = unpack_from(">II", data, at)
        end = at + 8 + length
        if end > len(data):
            return
        found.lengths.append((at + 4, 4))
        found.items.append((at, end))
        inside = at + 8 + {1: 32, 2: 12, 3: 44, 4: 16, 5: 32}.get(format_, length)
        found.lengths.append((max(inside - 4, at), 4))
        while end - inside >= 8:
            found.lengths.append((inside + 4, 4))
            inside += 8 + (unpack_from(">I", data, inside + 4)[0] + 3 & ~3)
        at = end + (-length & 3)
