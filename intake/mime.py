"""The structure of a mail: its header, its type and its parts (RFC 5322, RFC 2045 and 2046), cut up without recursion.

The standard library parses single fields and decodes them. Its parser of whole mails is not used: it recurses with
every multipart in another, and compares each line with the boundaries of all that it is in.
"""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.header import decode_header
from email.message import Message as Fields

from intake.limits import Limits
from intake.text import decoded, printable

_END_OF_HEADER = re.compile(rb"\r?\n\r?\n|\A\r?\n")
_FIELD = re.compile(r"([!-9;-~]{1,100})[ \t]{0,10}:[ \t]{0,10}(.*)", re.ASCII | re.DOTALL)
_FOLD = re.compile(r"\r?\n[ \t]")
_NOT_BASE64 = bytes(octet for octet in range(256) if not re.match(rb"[A-Za-z0-9+/]", bytes((octet,))))
_ONLY_OF_MAIL = frozenset(("received", "message-id", "mime-version", "return-path", "delivered-to", "subject"))
_OF_MAIL = _ONLY_OF_MAIL | {"from", "to", "cc", "date", "content-type", "reply-to", "sender"}


@dataclass(frozen=True, slots=True)
class Entity:
    """A mail or a part of one: its fields by lower-case name, and its body as it was sent."""

    fields: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    is_cut: bool = False
    """Whether it ends in the middle, for what it was in ended there."""
    is_header_cut: bool = False
    """Whether its header is longer than is read."""

    def first(self, name: str) -> str:
        """Return the first field of that name, "" where there is none."""
        return self.fields.get(name, [""])[0]

    def words(self, name: str, most: int) -> str:
        """Return the first field of that name, its encoded words (RFC 2047) decoded, safe to print."""
        return printable(_unencoded(self.first(name)), most)

    @property
    def media(self) -> str:
        """The type of its content, such as "text/plain"."""
        return self.first("content-type").split(";")[0].strip().lower()[:100] or "text/plain"

    def parameter(self, name: str) -> str:
        """Return a parameter of its type, "" where there is none."""
        return _parameter(self.first("content-type"), name)

    @property
    def file_name(self) -> str:
        """The name it was attached by, safe to print."""
        said = _parameter(self.first("content-disposition"), "filename") or self.parameter("name")
        return printable(_unencoded(said), 200)


def entity(octets: bytes, limits: Limits, is_cut: bool = False) -> Entity:
    """Return the octets' header, as far as it is read, and their body."""
    end = _END_OF_HEADER.search(octets)
    header = octets[: end.start()] if end else octets
    text = decoded(header[: limits.header_octets])
    lines = _FOLD.sub(" ", text).split("\n")
    fields: dict[str, list[str]] = {}
    for line in lines[: limits.header_lines]:
        match = _FIELD.match(line)
        if match:
            fields.setdefault(match[1].lower(), []).append(match[2][: limits.field].strip())
    is_header_cut = len(header) > limits.header_octets or len(lines) > limits.header_lines
    return Entity(fields, octets[end.end() :] if end else b"", is_cut, is_header_cut)


def is_mail(octets: bytes, limits: Limits) -> bool:
    """Return whether the octets begin as a mail does: two fields of mail, one of which stands in nothing else."""
    names = entity(octets[: limits.header_octets], limits).fields.keys()
    return len(names & _OF_MAIL) >= 2 and bool(names & _ONLY_OF_MAIL) and b":" in octets[:200].partition(b"\n")[0]


def parts(whole: Entity, limits: Limits) -> Iterator[Entity]:
    """Yield the parts of a multipart."""
    boundary = whole.parameter("boundary")[:200].encode("utf-8", "replace")
    if not boundary:
        return
    line = re.compile(rb"(?:\A|\n)--" + re.escape(boundary) + rb"(--)?[ \t]{0,100}\r?(?=\n|\Z)")
    start = None
    for mark in line.finditer(whole.body):
        if start is not None:
            yield entity(whole.body[start : mark.start()], limits)
        start = None if mark[1] else mark.end() + 1
        if mark[1]:
            return
    if start is not None:
        yield entity(whole.body[start:], limits, is_cut=True)


def content(part: Entity) -> tuple[bytes, bool]:
    """Return the body as it was before it was encoded for the mail, and whether it ends in the middle."""
    encoding = part.first("content-transfer-encoding").strip().lower()
    if encoding == "base64":
        letters = part.body.translate(None, _NOT_BASE64)
        whole = len(letters) - len(letters) % 4
        is_padded = part.body.rstrip().endswith(b"=")
        rest = letters[whole:] if is_padded else b""
        octets = binascii.a2b_base64(letters[:whole] + (rest.ljust(4, b"=") if len(rest) > 1 else b""))
        return octets, part.is_cut or (whole != len(letters) and not is_padded)
    if encoding == "quoted-printable":
        return quopri.decodestring(part.body), part.is_cut
    return part.body, part.is_cut


def _parameter(value: str, name: str) -> str:
    holder = Fields()
    holder["x"] = value.replace("\n", " ").replace("\r", " ")
    try:
        found = holder.get_param(name, "", header="x")
        if isinstance(found, tuple):
            charset, _, raw = found
            return decoded(raw.encode("latin-1", "replace"), charset or "")
    except Exception:  # what it raises on broken fields is not documented, and has changed
        return ""
    return str(found or "")


def _unencoded(value: str) -> str:
    try:
        pieces = decode_header(value)
    except Exception:  # as above: among others HeaderParseError, binascii.Error and ValueError
        return value
    return "".join(piece if isinstance(piece, str) else decoded(piece, charset or "") for piece, charset in pieces)
