"""Flows as lines of text: JSON objects, CSV or a table, a whole batch at a time.

A line is joined from pieces. Most columns of a batch hold one value only, and are one piece for all of its rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import groupby, repeat
from socket import AF_INET, inet_ntop
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from schema.addresses import V4_MAPPED
from schema.batch import Array, Flows
from schema.columns import BY_NAME, FLOW_COLUMNS, Column, Kind
from schema.render import address_text, mac_text, no_formula, time_text

TABLE = ("flow_start", "exporter", "flow_type", "proto", "src_addr", "src_port", "dst_addr", "dst_port", "packets",
         "bytes", "sampling_rate", "in_if", "out_if")  # fmt: skip
"""The columns of a table."""

_COUNTED = frozenset({"packets", "bytes", "sampling_rate"})
_QUOTED = frozenset({Kind.TIME, Kind.ADDRESS, Kind.MAC, Kind.ENUM})
"""What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection")."""
FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The years 1 to 9999; a time outside of them, which few readers take, is shown as the epoch."""
_SMALL = 2**16

Piece: TypeAlias = "str | Sequence[str]"
"""Text that all rows share, or the text of each."""


class _Form(NamedTuple):
    """How a form of output shows a string, and a list of numbers or addresses."""

    string: Callable[[str], str]
    items: Callable[[list[Any]], str]


def json_lines(flows: Flows) -> Iterator[str]:
    """Yield each flow as a JSON object on a line, as `json.dumps` writes the rows of `schema.render.rows`."""
    pieces: list[Piece] = []
    for column in FLOW_COLUMNS:
        quote = '"' if column.kind in _QUOTED else ""
        pieces += [f'{", " if pieces else "{"}"{column.name}": {quote}', *_pieces(column, flows, _JSON), quote]
    return _lines([*pieces, "}\n"], flows.rows)


def csv_head() -> str:
    """Return the header of `csv_lines`."""
    return ",".join(column.name for column in FLOW_COLUMNS) + "\r\n"


def csv_lines(flows: Flows) -> Iterator[str]:
    """Yield each flow as a line of RFC 4180: times as in JSON, lists joined by blanks, no cell a formula."""
    pieces: list[Piece] = []
    for column in FLOW_COLUMNS:
        pieces += ["," if pieces else "", *_pieces(column, flows, _CSV)]
    return _lines([*pieces, "\r\n"], flows.rows)


class TableText:
    """A table of the columns of TABLE; they grow with what comes, and nothing is ever cut short."""

    def __init__(self) -> None:
        self._widths = [len(name) for name in TABLE]
        self._head = [[name] for name in TABLE]

    def lines(self, flows: Flows) -> Iterator[str]:
        """Yield the flows as lines, the titles before the very first."""
        columns = [head + _cells(BY_NAME[name], flows) for name, head in zip(TABLE, self._head, strict=True)]
        self._head = [[] for _ in TABLE]
        for place, cells in enumerate(columns):
            self._widths[place] = max(self._widths[place], *map(len, cells), 0)
        sides = (">" if BY_NAME[name].kind is Kind.UINT else "<" for name in TABLE)
        pattern = "  ".join(f"{{:{side}{width}}}" for side, width in zip(sides, self._widths, strict=True))
        for row in zip(*columns, strict=True):
            yield f"{pattern.format(*row).rstrip()}\n"


def _cells(column: Column, flows: Flows) -> list[str]:
    if column.name in _COUNTED:
        return [f"{value:,}" for value in flows.column(column.name).tolist()]
    return list(_lines(_pieces(column, flows, _CSV), flows.rows))


def _lines(pieces: Iterable[Piece], rows: int) -> Iterator[str]:
    columns: list[Iterable[str]] = []
    for shared, group in groupby(pieces, lambda piece: isinstance(piece, str)):
        texts = list(group)
        columns += [repeat("".join(map(str, texts)), rows)] if shared else texts
    return map("".join, zip(*columns, strict=True))


def _pieces(column: Column, flows: Flows, form: _Form) -> list[Piece]:
    if column.kind is Kind.SYMBOL:
        symbols = flows.symbols.get(column.name)
        return [_taken(list(map(form.string, symbols.names)), symbols.codes) if symbols else form.string("")]
    values = flows.arrays.get(column.name)
    if values is None:
        values = column.zeros(1)
    if len(values) and (values == values[0]).all():
        return ["".join(_lines(_of_rows(column, values[:1], form), 1))]
    return _of_rows(column, values, form)


def _of_rows(column: Column, values: Array, form: _Form) -> list[Piece]:
    match column.kind:
        case Kind.TIME:
            return _times(values)
        case Kind.ADDRESS:
            return [list(map(shown_address, _octets(values)))]
        case Kind.MAC:
            return [list(map(_mac, values.tolist()))]
        case Kind.ENUM:
            return [_taken(column.names, values)]
        case Kind.LABELS:
            return [[form.items(_labels(octets)) for octets in _octets(values)]]
        case Kind.SEGMENTS:
            return [[form.items(_segments(octets)) for octets in _octets(values)]]
    return [_decimals(values)]


def _times(values: Array) -> list[Piece]:
    known = np.where((values >= FIRST_MS) & (values <= LAST_MS), values, 0)
    seconds, milliseconds = np.divmod(known, 1000)
    distinct, codes = np.unique(seconds, return_inverse=True)
    texts = [time_text(second * 1000).removesuffix("000Z") for second in distinct.tolist()]
    return [_taken(texts, codes), _taken(_thousandths(), milliseconds), "Z"]


@cache
def _thousandths() -> list[str]:
    return [f"{value:03d}" for value in range(1000)]


def _decimals(values: Array) -> list[str]:
    if len(values) and values.max() < _SMALL:
        return _small_decimals()[values].tolist()  # type: ignore[no-any-return]
    return list(map(str, values.tolist()))


@cache
def _small_decimals() -> Array:
    return np.array(list(map(str, range(_SMALL))), object)


def _taken(texts: Sequence[str], codes: Array) -> list[str]:
    return np.array(texts, object)[codes].tolist()  # type: ignore[no-any-return]


def _octets(values: Array) -> list[bytes]:
    """Return each row of a two-dimensional array as octets, which a cache can be asked for."""
    rows = np.ascontiguousarray(values)
    return rows.view(f"V{rows.itemsize * rows.shape[1]}")[:, 0].tolist()  # type: ignore[no-any-return]


@lru_cache(2**17)
def shown_address(octets: bytes) -> str:
    """Return 16 octets as `schema.render.address_text` shows them, and IPv4, which most are, much sooner."""
    return inet_ntop(AF_INET, octets[12:]) if octets.startswith(V4_MAPPED) else address_text(octets)


_mac = lru_cache(2**14)(mac_text)


@lru_cache(2**12)
def _labels(octets: bytes) -> list[int]:
    return [entry >> 4 for entry in np.frombuffer(octets, BY_NAME["mpls_labels"].dtype).tolist() if entry]


@lru_cache(2**12)
def _segments(octets: bytes) -> list[str]:
    found = [octets[at : at + 16] for at in range(0, len(octets), 16)]
    return [shown_address(segment) for segment in found if any(segment)]


def _cell(text: str) -> str:
    """Return a string as a cell of CSV."""
    text = no_formula(text)
    if any(char in text for char in ',"\r\n'):
        text = '"' + text.replace('"', '""') + '"'
    return text


_JSON = _Form(json.dumps, json.dumps)
_CSV = _Form(_cell, lambda items: " ".join(map(str, items)))
