"""Collects the columns of a block: each part of the rows writes its slice, and a column exists once a part has it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from schema.batch import Array, Flows, Symbols
from schema.columns import BY_NAME, Column, Kind


class Sink:
    """Columns of `rows` rows, filled slice by slice; what no part writes stays absent.

    `columns` are those of the table that the rows are for, by their names: flows where it is not said.
    """

    def __init__(self, rows: int, columns: Mapping[str, Column] = BY_NAME) -> None:
        self.rows = rows
        self.columns = columns
        self.arrays: dict[str, Array] = {}
        self._texts: dict[str, list[tuple[slice, Symbols]]] = {}

    def slot(self, name: str, part: slice, partly: bool = False) -> Array:
        """Return the rows `part` of a column to write into: all of them, or `partly`, which are zero on first sight."""
        array = self.arrays.get(name)
        if array is None:
            column = self.columns[name]
            whole = part.stop - part.start == self.rows
            # what is all written needs no clearing; of lists only what there is gets written
            lists = column.kind in (Kind.LABELS, Kind.SEGMENTS)
            shape = (self.rows, column.width) if column.width else self.rows
            array = column.zeros(self.rows) if lists or partly or not whole else np.empty(shape, column.dtype)
            self.arrays[name] = array
        view: Array = array[part]
        return view

    def put(self, name: str, part: slice, values: Array) -> None:
        """Write a column's values into the rows `part`; values for all rows become the column, where they fit."""
        column = self.columns[name]
        whole = part.stop - part.start == self.rows
        if whole and name not in self.arrays and values.dtype == column.dtype and values.flags.c_contiguous:
            self.arrays[name] = values
        else:
            self.slot(name, part)[:] = values

    def flows(self) -> Flows:
        """Return what was collected."""
        return Flows(self.rows, self.arrays, {name: self._join(parts) for name, parts in self._texts.items()})

    def put_text(self, name: str, part: slice, symbols: Symbols) -> None:
        """Write a column of strings into the rows `part`; other rows are empty strings."""
        self._texts.setdefault(name, []).append((part, symbols))

    def _join(self, parts: list[tuple[slice, Symbols]]) -> Symbols:
        number = {"": 0}
        codes = np.zeros(self.rows, np.int32)
        for where, symbols in parts:
            numbers = [number.setdefault(name, len(number)) for name in symbols.names]
            codes[where] = np.array(numbers, np.int32)[symbols.codes]
        return Symbols(codes, list(number))
