"""Mutations of datagrams: what a bad link, a bad exporter or an attacker does to them.

Each mutation takes a draft and changes it in place; what it needs and does not find makes it do nothing. Most changes
of size put the lengths right that enclose them, or nothing behind the first would be read at all.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from fuzzing.anatomy import Anatomy, anatomy, kind
from fuzzing.drawn import pick

WORDS = (0, 1, 2, 3, 4, 5, 7, 8, 16, 20, 24, 48, 255, 256, 257, 0x3FFF, 0x7FFF, 0x8000, 0xFFFC, 0xFFFE, 0xFFFF)
LONGS = (0, 1, 2, 4, 0xFF, 0x100, 0xFFFF, 0x10000, 0x3FFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF)
MOST_OCTETS = 65_507
_REPEATED = 9000
_REPAIRS = 0.75


@dataclass(slots=True)
class Draft:
    """A datagram that is being changed: its octets, where its parts lay at first, and another datagram to take from."""

    rng: random.Random
    data: bytearray
    parts: Anatomy
    donor: bytes

    def at(self, align: int = 1) -> int:
        """Return a position inside the datagram, a multiple of `align`."""
        return int(self.rng.random() * len(self.data)) // align * align

    def put(self, at: int, value: int, octets: int) -> None:
        """Write a number over what is there; nothing where it does not fit."""
        if at + octets <= len(self.data):
            self.data[at : at + octets] = (value & (1 << 8 * octets) - 1).to_bytes(octets, "big")

    def get(self, at: int, octets: int) -> int:
        """Return the number at a position."""
        return int.from_bytes(self.data[at : at + octets], "big")

    def grew(self, at: int, octets: int, around: bool) -> None:
        """Put right what says how long the datagram is, and if `around`, the set or sample that holds `at`."""
        if self.rng.random() > _REPAIRS:
            return
        version = kind(bytes(self.data[:4]))
        if version == 10:
            self.put(2, self.get(2, 2) + octets, 2)
        holding = next((start for start, end in self.parts.items if start <= at < end), None) if around else None
        if holding is not None and version in (9, 10):
            self.put(holding + 2, self.get(holding + 2, 2) + octets, 2)
        elif holding is not None and version == 105:
            self.put(holding + 4, self.get(holding + 4, 4) + octets, 4)

    def counted(self, items: int) -> None:
        """Put right the header's count of v5 records or of samples."""
        version = kind(bytes(self.data[:4]))
        where = {5: (2, 2), 9: (2, 2), 105: (36 if self.data[7:8] == b"\2" else 24, 4)}.get(version)
        if where is not None and self.rng.random() < _REPAIRS:
            self.put(where[0], self.get(*where) + items, where[1])


def mutate(rng: random.Random, data: bytes, donor: bytes) -> bytes:
    """Return `data` with one to five mutations; `donor` is another datagram, of which parts may be taken."""
    draft = Draft(rng, bytearray(data), anatomy(data), donor)
    for _ in range(pick(rng, (1, 1, 1, 2, 2, 3, 5))):
        if draft.data:
            rng.choices(_MUTATIONS, cum_weights=_WEIGHTS)[0](draft)
    return bytes(draft.data[:MOST_OCTETS])


def _bit(draft: Draft) -> None:
    draft.data[draft.at()] ^= 1 << int(draft.rng.random() * 8)


def _octet(draft: Draft) -> None:
    draft.data[draft.at()] = pick(draft.rng, (0, 1, 4, 0x7F, 0x80, 0xFF, int(draft.rng.random() * 256)))


def _word(draft: Draft) -> None:
    draft.put(draft.at(pick(draft.rng, (1, 2, 2))), pick(draft.rng, WORDS), 2)


def _long(draft: Draft) -> None:
    draft.put(draft.at(pick(draft.rng, (1, 4, 4))), pick(draft.rng, LONGS), 4)


def _early_word(draft: Draft) -> None:
    """Hit the first octets: headers, and the first set's."""
    draft.put(int(draft.rng.random() * 32), pick(draft.rng, WORDS), 2)


