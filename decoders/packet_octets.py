"""Packet headers that lie anywhere in one buffer, read layer by layer: each layer's fixed part with one gather for all
rows that have it, whatever their offsets, and never past what was captured of the packet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from schema.batch import Array
from schema.columns import BY_NAME

Rows = npt.NDArray[np.intp]
Positions = npt.NDArray[np.int64]
Layout = np.dtype[np.void]

_LONGEST = 64
"""Zero octets put after the buffer, so that a layout may be read where the buffer ends; no layout is longer."""


class Packets:
    """n packets in one buffer and the columns that their layers fill.

    `data` is uint8 as `padded` gives it; what was captured of packet i ends at `ends[i]`. `columns` are zeros of
    `schema.columns`, shape (n,) or (n, 16); `ok` is bool (n,).
    """

    def __init__(
        self, data: npt.NDArray[np.uint8], ends: Positions, ok: npt.NDArray[np.bool_], columns: Mapping[str, Array]
    ):
        self.data = data
        self.ends = ends
        self.ok = ok
        self.columns = columns

    def left(self, rows: Rows, at: Positions) -> Positions:
        """Return how many octets were captured of packets `rows` from positions `at` on; below zero if past the end."""
        return self.ends[rows] - at

    def read(self, layout: Layout, rows: Rows, at: Positions) -> npt.NDArray[np.void]:
        """Return the structs of `layout` at positions `at`; a field that was not captured whole is zero."""
        size = layout.itemsize
        # Overlapping structs, one at each octet. As plain void they are copied ten times faster than with fields.
        windows = np.ndarray(len(self.data) - size + 1, f"V{size}", self.data, strides=(1,))
        structs = windows[np.minimum(at, len(self.data) - size)].view(layout)
        left = self.left(rows, at)
        if len(left) and left.min() < size:
            for name, (field, offset, *_) in (layout.fields or {}).items():
                structs[name][left < offset + field.itemsize] = 0
        return structs

    def put(self, rows: Rows, **values: Array) -> None:
        """Store the columns' `values`, one for each of `rows`."""
        for name, column in values.items():
            self.columns[name][rows] = column

    def follow(self, layers: Mapping[int, Layer], keys: Array, rows: Rows, at: Positions) -> None:
        """Hand the packets `rows` to the layers that their `keys` name, each to be read from its position in `at`."""
        for key, layer in layers.items():
            chosen = np.flatnonzero(keys == key)
            if len(chosen):
                layer(self, rows[chosen], at[chosen])


Layer = Callable[[Packets, Rows, Positions], None]
"""Reads one protocol's header of the packets `rows` at the positions given, stores columns, hands on to the next."""


def padded(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return `data` (n,) with zeros after it, as `Packets` wants it."""
    return np.concatenate((data, np.zeros(_LONGEST, np.uint8)))


def blank(names: tuple[str, ...], rows: int) -> dict[str, Array]:
    """Return `rows` absent values of each of the stored columns `names`."""
    return {name: BY_NAME[name].zeros(rows) for name in names}
