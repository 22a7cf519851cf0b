"""The flows of a case for its evidence: the query, far ends masked, and the rows as files of three forms."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv6Address
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from abuse.claims import Claim
from abuse.facts import EXPORT_DELAY, span
from abuse.holders import milliseconds
from abuse.moments import BEGAN_MS, ENDED_MS
from query.sql import Parameters, within
from schema.columns import FLOW_COLUMNS, Column, Kind
from schema.render import no_formula

MOST = 100_000
"""Flows of one package."""
_COLUMNS = tuple(column.name for column in FLOW_COLUMNS)
_ADDRESSES = tuple(column.name for column in FLOW_COLUMNS if column.kind is Kind.ADDRESS and column.name != "exporter")
_OF_ENDS = {"src_addr": ("src_tenant", "user_name"), "dst_addr": ("dst_tenant", "dst_user_name")}
"""What else says who an end is."""
_ORDER = ", ".join(dict.fromkeys(("flow_start", "src_addr", "dst_addr", "src_port", "dst_port", *_COLUMNS)))
"""By all columns in the end: asking again with the query of the package gives the same rows in the same order."""
_AT_ONCE = 5_000


def flows_of(claims: Collection[Claim], source: str, far_ends_only: bool = False) -> tuple[str, dict[str, object]]:
    """Return the query for one flow more than `MOST` of the claims' addresses in their times, and its parameters.

    With `far_ends_only` those with the ends that claims name are asked for, and all of claims that name none.
    """
    since, until = span(claims)
    parameters = Parameters()
    times = within(since, until + EXPORT_DELAY, parameters)
    spans: dict[tuple[str, str], tuple[datetime, datetime]] = {}
    for claim in claims:
        key = claim.address_mapped, claim.target_mapped if far_ends_only else "::"
        first, last = spans.get(key, (claim.first, claim.last))
        spans[key] = (min(first, claim.first), max(last, claim.last))
    parts = []
    for (address, target), (first, last) in sorted(spans.items()):
        mine = parameters.add(address, "IPv6")
        low, high = (parameters.add(milliseconds(moment), "Int64") for moment in (first, last))
        far = ""
        if target != "::":
            other = parameters.add(target, "IPv6")
            far = f"AND (src_addr = {other} OR dst_addr = {other}) "
        parts.append(
            f"((src_addr = {mine} OR dst_addr = {mine} OR post_nat_src_addr = {mine}) {far}"
            f"AND {BEGAN_MS} <= {high} AND {ENDED_MS} >= {low})"
        )
    sql = (
        f"SELECT {', '.join(_COLUMNS)} FROM {source} WHERE {times} AND ({' OR '.join(parts)}) "  # noqa: S608
        f"ORDER BY {_ORDER} LIMIT {MOST + 1}"
    )
    return sql, parameters.values


@dataclass(slots=True)
class Sheets:
    """The rows three times: as CSV for eyes, as JSON Lines for programs, and as Parquet for analysis."""

    csv: io.BytesIO = field(default_factory=io.BytesIO)
    lines: io.BytesIO = field(default_factory=io.BytesIO)
    parquet: io.BytesIO = field(default_factory=io.BytesIO)

    def files(self) -> dict[str, bytes]:
        """Return them by the names of their files."""
        sheets = {"flows.csv": self.csv, "flows.jsonl": self.lines, "flows.parquet": self.parquet}
        return {name: sheet.getvalue() for name, sheet in sheets.items()}


def sheets(rows: Sequence[tuple[Any, ...]], named: set[str] | None) -> Sheets:
    """Return rows of `flows_of` as files. Where `named` is not None, addresses that it lacks are cut short.

    In the CSV no text is one that a spreadsheet takes for a formula.
    """
    made = Sheets()
    schema = pa.schema([(column.name, _type(column)) for column in FLOW_COLUMNS])
    with (
        pyarrow.csv.CSVWriter(made.csv, schema) as table,
        pyarrow.parquet.ParquetWriter(made.parquet, schema, compression="zstd") as parquet,
    ):
        for some in _batches(rows):
            records = [_record(row, named) for row in some]
            made.lines.writelines(f"{json.dumps(record)}\n".encode() for record in records)
            columns = {name: [_flat(record[name]) for record in records] for name in _COLUMNS}
            parquet.write_batch(pa.record_batch(columns, schema=schema))
            safe = {name: [_safe(value) for value in values] for name, values in columns.items()}
            table.write_batch(pa.record_batch(safe, schema=schema))
    return made


def _batches(rows: Sequence[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    waiting = iter(rows)
    while some := list(islice(waiting, _AT_ONCE)):
        yield some


def _type(column: Column) -> Any:
    if column.kind in (Kind.UINT, Kind.MAC):
        return pa.uint64()
    return pa.float64() if column.kind is Kind.FLOAT else pa.string()


def _record(row: tuple[Any, ...], named: set[str] | None) -> dict[str, Any]:
    record = {name: plain(value) for name, value in zip(_COLUMNS, row, strict=True)}
    if named is not None:
        for end, others in _OF_ENDS.items():
            if record[end] not in named:
                record |= dict.fromkeys(others, "")
        for name in _ADDRESSES:
            if record[name] not in named and record[name] != "::":
                record[name] = masked_address(record[name])
    return record


def masked_address(address: str) -> str:
    """Return an address with its host part hidden: the last octet of IPv4, the last 80 bits of IPv6."""
    if ":" in address:
        return str(IPv6Address(int(IPv6Address(address)) >> 80 << 80)) + "x"
    return address.rpartition(".")[0] + ".x"


def plain(value: Any) -> Any:
    """Return a value of ClickHouse's as JSON has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if hasattr(value, "ipv4_mapped"):
        return str(value.ipv4_mapped or value)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def _flat(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list) else value


def _safe(value: Any) -> Any:
    return no_formula(value) if isinstance(value, str) else value
