"""`flowkeep tenants`: who holds an address, as the collector would say; whence we know, and who was behind a port."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from abuse.bindings import store
from abuse.store import Store
from cli.options import ConfigOption, JsonOption, configuration, octets_of, print_json, zone_named
from cli.sources import attribution, read
from query.timespan import moment
from retention.policy import load_policy
from schema.render import time_text
from settings.errors import FINDING, ConfigError
from settings.source import read_text
from storage.client import connect
from storage.writer import Writer
from tenants.attribute import Attributor
from tenants.binding_log import read_bindings
from tenants.cells import ALWAYS

_SHOWN = 50
"""Changes that are printed each in a line."""

app = typer.Typer(help="Who holds which address, and when.", no_args_is_help=True)


def add_to(commands: typer.Typer) -> None:
    """Add the commands of this file."""
    commands.add_typer(app, name="tenants")


@app.command()
def check(config: ConfigOption = None) -> None:
    """Check the allocations, also against the retention policy; exit 2 with every fault found."""
    loaded = configuration(config)
    _, allocations = read(loaded)
    tenants = set(allocations.tenants.names)
    print(f"{loaded.tenants}: good: {len(allocations)} allocations of {len(tenants)} tenants")


@app.command()
def lookup(
    address: Annotated[str, typer.Argument(help="An IPv4 or IPv6 address.", show_default=False)],
    at: Annotated[str | None, typer.Option(help="When: 2026-11-20T14:03Z, 2026/11/20.14:03; now if not given.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who held an address at a moment; exit 1 if nobody did."""
    policy, allocations = read(configuration(config))
    milliseconds = int(moment(at).timestamp() * 1000) if at else time.time_ns() // 1_000_000
    found = Attributor(allocations, policy).lookup(octets_of(address), milliseconds)
    if found is None:
        if as_json:
            print_json(None)
        else:
            print(f"{address} was unassigned at {time_text(milliseconds)}")
        raise typer.Exit(FINDING)
    facts = asdict(found) | {
        "prefix": str(found.prefix),
        "retention_class": policy.class_of(found.tenant, found.service, found.region, found.retention_class),
        "valid_from": time_text(found.valid_from) if found.valid_from is not None else None,
        "valid_to": time_text(found.valid_to) if found.valid_to is not None else None,
    }
    if as_json:
        print_json(facts)
        return
    validity = f"{facts['valid_from'] or 'always'} to {facts['valid_to'] or 'further notice'}"
    given = {"resource": found.resource, "service": found.service, "region": found.region}
    told = "".join(f", {what} {value}" for what, value in given.items() if value)
    print(f"{found.tenant} ({found.prefix}{told}, class {facts['retention_class']}, {validity}, line {found.line})")


@app.command()
def fetch(
    config: ConfigOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Believe a source that ends most of what is held.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the allocations up to date with `tenants_source`; `flowkeep run` does it every few minutes.

    What is new or gone there begins or ends when this learns it, unless the source says when. What has ended stays.
    """
    from sources.update import update  # takes a fifth of a second, which the other commands need not

    loaded = configuration(config)
    if loaded.tenants_source is None:
        raise ConfigError("there is no 'tenants_source' in the configuration; docs/configuration.md says how")
    policy = load_policy(loaded.retention, os.environ, datetime.now(UTC).date())
    now = time.time_ns() // 1_000_000
    merged = update(loaded.tenants, loaded.tenants_source, now, policy.check_classes, force, dry_run)
    if as_json:
        for change in merged.changes:
            at = None if change.at == ALWAYS else time_text(change.at)
            print_json({**asdict(change), "prefix": str(change.prefix), "at": at})
        return
    for change in merged.changes[:_SHOWN]:
        print(change.words)
    if len(merged.changes) > _SHOWN:
        print(f"and {len(merged.changes) - _SHOWN:,} more changes; --json tells them all")
    what = "nothing has changed" if not merged.changes else "nothing is written (--dry-run)" if dry_run else "written"
    print(f"{loaded.tenants}: {what}: {len(merged.rows):,} allocations, {merged.told:,} of them told by the source")


@app.command()
def bindings(
    file: Annotated[Path, typer.Argument(help="A log of a translator (CGNAT) as CSV: inside, outside, ports, times.")],
    zone: Annotated[str | None, typer.Option(help="The zone of times without one: Europe/Berlin.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store who was behind the ports of a translator, for `flowkeep who`; exit 1 where lines could not be read.

    They are kept as long as flows of their tenants. A file that was stored already adds nothing.
    """
    loaded = configuration(config)
    text = read_text(file)
    log = read_bindings(text.splitlines(), file.name, zone_named(zone))
    digest, stored = hashlib.sha256(f"{zone}\n{text}".encode()).hexdigest(), len(log.bindings)
    with connect(loaded.storage, loaded.data_dir, "ingest") as client, Store.of(loaded.data_dir) as known:
        if known.has_log(digest):
            stored = 0
        else:
            store(log.bindings, attribution(loaded.tenants, loaded.retention), Writer(client), f"bindings {digest}")
            known.add_log(digest, datetime.now(UTC))
    if as_json:
        print_json({"bindings": stored, "faults": [{"line": line, "why": why} for line, why in log.faults]})
    else:
        for line, why in log.faults[:_SHOWN]:
            print(f"{file}:{line}: {why}")
        print(f"{file}: {stored:,} bindings stored, {len(log.faults):,} lines could not be read")
    if log.faults:
        raise typer.Exit(FINDING)
