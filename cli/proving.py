"""`flowkeep retention verify`, `statement`, `what-if` and `certificate`: what can be shown to others."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import ConfigOption, JsonOption, configuration, print_json
from cli.plan_text import octets
from cli.retention_desk import desk, now
from cli.tables import print_table
from ledger.keys import is_signed, parse_public, public_file
from retention.certificate import canonical
from retention.held import altered
from retention.hold_store import load
from retention.policy import load_policy
from retention.runs import Files
from retention.seen import note, seen
from retention.statement import as_html, as_json, as_text, statement
from retention.verify import Check, Finding, measured, shadow, verify
from retention.what_if import changes, lost
from settings.config import Embedded
from settings.errors import FINDING, RefusalError
from storage.node_files import NodeFiles


class Form(StrEnum):
    """What a statement is printed as."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="verify")(verify_retention)
    app.command(name="statement")(print_statement)
    app.command(name="what-if")(what_if)
    app.command(name="certificate")(show_certificate)


def verify_retention(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Measure whether the policy's promises are kept; exit 1 with a list of what is kept too long or gone too early."""
    loaded = configuration(config)
    with desk(config) as at:
        found = at.look()
        before, holds = seen(at.client), load(at.client)
        findings = list(verify(at.client, at.policy, found, before, now()))
        findings += [Finding(Check.HOLD, text) for hold in holds for text in hold.findings(now())]
        findings += [Finding(Check.HOLD, text) for text in altered(at.client)]
        if isinstance(loaded.storage, Embedded):
            findings += shadow(NodeFiles.of(loaded.data_dir).node)
        oldest = measured(found, at.policy)
        note(at.client, found.partitions, before, now())
        at.record("verify", {"findings": len(findings), "policy": at.policy.edition})
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings], "oldest": [asdict(one) for one in oldest]})
    else:
        _print_verified(findings, oldest)
    if findings:
        raise typer.Exit(FINDING)


def _print_verified(findings: list[Finding], oldest: list[Any]) -> None:
    print_table(
        ("table", "class", "oldest row", "may stay until"),
        [(one.table, one.retention_class, f"{one.oldest:%Y-%m-%d %H:%M}Z", f"{one.until:%Y-%m-%d %H:%M}Z")
         for one in oldest],
    )  # fmt: skip
    for finding in findings:
        print(f"{finding.check.replace('_', ' ')}: {finding.text}")
    if not findings:
        print("all is kept as the policy says")


def print_statement(
    form: Annotated[Form, typer.Option("--format", help="text, html (a fragment) or json")] = Form.TEXT,
    config: ConfigOption = None,
) -> None:
    """Print the retention periods in plain words, the oldest row beside each: for a web site or a person who asks."""
    with desk(config) as at:
        lines = statement(at.policy, at.look(), now())
        version = at.policy.edition
    match form:
        case Form.TEXT:
            print(as_text(lines, version, now()))
        case Form.HTML:
            print(as_html(lines, version, now()), end="")
        case Form.JSON:
            print_json(as_json(lines, version, now()))


def what_if(
    policy: Annotated[Path, typer.Option(help="The policy to compare with the one in force.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare another policy with the one in force: octets, how far back one can look, what holds would have lost."""
    new = load_policy(policy, os.environ)
    with desk(config) as at:
        found = changes(at.policy, new, at.look(), now())
        holds = load(at.client)
        gone = lost(at.policy, new, holds)
    if as_json:
        print_json({"classes": [asdict(one) for one in found], "holds": len(holds),
                    "holds_with_loss": len({one.hold for one in gone}), "lost": list(map(asdict, gone))})  # fmt: skip
        return
    print_table(
        ("class", "kept for", "would be", "stored now", "would stay", "a full period", "back to", "would be back to"),
        [
            (one.name, _days(one.days), _days(one.new_days), octets(one.bytes), octets(one.left),
             octets(one.full) if one.full is not None else "-", one.first or "-", one.new_first or "-")
            for one in found
        ],
    )  # fmt: skip
    print(f"{len({one.hold for one in gone})} of {len(holds)} holds would have lost flows:")
    for one in gone:
        print(f"  {one.hold} ({one.reference}): {one.of} from {one.first} to {one.last}")


def _days(days: int | None) -> str:
    return f"{days} d" if days is not None else "not kept"


def show_certificate(
    name: Annotated[str, typer.Argument(help="Which; without it, all are listed.", show_default=False)] = "",
    check: Annotated[Path | None, typer.Option("--check", help="Check the signature of a certificate's file.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the certificates of purges, or check one's signature; exit 1 where it is not what was signed."""
    loaded = configuration(config)
    directory = Files.of(loaded.data_dir).certificates
    if check is not None:
        _check(check, loaded.data_dir / "ledger")
    elif name:
        path = directory / f"{Path(name).name.removesuffix('.json')}.json"
        if not path.exists():
            raise RefusalError(f"there is no certificate {name}; `flowkeep retention certificate` lists them")
        print(path.read_text(), end="")
    else:
        found = [json.loads(path.read_text()) for path in sorted(directory.glob("*.json"))]
        if as_json:
            print_json(found)
            return
        print_table(
            ("certificate", "issued", "partitions", "rows", "octets", "verified"),
            [(one["certificate"], one["issued"], one["partitions"], one["rows"], one["octets"],
              "yes" if one["verified"] else "NO") for one in found],
        )  # fmt: skip


def _check(path: Path, ledger: Path) -> None:
    try:
        text = json.loads(path.read_text())
        key = parse_public((ledger / public_file(Path(text["key"]).name)).read_bytes())
        good = is_signed(key.public.encode(), canonical(text), text["signature"])
    except (OSError, ValueError, KeyError, TypeError):
        raise RefusalError(f"{path}: not readable as a certificate") from None
    if not good:
        raise RefusalError(f"{path}: the signature is not of this text, or not by a key of ours")
    print(f"{path}: signed by key {text['key']}")
