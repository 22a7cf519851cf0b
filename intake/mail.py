"""From the octets of a file to the parts that can be read: mails opened, archives unpacked, all within the limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from intake import archives, mime
from intake.archives import Room, TooLargeError
from intake.errors import UnreadError
from intake.found import Found, Known
from intake.mime import Entity
from intake.text import printable
from intake.times import Calendar

_MAILS = ("message/rfc822", "message/global")
_ORIGINALS = (*_MAILS, "text/rfc822-headers", "message/rfc822-headers", "message/global-headers")
FEEDBACK = "message/feedback-report"
_UNTOLD = ("", "application/octet-stream")
_ADDRESS = re.compile(r"[A-Za-z0-9._%+=~-]{1,64}@[A-Za-z0-9.-]{1,190}", re.ASCII)
_TICKET = re.compile(
    r"(?i:\b(?:ticket|case|incident|reference|ref|report[ -]id|complaint)\b[ :.#]{1,3}|\[|#)"
    r"(?P<ticket>#?[A-Za-z]{0,10}[-_#]?[0-9]{3,20}(?:-[A-Za-z0-9]{1,20})?)(?![\w.:/-])",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that holds no others, decoded from how it was sent, and what is known of the mail it is in.

    `original` is the mail that a feedback report is about; `is_cut` says that the part ends in the middle.
    """

    octets: bytes
    known: Known
    place: str = ""
    media: str = ""
    charset: str = ""
    name: str = ""
    is_cut: bool = False
    original: Entity | None = None


@dataclass(slots=True)
class Opening:
    """The opening of one message: what it has used up of its limits, and where bounds and faults are noted."""

    found: Found
    room: Room
    parts: int = 0
    outermost: Known | None = None
    """What the header of the message itself tells, where it is a mail."""

    def parts_of(self, octets: bytes, name: str, known: Known) -> Iterator[Part]:
        """Yield the parts of a file."""
        shown = printable(name, 200)
        begun = octets.lstrip(b"\xef\xbb\xbf\r\n")
        held = begun if mime.is_mail(begun, known.limits) else octets
        yield from self._opened(Part(held, known, shown, name=shown), 0)

    def _opened(self, part: Part, depth: int) -> Iterator[Part]:
        limits = part.known.limits
        self.parts += 1
        if self.parts > limits.parts:
            self.found.bound(f"only the first {limits.parts} parts of the message are looked at")
        elif depth > limits.nesting:
            self.found.bound(f"{part.place or 'a part'} is inside {limits.nesting} others, and is not looked at")
        elif archives.is_zip(part.octets) or archives.is_gzip(part.octets):
            yield from self._unpacked(part, depth)
        elif part.media in _MAILS or (part.media in _UNTOLD and mime.is_mail(part.octets, limits)):
            whole = mime.entity(part.octets, limits, part.is_cut)
            if whole.is_header_cut:
                self.found.bound(f"{part.place or 'the mail'}: its header is longer than is read")
            known = envelope(whole, part.known)
            if depth == 0:
                self.outermost = known
            yield from self._cut(whole, replace(part, known=known), depth)
        else:
            yield part

    def _cut(self, whole: Entity, part: Part, depth: int) -> Iterator[Part]:
        """Yield the parts of a mail, or of a part of one."""
        if not whole.media.startswith("multipart/"):
            octets, is_cut = mime.content(whole)
            name = whole.file_name
            place = f"{part.place} {name}".strip() if name != part.place else name
            charset = whole.parameter("charset")[:40]
            yield from self._opened(Part(octets, part.known, place, whole.media, charset, name, is_cut), depth + 1)
            return
        if depth >= part.known.limits.nesting:
            self.found.bound(f"{part.place or 'a part'} is inside {depth} others, and is not looked at")
            return
        most = part.known.limits.parts
        inside = list(islice(mime.parts(whole, part.known.limits), most + 1))
        if len(inside) > most:
            self.found.bound(f"only the first {most} parts of the message are looked at")
            inside.pop()
        feedback = next((inner for inner in inside if inner.media == FEEDBACK), None)
        if feedback:
            # What stands beside it is a greeting and the mail complained of: neither claims anything.
            original = next((inner for inner in inside if inner.media in _ORIGINALS), None)
            about = mime.entity(mime.content(original)[0], part.known.limits) if original else None
            octets, is_cut = mime.content(feedback)
            yield Part(octets, part.known, part.place, FEEDBACK, is_cut=is_cut, original=about)
            return
        if whole.media == "multipart/alternative" and any(inner.media == "text/plain" for inner in inside):
            inside = [inner for inner in inside if inner.media != "text/html"]
        for inner in inside:
            yield from self._cut(inner, part, depth + 1)

    def _unpacked(self, part: Part, depth: int) -> Iterator[Part]:
        try:
            if archives.is_gzip(part.octets):
                octets, is_cut = archives.gunzipped(part.octets, self.room)
                name = part.name.removesuffix(".gz")
                yield from self._opened(Part(octets, part.known, part.place, name=name, is_cut=is_cut), depth + 1)
                return
            for member in archives.members(part.octets, self.room):
                name = printable(member.name, 200)
                place = f"{part.place} {name}".strip()
                if member.fault:
                    self.found.miss(place, member.fault)
                else:
                    yield from self._opened(Part(member.octets, part.known, place, name=name), depth + 1)
                if self.parts > part.known.limits.parts:
                    return
        except UnreadError as fault:
            self.found.miss(part.place, str(fault))
        except TooLargeError:
            most = part.known.limits.unpacked >> 20
            self.found.bound(f"{part.place or 'an archive'} unpacks to more than the {most} MiB that are read")


def envelope(whole: Entity, known: Known) -> Known:
    """Return what is known of the parts of a mail."""
    limits = known.limits
    sender, subject = whole.words("from", limits.field), whole.words("subject", limits.field)
    try:
        sent = Calendar(known.now).when(whole.first("date")[:100])
    except UnreadError:
        sent = None
    address = _ADDRESS.search(sender)
    ticket = _TICKET.search(subject)
    return replace(
        known,
        sender=sender,
        subject=subject,
        sent=sent.latest if sent and sent.is_sure else None,
        reference=ticket["ticket"] if ticket else whole.words("message-id", 200).strip("<>"),
        reporter=address[0] if address else printable(sender, 200),
    )
