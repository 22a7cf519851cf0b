"""Flows and other rows as one block of ClickHouse's Native format (revision 0, as HTTP takes it).

The arrays go in as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schema.batch import Array, Flows, Nullable, Rows, Symbols
from schema.columns import BY_NAME, FLOW_COLUMNS, Column, Kind
from schema.tables import StoredTable
from storage.ddl import NAMES, NAMINGS

Buffer = bytes | memoryview
Name = tuple[bytes, int, str, int, str, str, int]
"""Exporter (16 octets), observation domain, naming (one of NAMINGS), id, name, description, time received (ms)."""

# LowCardinality as ClickHouse's SerializationLowCardinality writes it: a version word once, then per block a word of
# flags whose low byte says how wide the indexes are.
_DICTIONARY_VERSION = 1
_ADDITIONAL_KEYS, _UPDATE_DICTIONARY = 1 << 9, 1 << 10
_INDEX_TYPES = ((2**8, 0, "<u1"), (2**16, 1, "<u2"), (2**32, 2, "<u4"))


def present(flows: Flows) -> list[str]:
    """Return the names of the columns the batch has, in table order; ClickHouse fills the others with zeros itself."""
    return [column.name for column in FLOW_COLUMNS if column.name in flows.arrays or column.name in flows.symbols]


def encode(flows: Flows, columns: Sequence[str]) -> bytes:
    """Return the block of the named columns, which must all be in the batch (KeyError)."""
    values = []
    for name in columns:
        column = BY_NAME[name]
        given = flows.symbols[name] if column.kind is Kind.SYMBOL else flows.arrays[name]
        values.append((name, column.clickhouse, _values(column, given)))
    return _block(flows.rows, values)


def encode_rows(table: StoredTable, rows: Rows) -> tuple[list[str], bytes]:
    """Return the names, in table order, of the columns that rows of `table` have, and the block of these columns.

    What the table does not know is passed over. ValueError for a Nullable where the table has no NULL.
    """
    columns = [column for column in table.columns if column.name in rows.columns]
    values = [(column.name, column.clickhouse, _values(column, rows.columns[column.name])) for column in columns]
    return [column.name for column in columns], _block(rows.rows, values)


def encode_names(names: Sequence[Name]) -> bytes:
    """Return the block of the names table's columns, in their order; ValueError for a naming that is not known."""
    exporters, domains, namings, ids, texts, descriptions, seen = zip(*names, strict=True)
    values: Sequence[Sequence[Buffer]] = (
        exporters,
        [np.array(domains, "<u4").data],
        [bytes(map(NAMINGS.index, namings))],
        [np.array(ids, "<u8").data],
        [_string(text) for text in texts],
        [_string(text) for text in descriptions],
        [np.array(seen, "<i8").data],
    )
    fields = NAMES.fields
    return _block(len(names), [(field.name, field.type, data) for field, data in zip(fields, values, strict=True)])


def _block(rows: int, columns: Sequence[tuple[str, str, Sequence[Buffer]]]) -> bytes:
    """Return a block of columns given as (name, type, the values' octets)."""
    buffers: list[Buffer] = [_varint(len(columns)) + _varint(rows)]
    for name, kind, values in columns:
        buffers += [_string(name) + _string(kind), *values]
    return b"".join(buffers)


def _values(column: Column, given: Array | Symbols | Nullable) -> list[Buffer]:
    match given:
        case Symbols():
            return _symbols(given)
        case Nullable() if column.nullable:
            return [np.ascontiguousarray(given.absent, np.bool_).data, *_array(column, given.values)]
        case Nullable():
            raise ValueError(f"the column {column.name} has no NULL")
    known = [bytes(len(given))] if column.nullable else []
    return [*known, *_array(column, given)]


def _array(column: Column, values: Array) -> list[Buffer]:
    if column.kind is Kind.LABELS:
        given = values != 0
        ends = np.cumsum(given.sum(axis=1), dtype="<u8")
        # an entry is label << 4 | traffic class | bottom (RFC 3032)
        return [ends.data, (values[given] >> 4).astype("<u4").data]
    if column.kind is Kind.SEGMENTS:
        segments = values.reshape(len(values), -1, 16)
        given = segments.any(axis=2)
        return [np.cumsum(given.sum(axis=1), dtype="<u8").data, np.ascontiguousarray(segments[given]).data]
    return [np.ascontiguousarray(values, dtype=np.dtype(column.dtype).newbyteorder("<")).data]


def _symbols(column: Symbols) -> list[Buffer]:
    used = np.flatnonzero(np.bincount(column.codes, minlength=len(column.names)))
    index_type, dtype = next((number, dtype) for limit, number, dtype in _INDEX_TYPES if len(used) <= limit)
    positions = np.zeros(len(column.names), dtype)
    positions[used] = np.arange(len(used))
    keys = b"".join(_string(column.names[code]) for code in used.tolist())
    flags = _ADDITIONAL_KEYS | _UPDATE_DICTIONARY | index_type
    return [
        _word(_DICTIONARY_VERSION) + _word(flags) + _word(len(used)) + keys + _word(len(column.codes)),
        positions[column.codes].data,
    ]


def _word(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _varint(value: int) -> bytes:
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def _string(text: str) -> bytes:
    octets = text.encode()
    return _varint(len(octets)) + octets
