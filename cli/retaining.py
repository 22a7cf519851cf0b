"""`flowkeep retention show` and `purge`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, client, configuration, print_json
from cli.sources import read
from cli.tables import print_table
from retention.apply import Purged, apply
from retention.plan import Plan, make_plan
from retention.show import ClassState, show
from retention.stored import stored
from settings.errors import FINDING

app = typer.Typer(help="How long flows are kept, and the purge.", no_args_is_help=True)


@app.command(name="show")
def show_policy(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show the policy beside what the database enforces; exit 1 where they differ."""
    policy, _ = read(configuration(config))
    with client(config, "retention") as database:
        states = show(policy, database)
    if as_json:
        print_json([asdict(state) for state in states])
    else:
        _print_states(states)
    if not all(state.agrees for state in states):
        raise typer.Exit(FINDING)


def _print_states(states: list[ClassState]) -> None:
    titles = (
        "class", "tables", "keep for", "TTL wanted", "TTL in database", "review", "oldest row", "rows", "octets",
        "agrees",
    )  # fmt: skip
    rows = []
    for state in states:
        days = [
            f"{value} d" if value is not None else "-" for value in (state.keep_for, state.ttl_wanted, state.ttl_found)
        ]
        oldest = f"{state.oldest:%Y-%m-%d %H:%M:%S}Z" if state.oldest else "-"
        agrees = "yes" if state.agrees else "NO"
        tables = ", ".join(state.tables)
        rows.append((state.name, tables, *days, state.review or "-", oldest, state.rows, state.bytes, agrees))
    print_table(titles, rows)


@app.command()
def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be dropped, and why.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drop what the policy no longer keeps; exit 1 where there is data that the policy does not explain."""
    policy, _ = read(configuration(config))
    with client(config, "retention") as database:
        plan = make_plan(stored(database), policy, datetime.now(UTC))
        done = [] if dry_run else apply(plan, policy, database, lambda: datetime.now(UTC))
    if as_json:
        print_json(_as_json(plan, done, dry_run))
    else:
        _print_plan(plan, done, dry_run)
    if plan.findings:
        raise typer.Exit(FINDING)


def _as_json(plan: Plan, done: list[Purged], dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "due": [
            {"table": step.partition.table, "class": step.partition.retention_class, "day": step.partition.day,
             "rows": step.partition.rows, "bytes": step.partition.bytes, "reason": step.reason}
            for step in plan.steps
        ],
        "purged_partitions": len(done),
        "purged_rows": sum(purged.rows for purged in done),
        "purged_bytes": sum(purged.bytes for purged in done),
        "findings": [finding.text for finding in plan.findings],
    }  # fmt: skip


def _print_plan(plan: Plan, done: list[Purged], dry_run: bool) -> None:
    for step in plan.steps:
        verb = "would drop" if dry_run else "dropped"
        print(f"{verb} {step.partition.rows:,} rows of {step.partition.table}: {step.reason}")
    if not plan.steps:
        print("nothing is due")
    elif not dry_run:
        print(f"{sum(purged.rows for purged in done):,} rows gone, verified")
    for finding in plan.findings:
        print(f"look at this: {finding.text}")
