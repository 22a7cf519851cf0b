"""`flowkeep case evidence`, `verify`, `notice`, `reply` and `xarf`: what goes out of a case."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from abuse import answers
from abuse.bag_archive import archive
from abuse.evidence import gather
from abuse.standalone_bag import BAD
from abuse.standalone_evidence import UsageError, verdict, verify
from abuse.timestamp import Authority
from cli.case_desk import abuse_desk
from cli.options import ConfigOption, JsonOption, print_json
from settings.errors import FINDING, ConfigError, RefusalError

CaseId = Annotated[str, typer.Argument(metavar="CASE", help="The case, as `flowkeep case list` names it.")]


def add_to(commands: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (evidence, notice, reply, xarf):
        commands.command()(command)
    commands.command(name="verify")(verify_bag)


def evidence(
    id: CaseId,
    to: Annotated[Path, typer.Option("--to", help="The new directory; or a new file that ends in .zip or .tar.")],
    masked: Annotated[bool, typer.Option("--masked", help="Hide far ends that no report names.")] = False,
    tsa: Annotated[str | None, typer.Option(help="Address of a time stamp authority (RFC 3161).")] = None,
    tsa_ca: Annotated[Path | None, typer.Option(help="Its certificates (PEM).")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pack the evidence of a case: rows, verdicts, policy and proofs, signed, with the program that verifies it."""
    authority = Authority(tsa, tsa_ca) if tsa else None
    packed_as = to.suffix in (".zip", ".tar")
    directory = to.with_suffix("") if packed_as else to
    with abuse_desk(config) as desk:
        case = desk.store.case(id)
        packed = gather(desk, case, directory, authority.stamp if authority else None, masked)
        with desk.store.changing():
            told = {"manifest_sha256": packed.manifest_sha256, "masked": masked}
            desk.store.happen(case.id, desk.now, desk.person, "evidence", told)
    path = archive(packed.path, to) if packed_as else packed.path
    if as_json:
        print_json({"path": str(path), "manifest_sha256": packed.manifest_sha256, "entry": packed.entry.seq})
    else:
        print(f"{path}: sealed; its manifest {packed.manifest_sha256} is entry {packed.entry.seq} of the ledger")


def verify_bag(
    bag: Annotated[Path, typer.Argument(help="A directory with evidence.")],
    key: Annotated[str | None, typer.Option(help="Public key from elsewhere: a file, or 64 digits.")] = None,
    tsa_ca: Annotated[Path | None, typer.Option(help="Certificates of the time stamp authority (PEM).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify evidence, as its own verify_evidence.py does; exit 1 where anything is wrong."""
    try:
        checks = verify(str(bag), key, (), str(tsa_ca) if tsa_ca else None)
    except UsageError as error:
        raise ConfigError(str(error)) from None
    if as_json:
        print_json({"verdict": verdict(checks), "checks": [check._asdict() for check in checks]})
    else:
        for check in checks:
            print(f"{check.verdict:4} {' '.join(filter(None, check[1:]))}")
        print(verdict(checks))
    if any(check.verdict == BAD for check in checks):
        raise typer.Exit(FINDING)


Templates = Annotated[
    Path | None, typer.Option(help="Folder with your own notice.txt and reply.txt (Jinja).", show_default=False)
]


def notice(id: CaseId, templates: Templates = None, config: ConfigOption = None) -> None:
    """Print the notice to the tenant; of the far end it has a part of the address only."""
    _write("notice", id, templates, config)


def reply(id: CaseId, templates: Templates = None, config: ConfigOption = None) -> None:
    """Print the answer to the reporter; it does not say who the tenant is."""
    _write("reply", id, templates, config)


def xarf(
    id: CaseId,
    org: Annotated[str, typer.Option(help="Your organisation.")],
    contact: Annotated[str, typer.Option(help="Your mail address.")],
    config: ConfigOption = None,
) -> None:
    """Print the case as XARF v4, for whoever can end it."""
    with abuse_desk(config) as desk:
        case = desk.store.case(id)
        desk.record("export", {"case": case.id, "what": "xarf"})
        filed = desk.store.reports([case.id])
    sender = {"org": org, "contact": contact, "domain": contact.rpartition("@")[2]}
    print(answers.xarf(case, filed, sender, datetime.now(UTC)))


def _write(name: str, id_: str, templates: Path | None, config: Path | None) -> None:
    with abuse_desk(config) as desk:
        case = desk.store.case(id_)
        filed = desk.store.reports([case.id])
        before = sum(row[3] for tenant in case.tenants for row in desk.store.offences(tenant) if row[2] == "confirmed")
        text = answers.write(name, case, filed, before, templates)
        desk.record("case", {"case": case.id, "what": name})
        with desk.store.changing():
            desk.store.happen(case.id, desk.now, desk.person, name, {})
    sys.stdout.write(text)


def write_file(path: Path, octets: bytes) -> None:
    """Write a new file that its owner alone may read; RefusalError where there is one, or it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(octets)
    except OSError as error:
        raise RefusalError(f"{path}: {os.strerror(error.errno or 0)}") from None
    print(path)
