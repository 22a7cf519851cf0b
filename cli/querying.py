"""`flowkeep flows`, `top` and `live`: flows, and flows added up."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from cli.answer_data import Data, Output, form_of, hand_over, print_rows
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
    question,
    rows_of,
    tell_unknown,
)
from cli.completing import statistics
from cli.flow_formats import FORMATS, LineFormat
from cli.naming import Dns, Names, add_names
from cli.options import ConfigOption, JsonOption
from cli.tables import print_table
from query.reports import RATES, SUMS, flows_report, grouped_report, parse_statistic, rates
from query.statistics import RECORD, aggregation
from schema.columns import BY_NAME
from settings.errors import ConfigError

_LINE = ("flow_start", "proto", "src_addr", "src_port", "dst_addr", "dst_port", "packets", "bytes", "sampling_rate",
         "src_tenant", "dst_tenant", "direction")  # fmt: skip
_HOUR = "1h"
_AHEAD = timedelta(days=1)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(flows)
    app.command()(top)
    app.command()(live)


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
        str,
        typer.Option("-o", "--output", help="line, long, extended, fmt:%ts %sap %byt; whole: csv, json, parquet."),
    ] = "",
    names: Names = None,
    dns: Dns = False,
    raw: Raw = False,
    explain: Explain = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the newest flows that a filter selects, of all that is stored unless a time is given; --json: whole."""
    asked = question(filter, file, last, window, config, zone)
    lines = _lines(output)
    form = None if lines and not as_json else form_of(output, as_json)
    if aggregate or connections:
        if lines:
            raise ConfigError(f"-o {output} is of single flows; what is added up is a table, or data")
        sums = Sums(aggregation(aggregate or ",".join(RECORD)), raw, explain)
        _groups(order, asked, limit, sums, form, names, dns)
        return
    columns = tuple(BY_NAME) if form else lines.columns if lines else _LINE
    found = rows_of(
        asked, columns, lambda table: flows_report(asked.filter, asked.since, asked.until, limit, columns, str(table))
    )
    if form:
        hand_over(form, columns, found)
    elif lines:
        print("\n".join(lines.lines(found)))
    else:
        print_table(columns, ([cell(name, row[name]) for name in columns] for row in found))


def _lines(output: str) -> LineFormat | None:
    """Return the format of lines that is asked for, None for a table or for data."""
    return LineFormat(output) if output.startswith("fmt:") or output in FORMATS else None


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
    names: Names = None,
    dns: Dns = False,
    output: Output = "",
    raw: Raw = False,
    explain: Explain = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank addresses, ports, tenants and the like; volumes are scaled by the sampling rate."""
    by, order = parse_statistic(statistic)
    asked, form = question(filter, file, last, window, config, zone), form_of(output, as_json)
    _groups(order, asked, n, Sums(by, raw, explain), form, names, dns)


def _groups(order: str, asked: Question, n: int, sums: Sums, form: Data | None, named: bool | None, dns: bool) -> None:
    """Print flows that are added up, the largest first."""
    keys = tuple(each.name for each in sums.by)
    with answers(asked) as ask:
        plan = ask.plan(asked, sums)
        source = plan if plan.from_rollups else ask.table
        sql = grouped_report(sums.by, order, asked.filter, asked.since, asked.until, n, source)
        found = ask.rows((*keys, *SUMS), sql)
        for row in found:
            row |= rates(row["packets"], row["bytes"], row["first_seen"], row["last_seen"])
        keys = add_names(found, keys, asked, ask, form, named, dns)
    if form:
        hand_over(form, (*keys, *SUMS, *RATES), found)
        return
    titles = (*keys, "flows", "packets", "bytes", *RATES)
    print_table(titles, ([cell(name, row[name]) for name in titles] for row in found))
    tell_unknown(sum(row["unknown_sampling"] for row in found))
