"""What questions to the stored flows have in common: filter, time, where to look, and how values are shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import typer

from cli.answer_data import shown_value
from cli.completing import filter_words
from cli.options import configuration, zone_named
from cli.progress import watched
from query import timespan
from query.expression import Node
from query.filter import expanded, parse
from query.held import any_held, gone_within, source
from query.planner import Plan, candidates, flows_only, planned
from query.reports import RATES, stored_report
from query.sql import Sql
from query.statistics import Statistic
from settings.config import Config
from settings.errors import ConfigError
from storage.client import Client, DatabaseRefusalError, connect

Report: TypeAlias = Callable[[str | Plan], Sql]
"""The query of a table or view with all columns of flows, or of what is planned to be read."""
_UNKNOWN_TABLE = 60
_EVERYTHING_SINCE = datetime(1970, 1, 1, tzinfo=UTC)

Filter = Annotated[
    list[str] | None,
    typer.Argument(help="A filter in nfdump's language.", show_default=False, autocompletion=filter_words),
]
File = Annotated[
    Path | None,
    typer.Option("-f", "--filter-file", help="Read the filter from a file, if none is given.", show_default=False),
]
Last = Annotated[str | None, typer.Option("--last", help="How far back: 90s, 30m, 2h, 7d.", show_default=False)]
Window = Annotated[
    str | None, typer.Option("-t", "--time", help="2026/11/20.14:00-15:00, ISO 8601, or a start.", show_default=False)
]


Zone = Annotated[
    str,
    typer.Option(
        "--zone", help="The zone of times, such as Europe/Berlin.", envvar="FLOWKEEP_ZONE", show_default=False
    ),
]
Raw = Annotated[bool, typer.Option("--raw", help="Read flows alone, also where rollups have the answer.")]
Explain = Annotated[bool, typer.Option("--explain", help="Say what is read, and why.")]


class Sums(NamedTuple):
    """What is added up: by what, in steps of so many seconds; `raw` from flows alone. `explain` says what is read."""

    by: tuple[Statistic, ...]
    raw: bool
    explain: bool
    step: int = 3600


class Question(NamedTuple):
    """What a question is about."""

    config: Config
    filter: Node
    since: datetime
    until: datetime
    zone: tzinfo = UTC


def question(
    words: list[str] | None, file: Path | None, last: str | None, window: str | None, config: Path | None,
    zone: str = "",
) -> Question:  # fmt: skip
    """Return what the options of a command ask about; ConfigError for what is wrong with them."""
    loaded, place = configuration(config), zone_named(zone) or UTC
    return Question(loaded, _wanted(words, file, loaded), *_span(last, window, place), place)


def _span(last: str | None, window: str | None, zone: tzinfo) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    if last and window:
        raise ConfigError("give --last or --time, not both")
    if not last and not window:
        return _EVERYTHING_SINCE, now
    span = timespan.last(last, now) if last else timespan.window(window or "", now, zone)
    return span.since.astimezone(UTC), span.until.astimezone(UTC)


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


def rows_of(
    asked: Question, columns: tuple[str, ...], report: Report, sums: Sums | None = None
) -> list[dict[str, Any]]:
    """Return what a report finds, rows by column; where that is nothing, say why. `sums` may come from rollups."""
    with answers(asked) as ask:
        plan = ask.plan(asked, sums) if sums else None
        return ask.rows(columns, report(plan if plan and plan.from_rollups else ask.table))


class Answers:
    """A connection to ClickHouse for the answer to a question."""

    def __init__(self, client: Client, asked: Question) -> None:
        self._client, self._asked = client, asked
        self.table = where(client, asked.since, asked.until)
        self._outlived = 0

    def plan(self, asked: Question, sums: Sums) -> Plan:
        """Return what to read for sums, and say so if that was asked for."""
        table = self.table if asked is self._asked else where(self._client, asked.since, asked.until)
        plan = _plan(self._client, asked, sums, table)
        self._outlived += plan.outlived
        if sums.explain:
            print("\n".join((*(piece.shown for piece in plan.pieces), f"because {plan.reason}")), file=sys.stderr)
        return plan

    def raw(self, sql: Sql) -> list[tuple[Any, ...]]:
        """Return the rows of a query as they are."""
        return self._client.query(sql.text, sql.parameters).rows

    def rows(self, columns: tuple[str, ...], sql: Sql, silent: bool = False) -> list[dict[str, Any]]:
        """Return the rows of a query by column; where there are none, say why, unless `silent`."""
        with watched(self._asked.config) as query_id:
            found = self._client.query(sql.text, sql.parameters, query_id).rows
        if not found and not silent:
            print(_why_none(self._client, self._asked, self.table), file=sys.stderr)
        elif self._outlived:
            print(f"rollups still count flows of {self._outlived:,} days that are deleted by now", file=sys.stderr)
        return [
            {name: in_zone(value, self._asked.zone) for name, value in zip(columns, row, strict=True)} for row in found
        ]


def in_zone(value: Any, zone: tzinfo) -> Any:
    """Return a value of ClickHouse's, a time in a zone."""
    if not isinstance(value, datetime):
        return value
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(zone)


@contextmanager
def answers(asked: Question) -> Iterator[Answers]:
    """Connect to ClickHouse for a question."""
    with connect(asked.config.storage, asked.config.data_dir, "query") as client:
        yield Answers(client, asked)


def tell_unknown(flows: int) -> None:
    """Say of how many flows the sampling rate is not known."""
    if flows:
        print(f"{flows:,} of these flows came without a sampling rate and count as unsampled", file=sys.stderr)


def _plan(client: Client, asked: Question, sums: Sums, table: str) -> Plan:
    span, now = (asked.since, asked.until), datetime.now(UTC)
    found = "--raw says so" if sums.raw else candidates(asked.filter, sums.by, *span, sums.step)
    if isinstance(found, str):
        return flows_only(*span, table, found)
    stored = asked.since == _EVERYTHING_SINCE
    try:
        return planned(found, *span, now, table, lambda sql: client.query(sql.text, sql.parameters).rows, stored)
    except DatabaseRefusalError as error:
        if error.code != _UNKNOWN_TABLE:
            raise
        return flows_only(*span, table, "the database has no rollups")  # of an older version than this


def _why_none(client: Client, asked: Question, table: str) -> str:
    sql = stored_report(asked.since, asked.until, table)
    ((within, count, first, last),) = client.query(sql.text, sql.parameters).rows
    if within:
        return f"{within:,} flows are stored of that time, and the filter selects none of them"
    if count:
        begin, end = (shown_value("", in_zone(moment, asked.zone)) for moment in (first, last))
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


def cell(name: str, value: Any) -> Any:
    """Return a value as a table shows it: only what counts something keeps being a number."""
    if name in _RATES:
        return round(value)
    return value if name in _COUNTED else str(shown_value(name, value))
