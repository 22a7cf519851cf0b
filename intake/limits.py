"""How much of one message is looked at. What lies beyond is named in the message's problems, never read in part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds that keep the work for one message in proportion to what an honest one holds."""

    message: int = 32 << 20
    """Octets of a file or mail."""
    parts: int = 200
    """Parts of a mail, its attachments and the members of archives in them, together."""
    nesting: int = 10
    """Multiparts, mails and archives inside each other."""
    unpacked: int = 64 << 20
    """Octets that all archives of a message unpack to, whatever they say of themselves."""
    header_lines: int = 1_000
    """Lines of the header of a mail or of a part."""
    header_octets: int = 256 << 10
    """Octets of that header."""
    rows: int = 1_000_000
    """Rows of tables, and claims of a message."""
    row: int = 64 << 10
    """Characters of a row of a table."""
    text: int = 4 << 20
    """Characters of all free text of a message."""
    lines: int = 50_000
    """Lines of a text."""
    line: int = 4_096
    """Characters of a line of text: longer lines are skipped, for a cut could end in the middle of an address."""
    markup: int = 4 << 20
    """Characters of a page of HTML."""
    text_claims: int = 1_000
    """Claims of a text."""
    unread: int = 1_000
    """Places that are named one by one as unread; further ones are counted."""
    problems: int = 50
    """Bounds that are named, of those that were met."""
    field: int = 4_096
    """Characters of a header field or of a cell."""
    excerpt: int = 1_000
    """Characters of an excerpt."""


LIMITS = Limits()
