"""`flowkeep retention explain` and `register`: what the policy says of tenants, partitions, flows and columns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.options import ConfigOption, JsonOption, configuration, octets_of, print_json
from cli.sources import read
from cli.tables import print_table
from query.timespan import moment
from retention.disclosed import Registered, register
from retention.explain import Explanation, Fate, of_flow, of_partition, of_tenant
from retention.plan import Cover, Key
from retention.policy import Policy
from schema.disclosure import CATEGORIES
from settings.errors import FINDING, ConfigError, UnreachableError
from tenants.allocations import Allocations
from tenants.attribute import Attributor

Covers = Callable[[Path | None, Sequence[Key]], Mapping[Key, Cover]]
"""Returns what holds cover of some partitions, for the configuration that was named."""


def add_to(app: typer.Typer, covers: Covers | None = None) -> None:
    """Add the commands of this file; with `covers`, `explain` names the holds too."""
    app.command()(_explain_with(covers))
    app.command(name="register")(show_register)


def _explain_with(covers: Covers | None) -> Callable[..., None]:
    def explain(
        tenant: Annotated[str | None, typer.Option(help="A tenant.", show_default=False)] = None,
        service: Annotated[str | None, typer.Option(help="One of its services.", show_default=False)] = None,
        region: Annotated[str | None, typer.Option(help="One of its regions.", show_default=False)] = None,
        partition: Annotated[
            str | None, typer.Option(help="TABLE/CLASS/DAY, such as flows/basic/2026-11-01.", show_default=False)
        ] = None,
        flow: Annotated[
            str | None, typer.Option(help="ADDRESS@TIME, such as 192.0.2.1@2026-11-20T14:03Z.", show_default=False)
        ] = None,
        config: ConfigOption = None,
        as_json: JsonOption = False,
    ) -> None:
        """Say until when a tenant's flows, a partition or a flow are kept, and by which rule; exit 1 if by none."""
        asked = [option for option in (tenant, partition, flow) if option is not None]
        if len(asked) != 1 or ((service or region) and tenant is None):
            raise ConfigError(
                "ask by one of --tenant (with --service and --region, if you like), --partition and --flow"
            )
        policy, allocations = read(configuration(config))
        if partition is not None:
            found = of_partition(policy, *_partition(partition))
        elif flow is not None:
            found = _of_flow(policy, allocations, flow)
        else:
            found = of_tenant(policy, allocations, asked[0], service, region, datetime.now(UTC).date())
        if covers is not None:
            try:
                found = found.under(covers(config, [fate.key for fate in found.fates]))
            except UnreachableError as error:
                print(f"whether a hold keeps it for longer is not known: {error}", file=sys.stderr)
        if as_json:
            print_json(asdict(found))
        else:
            print("\n".join(_lines(found)))
        if any(fate.until is None for fate in found.fates):
            raise typer.Exit(FINDING)

    return explain


def _partition(text: str) -> Key:
    try:
        table, retention_class, day = text.split("/")
        return table, retention_class, date.fromisoformat(day)
    except ValueError:
        raise ConfigError(
            f"--partition: expected TABLE/CLASS/DAY, such as flows/basic/2026-11-01, not '{text}'"
        ) from None


def _of_flow(policy: Policy, allocations: Allocations, text: str) -> Explanation:
    address, at, time = text.partition("@")
    if not at:
        raise ConfigError(f"--flow: expected ADDRESS@TIME, such as 192.0.2.1@2026-11-20T14:03Z, not '{text}'")
    when = moment(time)
    holder = Attributor(allocations, policy).lookup(octets_of(address), int(when.timestamp() * 1000))
    return of_flow(policy, address, when, holder)


def _lines(found: Explanation) -> Iterator[str]:
    yield f"{found.subject}; policy {found.policy}"
    for fate in found.fates:
        yield ""
        yield f"{fate.case}:"
        yield from (f"  {line}" for line in _fate(fate))
    if found.notes:
        yield ""
    yield from found.notes


def _fate(fate: Fate) -> Iterator[str]:
    yield f"class {fate.retention_class}: {fate.rule}"
    if fate.until and fate.ceiling:
        yield f"kept {fate.keep_for} d after the end of the day of reception ({fate.source})"
        until, ceiling = (moment.strftime("%Y-%m-%dT%H:%MZ") for moment in (fate.until, fate.ceiling))
        yield f"of {fate.day}: until {until}; ClickHouse itself ends it by {ceiling}"
        yield f"for {fate.purpose}, by {fate.legal_basis}; {fate.owner} reviews it by {fate.review}"
    else:
        yield "kept until a person decides"
    if fate.held is not None:
        yield _held(fate.held.holds, fate.held.rows, fate.held.copied)


def _held(holds: Sequence[str], rows: int, copied: bool) -> str:
    if not holds:
        return "under no hold"
    copy = "of which there is a verified copy" if copied else "of which there is no verified copy yet"
    return f"under hold {' and '.join(holds)}: {rows:,} rows, {copy}, stay until it is released"


def show_register(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what the notice names, and of every column that could be stored whether it is, and why not."""
    policy, _ = read(configuration(config))
    columns = register(policy.disclosed, policy.named)
    notice = {name: policy.notice[name] or text for name, text in CATEGORIES.items() if name in policy.disclosed}
    if as_json:
        print_json({"policy": policy.edition, "notice": notice, "columns": [asdict(one) for one in columns]})
        return
    print_table(
        ("category", "disclosed", "notice"),
        [(name, "yes" if name in notice else "NO", notice.get(name, "-")) for name in CATEGORIES],
    )
    print()
    print_table(("table", "column", "category", "stored", "meaning"), [_row(one) for one in columns])
    print(f"\npolicy {policy.edition}")


def _row(one: Registered) -> Sequence[str]:
    return one.table, one.column, one.category, "yes" if one.stored else f"no: {one.reason}", one.doc
