"""Packet headers that lie anywhere in one buffer, read layer by layer: each layer's fixed part with one gather for all
rows that have it, whatever their offsets, and never past what was captured of the packet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.batch import Array
from schema.columns import BY_NAME

Rows = npt.NDArray[np.intp]
Positions = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_LONGEST = 128
"""Octets of the longest layout."""

_MAPPED, _ADDRESS = np.uint64(0xFFFF0000), np.uint64(0xFFFFFFFF << 32)
"""Lower half of an IPv4 address in IPv6 form (RFC 4291 section 2.5.5.2), little-endian: what stands before, itself."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A header's fixed part: `dtype`, and for each field at which octet of the header it `ends`; `size` in octets."""

    dtype: np.dtype[np.void]
    ends: dict[str, int]
    size: int


def layout(**fields: tuple[int, str] | tuple[int, str, int]) -> Layout:
    """Make a layout of fields: where each begins, its format, and how many octets it has where its format has more.

    Such a field is read with octets that follow it, and whoever reads it shifts them out: an address of 6 octets is the
    upper part of eight. Of overlapping fields none may be whole while one before it is not.
    """
    formats = {name: np.dtype(field[1]) for name, field in fields.items()}
    offsets = [field[0] for field in fields.values()]
    ends = {name: field[0] + (field[2] if len(field) > 2 else formats[name].itemsize) for name, field in fields.items()}
    dtype = np.dtype({"names": list(fields), "formats": list(formats.values()), "offsets": offsets})
    return Layout(dtype, ends, max(ends.values()))


class Buffer:
    """Octets, uint8 (n,), as if zeros followed them without end."""

    def __init__(self, data: npt.NDArray[np.uint8]) -> None:
        zeros = np.zeros(_LONGEST, np.uint8)
        if len(data) < _LONGEST:
            data = np.concatenate((data, zeros))
        self._data = data
        self._tail = np.concatenate((data[-_LONGEST:], zeros))

    def structs(self, dtype: np.dtype[np.void], at: Positions) -> npt.NDArray[np.void]:
        """Return the structs at positions `at`, none of which is below zero."""
        size = dtype.itemsize
        last = len(self._data) - size
        if at.max(initial=0) <= last:
            return _windows(self._data, size)[at].view(dtype)
        found = _windows(self._data, size)[np.minimum(at, last)]
        late = np.flatnonzero(at > last)
        behind = np.minimum(at[late] - (len(self._data) - _LONGEST), _LONGEST)
        found[late] = _windows(self._tail, size)[behind]
        return found.view(dtype)


def _windows(data: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.void]:
    """Return overlapping structs, one at each octet; as plain void they are copied many times faster than as fields."""
    return np.ndarray(len(data) - size + 1, f"V{size}", data, strides=(1,))


class Columns:
    """Columns of `rows` packets by name, zeros of `schema.columns`; one not among `names` comes when it is needed."""

    def __init__(self, rows: int, names: Iterable[str] = ()) -> None:
        self.rows = rows
        self.arrays: dict[str, Array] = {name: BY_NAME[name].zeros(rows) for name in names}

    def __getitem__(self, name: str) -> Array:
        array = self.arrays.get(name)
        if array is None:
            array = self.arrays[name] = BY_NAME[name].zeros(self.rows)
        return array


class Packets:
    """n packets in one buffer and the columns that their layers fill: of those of all packets the rows `part`.

    What was captured of packet i ends at `ends[i]`; `ip[i]` is where its IP header begins, -1 without one that was
    captured whole. Only `wanted` columns are filled. The rows that a layer is given ascend, and so must those it gives.
    """

    def __init__(self, buffer: Buffer, ends: Positions, columns: Columns, part: slice, wanted: frozenset[str]) -> None:
        self.buffer = buffer
        self.ends = ends
        self.ip = np.full(len(ends), -1, np.int64)
        self.columns = columns
        self.part = part
        self.wanted = wanted
        self.carried: list[tuple[Rows, Positions, Array]] = []
        """Packets inside these: rows, positions, and the EtherTypes that say what they begin with."""

    def left(self, rows: Rows, at: Positions) -> Positions:
        """Return how many octets were captured of packets `rows` from positions `at` on; below zero if past the end."""
        return (self.ends if len(rows) == len(self.ends) else self.ends[rows]) - at

    def read(self, header: Layout, rows: Rows, at: Positions, whole: int = 0) -> npt.NDArray[np.void]:
        """Return the headers at positions `at`; a field that was not captured whole is zero.

        All fields are zero of headers of which the first `whole` octets were not captured.
        """
        structs = self.buffer.structs(header.dtype, at)
        left = self.left(rows, at)
        if left.min(initial=header.size) < header.size:
            short = (left < header.size).nonzero()[0]
            cut, left = structs[short], left[short]
            for name, end in header.ends.items():
                field = cut[name]
                field[left < max(end, whole)] = np.zeros((), field.dtype)
            structs[short] = cut
        return structs

    def put(self, rows: Rows, **values: Array) -> None:
        """Store the columns' `values`, one for each of `rows`."""
        for name, column in values.items():
            if name in self.wanted and len(rows):
                _store(_flat(self.columns[name][self.part]), rows, _flat(column))

    def put_v4(self, rows: Rows, **values: Array) -> None:
        """Store IPv4 addresses, mapped: `values` are little-endian, of the four octets before and the address."""
        for name, column in values.items():
            if name in self.wanted:
                lower = self.columns[name][self.part].view("<u8")[:, 1]
                _store(lower, rows, column & _ADDRESS | _MAPPED)

    def put_header(self, rows: Rows, at: Positions) -> None:
        """Note that the IP headers of `rows` at positions `at` were captured whole."""
        _store(self.ip, rows, at)

    def follow(
        self, layers: Mapping[int, Layer], keys: Array, rows: Rows, at: Positions, among: Flags | None = None
    ) -> None:
        """Hand the packets `rows`, or those `among` them, to the layers that their `keys` name, each to be read from
        its position in `at`."""
        if among is not None and not among.all():
            keys, rows, at = keys[among], rows[among], at[among]
        keys, remaining = np.ascontiguousarray(keys), len(rows)
        for key, layer in layers.items():
            if not remaining:
                break
            chosen = (keys == key).nonzero()[0]
            if len(chosen) == len(rows):
                layer(self, rows, at)
            elif len(chosen):
                layer(self, rows[chosen], at[chosen])
            remaining -= len(chosen)


Layer = Callable[[Packets, Rows, Positions], None]
"""Reads one protocol's header of the packets `rows` at the positions given, stores columns, hands on to the next."""


def _flat(values: Array) -> Array:
    """Return values of several numbers, (n, width), as one void each, (n,): they are copied many times faster."""
    if values.ndim == 1:
        return values
    return np.ascontiguousarray(values).view(f"V{values.itemsize * values.shape[1]}")[:, 0]


def _store(column: Array, rows: Rows, values: Array) -> None:
    if len(rows) == len(column):  # all of them, in order
        column[:] = values
    else:  # scattered from one run of the column's own numbers, which is much faster
        column[rows] = np.ascontiguousarray(values, column.dtype)