def _length(draft: Draft) -> None:
    if draft.parts.lengths:
        at, octets = pick(draft.rng, draft.parts.lengths)
        before = draft.get(at, octets)
        near = before + pick(draft.rng, (-8, -4, -2, -1, 1, 2, 3, 4, 8, 48))
        draft.put(at, pick(draft.rng, (near, near, before * 2, before // 2, pick(draft.rng, WORDS))), octets)


def _cut(draft: Draft) -> None:
    end = draft.at()
    if draft.parts.items and draft.rng.random() < 0.3:
        end = pick(draft.rng, pick(draft.rng, draft.parts.items))
    gone = len(draft.data) - end
    del draft.data[end:]
    draft.grew(end, -gone, around=True)


def _splice(draft: Draft) -> None:
    theirs = anatomy(draft.donor).items
    if draft.parts.items and theirs and draft.rng.random() < 0.7:
        here, there = pick(draft.rng, draft.parts.items)[1], pick(draft.rng, theirs)[0]
    else:
        here, there = draft.at(), int(draft.rng.random() * (len(draft.donor) + 1))
    before = len(draft.data)
    draft.data[here:] = draft.donor[there:]
    draft.grew(here, len(draft.data) - before, around=False)


def _graft(draft: Draft) -> None:
    """Put a set of another datagram between ours: a template of another's, often, under an id of ours."""
    parts = anatomy(draft.donor)
    if parts.items and draft.parts.items:
        start, end = pick(draft.rng, parts.items)
        at = pick(draft.rng, draft.parts.items)[0]
        if at <= len(draft.data):
            draft.data[at:at] = draft.donor[start:end]
            draft.grew(at, end - start, around=False)
            draft.counted(1)


def _duplicate(draft: Draft) -> None:
    """Repeat a set, sample or record, once or often."""
    if draft.parts.items:
        start, end = pick(draft.rng, draft.parts.items)
        one = bytes(draft.data[start:end])
        times = min(pick(draft.rng, (1, 1, 1, 1, 1, 2, 2, 3, 5, 10, 40, 300)), _REPEATED // max(len(one), 1))
        draft.data[end:end] = one * times
        draft.grew(start, len(one) * times, around=False)
        draft.counted(times)


def _swap(draft: Draft) -> None:
    items = draft.parts.items
    if len(items) > 1 and items[-1][1] <= len(draft.data):
        one, other = sorted((pick(draft.rng, items), pick(draft.rng, items)))
        if one[1] <= other[0]:
            data = bytes(draft.data)
            draft.data[one[0] : other[1]] = data[slice(*other)] + data[one[1] : other[0]] + data[slice(*one)]


def _repeat(draft: Draft) -> None:
    """Repeat any few octets, often as many times as a datagram may hold."""
    at = draft.at()
    chunk = bytes(draft.data[at : at + pick(draft.rng, (1, 2, 3, 4, 8, 13, 48, 100))])
    most = MOST_OCTETS if draft.rng.random() < 0.005 else _REPEATED if draft.rng.random() < 0.05 else 1500
    times = min(pick(draft.rng, (1, 2, 10, 100, 2000)), max(most - len(draft.data), 0) // len(chunk))
    draft.data[at:at] = chunk * times
    draft.grew(at, len(chunk) * times, around=True)


def _insert(draft: Draft) -> None:
    at = draft.at()
    octets = draft.rng.randbytes(pick(draft.rng, (1, 1, 2, 3, 4, 8, 20)))
    draft.data[at:at] = bytes(len(octets)) if draft.rng.random() < 0.4 else octets
    draft.grew(at, len(octets), around=True)


def _delete(draft: Draft) -> None:
    at = draft.at()
    before = len(draft.data)
    del draft.data[at : at + pick(draft.rng, (1, 1, 2, 3, 4, 8, 20, 48))]
    draft.grew(at, len(draft.data) - before, around=True)


def _head(draft: Draft) -> None:
    """Change a template's id, its field count, or an options template's counts."""
    if draft.parts.heads:
        at = pick(draft.rng, draft.parts.heads) + pick(draft.rng, (0, 2, 2, 4))
        before = draft.get(at, 2)
        draft.put(at, pick(draft.rng, (before + 1, before - 1, before + 4, before * 2, pick(draft.rng, WORDS))), 2)


def _specifier(draft: Draft) -> None:
    """Change a field's element or length."""
    if draft.parts.specifiers:
        at = pick(draft.rng, draft.parts.specifiers)
        if draft.rng.random() < 0.5 and len(draft.parts.specifiers) > 1:
            other = pick(draft.rng, draft.parts.specifiers)
            draft.put(at, draft.get(other, 4), 4)
        elif draft.rng.random() < 0.7:
            before = draft.get(at + 2, 2)
            value = pick(draft.rng, (0, 1, 0xFFFF, 0xFFFF, before + 1, before - 1, 2 * before, 4096))
            draft.put(at + 2, value, 2)
        else:
            draft.put(at, pick(draft.rng, (1, 8, 27, 34, 48, 82, 95, 160, 291, 292, 293, 313, 315, 0x8001)), 2)


def _redefine(draft: Draft) -> None:
    """Send a template again, changed, between the data sets that use it."""
    parts = draft.parts
    if not parts.templates:
        return
    start, end = parts.items[pick(draft.rng, parts.templates)]
    changed = Draft(draft.rng, bytearray(draft.data[start:end]), parts, draft.donor)
    inside = [at - start for at in parts.specifiers if start <= at < end - 3]
    if inside and len(changed.data) == end - start:
        changed.put(pick(draft.rng, inside) + 2, pick(draft.rng, (0, 1, 2, 4, 8, 16, 0xFFFF)), 2)
    at = pick(draft.rng, parts.items)[pick(draft.rng, (0, 1))]
    if at <= len(draft.data):
        draft.data[at:at] = changed.data
        draft.grew(at, len(changed.data), around=False)


def _join(draft: Draft) -> None:
    """Put another datagram behind this one."""
    draft.data += draft.donor


_TABLE: dict[Callable[[Draft], None], int] = {
    _bit: 10, _octet: 8, _word: 8, _long: 5, _early_word: 4, _length: 12, _cut: 6, _splice: 5, _graft: 6, _duplicate: 5,
    _swap: 4, _repeat: 4, _insert: 4, _delete: 4, _head: 6, _specifier: 10, _redefine: 7, _join: 1,
}  # fmt: skip
_MUTATIONS = list(_TABLE)
_WEIGHTS = list(accumulate(_TABLE.values()))
