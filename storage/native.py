"""Flows and other rows as one block of ClickHouse's Native format (revision 0, as HTTP takes it).

A block is a list of buffers that are sent one after another: the arrays go out as they are, without a copy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from schema.batch import Array, Flows, Nullable, Rows, Symbols
from schema.columns import BY_NAME, FLOW_COLUMNS, Column, Kind
from schema.tables import StoredTable
from storage.ddl import NAMES, NAMINGS

Buffer = bytes | memoryview
"""Octets; a memoryview is one of octets too, of one dimension, so that its length is what it takes on the wire."""

Name = tuple[bytes, int, str, int, str, str, int]
"""Exporter (16 octets), observation domain, naming (one of NAMINGS), id, name, description, time received (ms)."""

# LowCardinality as ClickHouse's SerializationLowCardinality writes it: a version word once, then per block a word of
# flags whose low byte says how wide the indexes are.
_DICTIONARY_VERSION = 1
_ADDITIONAL_KEYS, _UPDATE_DICTIONARY = 1 << 9, 1 << 10
_FEW = 256
"""Names that are all told, rather than find out which have rows; ClickHouse keeps only those that do."""

_SHORT = 2**16
"""Octets below which a buffer costs less to copy than to send by itself."""

_INDEX_TYPES = ((2**8, 0, "<u1"), (2**16, 1, "<u2"), (2**32, 2, "<u4"))


def present(flows: Flows) -> list[str]:
    """Return the names of the columns the batch has, in table order; ClickHouse fills the others with zeros itself."""
    return [column.name for column in FLOW_COLUMNS if column.name in flows.arrays or column.name in flows.symbols]


def encode(flows: Flows, columns: Sequence[str]) -> list[Buffer]:
    """Return the block of the named columns, which must all be in the batch (KeyError).

    Its buffers share the memory of the batch.
    """
    values = []
    for name in columns:
        column = BY_NAME[name]
        given = flows.symbols[name] if column.kind is Kind.SYMBOL else flows.arrays[name]
        values.append((name, column.clickhouse, _values(column, given)))
    return _block(flows.rows, values)


def encode_rows(table: StoredTable, rows: Rows) -> tuple[list[str], list[Buffer]]:
    """Return the names, in table order, of the columns that rows of `table` have, and the block of these columns.

    What the table does not know is passed over. ValueError for a Nullable where the table has no NULL.
    """
    return encode_columns(table.columns, rows)


def encode_columns(known: Sequence[Column], rows: Rows) -> tuple[list[str], list[Buffer]]:
    """Return the same by the columns of a table that is none of `schema.tables`."""
    columns = [column for column in known if column.name in rows.columns]
    values = [(column.name, column.clickhouse, _values(column, rows.columns[column.name])) for column in columns]
    return [column.name for column in columns], _block(rows.rows, values)


def encode_names(names: Sequence[Name]) -> list[Buffer]:
    """Return the block of the names table's columns, in their order; ValueError for a naming that is not known."""
    exporters, domains, namings, ids, texts, descriptions, seen = zip(*names, strict=True)
    values: Sequence[Sequence[Buffer]] = (
        exporters,
        [_octets(np.array(domains, "<u4"))],
        [bytes(map(NAMINGS.index, namings))],
        [_octets(np.array(ids, "<u8"))],
        [_string(text) for text in texts],
        [_string(text) for text in descriptions],
        [_octets(np.array(seen, "<i8"))],
    )
    fields = NAMES.fields
    return _block(len(names), [(field.name, field.type, data) for field, data in zip(fields, values, strict=True)])


def _block(rows: int, columns: Sequence[tuple[str, str, Sequence[Buffer]]]) -> list[Buffer]:
    """Return a block of columns given as (name, type, the values' octets); what is short is joined."""
    block: list[Buffer] = []
    short: list[Buffer] = [_varint(len(columns)) + _varint(rows)]
    for name, kind, values in columns:
        short.append(_string(name) + _string(kind))
        for octets in values:
            if len(octets) < _SHORT:
                short.append(octets)
                continue
            block += [b"".join(short), octets]
            short = []
    return [*block, b"".join(short)]


def _values(column: Column, given: Array | Symbols | Nullable) -> list[Buffer]:
    match given:
        case Symbols():
            return _symbols(given)
        case Nullable() if column.nullable:
            return [_octets(given.absent.astype(np.bool_, copy=False)), *_array(column, given.values)]
        case Nullable():
            raise ValueError(f"the column {column.name} has no NULL")
    known = [bytes(len(given))] if column.nullable else []
    return [*known, *_array(column, given)]


def _array(column: Column, values: Array) -> list[Buffer]:
    if column.kind is Kind.LABELS:
        given = values != 0
        ends = np.cumsum(given.sum(axis=1), dtype="<u8")
        # an entry is label << 4 | traffic class | bottom (RFC 3032)
        return [_octets(ends), _octets((values[given] >> 4).astype("<u4"))]
    if column.kind is Kind.SEGMENTS:
        segments = values.reshape(len(values), -1, 16)
        given = segments.any(axis=2)
        return [_octets(np.cumsum(given.sum(axis=1), dtype="<u8")), _octets(segments[given])]
    return [_octets(values.astype(np.dtype(column.dtype).newbyteorder("<"), copy=False))]


def _symbols(column: Symbols) -> list[Buffer]:
    names, codes = (column.names, column.codes) if len(column.names) <= _FEW else _used(column)
    index_type, dtype = next((number, dtype) for limit, number, dtype in _INDEX_TYPES if len(names) <= limit)
    keys = b"".join(map(_string, names))
    flags = _ADDITIONAL_KEYS | _UPDATE_DICTIONARY | index_type
    return [
        _word(_DICTIONARY_VERSION) + _word(flags) + _word(len(names)) + keys + _word(len(codes)),
        _octets(codes.astype(dtype)),
    ]


def _used(column: Symbols) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Return the names that some row has, and the rows' codes among these."""
    rows = column.codes.astype(np.intp)  # each use as an index would convert them again
    has = np.zeros(len(column.names), np.bool_)
    has[rows] = True
    used = np.flatnonzero(has)
    positions = np.zeros(len(column.names), np.int32)
    positions[used] = np.arange(len(used))
    return [column.names[code] for code in used.tolist()], positions[rows]


def _octets(values: Array) -> memoryview:
    """Return the octets of an array in its order, shared where it is contiguous."""
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


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
