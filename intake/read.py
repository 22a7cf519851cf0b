"""The one entry: the octets of a file or mail to the claims in it. It never raises, whatever the octets are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from intake import arf, documents, freetext, mail, markup, rows, table
from intake.archives import Room
from intake.errors import UnreadError
from intake.found import Found, Known
from intake.limits import LIMITS, Limits
from intake.mail import Opening, Part
from intake.report import Message, Report, Unread
from intake.text import cleaned, decoded
from intake.times import Calendar

_SILENT = ("image/", "audio/", "video/", "font/", "application/pgp-", "application/pkcs7-", "application/x-pkcs7-")
"""Types of parts that claim nothing: logos and signatures."""
_BINARY = 0.05
"""The share of control characters above which a part is no text."""
_MOST_CONTROLS = 16
_CONTROLS = frozenset(map(chr, range(32))) - set("\t\r\n\f\x1b")
_SAMPLE = 4_096


@dataclass(frozen=True, slots=True)
class _Text:
    """A part that no structured form was recognised in."""

    part: Part
    text: str


def read(octets: bytes, name: str, now: datetime, zone: tzinfo | None = None, limits: Limits = LIMITS) -> Message:
    """Return the claims in a file or mail, and what of it could not be read.

    `name` is the file's, a hint only. `now` is aware; times after it are refused. `zone` is assumed for times without
    one, which span all zones where it is None. Free text is read only where no part with a form of its own gave any.
    """
    found = Found(limits)
    if len(octets) > limits.message:
        found.bound(
            f"{len(octets) >> 20} MiB, of which nothing is read: at most {limits.message >> 20} MiB are; split it"
        )
        return Message(problems=tuple(found.problems))
    opening = Opening(found, Room(limits.unpacked))
    texts = [
        text
        for part in opening.parts_of(octets, name, Known(now.astimezone(UTC), zone, limits))
        if (text := _structured(part, found))
    ]
    if not found.reports:
        named = [freetext.read(text.text, text.part.place, text.part.known, found) for text in texts]
        if not any(named) and not found.unread and not found.problems:
            found.miss(name, "no IP address of a source is in it", texts[0].text if texts else "")
    outer = opening.outermost
    return Message(
        reports=tuple(_once(found.reports)),
        unread=(*found.unread, *_not_named(found)),
        sender=outer.sender if outer else "",
        subject=outer.subject if outer else "",
        problems=tuple(found.problems),
    )


def _structured(part: Part, found: Found) -> _Text | None:
    """Read the part if it has a form of its own; else return it as text, or None if it is none."""
    if part.media == mail.FEEDBACK:
        arf.read(part, found)
        return None
    if part.media.startswith(_SILENT) or not part.octets.strip():
        return None
    raw = decoded(part.octets, part.charset)
    if _is_binary(raw):
        found.miss(part.place, f"no text{f' ({part.media})' if part.media else ''}: ask for text, CSV or JSON")
        return None
    if documents.may_be_json(raw) and _read_json(raw, part, found):
        return None
    text = cleaned(raw)
    if part.media == "text/html" or markup.is_markup(text):
        most = part.known.limits.markup
        if len(text) > most:
            found.bound(f"{part.place or 'the page'}: HTML of more than {most:,} characters is not read")
            return None
        text = cleaned(markup.shown(text))
    if part.is_cut and not text.endswith("\n"):
        found.bound(f"{part.place or 'the mail'} ends in the middle: its last line is not read")
        text = text[: text.rfind("\n") + 1]
    calendar = Calendar(part.known.now, part.known.zone)
    layout = table.layout(text, calendar, part.known.limits)
    if layout:
        rows.read(text, layout, part.place, part.name, part.known, found)
        return None
    return _Text(part, text)


def _read_json(text: str, part: Part, found: Found) -> bool:
    """Read JSON; False where it is none after all, but a text that begins with a bracket."""
    before = len(found.reports)
    try:
        documents.read(documents.values(text), part.place, part.known, found)
    except UnreadError as fault:
        is_declared = part.media.endswith("json") or part.name.lower().endswith((".json", ".xarf"))
        if not is_declared and len(found.reports) == before and text.lstrip()[:1] == "[":
            return False
        found.miss(part.place, str(fault), text[:1000])
    return True


def _is_binary(text: str) -> bool:
    sample = text[:_SAMPLE]
    controls = sum(letter in _CONTROLS for letter in sample)
    return text.startswith("%PDF-") or controls > max(_MOST_CONTROLS, len(sample) * _BINARY)


def _once(reports: Iterable[Report]) -> Iterable[Report]:
    """Yield each claim once: a mail often holds it as text and as an attachment."""
    seen = set()
    for report in reports:
        told = (
            report.address, report.port, report.target, report.target_port, report.protocol, report.kind,
            report.when.earliest, report.when.latest, report.reporter.casefold(),
        )  # fmt: skip
        if told not in seen:
            seen.add(told)
            yield report


def _not_named(found: Found) -> tuple[Unread, ...]:
    if not found.not_named:
        return ()
    return (Unread("the message", f"{found.not_named:,} more places cannot be read, for such reasons"),)
