"""What an abuse report claims, in whatever form it came: one claim about one address, its time as sure as told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class When:
    """When it is said to have happened: from `earliest` to `latest`, both inclusive, UTC; equal for a known instant.

    `text` is the time as it was written. Without a zone, `local` is the naive time that was written and the span is all
    that any zone makes of it; `is_sure` is then false.
    """

    earliest: datetime
    latest: datetime
    text: str
    local: datetime | None = None

    @property
    def is_sure(self) -> bool:
        """Whether the report named a zone, so that the span is what its reporter said."""
        return self.local is None


@dataclass(frozen=True, slots=True)
class Report:
    """One claim: `address` (and `port`) did `kind` to `target` (and `target_port`).

    `kind` is a type of XARF v4 (`login_attack`, `port_scan`, `ddos`, `spam`, ...), "" where nothing tells. `protocol`
    is IANA's number, None where it is not said. `packets` and `octets` are what the reporter counted, None if not told.
    `reporter` is who reports, `reference` the reporter's own number, `form` what it was read from (`xarf4`, `xarf3`,
    `arf`, `shadowserver`, `csv`, `text`), `excerpt` the words that it was found in, at most 1,000 characters.
    """

    address: Address
    when: When
    form: str
    port: int | None = None
    target: Address | None = None
    target_port: int | None = None
    protocol: int | None = None
    kind: str = ""
    packets: int | None = None
    octets: int | None = None
    reporter: str = ""
    reference: str = ""
    excerpt: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of the claim, in hexadecimal: equal for the same claim of the same reporter, however it came in."""
        told = (
            self.address, self.port, self.target, self.target_port, self.protocol, self.kind, self.when.earliest,
            self.when.latest, self.reporter.casefold(),
        )  # fmt: skip
        return hashlib.sha256("\0".join(map(str, told)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a message, or of a file, that no claim could be made of: where it is, why, and how it begins."""

    place: str
    why: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What was made of one file or mail: its claims, and what of it could not be read.

    `sender` and `subject` are a mail's own, bounded and without control characters.
    """

    reports: tuple[Report, ...] = ()
    unread: tuple[Unread, ...] = ()
    sender: str = ""
    subject: str = ""
    problems: tuple[str, ...] = field(default=())
    """Bounds that were met: parts that were not looked at, because they were too many, too large or too deep."""
