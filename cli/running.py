"""`flowkeep run`, `check`, `status` and `demo`."""

from __future__ import annotations

import logging
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.options import ConfigOption, JsonOption, ask_collector, configuration, print_json
from cli.sources import FileSources, read
from collector.clock import Clock
from collector.daemon import Daemon, install_signals


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(run)
    app.command()(check)
    app.command()(status)


def run(
    config: ConfigOption = None,
    clock_shift: Annotated[
        float, typer.Option(hidden=True, help="Seconds by which the collector's clock is moved, for demos and tests.")
    ] = 0.0,
) -> None:
    """Collect in the foreground: SIGTERM stores what was received and ends, SIGHUP reloads tenants and policy."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("flowkeep").setLevel(logging.INFO)
    loaded = configuration(config)
    daemon = Daemon(loaded, FileSources(loaded), Clock(int(clock_shift * 1000)))
    install_signals(daemon)
    daemon.run()


def check(config: ConfigOption = None) -> None:
    """Check the configuration, the tenants and the retention policy; exit 2 with every fault found."""
    loaded = configuration(config)
    policy, allocations = read(loaded)
    print(f"good: {len(allocations)} allocations, {len(policy.classes)} retention classes, "
          f"{len(loaded.exporters)} allowed exporters, {len(loaded.listen)} listeners")


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the running collector's books: every datagram received and every flow decoded is accounted for."""
    books = ask_collector(configuration(config), "/status")
    if as_json:
        print_json(books)
        return
    table = Table("", "", show_header=False, box=None)
    for name, value in books.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {count:,}" for key, count in value.items()) or "none"
        elif isinstance(value, int) and not isinstance(value, bool):
            value = f"{value:,}"
        table.add_row(name.replace("_", " "), str(value))
    Console(highlight=False).print(table)
