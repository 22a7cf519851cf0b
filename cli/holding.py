"""`flowkeep hold`: place, list, show, extend and release holds, and copy what they cover."""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.hold_output import Copied, hold_json, limits, print_copied, print_findings, print_hold, print_holds
from cli.options import ConfigOption, JsonOption, configuration, ledger_of, print_json
from query.timespan import moment
from retention.copies import records
from retention.held import covers, kept, secure
from retention.hold_store import append, events, load
from retention.holds import DELAYS, Action, Clock, Event, Hold, Kind, active
from retention.plan import key_of
from retention.runs import Files
from retention.scope import Scope, parse_connection, parse_network
from retention.stored import stored
from settings.config import Config
from settings.errors import FINDING, ConfigError, RefusalError
from storage.client import Client, connect
from storage.held_tables import HELD_COLUMNS

_ON_LEDGER: Mapping[str, str] = {
    Action.PLACED: "hold_placed",
    Action.EXTENDED: "hold_extended",
    Action.RELEASE_REQUESTED: "release_requested",
    Action.RELEASE_APPROVED: "hold_released",
    Action.RELEASE_CANCELLED: "release_cancelled",
    Action.SCOPE_CHANGED: "hold_changed",
    Action.CASES_CLOSED: "hold_released",
}
_RELEASES = (Action.RELEASE_REQUESTED, Action.RELEASE_APPROVED)
_COPY_SECONDS = 3600
"""Patience with one copy: a hold of everything copies a whole day."""

app = typer.Typer(help="Keep rows past their age: legal and safety holds.", no_args_is_help=True)


def add_to(commands: typer.Typer) -> None:
    """Add the commands of this file."""
    commands.add_typer(app, name="hold")


HoldId = Annotated[str, typer.Argument(metavar="ID", help="The hold, as `flowkeep hold list` names it.")]


