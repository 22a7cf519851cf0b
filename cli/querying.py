"""`flowkeep flows`, `top` and `sql`: questions to the stored flows."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

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
    answers,
    cell,
    in_zone,
    print_csv,
    print_rows,
    question,
    rows_of,
    tell_unknown,
)
from cli.completing import statistics
from cli.flow_formats import LineFormat
from cli.options import ConfigOption, JsonOption, configuration, ledger_of
from cli.tables import print_table
from ledger.entry import Action
from query.planner import Plan
from query.reports import RATES, SUMS, flows_report, grouped_report, parse_statistic, rates
from query.series import COLUMNS, points, series_report, step_of
from query.sql import Sql
from query.statistics import RECORD, aggregation
from schema.columns import BY_NAME
from settings.errors import ConfigError, UserError
from storage.client import connect

_LINE = ("flow_start", "proto", "src_addr", "src_port", "dst_addr", "dst_port", "packets", "bytes", "sampling_rate",
         "src_tenant", "dst_tenant", "direction")  # fmt: skip
_HOUR = "1h"
_AHEAD = timedelta(days=1)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(flows)
    app.command()(top)
    app.command()(series)
    app.command()(live)
    app.command()(sql)


def flows(
    filter: Filter = None,
    last: Last = None,
    window: Window = None,
    limit: Annotated[int, typer.Option("-n", "--limit", help="At most so many: the newest, the largest with -A.")] = 20,
    file: File = None,
    zone: Zone = "",
    aggregate: Annotated[
        str, typer.Option("-A", "--aggregate", help="Add up by these: srcip,dstport, srcip4/24.", show_default=False)
    ] = "",
    connections: Annotated[bool, typer.Option("-a", help="Add up by protocol, addresses and ports.")] = False,
    order: Annotated[
        str, typer.Option("-O", "--order", help="Of -A and -a: flows, packets, bytes, pps, bps or bpp.")
    ] = "bytes",
    output: Annotated[
        str, typer.Option("-o", "--output", help="line, long, extended, fmt:%ts %sap %byt; csv, json: whole.")
    ] = "",
    raw: Raw = False,
    explain: Explain = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the newest flows that a filter selects, of all that is stored unless a time is given; --json: whole."""
    as_json |= output == "json"
    asked = question(filter, file, last, window, config, zone)
    if aggregate or connections:
        if output not in ("", "json"):
            raise ConfigError(f"-o {output} is of single flows; what is added up is a table, or --json")
        _groups(order, asked, limit, Sums(aggregation(aggregate or ",".join(RECORD)), raw, explain), as_json)
        return
    whole = as_json or output == "csv"
    form = LineFormat(output) if output and not whole else None
    columns = tuple(BY_NAME) if whole else form.columns if form else _LINE
    found = rows_of(
        asked, columns, lambda table: flows_report(asked.filter, asked.since, asked.until, limit, columns, str(table))
    )
    if as_json:
        print_rows(found)
    elif whole:
        print_csv(columns, found)
    elif form:
        print("\n".join(form.lines(found)))
    else:
        print_table(columns, ([cell(name, row[name]) for name in columns] for row in found))


