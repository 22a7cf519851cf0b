"""Feedback reports of mailbox providers: ARF (RFC 5965), with Source-Port (RFC 6692)."""

from __future__ import annotations

from intake import addresses, kinds, mime
from intake.errors import UnreadError
from intake.found import Found
from intake.mail import Part
from intake.mime import Entity
from intake.report import Report, When
from intake.text import printable
from intake.times import Calendar

_TIMES = ("arrival-date", "received-date")


def read(part: Part, found: Found) -> None:
    """Read the one report of the part."""
    limits = part.known.limits
    told = mime.entity(part.octets.strip() + b"\n\n", limits)
    excerpt = " ".join(f"{name}: {values[0]}" for name, values in told.fields.items())
    place = part.place or "feedback report"
    kind = told.words("feedback-type", 100)
    if kind.lower() == "not-spam":
        found.miss(place, "the recipient says that the mail is no spam: nothing is claimed", excerpt)
        return
    try:
        address, port = addresses.source(told.first("source-ip")[:200])
        when = _when(told, part)
    except UnreadError as fault:
        found.miss(place, str(fault), excerpt)
    else:
        port = addresses.port(told.first("source-port")) or port
        known = part.known
        reporter = known.reporter or printable(told.first("reporting-mta").rpartition(";")[2], 200)
        shown = printable(excerpt, limits.excerpt)
        kind = kinds.of_feedback(kind)
        found.claim(
            Report(address, when, "arf", port, kind=kind, reporter=reporter, reference=known.reference, excerpt=shown)
        )


def _when(told: Entity, part: Part) -> When:
    """Return when the mail arrived, by the report or else by the topmost Received of the mail it is about."""
    calendar = Calendar(part.known.now, part.known.zone)
    written = next((told.first(name) for name in _TIMES if told.first(name)), "")
    if written:
        return calendar.when(written[:100])
    received = part.original.first("received") if part.original else ""
    if not received:
        raise UnreadError("no time: it has no Arrival-Date, and the mail it is about has no Received")
    return calendar.when(received.rpartition(";")[2][:100])