@app.command()
def place(
    kind: Annotated[Kind, typer.Option(help="Why rows are held.")],
    clock: Annotated[Clock, typer.Option(help="How long: 60 + 30 days, 90 + 90, until the case is closed, or --days.")],
    reference: Annotated[str, typer.Option(metavar="CASE", help="Number of the case, order or ticket.")],
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    tenant: Annotated[list[str] | None, typer.Option(help="A tenant; may be repeated, as the next three.")] = None,
    address: Annotated[list[str] | None, typer.Option(help="A host, by any address that a row has of it.")] = None,
    prefix: Annotated[list[str] | None, typer.Option(help="A network.")] = None,
    flow: Annotated[list[str] | None, typer.Option(help="'SRC:PORT DST:PORT PROTO', in either direction.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Hold everything.")] = False,
    since: Annotated[str | None, typer.Option(help="Rows received since then; all if not given.")] = None,
    until: Annotated[str | None, typer.Option(help="Rows received before then; a running hold if not given.")] = None,
    days: Annotated[int | None, typer.Option(help="Days of a safety hold, or between reviews of a case.")] = None,
    review: Annotated[str | None, typer.Option(metavar="DATE", help="When to look at it again.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place a hold, copy at once what it covers, and say what of it is gone already."""
    now = datetime.now(UTC)
    hosts = [*(address or ()), *(prefix or ())]
    scope = Scope(
        tuple(tenant or ()),
        tuple(map(parse_network, hosts)),
        tuple(map(parse_connection, flow or ())),
        everything,
        moment(since).astimezone(UTC) if since else None,
        moment(until).astimezone(UTC) if until else None,
    )
    details = {
        "kind": kind.value, "clock": clock.value, "days": days, "scope": scope.as_json(), "reference": reference,
        "reason": reason, "review": moment(review).isoformat() if review else None,
    }  # fmt: skip
    event = Event(f"{now:%Y%m%d}-{secrets.token_hex(3)}", 1, now, Action.PLACED, person(), details)
    loaded = configuration(config)
    with _database(loaded) as database:
        hold = _act(loaded, database, event)
        copied = _copy(database, load(database), now, hold)
    if as_json:
        print_json(_with_copies(hold, copied, now))
    else:
        print_copied(hold, copied)


@app.command(name="list")
def list_holds(
    over: Annotated[bool, typer.Option("--all", help="Those that are over too.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the holds that are active; exit 1 where a person has to look at one."""
    now = datetime.now(UTC)
    with _database(configuration(config)) as database:
        holds = load(database)
    shown = holds if over else active(holds, now)
    if as_json:
        print_json([hold_json(hold, now) for hold in shown])
    elif shown:
        print_holds(shown, now)
    else:
        print("there is no hold" if over else "no hold is active")
    found = any(hold.findings(now) for hold in shown) if as_json else print_findings(shown, now)
    if found:
        raise typer.Exit(FINDING)


@app.command()
def show(id: HoldId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show all of a hold: what it covers, what happened to it, and its copies; exit 1 as `list`."""
    now = datetime.now(UTC)
    with _database(configuration(config)) as database:
        hold = _one(load(database), id)
        happened = [event for event in events(database) if event.hold == hold.id]
        latest = [copies[-1] for copies in records(database).values() if hold.id in copies[-1].holds]
    if as_json:
        told = [{"time": e.time.isoformat(), "action": e.action, "by": e.by, "details": e.details} for e in happened]
        rows = [{"table": c.key[0], "class": c.key[1], "day": c.key[2], "rows": c.totals.rows} for c in latest]
        print_json(hold_json(hold, now) | {"events": told, "copies": rows})
    else:
        print_hold(hold, happened, latest, now)
    found = bool(hold.findings(now)) if as_json else print_findings([hold], now)
    if found:
        raise typer.Exit(FINDING)


@app.command()
def extend(id: HoldId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Extend a hold: by its clock, once; a case's by another review."""
    _happen(config, id, Action.EXTENDED, {}, as_json)


@app.command()
def release(
    id: HoldId,
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    delay: Annotated[
        int | None, typer.Option(metavar="DAYS", help="How long it still holds then; legal ones 30 if not given.")
    ] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Request that a hold is released; another person has to approve it."""
    _happen(config, id, Action.RELEASE_REQUESTED, {"reason": reason, "delay": delay}, as_json)


@app.command()
def approve(id: HoldId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Approve the release that another person requested."""
    _happen(config, id, Action.RELEASE_APPROVED, {}, as_json)


@app.command(name="cancel-release")
def cancel_release(id: HoldId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Take a release back, requested or approved, while the hold still holds."""
    _happen(config, id, Action.RELEASE_CANCELLED, {}, as_json)


@app.command()
def copy(
    id: Annotated[str | None, typer.Argument(metavar="ID", help="Only what this hold covers.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy what active holds cover and is not copied yet, and verify the copies."""
    now = datetime.now(UTC)
    loaded = configuration(config)
    with _database(loaded) as database:
        holds = load(database)
        one = _one(holds, id) if id else None
        if one and not one.is_active(now):
            raise RefusalError(f"hold {one.id} is over ({one.state(now)}); it covers nothing any more")
        copied = _copy(database, holds, now, one)
        details: dict[str, Any] = {"hold": id or "all", "partitions": copied.copied}
        ledger_of(loaded).append("hold_copy", details, actor=person(), now=now)
    if as_json:
        print_json({"rows": sum(copied.rows.values()), "partitions_copied": copied.copied})
    elif one:
        print_copied(one, copied)
    else:
        print(f"holds cover {sum(copied.rows.values()):,} rows; {copied.copied} partitions copied and verified")


def person() -> str:
    """Return who gives the command, as the system knows: behind sudo, the one who called it."""
    behind = os.environ.get("SUDO_USER", "")
    if behind and os.geteuid() == 0:
        return behind
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # as in a container, whose users have numbers only
        return f"uid {os.getuid()}"


def _database(config: Config) -> Client:
    return connect(config.storage, config.data_dir, "retention", _COPY_SECONDS)


def _happen(path: Path | None, id: str, action: Action, details: dict[str, Any], as_json: bool) -> None:
    """Have the event happen to the hold, and say how it stands then."""
    now = datetime.now(UTC)
    loaded = configuration(path)
    with _database(loaded) as database:
        hold = _one(load(database), id)
        if details.get("delay", 0) is None:
            details["delay"] = DELAYS[hold.kind]
        hold = _act(loaded, database, Event(hold.id, hold.events + 1, now, action, person(), details))
    if as_json:
        print_json(hold_json(hold, now))
    else:
        print_holds([hold], now)


def _act(config: Config, database: Client, event: Event) -> Hold:
    """Put the event on record; a refused one is on record as such. The scope is not: it names persons.

    A release goes on the ledger before it happens, or it does not; nothing else that happens to a hold destroys.
    """
    ledger, releases = ledger_of(config), event.action in _RELEASES
    said = {"hold": event.hold, "reference": event.details.get("reference"), "reason": event.details.get("reason")}
    said = {name: text for name, text in said.items() if text}
    if releases:
        ledger.append(_ON_LEDGER[event.action], said, actor=event.by, now=event.time)
    try:
        with Files.of(config.data_dir).alone():
            hold = append(database, event)
    except RefusalError as refusal:
        ledger.append("refusal", said | {"action": event.action, "why": str(refusal)}, actor=event.by, now=event.time)
        raise
    if not releases:
        ledger.append(_ON_LEDGER[event.action], said, actor=event.by, now=event.time)
    return hold


def _one(holds: Iterable[Hold], id: str) -> Hold:
    found = next((hold for hold in holds if hold.id == id), None)
    if found is None:
        raise ConfigError(f"there is no hold '{id}'; `flowkeep hold list --all` has them all")
    return found


def _copy(database: Client, holds: tuple[Hold, ...], now: datetime, one: Hold | None) -> Copied:
    """Copy what is not copied yet of what active holds cover, or of the partitions that `one` covers rows of."""
    partitions = [partition for partition in stored(database) if partition.table in HELD_COLUMNS]
    found = covers(database, holds, partitions, now)
    mine = covers(database, [one], partitions, now) if one else found
    due = [each for each in partitions if mine[key_of(each)].rows and not found[key_of(each)].copied]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("copying", total=len(due))
        for partition in due:
            progress.update(task, description=f"copying {partition.table} {partition.day}")
            secure(database, holds, partition, now)
            progress.advance(task)
    oldest = min((each.oldest for each in partitions if each.oldest), default=None)
    rows = {key: cover.rows for key, cover in mine.items() if cover.rows}
    gone = {key: there for key, there in kept(database, [one] if one else holds, now).items() if key not in mine}
    return Copied(rows, len(due), sum(gone.values()), oldest)


def _with_copies(hold: Hold, copied: Copied, now: datetime) -> dict[str, Any]:
    rows = [
        {"table": table, "class": name, "day": day, "rows": rows}
        for (table, name, day), rows in sorted(copied.rows.items())
    ]
    return hold_json(hold, now) | {
        "rows": rows,
        "partitions_copied": copied.copied,
        "rows_held_already": copied.already,
        "oldest_row": copied.oldest,
        "limits": limits(hold, copied.oldest),
    }
