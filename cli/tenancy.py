"""`flowkeep tenants check` and `lookup`: who holds an address, as the collector would say."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption, configuration, octets_of, print_json
from cli.sources import read
from query.timespan import moment
from schema.render import time_text
from settings.errors import FINDING
from tenants.attribute import Attributor

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
