"""`flowkeep retention show`, `plan`, `apply` and `purge`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.progress import Progress

from abuse.casework import forget
from cli import asking_policy, proving
from cli.options import ConfigOption, JsonOption, client, configuration, print_json
from cli.plan_text import plan_lines
from cli.retention_desk import Desk, desk, held_of, now
from cli.sources import read
from cli.tables import plain_console, print_table
from ledger.expiry import expire
from retention.apply import Purged, undo
from retention.certificate import keep, signed
from retention.gone import reconcile
from retention.grace import Dropped, by_name
from retention.guard import Allowance, clock_doubt, permit
from retention.plan import Plan, due_at, minute
from retention.runs import Run, finish, let_go_of_held, look_after_holds, run
from retention.saved_plan import difference, fingerprint, load, save
from retention.seen import note, seen
from retention.show import ClassState, show
from retention.tenants_of import tenants_of
from settings.errors import FINDING, RefusalError

app = typer.Typer(help="How long flows are kept, and the purge.", no_args_is_help=True)


def add_to(commands: typer.Typer) -> None:
    """Add the commands of this file."""
    commands.add_typer(app, name="retention")


asking_policy.add_to(app, held_of)
proving.add_to(app)


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
def plan(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what is due now, of whose data, and why; change nothing. Exit 1 where the policy does not explain data."""
    with desk(config) as at:
        made, would = at.plan()
        name = save(at.files.plans, would, now())
        tenants = tenants_of(at.client, made.steps)
        refusal = _refusal(made, at)
    if as_json:
        print_json({"fingerprint": name, **would, "reasons": [step.reason for step in made.steps],
                    "octets": [step.partition.bytes for step in made.steps],
                    "tenants": [tenants.get(step.partition, []) for step in made.steps],
                    "findings": [finding.text for finding in made.findings], "refused": refusal})  # fmt: skip
    else:
        print("\n".join(plan_lines(made, tenants, at.policy, name, refusal)))
    if made.findings:
        raise typer.Exit(FINDING)


def _refusal(made: Plan, at: Desk) -> str | None:
    """Return why a scheduled purge would not take the plan; None if it would."""
    try:
        permit(made, at.policy, now())
    except RefusalError as refusal:
        return str(refusal)
    return None


