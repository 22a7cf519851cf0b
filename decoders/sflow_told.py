"""The columns that the records of sFlow samples fill: of what two records tell, the first counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from decoders.cursor import Data, Items
from decoders.limits import Limits
from decoders.reads import absent
from decoders.xdr import Mask
from schema.batch import Array, Symbols
from schema.columns import BY_NAME, Kind

Rows = npt.NDArray[np.intp]


class Told:
    """What the records of `rows` samples in `data` tell.

    `arrays` and `texts` hold the columns that some record told. `packet` says which samples have a record of the
    packet itself, `addressed` of which packets the IP addresses are known, both bool (rows,). `lies` counts records
    that are too short for what they say they hold; each costs only itself.
    """

    def __init__(self, data: Data, rows: int, limits: Limits) -> None:
        self.data, self.rows, self.limits = data, rows, limits
        self.arrays: dict[str, Array] = {}
        self.texts: dict[str, Symbols] = {}
        self.packet = np.zeros(rows, np.bool_)
        self.addressed = np.zeros(rows, np.bool_)
        self.lies = 0

    def keep(self, records: Items, whole: Mask) -> Rows:
        """Return the indices of the `whole` records, of each sample the first; count those that are not."""
        if not whole.all():
            self.lies += len(whole) - int(np.count_nonzero(whole))
        rows = np.flatnonzero(whole)
        kept: Rows = rows[np.diff(records.owner[rows], prepend=-1) != 0]
        return kept

    def column(self, name: str) -> Array:
        """Return a column to write into."""
        array = self.arrays.get(name)
        if array is None:
            array = self.arrays[name] = BY_NAME[name].zeros(self.rows)
        return array

    def put(self, name: str, rows: Rows, values: Array) -> None:
        """Write values into the rows, whatever was told before."""
        self.column(name)[rows] = values

    def fill(self, name: str, rows: Rows, values: Array) -> None:
        """Write values, but for those that tell nothing, into those of the rows of which nothing was told."""
        fits = ~_absent(name, values)
        if name in self.arrays:
            fits &= _absent(name, self.arrays[name][rows])
        self.column(name)[rows[fits]] = values[fits]

    def write(self, name: str, rows: Rows, symbols: Symbols, kept: Rows) -> None:
        """Write the `kept` of some strings, one for each of the rows; no other record tells this column."""
        codes = np.zeros(self.rows, np.int32)
        codes[rows] = symbols.codes[kept] + 1
        self.texts[name] = Symbols(codes, ["", *symbols.names])


def _absent(name: str, values: Array) -> Mask:
    """Return where a column has no value: of addresses also 0.0.0.0, which agents send for a next hop that is none."""
    return np.logical_not(values.any(axis=1)) if BY_NAME[name].kind is Kind.LABELS else absent(values)


Reader = Callable[[Told, Items], None]
"""Reads the records of one structure, as many as there are in all samples; it looks itself whether each is whole."""
