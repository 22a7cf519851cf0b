"""`flowkeep matrix`, `compare` and `percentile`: who talks to whom, what has changed, and what is billed."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated, Any

import typer

from cli.answer_data import Output, form_of, hand_over, shown_value
from cli.asking import (
    Explain,
    File,
    Filter,
    Last,
    Raw,
    Sums,
    Window,
    Zone,
    answers,
    cell,
    question,
    rows_of,
    tell_unknown,
)
from cli.completing import statistics
from cli.naming import Dns, Names, add_names
from cli.options import ConfigOption, JsonOption
from cli.tables import print_table
from query import timespan
from query.comparison import COLUMNS as COMPARED
from query.comparison import comparison_report
from query.matrix import COLUMNS as CROSSED
from query.matrix import Name, matrix, matrix_report
from query.percentile import COLUMNS as RANKED
from query.percentile import percentile_report, whole_steps
from query.planner import Plan
from query.reports import parse_order
from query.series import step_of
from query.sql import Sql
from query.statistics import aggregation
from settings.errors import ConfigError

_DAY, _HOUR = "24h", "1h"
_OTHERS = "all others"
By = Annotated[
    str,
    typer.Option(
        "-s",
        "--statistic",
        help="As of `top`, several with commas: exporter,inif/bytes.",
        autocompletion=statistics,
    ),
]
Count = Annotated[int, typer.Option("-n", help="How many.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(name="matrix")(show_matrix)
    app.command()(compare)
    app.command()(percentile)


def show_matrix(
    filter: Filter = None,
    statistic: By = "srctenant,dsttenant/bytes",
    n: Count = 8,
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
    """Show volumes by two statistics at once, of the last hour unless a time is given; scaled."""
    form, (words, order) = form_of(output, as_json), parse_order(statistic)
    by = aggregation(words)
    if len(by) != 2:
        raise ConfigError("a matrix is by two statistics, such as srctenant,dsttenant/bytes")
    asked = question(filter, file, last if last or window else _HOUR, window, config, zone)

    def report(source: str | Plan) -> Sql:
        return matrix_report((by[0], by[1]), order, asked.filter, asked.since, asked.until, n, source)

    found = rows_of(asked, CROSSED, report, Sums(by, raw, explain))
    if form:
        first, second = (each.name for each in by)
        ours = {"row": first, "row_is_other": f"{first}_other", "column": second, "column_is_other": f"{second}_other"}
        named = [{ours.get(name, name): _truth(name, value) for name, value in row.items()} for row in found]
        hand_over(form, [ours.get(name, name) for name in CROSSED], named)
        return
    shown = matrix([tuple(row.values())[:7] for row in found], order)
    titles = (f"{by[0].name} \\ {by[1].name}", *(_named(by[1].name, name) for name in shown.columns))
    print_table(
        titles,
        (
            (_named(by[0].name, row), *(shown.cells.get((row, column), 0) for column in shown.columns))
            for row in shown.rows
        ),
    )
    tell_unknown(sum(row["unknown_sampling"] for row in found))


def _truth(name: str, value: Any) -> Any:
    return bool(value) if name.endswith("_is_other") else value


def _named(statistic: str, name: Name) -> str:
    return _OTHERS if name.is_other else str(shown_value(statistic, name.value))


def compare(
    filter: Filter = None,
    statistic: By = "srctenant/bytes",
    n: Count = 10,
    last: Last = None,
    window: Window = None,
    back: Annotated[
        str, typer.Option("--with", help="The same time so long ago: 1d, 1w; else the time before.", show_default=False)
    ] = "",
    file: File = None,
    zone: Zone = "",
    names: Names = None,
    dns: Dns = False,
    raw: Raw = False,
    explain: Explain = False,
    output: Output = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a time, the last hour unless one is given, with the one before it: the largest of either; scaled."""
    form, (words, order) = form_of(output, as_json), parse_order(statistic)
    by = aggregation(words)
    asked = question(filter, file, last if last or window else _HOUR, window, config, zone)
    shift = timespan.length(back, "--with") if back else asked.until - asked.since
    then = asked._replace(since=asked.since - shift, until=asked.until - shift)
    sums = Sums(by, raw, explain)
    with answers(asked) as ask:
        plans = [ask.plan(one, sums) for one in (asked, then)]
        sql = comparison_report(by, order, asked.filter, n, *plans)
        keys = tuple(each.name for each in by)
        found = ask.rows((*keys, *COMPARED), sql)
        keys = add_names(found, keys, asked, ask, form, names, dns)
    for row in found:
        row["change"] = _change(row[order], row[f"{order}_before"])
    if form:
        hand_over(form, (*keys, *COMPARED, "change"), found)
        return
    titles = (*keys, order, f"{order}_before", "change")
    print_table(titles, ([*(cell(name, row[name]) for name in titles[:-1]), _percent(row["change"])] for row in found))
    tell_unknown(sum(row["unknown_sampling"] for row in found))


def _change(now: int, before: int) -> float | None:
    """Return by which share of what was before it has grown; None where there was nothing."""
    return round((now - before) / before, 4) if before else None


def _percent(change: float | None) -> str:
    return "new" if change is None else f"{change:+.1%}"


def percentile(
    filter: Filter = None,
    statistic: By = "exporter,inif",
    n: Count = 20,
    percent: Annotated[float, typer.Option("-p", "--percent", help="Which percentile.")] = 95.0,
    step: Annotated[str, typer.Option("--step", help="Rates are averages over so long.")] = "5m",
    last: Last = None,
    window: Window = None,
    file: File = None,
    zone: Zone = "",
    names: Names = None,
    dns: Dns = False,
    raw: Raw = False,
    explain: Explain = False,
    output: Output = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show percentiles of bits by second, as transit is billed, of the last 24 hours unless a time is given; scaled.

    Steps in which nothing was received count as zero. The time is that of the whole steps in it.
    """
    form, by = form_of(output, as_json), aggregation(statistic)
    asked = question(filter, file, last if last or window else _DAY, window, config, zone)
    seconds = step_of(step, asked.since, asked.until)
    since, until = whole_steps(asked.since, asked.until, seconds)
    asked = asked._replace(since=since, until=until)

    keys, figures = (
        tuple(each.name for each in by),
        {name: f"p{percent:g}" if name == "percentile" else name for name in RANKED},
    )
    with answers(asked) as ask:
        plan = ask.plan(asked, Sums(by, raw, explain, seconds))
        source = plan if plan.from_rollups else ask.table
        sql = percentile_report(by, percent, asked.filter, since, until, seconds, n, source)
        found = ask.rows((*keys, *figures.values()), sql)
        keys = add_names(found, keys, asked, ask, form, names, dns)
    if form:
        hand_over(form, (*keys, *figures.values()), found)
        return
    titles = (*keys, figures["percentile"], "average", "most")
    print_table(
        titles, ([cell(name, row[name]) if name in keys else round(row[name]) for name in titles] for row in found)
    )
    print(f"bits by second, of {(until - since) // timedelta(seconds=seconds):,} steps of {step}", file=sys.stderr)
    tell_unknown(sum(row["unknown_sampling"] for row in found))
