"""What questions to the stored flows have in common: filter, time, where to look, and how values are shown."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import typer

from cli.flow_text import no_formula
from cli.options import configuration, print_json
from query import timespan
from query.expression import Node
from query.filter import expanded, parse
from query.held import any_held, gone_within, source
from query.reports import RATES, stored_report
from query.sql import Sql
from schema.addresses import shown
from schema.render import mac_text
from settings.config import Config
from settings.errors import ConfigError
from storage.client import Client, DatabaseRefusalError, connect

Report: TypeAlias = Callable[[str], Sql]
"""The query of a table or view with all columns of flows."""
_UNKNOWN_TABLE = 60
_EVERYTHING_SINCE = datetime(1970, 1, 1, tzinfo=UTC)

Filter = Annotated[list[str] | None, typer.Argument(help="A filter in nfdump's language.", show_default=False)]
File = Annotated[
    Path | None,
    typer.Option("-f", "--filter-file", help="Read the filter from a file, if none is given.", show_default=False),
]
Last = Annotated[str | None, typer.Option("--last", help="How far back: 90s, 30m, 2h, 7d.", show_default=False)]
Window = Annotated[
    str | None, typer.Option("-t", "--time", help="2026/11/20.14:00-15:00, ISO 8601, or a start.", show_default=False)
]


class Question(NamedTuple):
    """What a question is about."""

    config: Config
    filter: Node
    since: datetime
    until: datetime


def question(
    words: list[str] | None, file: Path | None, last: str | None, window: str | None, config: Path | None
) -> Question:
    """Return what the options of a command ask about; ConfigError for what is wrong with them."""
    loaded = configuration(config)
    return Question(loaded, _wanted(words, file, loaded), *_span(last, window))


def _span(last: str | None, window: str | None) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    if last and window:
        raise ConfigError("give --last or --time, not both")
    if not last and not window:
        return _EVERYTHING_SINCE, now
    span = timespan.last(last, now) if last else timespan.window(window or "", now)
    return span.since, span.until


def _wanted(words: list[str] | None, file: Path | None, config: Config) -> Node:
    """Return the filter that the command line has, or, as in nfdump, the file if it has none."""
    text = " ".join(words or []) if words or not file else _read(str(file))
    return parse(expanded(text, _read), _exporters(config))


def _read(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"filter: {name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"filter: {name}: is no text in UTF-8") from None


def _exporters(config: Config) -> dict[str, tuple[Any, ...]]:
    """Return the configured exporters' prefixes by name, for `exporter NAME` in filters."""
    named: dict[str, tuple[Any, ...]] = {}
    for exporter in config.exporters:
        named[exporter.name] = (*named.get(exporter.name, ()), exporter.prefix)
    return named


def rows_of(asked: Question, columns: tuple[str, ...], report: Report) -> list[dict[str, Any]]:
    """Return what a report finds, rows by column; where that is nothing, say why."""
    with connect(asked.config.storage, asked.config.data_dir, "query") as client:
        table = where(client, asked.since, asked.until)
        sql = report(table)
        result = client.query(sql.text, sql.parameters)
        if not result.rows:
            print(_why_none(client, asked, table), file=sys.stderr)
    return [dict(zip(columns, row, strict=True)) for row in result.rows]


def _why_none(client: Client, asked: Question, table: str) -> str:
    sql = stored_report(asked.since, asked.until, table)
    ((within, count, first, last),) = client.query(sql.text, sql.parameters).rows
    if within:
        return f"{within:,} flows are stored of that time, and the filter selects none of them"
    if count:
        begin, end = (shown_value("", moment) for moment in (first, last))
        return f"no flows are stored of that time; there are some from {begin} to {end}"
    return "no flows are stored yet"


def where(client: Client, since: datetime, until: datetime) -> str:
    """Return where the flows of that time are: the table, or, where some of it is gone and held, the view of both."""
    try:
        for asked in (any_held(), gone_within(since, until)):
            ((found,),) = client.query(asked.text, asked.parameters).rows
            if not found:
                break
    except DatabaseRefusalError as error:
        if error.code != _UNKNOWN_TABLE:
            raise
        return source(0)  # of a database whose collector is an older version than this
    return source(found)


_COUNTED = frozenset({"flows", "packets", "bytes", "sampling_rate", "unknown_sampling"})
_RATES = frozenset({"fps", *RATES})
_MACS = frozenset({"src_mac", "dst_mac", "srcmac", "dstmac", "mac"})


def print_rows(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as JSON objects, one on a line."""
    for row in rows:
        print_json({name: shown_value(name, value) for name, value in row.items()})


def print_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows as CSV (RFC 4180), the columns' names first; no cell is one that a spreadsheet takes for a formula."""
    lines = csv.writer(sys.stdout)
    lines.writerow(columns)
    for row in rows:
        lines.writerow([_csv_cell(shown_value(name, row[name])) for name in columns])


def _csv_cell(value: Any) -> Any:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return no_formula(value) if isinstance(value, str) else value


def cell(name: str, value: Any) -> Any:
    """Return a value as a table shows it: only what counts something keeps being a number."""
    if name in _RATES:
        return round(value)
    return value if name in _COUNTED else str(shown_value(name, value))


def shown_value(name: str, value: Any) -> Any:
    """Return a value of ClickHouse's as people read it, in the form of `flowkeep decode`."""
    if isinstance(value, IPv6Address):
        return shown(value)
    if isinstance(value, IPv4Address):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if name in _MACS:
        return mac_text(value)
    return value
