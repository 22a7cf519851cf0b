"""`flowkeep flows`, `top` and `sql`: questions to the stored flows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import typer

from cli.options import ConfigOption, JsonOption, configuration, ledger_of, print_json
from cli.tables import print_table
from ledger.entry import Action
from query import timespan
from query.expression import Node
from query.filter import expanded, parse
from query.held import any_held, gone_within, source
from query.reports import RATES, SUMS, flows_report, grouped_report, parse_statistic, rates, stored_report
from query.sql import Sql
from query.statistics import RECORD, Statistic, aggregation
from schema.addresses import shown
from schema.columns import BY_NAME
from schema.render import mac_text
from settings.config import Config
from settings.errors import ConfigError, UserError
from storage.client import Client, DatabaseRefusalError, connect

_LINE = ("flow_start", "proto", "src_addr", "src_port", "dst_addr", "dst_port", "packets", "bytes", "sampling_rate",
         "src_tenant", "dst_tenant", "direction")  # fmt: skip
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


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(flows)
    app.command()(top)
    app.command()(sql)


def flows(
    filter: Filter = None,
    last: Last = None,
    window: Window = None,
    limit: Annotated[int, typer.Option("-n", "--limit", help="At most so many: the newest, the largest with -A.")] = 20,
    file: File = None,
    aggregate: Annotated[
        str, typer.Option("-A", "--aggregate", help="Add up by these: srcip,dstport, srcip4/24.", show_default=False)
    ] = "",
    connections: Annotated[bool, typer.Option("-a", help="Add up by protocol, addresses and ports.")] = False,
    order: Annotated[
        str, typer.Option("-O", "--order", help="Of -A and -a: flows, packets, bytes, pps, bps or bpp.")
    ] = "bytes",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the newest flows that a filter selects, of all that is stored unless a time is given; --json: whole."""
    asked = _asked(filter, file, last, window, config)
    if aggregate or connections:
        _groups(aggregation(aggregate or ",".join(RECORD)), order, asked, limit, as_json)
        return
    columns = tuple(BY_NAME) if as_json else _LINE
    found = _rows(
        asked, columns, lambda table: flows_report(asked.filter, asked.since, asked.until, limit, columns, table)
    )
    if as_json:
        for row in found:
            print_json(row)
        return
    print_table(columns, ([_plain(name, row[name]) for name in columns] for row in found))


def top(
    filter: Filter = None,
    statistic: Annotated[
        str, typer.Option("-s", "--statistic", help="As nfdump's: srcip/bytes, dstport:p/flows, srcip4/24, record.")
    ] = "srcip/bytes",
    n: Annotated[int, typer.Option("-n", help="How many.")] = 10,
    last: Last = None,
    window: Window = None,
    file: File = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank addresses, ports, tenants and the like; volumes are scaled by the sampling rate."""
    by, order = parse_statistic(statistic)
    _groups(by, order, _asked(filter, file, last, window, config), n, as_json)


def sql(
    statement: Annotated[str, typer.Argument(help="A SELECT on the stored tables.", show_default=False)],
    config: ConfigOption = None,
    names: Annotated[bool, typer.Option("--names", help="Print the columns' names first.")] = False,
) -> None:
    """Run a read-only query and print tab-separated rows; who asked is on record, before and after."""
    loaded = configuration(config)
    ledger = ledger_of(loaded)
    with connect(loaded.storage, loaded.data_dir, "query") as client:
        asked = ledger.append_query(statement, {"role": "query"}, now=datetime.now(UTC))
        try:
            answer = client.text(statement, names)
        except UserError:
            ledger.append(Action.REFUSAL, {"query": asked.seq, "by": "the database"}, now=datetime.now(UTC))
            raise
        lines = answer.count("\n") - names if answer else 0
        given = {"query": asked.seq, "lines": lines, "octets": len(answer.encode())}
        ledger.append(Action.PRIVILEGED_QUERY, given, now=datetime.now(UTC))
        sys.stdout.write(answer)


class _Asked(NamedTuple):
    """What a question is about."""

    config: Config
    filter: Node
    since: datetime
    until: datetime


def _asked(
    words: list[str] | None, file: Path | None, last: str | None, window: str | None, config: Path | None
) -> _Asked:
    loaded = configuration(config)
    return _Asked(loaded, _wanted(words, file, loaded), *_span(last, window))


def _groups(by: tuple[Statistic, ...], order: str, asked: _Asked, n: int, as_json: bool) -> None:
    """Print flows that are added up, the largest first."""
    names = tuple(each.name for each in by)

    def report(table: str) -> Sql:
        return grouped_report(by, order, asked.filter, asked.since, asked.until, n, table)

    found = _rows(asked, (*names, *SUMS), report, shown=False)
    for row in found:
        row |= rates(row["packets"], row["bytes"], row["first_seen"], row["last_seen"])
    if as_json:
        for row in found:
            print_json({name: _shown(name, value) for name, value in row.items()})
        return
    titles = (*names, "flows", "packets", "bytes", *RATES)
    print_table(titles, ([_cell(name, row[name]) for name in titles] for row in found))
    unknown = sum(row["unknown_sampling"] for row in found)
    if unknown:
        print(f"{unknown:,} of these flows came without a sampling rate and count as unsampled", file=sys.stderr)


def _cell(name: str, value: Any) -> Any:
    return round(value) if name in RATES else _plain(name, _shown(name, value))


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


def _rows(asked: _Asked, columns: tuple[str, ...], report: Report, shown: bool = True) -> list[dict[str, Any]]:
    """Return what a report finds; where that is nothing, say why."""
    with connect(asked.config.storage, asked.config.data_dir, "query") as client:
        table = where(client, asked.since, asked.until)
        sql = report(table)
        result = client.query(sql.text, sql.parameters)
        if not result.rows:
            print(_why_none(client, asked, table), file=sys.stderr)
    rows = (zip(columns, row, strict=True) for row in result.rows)
    return [{name: _shown(name, value) if shown else value for name, value in row} for row in rows]


def _why_none(client: Client, asked: _Asked, table: str) -> str:
    sql = stored_report(asked.since, asked.until, table)
    ((within, count, first, last),) = client.query(sql.text, sql.parameters).rows
    if within:
        return f"{within:,} flows are stored of that time, and the filter selects none of them"
    if count:
        return f"no flows are stored of that time; there are some from {_shown('', first)} to {_shown('', last)}"
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


def _shown(name: str, value: Any) -> Any:
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


_MACS = frozenset({"src_mac", "dst_mac", "srcmac", "dstmac", "mac"})


def _plain(name: str, value: Any) -> Any:
    """Return a value as a table shows it: only what counts something keeps being a number."""
    return value if name in _COUNTED else str(value)


_COUNTED = frozenset({"flows", "packets", "bytes", "sampling_rate", "unknown_sampling"})
