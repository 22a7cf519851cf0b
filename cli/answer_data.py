"""Answers as data: JSON lines, CSV, Parquet or Arrow, whichever command they come from."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any

import typer

from cli.options import print_json
from query.statistics import STATISTICS
from schema.addresses import shown
from schema.columns import BY_NAME, Kind
from schema.render import mac_text, no_formula
from settings.errors import ConfigError

MACS = frozenset({"srcmac", "dstmac", "mac", *(name for name, column in BY_NAME.items() if column.kind is Kind.MAC)})


class Data(StrEnum):
    """Forms that programs read."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"


Output = Annotated[
    str,
    typer.Option("-o", "--output", help="json, csv, parquet or arrow instead of a table.", show_default=False),
]


def form_of(output: str, as_json: bool) -> Data | None:
    """Return the form of data that is asked for, None for what a person reads; ConfigError for none that there is."""
    if as_json:
        return Data.JSON
    if output in ("", "table"):
        return None
    try:
        return Data(output)
    except ValueError:
        raise ConfigError(f"-o {output}: this answer comes as table, {', '.join(Data)}") from None


def hand_over(form: Data, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with these columns to standard output."""
    match form:
        case Data.JSON:
            print_rows({name: row[name] for name in columns} for row in rows)
        case Data.CSV:
            _print_csv(columns, rows)
        case _:
            if sys.stdout.isatty():
                raise ConfigError(f"-o {form} is for a file or a program: write > FILE behind the command")
            _write_arrow(form, columns, rows)


def print_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as JSON objects, one on a line."""
    for row in rows:
        print_json({name: shown_value(name, value) for name, value in row.items()})


def _print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as CSV (RFC 4180), the columns' names first; no cell is one that a spreadsheet takes for a formula."""
    lines = csv.writer(sys.stdout)
    lines.writerow(columns)
    for row in rows:
        lines.writerow([_csv_cell(shown_value(name, row[name])) for name in columns])


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return no_formula(value) if isinstance(value, str) else value


def _write_arrow(form: Data, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa  # it takes a third of a second to load, and few answers need it
    import pyarrow.parquet as pq

    from cli.flow_parquet import arrow_type

    def typed(name: str) -> Any:
        values = [row[name] for row in rows]
        if name in BY_NAME:
            kind = arrow_type(BY_NAME[name])
        elif name in STATISTICS:
            kind = arrow_type(BY_NAME[STATISTICS[name].columns[0].partition("[")[0]])
            kind = kind.value_type if pa.types.is_list(kind) else kind
        else:
            kind = _type_of(pa, values)
        plain = [value if isinstance(value, datetime) else shown_value(name, value) for value in values]
        return pa.array(plain, pa.string() if pa.types.is_dictionary(kind) else kind)

    table = pa.table({name: typed(name) for name in columns})
    if form is Data.PARQUET:
        pq.write_table(table, sys.stdout.buffer, compression="zstd")
        return
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)


def _type_of(pa: Any, values: Sequence[Any]) -> Any:
    """Return the Arrow type of values that are no column of flows."""
    known = next((value for value in values if value is not None), None)
    if isinstance(known, bool):
        return pa.bool_()
    if isinstance(known, int):
        return pa.uint64()
    if isinstance(known, float):
        return pa.float64()
    return pa.timestamp("ms", tz="UTC") if isinstance(known, datetime) else pa.string()


def shown_value(name: str, value: Any) -> Any:
    """Return a value of ClickHouse's as people read it, in the form of `flowkeep decode`."""
    if isinstance(value, IPv6Address):
        return shown(value)
    if isinstance(value, IPv4Address):
        return str(value)
    if isinstance(value, datetime):
        zoned = value if value.tzinfo else value.astimezone(UTC)
        return zoned.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if name in MACS:
        return mac_text(value)
    return value
