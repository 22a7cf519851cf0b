"""`flowkeep case`: reports taken in, what the flows show of them, and the work on a case to its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from abuse import casework
from abuse.investigation import investigate
from abuse.store import Store
from abuse.surroundings import surroundings
from abuse.taking import messages, take
from cli import case_output, case_papers, case_serving
from cli.case_desk import abuse_desk
from cli.options import ConfigOption, JsonOption, configuration, print_json, zone_named
from query.timespan import length
from settings.errors import FINDING

app = typer.Typer(help="Abuse reports: who it was, what the flows show, evidence and answers.", no_args_is_help=True)


def add_to(commands: typer.Typer) -> None:
    """Add the commands of this file."""
    commands.add_typer(app, name="case")


case_papers.add_to(app)
app.command()(case_serving.serve)
CaseId = Annotated[str, typer.Argument(metavar="CASE", help="The case, as `flowkeep case list` names it.")]


@app.command(name="take")
def take_in(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Mails, XARF, CSV or text; or a folder or maildir of these.")
    ],
    zone: Annotated[
        str | None, typer.Option(help="The zone of times without one, where you know it: Europe/Berlin.")
    ] = None,
    tolerance: Annotated[str, typer.Option(help="By how much the reporters' clocks may be wrong.")] = "5m",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in reports: open cases, hold their flows, and say what these show; exit 1 where any could not be read."""
    width = length(tolerance, "--tolerance")
    with abuse_desk(config) as desk:
        taken = take(desk, messages(paths), zone_named(zone), width)
        filed = desk.store.reports([case.id for case in taken.opened] + sorted(taken.added))
    if as_json:
        print_json(case_output.taken_json(taken, filed))
    else:
        case_output.print_taken(taken, filed)
    if taken.unread or taken.problems:
        raise typer.Exit(FINDING)


@app.command(name="list")
def list_cases(
    over: Annotated[bool, typer.Option("--all", help="Those that are closed too.")] = False,
    address: Annotated[str | None, typer.Option(help="Only those about this address.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only those about this tenant.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the cases that are open, the oldest first, with the verdict on their first report."""
    with _store(config) as store:
        cases = [
            case
            for case in store.cases(over)
            if (address is None or case.address == address) and (tenant is None or tenant in case.tenants)
        ]
        filed = store.reports(case.id for case in cases)
    if as_json:
        verdicts: dict[str, list[str]] = {case.id: [] for case in cases}
        for one in filed:
            verdicts[one.case].append(str(one.verdict.get("verdict", "")))
        print_json([case.as_json() | {"verdicts": verdicts[case.id]} for case in cases])
    else:
        case_output.print_cases(cases, filed)


@app.command()
def show(id: CaseId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show a case: its reports with their verdicts and reasons, who held the address, what happened, earlier cases."""
    with _store(config) as store:
        case = store.case(id)
        filed, events = store.reports([case.id]), store.events(case.id)
        offences = {tenant: store.offences(tenant) for tenant in case.tenants}
    if as_json:
        print_json(case_output.case_json(case, filed, events, offences))
    else:
        case_output.print_case(case, filed, events, offences)


@app.command()
def flows(id: CaseId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show what was around it: minute by minute, far ends, ports, and other tenants with the same far end.

    It is on the ledger, as every look at flows for a case.
    """
    with abuse_desk(config) as desk:
        case = desk.store.case(id)
        desk.look(case.id, "surroundings")
        claims = case_output.claims_of(desk.store.reports([case.id]))
        found = [surroundings(desk.query, claim, desk.source(*claim.near)) for claim in claims]
    if as_json:
        print_json([one.as_json() for one in found])
    else:
        for claim, one in zip(claims, found, strict=True):
            case_output.print_surroundings(claim, one)


@app.command()
def judge(
    id: CaseId,
    tolerance: Annotated[str, typer.Option(help="By how much the reporters' clocks may be wrong.")] = "5m",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at the flows again, and give each report of a case its verdict anew."""
    with abuse_desk(config) as desk:
        case = desk.store.case(id)
        filed = investigate(desk, [case.id], length(tolerance, "--tolerance"))
    if as_json:
        print_json([dict(one.verdict) for one in filed])
    else:
        case_output.print_verdicts(filed)


@app.command()
def note(id: CaseId, text: Annotated[str, typer.Argument(help="What to note.")], config: ConfigOption = None) -> None:
    """Write a note to a case."""
    with abuse_desk(config) as desk:
        casework.note(desk, id, text)


@app.command()
def assign(
    id: CaseId, to: Annotated[str, typer.Argument(help="Who works on it.")], config: ConfigOption = None
) -> None:
    """Give a case to somebody."""
    with abuse_desk(config) as desk:
        case = casework.assign(desk, id, to)
    print(f"{case.id}: {case.state}, {case.assignee}")


@app.command()
def state(
    id: CaseId, to: Annotated[str, typer.Argument(help="open, investigating or waiting.")], config: ConfigOption = None
) -> None:
    """Bring a case into another state."""
    with abuse_desk(config) as desk:
        case = casework.move(desk, id, to)
    print(f"{case.id}: {case.state}")


@app.command()
def close(
    id: CaseId,
    outcome: Annotated[str, typer.Option(help="confirmed, unfounded or unresolved.")],
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a case: it counts for its tenants, and its holds end, or narrow to what other cases need."""
    with abuse_desk(config) as desk:
        case, holds = casework.close(desk, id, outcome, reason)
    if as_json:
        print_json(case.as_json() | {"holds_ended": holds})
    else:
        print(f"{case.id}: closed, {outcome}; the next purge takes what nothing holds")
        for name, ended in holds.items():
            print(f"hold {name} {'has ended' if ended else 'goes on for other cases'}")


@app.command()
def unread(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List what could not be read of reports, and why; exit 1 if there is any."""
    with _store(config) as store:
        found = store.unread()
    if as_json:
        print_json(found)
    else:
        case_output.print_unread(found)
    if found:
        raise typer.Exit(FINDING)


@app.command()
def original(
    id: CaseId,
    to: Annotated[Path, typer.Option("--to", help="Folder to write the files to.")],
    config: ConfigOption = None,
) -> None:
    """Write the messages that a case came from, octet for octet, into a folder."""
    with abuse_desk(config) as desk:
        desk.look(desk.store.case(id).id, "originals")
        for digest in dict.fromkeys(one.message for one in desk.store.reports([id])):
            case_papers.write_file(to / digest, desk.store.original(digest)[1])


@app.command()
def offences(
    tenant: Annotated[str, typer.Argument(help="A tenant.")], config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Show how many cases of a tenant were closed, by month, kind and outcome; this outlives the cases."""
    with _store(config) as store:
        rows = store.offences(tenant)
    if as_json:
        print_json([dict(zip(("month", "kind", "outcome", "cases"), row, strict=True)) for row in rows])
    else:
        case_output.print_offences(rows)


@contextmanager
def _store(config: Path | None) -> Iterator[Store]:
    """Open the cases alone: nothing of this needs ClickHouse."""
    with Store.of(configuration(config).data_dir) as store:
        yield store
