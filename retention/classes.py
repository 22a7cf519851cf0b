"""What a policy says of a class of flows or a category of rows: how long, from when, why, and who answers for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from settings.source import Section

MOST_DAYS, MOST_MARGIN = 3650, 365

WRAPS = date(2106, 2, 7)
"""The day on which 32 bits of seconds since 1970 end; ClickHouse keeps in them when a part expires."""

_DAYS = re.compile(r"(\d{1,6})d")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def _days(value: Any) -> int:
    match = _DAYS.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"expected whole days, such as 14d, not '{value}'; there is no 'forever'")
    if int(match[1]) > MOST_DAYS:
        raise ValueError(
            f"{value} is more than {MOST_DAYS}d; there is no 'forever': ClickHouse keeps the time of expiry in 32 "
            f"bits, and what would end after {WRAPS} ends at once"
        )
    return int(match[1])


def _time_of_day(value: Any) -> time:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"expected a time of day, UTC, such as 03:15, not '{value}'")
    return time(int(match[1]), int(match[2]))


Days = Annotated[int, BeforeValidator(_days)]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
Purpose = Literal["attack_detection", "abuse", "troubleshooting", "capacity", "legal_process", "dsr", "audit"]
LegalBasis = Literal["consent", "contract", "legal_obligation", "legitimate_interest"]


class Kept(Section):
    """How long something is kept, and what justifies it."""

    keep_for: Days = Field(ge=1, le=MOST_DAYS)
    purpose: Purpose
    legal_basis: LegalBasis
    owner: Text
    justification: Text
    review: date


class RetentionClass(Kept):
    """How long flows of a class, or rows of a category, are kept, and what justifies it.

    Ages are whole days after the day of `time_received`, by the collector's clock: `starts` has no other value.
    """

    starts: Literal["received"] = "received"


class RecordClass(Kept):
    """The same of what Flowkeep and ClickHouse record of themselves.

    Ages are whole days after the day on which it was recorded.
    """

    starts: Literal["recorded"] = "recorded"


class CaseClass(Kept):
    """The same of abuse cases.

    Ages count from the moment at which a case was closed.
    """

    starts: Literal["closed"] = "closed"


class Categories(Section):
    """What is kept beside flows.

    `counters` of sFlow agents, `discards`, packets that they discarded, and `rollups`, the sums of flows: each is a
    class of its own, whichever tenant its rows are of, and is not stored where it is not named. `ledger` is the record
    of what people and Flowkeep did, `logs` are what ClickHouse says of its queries, parts and sessions; these are
    always made, and kept for 3650 and 90 days where the policy does not name them. `cases` are abuse cases that are
    closed, with their reports: 365 days. How many cases a tenant had is counted, and stays.
    """

    counters: RetentionClass | None = None
    discards: RetentionClass | None = None
    rollups: RetentionClass | None = None
    ledger: RecordClass | None = None
    logs: RecordClass | None = None
    cases: CaseClass | None = None


class Limits(Section):
    """The most that one purge may drop unless somebody approves of more.

    `rows` and `bytes` are shares of all that is stored, 0 to 1, of what has been due for more than two days: what
    became due since is what a daily purge is for.
    """

    rows: float = Field(default=0.2, gt=0, le=1)
    bytes: float = Field(default=0.2, gt=0, le=1)
    partitions: int = Field(default=200, ge=1)


class PurgeSettings(Section):
    """When and within what the purge drops what is due.

    Without a `schedule` it runs only when it is called. `grace` is for how many days dropped partitions can be undone,
    0d for none. Once a class or category is more than `review_grace` past its review date, the purge refuses.
    """

    schedule: TimeOfDay | None = None
    limits: Limits = Limits()
    grace: Days = Field(default=0, ge=0, le=30)
    review_grace: Days = Field(default=90, ge=0, le=MOST_DAYS)


@dataclass(frozen=True, slots=True)
class Overdue:
    """A class or category (`what`) that nobody has reviewed by the day of its `review`, `days` ago."""

    what: Literal["class", "category"]
    name: str
    owner: str
    review: date
    days: int

    @property
    def text(self) -> str:
        """The fact, for the person who mends it."""
        return (
            f"the {self.what} '{self.name}' was to be reviewed by {self.review}, {self.days} days ago: {self.owner} "
            "looks at it again and sets the next date"
        )


def overdue(named: Iterable[tuple[tuple[str, str], Kept]], today: date) -> list[Overdue]:
    """Return which were to be reviewed before `today`, longest ago first; each comes with its section and name."""
    found = [
        Overdue(
            "class" if section == "classes" else "category", name, kept.owner, kept.review, (today - kept.review).days
        )
        for (section, name), kept in named
        if kept.review < today
    ]
    return sorted(found, key=lambda one: (-one.days, one.name))
