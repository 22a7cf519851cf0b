"""What is known of a message before its parts are read, and what is made of them: the readers' common ground."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from intake.limits import Limits
from intake.report import Report, Unread
from intake.text import printable


@dataclass(frozen=True, slots=True)
class Known:
    """What a reader goes by besides the octets: the present, the zone to assume, and the mail that the part came in.

    `sent` is the mail's Date, `reference` its ticket number or Message-ID; empty where there is no mail.
    """

    now: datetime
    zone: tzinfo | None
    limits: Limits
    sender: str = ""
    subject: str = ""
    sent: datetime | None = None
    reference: str = ""
    reporter: str = ""


@dataclass(slots=True)
class Found:
    """What readers made of a message so far, within its limits."""

    limits: Limits
    reports: list[Report] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    not_named: int = 0
    """Unread places beyond the limit, counted only."""
    text: int = 0
    """Characters of free text that were read."""

    def claim(self, report: Report) -> bool:
        """Keep a report; False where the message holds more than are read."""
        if len(self.reports) >= self.limits.rows:
            self.bound(f"only the first {self.limits.rows:,} claims are read: split the file")
            return False
        self.reports.append(report)
        return True

    def miss(self, place: str, why: str, excerpt: str = "") -> None:
        """Note a part that no claim can be made of."""
        if len(self.unread) < self.limits.unread:
            kept = printable(excerpt, self.limits.excerpt)
            self.unread.append(Unread(printable(place, 200) or "the message", printable(why, 400), kept))
        else:
            self.not_named += 1

    def bound(self, problem: str) -> None:
        """Note a bound that was met, once."""
        problem = printable(problem, 400)
        if problem not in self.problems and len(self.problems) < self.limits.problems:
            self.problems.append(problem)
