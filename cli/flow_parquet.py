"""Flows as a Parquet file, from the columns as they are: a row group for each batch, nothing rendered twice."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cli.flow_text import FIRST_MS, LAST_MS, shown_address
from schema.batch import Array, Flows
from schema.columns import FLOW_COLUMNS, VERSION, Column, Kind
from schema.render import mac_text

_CODES = {Kind.ENUM: pa.uint8(), Kind.SYMBOL: pa.int32()}


class ParquetFlows:
    """A Parquet file of flows; `close` makes it whole."""

    def __init__(self, out: BinaryIO) -> None:
        self._schema = schema()
        self._file = pq.ParquetWriter(_Counted(out), self._schema, compression="zstd")

    def write(self, flows: Flows) -> None:
        """Write the flows as one row group."""
        if flows.rows:
            columns = [_column(column, flows) for column in FLOW_COLUMNS]
            self._file.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema), row_group_size=flows.rows)

    def close(self) -> None:
        """Write what stands at a Parquet file's end."""
        self._file.close()


def schema() -> Any:
    """Return the Arrow schema of a file of flows; what an export lacks is zero, as everywhere, and never null."""
    fields = [
        pa.field(column.name, arrow_type(column), nullable=False, metadata={"doc": column.doc, "unit": column.unit})
        for column in FLOW_COLUMNS
    ]
    return pa.schema(fields, {"flowkeep_version": _version(), "flowkeep_schema": str(VERSION)})


def _version() -> str:
    try:
        return version("flowkeep")
    except PackageNotFoundError:  # run from a source tree
        return "unknown"


def arrow_type(column: Column) -> Any:
    """Return the Arrow type of a column of flows."""
    match column.kind:
        case Kind.TIME:
            return pa.timestamp("ms", tz="UTC")
        case Kind.ENUM | Kind.SYMBOL:
            return pa.dictionary(_CODES[column.kind], pa.string())
        case Kind.ADDRESS | Kind.MAC:
            return pa.string()
        case Kind.LABELS:
            return pa.list_(pa.field("label", pa.uint32(), nullable=False))
        case Kind.SEGMENTS:
            return pa.list_(pa.field("segment", pa.string(), nullable=False))
    return pa.from_numpy_dtype(column.dtype)


def _column(column: Column, flows: Flows) -> Any:
    if column.kind is Kind.SYMBOL:
        symbols = flows.symbols.get(column.name)
        codes, names = (symbols.codes, symbols.names) if symbols else (np.zeros(flows.rows, "i4"), [""])
        return _named(column, codes, list(names))
    values = flows.column(column.name)
    match column.kind:
        case Kind.TIME:
            known = np.where((values >= FIRST_MS) & (values <= LAST_MS), values, 0)
            return pa.array(known.astype("M8[ms]"), arrow_type(column))
        case Kind.ENUM:
            return _named(column, values, list(column.names))
        case Kind.ADDRESS:
            return _addresses(values)
        case Kind.MAC:
            distinct, codes = np.unique(values, return_inverse=True)
            return pa.array(list(map(mac_text, distinct.tolist())), pa.string()).take(pa.array(codes))
        case Kind.LABELS:
            given = values != 0
            return _lists(column, given.sum(axis=1), pa.array(values[given] >> 4))
        case Kind.SEGMENTS:
            segments = values.reshape(len(values), -1, 16)
            given = segments.any(axis=2)
            return _lists(column, given.sum(axis=1), _addresses(segments[given]))
    return pa.array(values, arrow_type(column))


def _named(column: Column, codes: Array, names: list[str]) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(codes, _CODES[column.kind]), pa.array(names, pa.string()))


def _addresses(values: Array) -> Any:
    """Return addresses, uint8 of shape (n, 16), as text; each distinct one is rendered once."""
    octets = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), len(values), [None, pa.py_buffer(np.ascontiguousarray(values))]
    )
    coded = octets.dictionary_encode()
    return pa.array(list(map(shown_address, coded.dictionary.to_pylist())), pa.string()).take(coded.indices)


def _lists(column: Column, lengths: Array, items: Any) -> Any:
    ends = np.concatenate(([0], np.cumsum(lengths))).astype("i4")
    return pa.ListArray.from_arrays(pa.array(ends), items, type=arrow_type(column))


class _Counted:
    """A file that says how far it has been written, which a pipe cannot."""

    closed = False

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._written = 0

    def write(self, octets: bytes) -> int:
        self._written += len(octets)
        return self._out.write(octets)

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        self._out.flush()
