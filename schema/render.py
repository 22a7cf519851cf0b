"""Flows and other rows as JSON-ready dicts, and the forms of addresses, times and MACs that every output shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Any

import numpy as np

from schema.addresses import shown
from schema.batch import Array, Flows, Nullable, Rows, Symbols
from schema.columns import FLOW_COLUMNS, Column, Kind
from schema.tables import StoredTable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@lru_cache(2**16)  # a few addresses make most of the traffic, and making their text takes most of the time
def address_text(octets: bytes) -> str:
    """Return 16 octets as text: dotted quad for IPv4-mapped ones, RFC 5952 otherwise; an absent address is `::`."""
    address = IPv6Address(octets)
    return shown(address)


def no_formula(text: str) -> str:
    """Return a string as a spreadsheet may have it: none takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def time_text(milliseconds: int) -> str:
    """Return milliseconds since the epoch as RFC 3339 UTC with milliseconds; past year 9999, the epoch."""
    seconds, rest = divmod(milliseconds, 1000)
    try:
        return f"{_second_text(seconds)}.{rest:03d}Z"
    except OverflowError:
        return f"{_second_text(0)}.000Z"


@lru_cache(2**12)
def _second_text(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def mac_text(value: int) -> str:
    """Return a MAC address as six hex octets with colons."""
    return value.to_bytes(8, "big")[2:].hex(":")


def _labels(entries: list[int]) -> list[int]:
    return [entry >> 4 for entry in entries if entry]


def _segments(octets: bytes) -> list[str]:
    found = [octets[at : at + 16] for at in range(0, len(octets), 16)]
    return [address_text(segment) for segment in found if any(segment)]


def _floats(values: Array) -> list[float | None]:
    """Return the shortest decimals that tell the values apart in their own width, None for what JSON cannot write."""
    known = np.isfinite(values).tolist()
    return [float(text) if is_known else None for text, is_known in zip(values.astype(str), known, strict=True)]


def _renderer(column: Column) -> Callable[[Array], list[Any]]:
    match column.kind:
        case Kind.ADDRESS:
            return lambda values: [address_text(row.tobytes()) for row in values]
        case Kind.TIME:
            return lambda values: [time_text(value) for value in values.tolist()]
        case Kind.MAC:
            return lambda values: [mac_text(value) for value in values.tolist()]
        case Kind.ENUM:
            return lambda values: [column.names[value] for value in values.tolist()]
        case Kind.LABELS:
            return lambda values: [_labels(row) for row in values.tolist()]
        case Kind.SEGMENTS:
            return lambda values: [_segments(row.tobytes()) for row in values]
        case Kind.FLOAT:
            return _floats
        case _:
            return lambda values: values.tolist()


def _rendered(column: Column, given: Array | Symbols | Nullable) -> list[Any]:
    match given:
        case Symbols():
            return [given.names[code] for code in given.codes.tolist()]
        case Nullable():
            known = _renderer(column)(given.values)
            return [None if absent else value for value, absent in zip(known, given.absent.tolist(), strict=True)]
    return _renderer(column)(given)


def _dicts(names: list[str], rendered: list[list[Any]]) -> Iterator[dict[str, Any]]:
    for values in zip(*rendered, strict=True):
        yield dict(zip(names, values, strict=True))


def rows(flows: Flows) -> Iterator[dict[str, Any]]:
    """Yield each flow as a dict in the order of `FLOW_COLUMNS`; absent symbols are empty strings."""
    rendered: list[list[Any]] = []
    for column in FLOW_COLUMNS:
        given = (flows.symbols if column.kind is Kind.SYMBOL else flows.arrays).get(column.name)
        if given is not None:
            rendered.append(_rendered(column, given))
        elif column.kind is Kind.SYMBOL:
            rendered.append([""] * flows.rows)
        else:
            rendered.append(_rendered(column, column.zeros(1)) * flows.rows)
    return _dicts([column.name for column in FLOW_COLUMNS], rendered)


def rows_of(table: StoredTable, rows: Rows) -> Iterator[dict[str, Any]]:
    """Yield each row of `table` as a dict in the order of its columns.

    None is NULL, or a float that JSON cannot write (infinity, not a number). Columns that `rows` has not are left out;
    columns that the table has not are passed over.
    """
    columns = [column for column in table.columns if column.name in rows.columns]
    rendered = [_rendered(column, rows.columns[column.name]) for column in columns]
    return _dicts([column.name for column in columns], rendered)
