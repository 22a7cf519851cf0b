"""Collects the columns of a block: each part of the rows writes its slice, and a column exists once a part has it."""

from __future__ import annotations

import numpy as np

from schema.batch import Array, Flows
from schema.columns import BY_NAME


class Sink:
    """Columns of `rows` flows, filled slice by slice; what no part writes stays absent."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.arrays: dict[str, Array] = {}

    def slot(self, name: str, part: slice) -> Array:
        """Return the rows `part` of a column, zero on first sight, to write into."""
        array = self.arrays.get(name)
        if array is None:
            column = BY_NAME[name]
            whole = part.stop - part.start == self.rows
            # whoever takes all rows of a plain column writes them all: no need to clear them first
            array = np.empty(self.rows, column.dtype) if whole and not column.width else column.zeros(self.rows)
            self.arrays[name] = array
        view: Array = array[part]
        return view

    def flows(self) -> Flows:
        """Return what was collected."""
        return Flows(self.rows, self.arrays)
