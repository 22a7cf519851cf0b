"""`flowkeep series`: traffic over time, as a table, a drawing or data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from cli.answer_data import Output, form_of, hand_over, shown_value
from cli.asking import (
    Explain,
    File,
    Filter,
    Last,
    Question,
    Raw,
    Sums,
    Window,
    Zone,
    cell,
    in_zone,
    question,
    rows_of,
    tell_unknown,
)
from cli.completing import statistics
from cli.options import ConfigOption, JsonOption
from cli.tables import print_table
from query.planner import Plan
from query.reports import parse_statistic
from query.series import COLUMNS, VOLUMES, points, series_report, step_of
from query.sql import Sql
from query.statistics import Statistic
from settings.errors import ConfigError

_HOUR = "1h"
_OTHERS = "all others"
_RATES = ("fps", "pps", "bps")


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(series)


def series(
    filter: Filter = None,
    statistic: Annotated[
        str,
        typer.Option(
            "-s",
            "--statistic",
            help="By the largest of: srctenant/bytes, proto.",
            show_default=False,
            autocompletion=statistics,
        ),
    ] = "",
    n: Annotated[int, typer.Option("-n", help="How many of them; the others are one series.")] = 5,
    step: Annotated[str, typer.Option("--step", help="30s, 5m, 1h, 1d; chosen if not given.", show_default=False)] = "",
    plotted: Annotated[bool, typer.Option("--plot", help="Draw bits by second instead of a table.")] = False,
    last: Last = None,
    window: Window = None,
    file: File = None,
    zone: Zone = "",
    raw: Raw = False,
    explain: Explain = False,
    output: Output = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show traffic over time, of the last hour unless a time is given: flows, packets and bits by second, scaled."""
    form = form_of(output, as_json)
    asked = question(filter, file, last if last or window else _HOUR, window, config, zone)
    by, order = parse_statistic(statistic, "bytes") if statistic else ((), "bytes")
    if len(by) > 1:
        raise ConfigError("a series is by one statistic; `top` knows record and :p")
    seconds = step_of(step, asked.since, asked.until)
    name = by[0].name if by else ""
    rows = _rows(asked, by, order, n, Sums(by, raw, explain, seconds))
    if form:
        hand_over(form, ("time", *((name, "other") if by else ()), *VOLUMES, *_RATES, "unknown_sampling"), rows)
        return
    shown = [{**row, name: _OTHERS} if row["other"] else row for row in rows]
    if plotted and shown:
        _plot(shown, name, seconds)
    else:
        titles = ("time", *((name,) if by else ()), "flows", *_RATES)
        print_table(titles, ([cell(title, row[title]) for title in titles] for row in shown))
    tell_unknown(sum(row["unknown_sampling"] for row in rows))


def _rows(asked: Question, by: Sequence[Statistic], order: str, n: int, sums: Sums) -> list[dict[str, Any]]:
    """Return a row for each step and series, in order of time."""

    def report(source: str | Plan) -> Sql:
        first = by[0] if by else None
        return series_report(first, order, asked.filter, asked.since, asked.until, sums.step, n, source)

    found = [tuple(row.values()) for row in rows_of(asked, COLUMNS, report, sums)]
    return [
        {
            "time": in_zone(one.time, asked.zone),
            **{each.name: one.key for each in by},
            "other": one.is_other,
            **{volume: getattr(one, volume) for volume in VOLUMES},
            **one.rates,
            "unknown_sampling": one.unknown_sampling,
        }
        for one in points(found, asked.since, asked.until, sums.step)
    ]


def _plot(rows: Sequence[Mapping[str, Any]], name: str, seconds: int) -> None:
    from cli.plotting import plot  # its library is loaded for drawings alone

    lines: dict[str, list[float]] = {}
    for row in rows:
        lines.setdefault(str(shown_value(name, row[name])) if name else "", []).append(row["bps"])
    times = list(dict.fromkeys(row["time"] for row in rows))
    plot(times, lines, f"bits by second, in steps of {seconds:,} s")
