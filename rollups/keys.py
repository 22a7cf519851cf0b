"""Rows that are equal in several columns, found exactly: columns packed into one number of 64 bits, and its values.

Nothing is taken for equal because it hashes alike: a hash only says where to look, and the whole key is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.batch import Array

Keys = npt.NDArray[np.uint64]
Slots = npt.NDArray[np.intp]

_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xFF51AFD7ED558CCD, 0xD6E8FEB86659FD93)
"""Odd numbers with bits all over: each round of looking mixes by another."""
_LEAST_BITS, _MOST_BITS = 8, 17
"""Size of the table of one round, as a power of two: 2**17 keys are 1 MiB, and stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class Distinct:
    """Which rows have the same key: `slots`, shape (n,), are the rows' places in tables of `size`.

    `used`, ascending, are the slots that have rows, and `keys` are theirs.
    """

    size: int
    slots: Slots
    used: Slots
    keys: Keys
    counts: npt.NDArray[np.int64]
    """How many rows each used slot has."""

    def sums(self, values: Array) -> Keys:
        """Return the sums of unsigned numbers, shape (n,), by used slot: whole numbers modulo 2**64, never floats."""
        totals = np.zeros(self.size, np.uint64)
        np.add.at(totals, self.slots, values.astype(np.uint64, copy=False))
        return totals[self.used]

    def spread(self, values: Array) -> Array:
        """Return for each row its slot's value, of `values` by used slot."""
        of_slots = np.zeros(self.size, values.dtype)
        of_slots[self.used] = values
        return of_slots.take(self.slots)


def distinct(keys: Keys) -> Distinct:
    """Return which of the keys, shape (n,), are equal; what the last round leaves, in all but hostile data little, is
    sorted.
    """
    bits = min(max(len(keys).bit_length() - 3, _LEAST_BITS), _MOST_BITS)
    slots = _slots(keys, _MULTIPLIERS[0], bits)
    tables = [_settle(keys, slots, bits)]
    left = np.flatnonzero(tables[0].take(slots) != keys)
    for multiplier in _MULTIPLIERS[1:]:
        if not len(left):
            break
        keys_left = keys[left]
        found = _slots(keys_left, multiplier, bits)
        table = _settle(keys_left, found, bits)
        slots[left] = found + (len(tables) << bits)
        tables.append(table)
        left = left[table.take(found) != keys_left]
    if len(left):
        last, which = np.unique(keys[left], return_inverse=True)
        slots[left] = which + (len(tables) << bits)
        tables.append(last)
    table = np.concatenate(tables)
    counts = np.bincount(slots, minlength=len(table))
    used = np.flatnonzero(counts)
    return Distinct(len(table), slots, used, table[used], counts[used])


def _slots(keys: Keys, multiplier: int, bits: int) -> Slots:
    mixed = keys * np.uint64(multiplier)
    mixed >>= np.uint64(64 - bits)
    return mixed.view(np.intp)


def _settle(keys: Keys, slots: Slots, bits: int) -> Keys:
    """Return a table in which each slot that any key has holds one of its keys."""
    table = np.zeros(1 << bits, np.uint64)
    table[slots] = keys
    return table


def numbered(keys: Keys) -> tuple[Array, Keys]:
    """Return for each key where it stands among the distinct ones, uint32, and these."""
    found = distinct(keys)
    return found.spread(np.arange(len(found.used), dtype=np.uint32)), found.keys


@dataclass(frozen=True, slots=True)
class _Part:
    """Some bits of a packed key: a column's values or, where there is a `table`, where they stand in it.

    The table's values may be packed keys themselves, of the parts `inner`.
    """

    name: str
    width: int
    table: Keys | None = None
    inner: tuple[_Part, ...] = ()


class Packed:
    """Columns of whole numbers as one key of 64 bits a row: `keys` are equal where all of the columns are."""

    def __init__(self, rows: int, columns: Mapping[str, Array]) -> None:
        """`columns` have shape (rows,) each, and no negative numbers."""
        self.keys = np.zeros(rows, np.uint64)
        self._parts: tuple[_Part, ...] = ()
        self._width = 0
        for name, values in columns.items():
            self._add(name, values)

    def unpack(self, keys: Keys) -> dict[str, Keys]:
        """Return the columns' values of some of the keys."""
        return dict(_unpack(self._parts, keys))

    def _add(self, name: str, values: Array) -> None:
        part = _Part(name, _bits(values))
        if self._width + part.width > 64:
            self._narrow()
        if self._width + part.width > 64:
            values, table = numbered(values.astype(np.uint64, copy=False))
            part = _Part(name, _bits(values), table)
        if part.width:
            if self._width:
                self.keys <<= np.uint64(part.width)
            self.keys |= values.view(f"u{values.itemsize}")  # signed ones would not go with the keys
        self._width += part.width
        self._parts = (*self._parts, part)

    def _narrow(self) -> None:
        """Put in place of the keys where they stand among the distinct ones, which are no more than there are rows."""
        codes, table = numbered(self.keys)
        self._parts = (_Part("", _bits(codes), table, self._parts),)
        self._width = self._parts[0].width
        self.keys = codes.astype(np.uint64)


def _bits(values: Array) -> int:
    return int(values.max()).bit_length() if len(values) else 0


def _unpack(parts: tuple[_Part, ...], keys: Keys) -> Iterator[tuple[str, Keys]]:
    for part in reversed(parts):
        values = keys & np.uint64((1 << part.width) - 1)
        keys = keys >> np.uint64(part.width) if part.width < 64 else np.zeros_like(keys)
        if part.table is not None:
            values = part.table[values]
        if part.inner:
            yield from _unpack(part.inner, values)
        else:
            yield part.name, values
