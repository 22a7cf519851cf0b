"""Reports come in: originals are kept, duplicates folded, cases opened by holder, flows held, and verdicts given."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from abuse import safety
from abuse.desk import Desk
from abuse.investigation import investigate
from abuse.store import Case, Filed
from abuse.who import Answer, answers
from intake.limits import LIMITS
from intake.read import read
from intake.report import Message, Report
from settings.errors import ConfigError

_SAME_CASE = timedelta(days=7)
"""Reports about an address, its holder and one kind belong together while they are about times so near each other."""
_MAILDIR = ("new", "cur")


@dataclass(slots=True)
class Taken:
    """What came of files: cases opened (`opened`) and added to, reports new and known, parts that could not be read.

    `known` messages came in before, whole; `rows` of flows are held; `problems` are bounds that were met.
    """

    messages: int = 0
    known: int = 0
    reports: int = 0
    duplicates: int = 0
    unread: int = 0
    rows: int = 0
    opened: list[Case] = field(default_factory=list)
    added: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def messages(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the octets of each file: of those named, and those in a folder or maildir, by their names.

    ConfigError for one that cannot be opened.
    """
    for path in paths:
        found = [path]
        if path.is_dir():
            parts = [path / name for name in _MAILDIR] if (path / "new").is_dir() else [path]
            found = sorted(file for part in parts for file in part.glob("*") if file.is_file())
        for file in found:
            yield file.name, _octets(file)


def take(
    desk: Desk, given: Iterable[tuple[str, bytes]], zone: tzinfo | None = None, tolerance: timedelta | None = None
) -> Taken:
    """Take in messages, each by a name and its octets; what was taken in before is passed over.

    Each is done whole or not. `zone` is that of times without one, where somebody knows it.
    """
    taken = Taken()
    taken.rows += safety.finish(desk)
    if left := {one.case for one in desk.store.unfinished()}:
        investigate(desk, left, tolerance)
    for name, octets in given:
        digest = hashlib.sha256(octets).hexdigest()
        if zone is None and desk.store.is_done(digest):  # a folder is taken in again and again
            taken.known += 1
            continue
        message = read(octets, name, desk.now, zone)
        desk.record("case", {"what": "message taken in", "sha256": digest, "reports": len(message.reports)})
        opened, filed = _file(desk, message, digest, name, octets, taken)
        taken.rows += safety.keep(desk, filed)
        investigate(desk, {one.case for one in filed}, tolerance)
        taken.opened += opened
        taken.added |= {one.case for one in filed}.difference(case.id for case in opened)
    return taken


def _octets(path: Path) -> bytes:
    """Return a file's octets, no more than are read of a message and one."""
    try:
        with path.open("rb") as file:
            return file.read(LIMITS.message + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {os.strerror(error.errno or 0)}") from None


def _file(
    desk: Desk, message: Message, digest: str, name: str, octets: bytes, taken: Taken
) -> tuple[list[Case], list[Filed]]:
    """Put a message and its reports on file; return the cases that it opened, and the reports that are new."""
    holders = answers(desk.query, [(one.address, one.when.earliest, one.when.latest) for one in message.reports])
    opened: list[Case] = []
    filed: list[Filed] = []
    spans: dict[str, tuple[datetime, datetime]] = {}
    with desk.store.changing():
        is_new = desk.store.keep(digest, desk.now, name, message.sender, message.subject, octets)
        for part in message.unread:
            desk.store.set_aside(digest, part.place, part.why, part.excerpt)
        for report in message.reports:
            if desk.store.again(report.digest, is_new):
                taken.duplicates += 1
                continue
            answer = holders[report.address, report.when.earliest, report.when.latest]
            case = _case_of(desk, report, answer, spans)
            if case is None:
                case = desk.store.open(desk.now, desk.person, report.kind, str(report.address), answer.tenants)
                opened.append(case)
            filed.append(desk.store.file(case.id, report, digest))
            first, last = spans.get(case.id, _ends(report))
            spans[case.id] = min(first, report.when.earliest), max(last, report.when.latest)
            desk.store.happen(
                case.id, desk.now, desk.person, "reported", {"report": report.digest, "by": report.reporter}
            )
    taken.messages += 1
    taken.reports += len(filed)
    taken.unread += len(message.unread)
    taken.problems += message.problems
    return opened, filed


def _case_of(desk: Desk, report: Report, answer: Answer, spans: dict[str, tuple[datetime, datetime]]) -> Case | None:
    """Return the open case that a report belongs to; `spans` are the times that cases are about, as far as known."""
    for case in desk.store.open_of(str(report.address)):
        if case.tenants != answer.tenants or (case.kind and report.kind and case.kind != report.kind):
            continue
        if case.id not in spans:
            times = [moment for one in desk.store.reports([case.id]) for moment in _ends(one.report)]
            spans[case.id] = min(times), max(times)
        first, last = spans[case.id]
        if first - _SAME_CASE <= report.when.latest and report.when.earliest <= last + _SAME_CASE:
            return case
    return None


def _ends(report: Report) -> tuple[datetime, datetime]:
    return report.when.earliest, report.when.latest
