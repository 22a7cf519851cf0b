"""The fixed fields of sFlow counter structures: a layout of each, and one gather for all records of a structure.

XDR (RFC 4506): all fields are big-endian and stand at multiples of four octets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decoders.cursor import Data, Positions, octets
from schema.batch import Array, Nullable
from schema.sflow_structures import Part

_WIRE = {"": ">u4", "int": ">i4", "long": ">u8", "float": ">u4", "mac": ">u8", "octet": "u1"}
_INFINITE, _BELOW_ZERO = 0x7F800000, 0x80000000
_ALL_MAC = 2**48 - 1
_ONES = {"": 2**32 - 1, "long": 2**64 - 1}
_AT_ONCE = 4096
"""Rows whose octets stay in the processor's cache while one column after another is read from them."""


class Field(NamedTuple):
    """A column, the kind of its field, and where in the structure it ends."""

    column: str
    kind: str
    end: int


class Layout(NamedTuple):
    """Fields that follow each other: `dtype` is theirs on the wire, `words` those that octets are part of."""

    fields: tuple[Field, ...]
    dtype: np.dtype[np.void]
    words: dict[str, tuple[str, int]]

    @property
    def width(self) -> int:
        """Octets of the whole."""
        return self.dtype.itemsize


def layout(parts: Iterable[tuple[str, Part]]) -> Layout:
    """Return the layout of columns whose fields follow each other from the first octet on."""
    names, formats, offsets, fields = list[str](), list[str](), list[int](), list[Field]()
    words: dict[str, tuple[str, int]] = {}
    end = 0
    for column, part in parts:
        wire = np.dtype(_WIRE[part.kind])
        if part.kind == "octet":
            first = end // 4 * 4
            if end == first:
                names, formats, offsets = [*names, f"{column} and others"], [*formats, ">u4"], [*offsets, end]
            words[column] = next(name for name, at in zip(names, offsets, strict=True) if at == first), 24 - end % 4 * 8
        else:
            names, formats, offsets = [*names, column], [*formats, _WIRE[part.kind]], [*offsets, end]
        end += wire.itemsize
        fields.append(Field(column, part.kind, end))
    dtype: np.dtype[np.void] = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": end})
    return Layout(tuple(fields), dtype, words)


def read(data: Data, at: Positions, ends: Positions, form: Layout) -> dict[str, Nullable]:
    """Read the structures at the positions `at`, none beyond `ends`: each column, of shape (n,).

    A field is absent where the octets end before it and where it is all ones (sFlow version 5: a counter that is not
    available); a float too where it is below zero (sFlow Host Structures: an unknown load is -1) or no number.
    """
    rows = len(at)
    left = ends - at
    short = bool(rows) and int(left.min()) < form.width
    whole = not rows or int(at.max()) + form.width <= len(data)
    found = {field.column: _empty(field.kind, rows) for field in form.fields}
    for first in range(0, rows, _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        wire = _octets(data, at[some], form.width, whole).view(form.dtype)[:, 0]
        for field in form.fields:
            column = found[field.column]
            _take(wire, field, form.words, column.values[some], column.absent[some])
    if short:
        for field in form.fields:
            column = found[field.column]
            column.absent[left < field.end] = True
            column.values[column.absent] = 0
    return found


def _empty(kind: str, rows: int) -> Nullable:
    dtype = {"long": np.uint64, "mac": np.uint64, "float": np.float32, "int": np.float32}.get(kind, np.uint32)
    return Nullable(np.empty(rows, dtype), np.empty(rows, np.bool_))


def _octets(data: Data, at: Positions, width: int, whole: bool) -> npt.NDArray[np.uint8]:
    """Return `width` octets from each position, zeros where the buffer ends before them unless all are `whole`."""
    if whole:
        return octets(data, at, width)
    begin = max(len(data) - width, 0)
    tail = np.concatenate([data[begin:], np.zeros(width, np.uint8)])
    near = at >= begin
    found = np.empty((len(at), width), np.uint8)
    found[near] = octets(tail, at[near] - begin, width)
    found[~near] = octets(data, at[~near], width)
    return found


def _take(wire: Array, field: Field, words: dict[str, tuple[str, int]], values: Array, absent: Array) -> None:
    """Write a column of `wire`, a structured array, into `values` and `absent`."""
    if field.kind == "octet":
        word, shift = words[field.column]
        values[:] = wire[word]
        np.equal(values, 0xFFFFFFFF, out=absent)
        values >>= shift
        values &= 0xFF
        return
    told = wire[field.column]
    if field.kind == "float":
        bits = values.view(np.uint32)
        bits[:] = told
        # not compared as floats: a signalling NaN would be a warning
        np.greater_equal(bits, _INFINITE, out=absent)
        absent &= bits != _BELOW_ZERO
        bits[absent] = 0
        return
    values[:] = told
    if field.kind == "mac":
        values >>= 16
        np.equal(values, _ALL_MAC, out=absent)
    elif field.kind == "int":
        np.equal(values, -1, out=absent)
    else:
        np.equal(values, _ONES[field.kind], out=absent)
