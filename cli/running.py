"""`flowkeep run`, `check`, `status` and `demo`."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli import logs
from cli.options import ConfigOption, JsonOption, ask_collector, configuration, print_json
from cli.sources import FileSources, read
from cli.tables import plain_console, print_table
from collector.clock import Clock
from collector.daemon import Daemon, install_signals
from retention.findings import findings
from schema.disclosure import CATEGORIES
from settings.errors import FINDING

_QUESTIONS = """
The collector is still running. In another terminal:

  export FLOWKEEP_CONFIG={config} PATH={bin}:$PATH
  flowkeep top -s tenant/bytes --last 1h
  flowkeep interfaces access1
  flowkeep flows 'src ip {moved} and dst port 22'
  flowkeep sql 'SELECT flow_type, count() FROM flows GROUP BY 1'
  flowkeep retention show
  flowkeep status

Metrics: http://{http}/metrics   health: http://{http}/healthz

Ctrl-C ends it."""


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(run)
    app.command()(check)
    app.command()(status)
    app.command()(demo)


def run(
    config: ConfigOption = None,
    clock_shift: Annotated[
        float, typer.Option(hidden=True, help="Seconds by which the collector's clock is moved, for demos and tests.")
    ] = 0.0,
) -> None:
    """Collect in the foreground: SIGTERM stores what was received and ends, SIGHUP reloads tenants and policy."""
    logs.begin()
    loaded = configuration(config)
    daemon = Daemon(loaded, FileSources(loaded, config), Clock(int(clock_shift * 1000)))
    install_signals(daemon)
    daemon.run()


def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the configuration, the tenants and the retention policy.

    Exit 2 with every fault found; 1 with what a person is to look at: overdue reviews, rules that select nothing.
    """
    loaded = configuration(config)
    policy, allocations = read(loaded)
    found = findings(policy, allocations, datetime.now(UTC).date())
    if as_json:
        print_json({"policy": policy.edition, "findings": found})
    else:
        print(
            f"good: {len(allocations)} allocations, {len(policy.classes)} retention classes, "
            f"categories kept: {' and '.join(policy.named) or 'none'}, "
            f"not disclosed: {' and '.join(name for name in CATEGORIES if name not in policy.disclosed) or 'none'}, "
            f"{len(loaded.exporters)} allowed exporters, {len(loaded.listen) + len(loaded.listen_tcp)} listeners, "
            f"policy {policy.edition}"
        )
        for finding in found:
            print(f"look at this: {finding}")
    if found:
        raise typer.Exit(FINDING)


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the running collector's books: every datagram received and every flow decoded is accounted for."""
    books = ask_collector(configuration(config), "/status")
    if as_json:
        print_json(books)
        return
    rows: list[tuple[str, object]] = []
    for name, value in books.items():
        words = name.replace("_", " ")
        if isinstance(value, dict) and any(isinstance(part, dict) for part in value.values()):
            rows += [(f"{words} of {key}", _shown(part)) for key, part in value.items()]
        else:
            rows.append((words, _shown(value)))
    print_table(("", ""), rows)


def _shown(value: object) -> object:
    """Return a value of the books as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(part)}" for key, part in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else value


def demo(
    seconds: Annotated[float, typer.Option(help="How long live traffic goes on.", min=0)] = 15.0,
    directory: Annotated[Path, typer.Option(help="Where the demo keeps its files.")] = Path("demo-data"),
    as_json: JsonOption = False,
) -> None:
    """Show it all on this machine: exporters, tenants, ClickHouse, queries, a purge; then stay for your own questions.

    Without a terminal, or with --json, it ends by itself.
    """
    from demo.story import tell  # here, because scapy takes half a second and a netlink socket to import

    console = plain_console(stderr=as_json)
    stay = sys.stdout.isatty() and not as_json
    report = tell(directory, seconds, lambda line: console.print("-", line), linger if stay else None)
    if as_json:
        print_json(asdict(report))
    else:
        print(f"done in {report.seconds:.0f} s: {report.stored:,} flows stored, {report.purged_rows:,} purged")


def linger(config: Path) -> None:
    """Leave the demo's collector to the person at the terminal, until Ctrl-C."""
    from demo.provider import MOVED_ADDRESS

    address = configuration(config).metrics
    print(
        _QUESTIONS.format(config=config.resolve(), bin=Path(sys.executable).parent, moved=MOVED_ADDRESS, http=address)
    )
    with suppress(KeyboardInterrupt):
        signal.pause()
    print()  # the terminal has written ^C
