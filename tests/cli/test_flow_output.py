"""Flows as JSON lines, CSV, Parquet and a table: each says what `schema.render` says of them, row by row."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.flow_parquet import ParquetFlows
from cli.flow_text import FIRST_MS, LAST_MS, TABLE, TableText, csv_head, csv_lines, json_lines
from schema.batch import Flows, Symbols, map_v4
from schema.columns import BY_NAME, FLOW_COLUMNS, VERSION, Kind
from schema.render import rows
from tests.storage.batches import every_column

NASTY = ["", "ann", 'say "hi", ann', "50%d %s", "zoë\n", "=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "a=b"]


def some_columns() -> Flows:
    """A few columns, some of one value only, with times that are before, in and past what a calendar has."""
    flows = Flows(6)
    flows.arrays["flow_start"] = np.array([0, 1, -1, LAST_MS, LAST_MS + 1, FIRST_MS - 1])
    flows.arrays["flow_end"] = np.full(6, 1_795_000_000_007)
    flows.arrays["bytes"] = np.array([0, 65_535, 65_536, 7, 2**64 - 1, 1], "u8")
    flows.arrays["in_if"] = np.full(6, 2**32 - 1, "u4")
    flows.arrays["src_addr"] = np.zeros((6, 16), "u1")
    map_v4(np.arange(24, dtype="u1").reshape(6, 4), flows.arrays["src_addr"])
    flows.arrays["dst_addr"] = np.full((6, 16), 0x20, "u1")
    flows.arrays["dst_addr"][2] = 0
    flows.arrays["mpls_labels"] = np.zeros((6, BY_NAME["mpls_labels"].width), "u4")
    flows.arrays["mpls_labels"][3, :2] = (16 << 4, 17 << 4 | 1)
    flows.symbols["user_name"] = Symbols(np.arange(6, dtype="i4"), NASTY)
    return flows


def nasty() -> Flows:
    return Flows(len(NASTY), symbols={"user_name": Symbols(np.arange(len(NASTY), dtype="i4"), NASTY)})


BATCHES = {
    "every column": every_column(300),
    "some columns": some_columns(),
    "names": nasty(),
    "no column": Flows(3),
    "no row": Flows(0),
    "no row of columns": every_column(0),
}
batches = pytest.mark.parametrize("flows", BATCHES.values(), ids=BATCHES.keys())


@batches
def test_json_lines_are_what_json_makes_of_the_rows(flows: Flows) -> None:
    assert list(json_lines(flows)) == [json.dumps(row) + "\n" for row in rows(flows)]


def _read_csv(text: str) -> Iterator[dict[str, str]]:
    head, *lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    return (dict(zip(head, line, strict=True)) for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    text = str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not isinstance(value, int) else text


@batches
def test_csv_reads_back_as_the_rows(flows: Flows) -> None:
    text = csv_head() + "".join(csv_lines(flows))
    assert list(_read_csv(text)) == [{name: _cell(value) for name, value in row.items()} for row in rows(flows)]
    assert text.startswith("time_received,flow_start,")


def test_no_cell_of_csv_begins_a_formula() -> None:
    text = csv_head() + "".join(csv_lines(nasty()))
    names = [row["user_name"] for row in _read_csv(text)]
    assert names == NASTY[:5] + [f"'{name}" for name in NASTY[5:-1]] + ["a=b"]
    assert text.count("\r\n") == len(NASTY) + 1


def test_a_table_grows_and_cuts_nothing() -> None:
    table = TableText()
    short, long = some_columns().take(np.array([0])), some_columns()
    head, first = table.lines(short)
    more = list(table.lines(long))
    assert head.split() == list(TABLE)
    assert first.split()[4] == "0.1.2.3"
    assert len(more) == long.rows
    assert {line.split()[9] for line in more} >= {"18,446,744,073,709,551,615", "65,536"}
    assert {line.split()[6] for line in more} == {"2020:2020:2020:2020:2020:2020:2020:2020", "::"}
    assert {line.index("2026") for line in more if "2026" in line} <= {0}
    assert all(line == f"{line.rstrip()}\n" for line in (head, first, *more))


def _parquet(*batches: Flows) -> pq.ParquetFile:
    out = io.BytesIO()
    writer = ParquetFlows(out)
    for flows in batches:
        writer.write(flows)
    writer.close()
    return pq.ParquetFile(io.BytesIO(out.getvalue()))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
    return value


@batches
def test_parquet_reads_back_as_the_rows(flows: Flows) -> None:
    file = _parquet(flows)
    found = [{name: _plain(value) for name, value in row.items()} for row in file.read().to_pylist()]
    assert found == list(rows(flows))
    assert file.metadata.num_row_groups == bool(flows.rows)


def test_parquet_has_real_types_and_says_who_wrote_it() -> None:
    file = _parquet(every_column(10), Flows(0), some_columns())
    assert [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)] == [10, 6]
    schema = file.schema_arrow
    assert schema.names == [column.name for column in FLOW_COLUMNS]
    assert not any(field.nullable for field in schema)
    for column in FLOW_COLUMNS:
        kind = schema.field(column.name).type
        match column.kind:
            case Kind.TIME:
                assert kind == pa.timestamp("ms", "UTC")
            case Kind.UINT:
                assert str(kind) == f"uint{8 * int(column.dtype[1:])}"
            case Kind.ENUM | Kind.SYMBOL:
                assert kind.value_type == pa.string()
            case Kind.ADDRESS | Kind.MAC:
                assert kind == pa.string()
            case Kind.LABELS:
                assert kind.value_type == pa.uint32()
            case Kind.SEGMENTS:
                assert kind.value_type == pa.string()
    assert schema.metadata[b"flowkeep_schema"] == str(VERSION).encode()
    assert schema.metadata[b"flowkeep_version"]
    assert schema.field("src_addr").metadata[b"doc"] == b"Source address of the flow."


def test_parquet_needs_no_place_to_go_back_to(tmp_path: Path) -> None:
    """A pipe tells no position, and takes none."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.taken = b""

        def writable(self) -> bool:
            return True

        def write(self, octets: Any) -> int:
            self.taken += bytes(octets)
            return len(octets)

        def tell(self) -> int:
            raise OSError("Illegal seek")

    pipe = Pipe()
    writer = ParquetFlows(pipe)  # type: ignore[arg-type]
    writer.write(some_columns())
    writer.close()
    assert pq.ParquetFile(io.BytesIO(pipe.taken)).read().num_rows == 6