@app.command()
def apply(
    fingerprint_: Annotated[str, typer.Option("--plan", help="The fingerprint that `plan` printed.")],
    allow: Annotated[
        list[Allowance] | None, typer.Option(help="What a scheduled purge may not do by itself; may be given again.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do what a plan said, if it is still what would be done now; otherwise refuse, and say what has changed."""
    with desk(config) as at:
        wanted = load(at.files.plans, fingerprint_)
        _run(at, wanted, frozenset(allow or ()), as_json)


@app.command()
def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be dropped, and why.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Drop what the policy no longer keeps; exit 1 where there is data that the policy does not explain.

    It goes as far as the policy lets a purge go by itself (`purge.limits`); beyond that it refuses, and `plan` and
    `apply` are for a person.
    """
    with desk(config) as at:
        if dry_run:
            made, would = at.plan()
            _report(made, [], fingerprint(would), True, as_json)
        else:
            _run(at, None, frozenset(), as_json)


@app.command(name="undo")
def undo_drop(
    partition: Annotated[str, typer.Argument(help="TABLE/CLASS/DAY, as the list has it.", show_default=False)] = "",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put back what a purge has dropped, while the policy's grace lasts; without an argument, list what there is."""
    with desk(config) as at, at.files.locked():
        there = by_name(at.look().dropped)
        if not partition:
            _list_dropped(there, at.policy.purge.grace, as_json)
            return
        one = there.get(partition)
        if one is None:
            raise RefusalError(f"{partition} cannot be undone; `flowkeep retention undo` lists what can")
        due = due_at(at.policy, one.partition)
        if due is not None and due <= now():
            raise RefusalError(f"{partition} is due by the policy since {minute(due)}, so change the policy first")
        with client(config, "admin") as admin:
            undo(one.partition, at.hands(), admin)
        reconcile(at.client, now())
    if as_json:
        print_json({"undone": partition, "rows": one.partition.rows})
    else:
        print(f"{partition}: {one.partition.rows:,} rows are back")


def _list_dropped(there: Mapping[str, Dropped], grace: int, as_json: bool) -> None:
    titles = ("partition", "rows", "dropped", "destroyed after")
    rows = [(name, one.partition.rows, minute(one.moved), minute(one.due(grace))) for name, one in there.items()]
    if as_json:
        print_json([dict(zip(("partition", "rows", "dropped", "destroyed_after"), row, strict=True)) for row in rows])
    else:
        print_table(titles, rows)


def _run(at: Desk, wanted: dict[str, Any] | None, allowed: frozenset[Allowance], as_json: bool) -> None:
    """Apply the plan that was shown, or what is due now, under the lock."""
    with at.files.locked():
        if (interrupted := finish(at.hands(), at.files)) is not None:
            _certify(at, interrupted)
        look_after_holds(at.hands(), at.look())
        made, would = at.plan()
        if Allowance.CLOCK in allowed or not clock_doubt(made.last_run, now()):
            let_go_of_held(at.hands())
        if wanted is not None:
            _refuse_stale(at, wanted, would)
        name = fingerprint(would)
        this = Run(f"{now():%Y%m%dT%H%M%SZ}-{name}", would["policy"], name, allowed)
        with Progress(console=plain_console(stderr=True), disable=as_json or not made.steps, transient=True) as bar:
            task = bar.add_task("purge", total=len(made.steps) + len(made.destroy))
            done, text = run(made, at.policy, at.hands(lambda _: bar.advance(task)), at.files, this)
        if done:
            _certify(at, text)
        note(at.client, at.look().partitions, seen(at.client), now())
        expire(at.ledger, now() - timedelta(days=at.policy.ledger_days), now=now())
        forget(at.data_dir, at.record, at.policy.case_days, now())
    _report(made, done, name, False, as_json)


def _refuse_stale(at: Desk, wanted: dict[str, Any], would: dict[str, Any]) -> None:
    """RefusalError with what has changed, where what would be done is not what was shown."""
    changed = difference(wanted, would)
    if changed:
        at.record("refusal", {"plan": fingerprint(wanted), "why": "stale", "changes": len(changed)})
        raise RefusalError(
            "the plan is stale, nothing was done; since it was made:\n  "
            + "\n  ".join(changed)
            + "\nlook at it anew with `flowkeep retention plan`"
        )


def _certify(at: Desk, text: dict[str, Any]) -> None:
    """Sign the certificate of a run and keep it."""
    path = keep(at.files.certificates, signed(text, at.key))
    at.record("certificate", {"run": text["certificate"], "file": path.name, "rows": text["rows"]})


def _report(made: Plan, done: list[Purged], name: str, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json(_as_json(made, done, name, dry_run))
    else:
        _print_done(made, done, dry_run)
    if made.findings:
        raise typer.Exit(FINDING)


def _as_json(made: Plan, done: Iterable[Purged], name: str, dry_run: bool) -> dict[str, Any]:
    done = list(done)
    return {
        "dry_run": dry_run,
        "plan": name,
        "due": [
            {"table": step.partition.table, "class": step.partition.retention_class, "day": step.partition.day,
             "rows": step.partition.rows, "bytes": step.partition.bytes, "reason": step.reason,
             "holds": list(step.holds), "held": step.held}
            for step in made.steps
        ],
        "expiry": [step.reason for step in made.expiry],
        "purged_partitions": len(done),
        "purged_rows": sum(purged.rows for purged in done),
        "purged_bytes": sum(purged.bytes for purged in done),
        "findings": [finding.text for finding in made.findings],
    }  # fmt: skip


def _print_done(made: Plan, done: list[Purged], dry_run: bool) -> None:
    for change in made.expiry:
        print(f"{'would change' if dry_run else 'changed'} ClickHouse's own expiry: {change.reason}")
    for step in made.steps:
        verb = "would drop" if dry_run else "dropped"
        held = f"; {step.held:,} of them stay, copied, under {', '.join(step.holds)}" if step.holds else ""
        print(f"{verb} {step.partition.rows:,} rows of {step.partition.table}: {step.reason}{held}")
    if made.is_empty:
        print("nothing is due")
    elif not dry_run:
        print(f"{sum(purged.rows for purged in done):,} rows gone, verified")
    for finding in made.findings:
        print(f"look at this: {finding.text}")