def live(
    filter: Filter = None,
    n: Annotated[int, typer.Option("-n", help="At most so many each second, the newest.")] = 20,
    file: File = None,
    zone: Zone = "",
    output: Annotated[
        str, typer.Option("-o", "--output", help="As of `flows`: line, long, extended, fmt:%ts %sap %byt.")
    ] = "line",
    seconds: Annotated[float, typer.Option("--seconds", help="End after so long; 0 for never.")] = 0.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show flows as they are stored, newest last, until Ctrl-C. What comes late is in `flows` alone."""
    asked, form, begun = question(filter, file, None, None, config, zone), LineFormat(output), time.monotonic()
    columns = tuple(dict.fromkeys(("time_received", *(BY_NAME if as_json else form.columns))))
    since, titled = datetime.now(UTC), False
    with suppress(KeyboardInterrupt), answers(asked) as ask:
        while not seconds or time.monotonic() - begun < seconds:
            sql = flows_report(asked.filter, since, since + _AHEAD, n, columns)
            found = list(reversed(ask.rows(columns, sql, silent=True)))
            if found:
                since = found[-1]["time_received"].astimezone(UTC) + timedelta(milliseconds=1)
            if as_json:
                print_rows(found)
            else:
                titles, *lines = form.lines(found)
                print("".join(f"{line}\n" for line in ([] if titled else [titles]) + lines), end="")
                titled = True
            sys.stdout.flush()
            if len(found) == n:
                print(f"only the newest {n:,} of that second are shown; -n shows more", file=sys.stderr)
            time.sleep(1.0)


def top(
    filter: Filter = None,
    statistic: Annotated[
        str,
        typer.Option(
            "-s",
            "--statistic",
            help="As nfdump's: srcip/bytes, dstport:p/flows, srcip4/24, record.",
            autocompletion=statistics,
        ),
    ] = "srcip/bytes",
    n: Annotated[int, typer.Option("-n", help="How many.")] = 10,
    last: Last = None,
    window: Window = None,
    file: File = None,
    zone: Zone = "",
    raw: Raw = False,
    explain: Explain = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank addresses, ports, tenants and the like; volumes are scaled by the sampling rate."""
    by, order = parse_statistic(statistic)
    _groups(order, question(filter, file, last, window, config, zone), n, Sums(by, raw, explain), as_json)


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
    last: Last = None,
    window: Window = None,
    file: File = None,
    zone: Zone = "",
    raw: Raw = False,
    explain: Explain = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show traffic over time, of the last hour unless a time is given: flows, packets and bits by second, scaled."""
    asked = question(filter, file, last if last or window else _HOUR, window, config, zone)
    by, order = parse_statistic(statistic, "bytes") if statistic else ((), "bytes")
    if len(by) > 1:
        raise ConfigError("a series is by one statistic; `top` knows record and :p")
    seconds = step_of(step, asked.since, asked.until)

    def report(source: str | Plan) -> Sql:
        return series_report(by[0] if by else None, order, asked.filter, asked.since, asked.until, seconds, n, source)

    found = [tuple(row.values()) for row in rows_of(asked, COLUMNS, report, Sums(by, raw, explain, seconds))]
    line = list(points(found, asked.since, asked.until, seconds))
    name = by[0].name if by else ""
    rows = [
        {"time": in_zone(one.time, asked.zone), **({name: one.key, "other": one.is_other} if name else {}),
         **{volume: getattr(one, volume) for volume in ("flows", "packets", "bytes")}, **one.rates,
         "unknown_sampling": one.unknown_sampling}
        for one in line
    ]  # fmt: skip
    if as_json:
        print_rows(rows)
        return
    titles = ("time", *((name,) if name else ()), "flows", "fps", "pps", "bps")
    shown = ({**row, name: "all others"} if row.get("other") else row for row in rows)
    print_table(titles, ([cell(title, row[title]) for title in titles] for row in shown))
    tell_unknown(sum(one.unknown_sampling for one in line))


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


def _groups(order: str, asked: Question, n: int, sums: Sums, as_json: bool) -> None:
    """Print flows that are added up, the largest first."""
    names = tuple(each.name for each in sums.by)

    def report(source: str | Plan) -> Sql:
        return grouped_report(sums.by, order, asked.filter, asked.since, asked.until, n, source)

    found = rows_of(asked, (*names, *SUMS), report, sums)
    for row in found:
        row |= rates(row["packets"], row["bytes"], row["first_seen"], row["last_seen"])
    if as_json:
        print_rows(found)
        return
    titles = (*names, "flows", "packets", "bytes", *RATES)
    print_table(titles, ([cell(name, row[name]) for name in titles] for row in found))
    tell_unknown(sum(row["unknown_sampling"] for row in found))
