"""`flowkeep ledger`: what staff and system did, shown, verified, anchored and handed on. It needs no ClickHouse."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption, configuration, ledger_of, print_json
from cli.tables import print_table
from ledger import standalone
from ledger.entry import Action, Entry, canonical, time_text
from ledger.folder import snapshot
from ledger.verify import Report, verify
from query.timespan import moment
from settings.errors import FINDING, ConfigError
from settings.source import read_text

app = typer.Typer(help="The record of what staff and system did.", no_args_is_help=True)


def add_to(commands: typer.Typer) -> None:
    """Add the commands of this file."""
    commands.add_typer(app, name="ledger")


_SHOWN = 100


@app.command(name="verify")
def verify_ledger(
    config: ConfigOption = None,
    anchor: Annotated[
        list[Path] | None,
        typer.Option("--anchor", help="A file with checkpoints that were kept elsewhere.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify every octet of the ledger; exit 1 with what is wrong. Only anchors show that its end is missing."""
    directory = ledger_of(configuration(config)).directory
    anchors = [line for path in anchor or () for line in _lines(path)]
    report = verify(snapshot(directory), anchors)
    if as_json:
        print_json(asdict(report))
    else:
        _print_report(directory, report, len(anchors))
    if report.findings:
        raise typer.Exit(FINDING)


def _lines(path: Path) -> list[bytes]:
    lines = read_text(path).encode().splitlines()
    if not lines:
        raise ConfigError(f"{path}: holds no checkpoint; `flowkeep ledger checkpoint` prints one")
    return lines


def _print_report(directory: Path, report: Report, anchors: int) -> None:
    for finding in report.findings[:_SHOWN]:
        print(f"{finding.kind}: {finding.file}: {finding.text}")
    if len(report.findings) > _SHOWN:
        print(f"and {len(report.findings) - _SHOWN} more; --json has them all")
    for warning in report.warnings[:_SHOWN]:
        print(f"look at this: {warning.file}: {warning.text}")
    verdict = f"{len(report.findings)} findings" if report.findings else "whole"
    print(
        f"{directory}: entries {report.first} to {report.last}, {report.checkpoints} checkpoints, {anchors} anchors: "
        f"{verdict}"
    )
    if not anchors and not report.findings:
        print("that its end is there only an anchor shows: `flowkeep ledger checkpoint`, kept elsewhere")


@app.command()
def show(
    action: Annotated[
        Action | None, typer.Option("--action", help="Only entries of this action.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Only entries since then: 2026-11-20T14:00Z, 2026/11/20.", show_default=False),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option(
            "--query", help="Only where exactly this was asked of `sql`, under today's key.", show_default=False
        ),
    ] = None,
    limit: Annotated[int, typer.Option("-n", "--limit", help="At most so many entries, the newest.", min=1)] = 20,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the newest entries, in their order; --json: the lines as they are kept."""
    ledger = ledger_of(configuration(config))
    start = time_text(moment(since)) if since else ""
    digest = ledger.query_digest(query) if query is not None else None
    wanted = (
        entry
        for entry in ledger.newest()
        if entry.time >= start
        and (action is None or entry.action == action.value)
        and (digest is None or entry.details.get("digest") == digest)
    )
    entries = list(islice(wanted, limit))[::-1]
    if as_json:
        sys.stdout.writelines(entry.line().decode() + "\n" for entry in entries)
        return
    print_table(("seq", "time", "actor", "action", "details"), map(_row, entries))


def _row(entry: Entry) -> tuple[str, ...]:
    details = ", ".join(f"{name} {_short(value)}" for name, value in entry.details.items())
    actor = entry.actor if entry.actor.isprintable() else ascii(entry.actor)
    return str(entry.seq), entry.time, actor, entry.action, details


def _short(value: object) -> str:
    """Return a value of the details as a table shows it: hashes by their beginning."""
    if isinstance(value, str):
        if re.fullmatch("[0-9a-f]{64,}", value):
            return value[:12] + "..."
        return value if value.isprintable() else canonical(value).decode()
    return canonical(value).decode()


@app.command()
def checkpoint(config: ConfigOption = None) -> None:
    """Sign the ledger's present head and print that: an anchor, to be kept where nobody here can change it."""
    print(ledger_of(configuration(config)).checkpoint(now=datetime.now(UTC)).line().decode())


@app.command()
def verifier(config: ConfigOption = None) -> None:
    """Print a program that verifies a copy of a ledger without Flowkeep: by Python's own library and openssl."""
    if config is not None:
        configuration(config)
    sys.stdout.write(Path(standalone.__file__).read_text(encoding="utf-8"))


@app.command()
def key(
    rotate: Annotated[bool, typer.Option("--rotate", help="Make a new key first, signed by the old one.")] = False,
    config: ConfigOption = None,
) -> None:
    """Print the public key that checkpoints and certificates are signed with, as PEM."""
    ledger = ledger_of(configuration(config))
    if rotate:
        ledger.rotate(now=datetime.now(UTC))
    sys.stdout.write(ledger.key().public.decode())
