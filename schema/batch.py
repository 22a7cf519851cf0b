"""A batch of flows as columns: what decoders give, tenants extend and storage writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from schema.columns import BY_NAME

Array = npt.NDArray[Any]
_MAPPED = np.frombuffer(b"\x00\x00\xff\xff", np.uint32)[0]


@dataclass(frozen=True, slots=True)
class Symbols:
    """A column of few distinct strings: `codes`, int32 of shape (n,), index into `names`."""

    codes: npt.NDArray[np.int32]
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class Nullable:
    """A column of which some values are unknown: `values`, of the column's dtype, and `absent`, bool, both (n,)."""

    values: Array
    absent: npt.NDArray[np.bool_]


@dataclass(slots=True)
class Rows:
    """`rows` rows of a stored table other than the flows'; of `columns` that it lacks the table has its defaults."""

    rows: int
    columns: dict[str, Array | Symbols | Nullable] = field(default_factory=dict)


@dataclass(slots=True)
class Flows:
    """`rows` flows; `arrays` and `symbols` hold the columns that are present, all others are absent (zero).

    Array dtypes and shapes are those of `schema.columns`. Rows stand in no promised order unless the maker says so.
    """

    rows: int
    arrays: dict[str, Array] = field(default_factory=dict)
    symbols: dict[str, Symbols] = field(default_factory=dict)

    def column(self, name: str) -> Array:
        """Return the values of an array column, zeros where it is absent; KeyError for an unknown name."""
        present = self.arrays.get(name)
        if present is not None:
            return present
        return BY_NAME[name].zeros(self.rows)

    def take(self, index: npt.NDArray[np.intp]) -> Flows:
        """Return the rows at `index`, in its order, as a new batch."""
        return Flows(
            len(index),
            {name: values.take(index, axis=0) for name, values in self.arrays.items()},  # [index] is 9 times slower
            {name: Symbols(column.codes.take(index), column.names) for name, column in self.symbols.items()},
        )


def map_v4(octets: Array, out: Array) -> None:
    """Write IPv4 addresses, uint8 of shape (n, 4), into `out`, uint8 zeros of shape (n, 16), as ::ffff:a.b.c.d."""
    words = out.view(np.uint32)
    words[:, 2] = _MAPPED
    words[:, 3] = octets.view(np.uint32)[:, 0]


def halves(addresses: Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """Return the upper and lower 64 bits, native uint64 of shape (n,), of addresses, uint8 of shape (n, 16)."""
    words = np.ascontiguousarray(addresses).view(">u8")
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)
