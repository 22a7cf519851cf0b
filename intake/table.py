"""Tables as text: which character parts their cells, what their columns are, and their rows one by one.

A row is parsed by itself, so that a quote which is never closed costs the row it is in, and no other.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from intake.columns import Columns, by_contents, by_names, normal
from intake.limits import Limits
from intake.times import Calendar

_DELIMITERS = (",", ";", "\t", "|")
_SAMPLE = 50
_MOST_LINES = 20
"""Lines that a row with quoted line ends can have."""


class Row(NamedTuple):
    """A row as it stands in the text, from a line on; no cells where it is longer than is read."""

    line: int
    text: str
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table is written. Without a header there are no `names`, and its line is 0."""

    delimiter: str
    columns: Columns
    width: int
    names: tuple[str, ...] = ()
    header: int = 0


def layout(text: str, calendar: Calendar, limits: Limits) -> Layout | None:
    """Return how the table is written; None where the text is no table that claims can be read from."""
    for delimiter in _DELIMITERS:
        found = _with_header(text, delimiter, limits)
        if found:
            return found
    for delimiter in _DELIMITERS:
        sample = [row.cells for row in islice(_rows(text, delimiter, 0, limits), _SAMPLE) if not _is_comment(row)]
        widths = {len(cells) for cells in sample}
        if len(widths) == 1 and min(widths) > 1:
            columns = by_contents(sample, calendar)
            if columns:
                return Layout(delimiter, columns, widths.pop())
    return None


def _with_header(text: str, delimiter: str, limits: Limits) -> Layout | None:
    """Return how a table is written whose header is its first row, or a comment before that."""
    for header in islice(_rows(text, delimiter, 0, limits), _SAMPLE):
        names = _cells(header.text.lstrip("# "), delimiter)
        columns = by_names(names)
        if columns:
            found = Layout(delimiter, columns, len(names), tuple(map(normal, names)), header.line)
            sample = list(islice(rows(text, found, limits), _SAMPLE))
            fitting = sum(2 <= len(row.cells) <= len(names) + 1 for row in sample)
            return found if fitting * 2 >= len(sample) else None
        if not _is_comment(header):
            return None
    return None


def rows(text: str, layout: Layout, limits: Limits) -> Iterator[Row]:
    """Yield the rows below the header."""
    found = _rows(text, layout.delimiter, layout.width, limits)
    return (row for row in found if row.line > layout.header and not _is_comment(row))


def _is_comment(row: Row) -> bool:
    return row.text.startswith("#")


def _rows(text: str, delimiter: str, width: int, limits: Limits) -> Iterator[Row]:
    """Yield the rows that say anything: no empty ones, and no rulers."""
    place, number = 0, 0
    while place < len(text):
        number += 1
        start = number
        line, place, length = _line(text, place, limits)
        if length > limits.row:
            yield Row(start, line, [])
            continue
        if not line.strip("-|:+= \t"):
            continue
        cells = _cells(line, delimiter)
        if line.count('"') % 2:
            joined = _joined(text, line, place, delimiter, width, limits)
            if joined:
                line, cells, place, more = joined
                number += more
        yield Row(start, line, cells)


def _joined(
    text: str, line: str, place: int, delimiter: str, width: int, limits: Limits
) -> tuple[str, list[str], int, int] | None:
    """Return the row with the lines that its open quote runs over, if it has as many cells as others then.

    A further line that has so many by itself is a row: then the quote is a stray one.
    """
    for more in range(1, _MOST_LINES):
        if place >= len(text):
            return None
        further, place, length = _line(text, place, limits)
        line = f"{line}\n{further}"
        if length > limits.row or len(line) > limits.row or len(_cells(further, delimiter)) == width:
            return None
        if further.count('"') % 2:
            cells = _cells(line, delimiter)
            return (line, cells, place, more) if len(cells) == width else None
    return None


def _line(text: str, place: int, limits: Limits) -> tuple[str, int, int]:
    """Return the line at `place`, as far as rows are read, where the next one begins, and how long it is."""
    end = text.find("\n", place)
    end = len(text) if end < 0 else end
    return text[place : min(end, place + limits.row)], end + 1, end - place


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader((line,), delimiter=delimiter), [])]
    except csv.Error:
        return []
