"""Cases, the reports that they came from, and what happened to them: one SQLite file in the data directory.

What a case is follows from its row; `events` say how it came to be so. Originals are kept as they came in. Counters of
repeated offences stand by themselves, and stay when cases go.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from intake.report import Report, When
from settings.errors import ConfigError, RefusalError

_BUSY_SECONDS = 30
_TABLES = """
    CREATE TABLE IF NOT EXISTS messages (digest TEXT PRIMARY KEY, received TEXT, name TEXT, sender TEXT, subject TEXT,
        octets BLOB);
    CREATE TABLE IF NOT EXISTS unread (message TEXT, place TEXT, why TEXT, excerpt TEXT,
        UNIQUE (message, place, why));
    CREATE TABLE IF NOT EXISTS cases (id TEXT PRIMARY KEY, opened TEXT, state TEXT, kind TEXT, address TEXT,
        tenants TEXT, assignee TEXT, closed TEXT, outcome TEXT, hold TEXT);
    CREATE INDEX IF NOT EXISTS of_address ON cases (address, state);
    CREATE TABLE IF NOT EXISTS reports (digest TEXT PRIMARY KEY, case_id TEXT, message TEXT, told TEXT, times INTEGER,
        verdict TEXT);
    CREATE INDEX IF NOT EXISTS of_case ON reports (case_id);
    CREATE TABLE IF NOT EXISTS events (case_id TEXT, number INTEGER, time TEXT, person TEXT, action TEXT, details TEXT,
        PRIMARY KEY (case_id, number));
    CREATE TABLE IF NOT EXISTS offences (tenant TEXT, kind TEXT, month TEXT, outcome TEXT, cases INTEGER,
        PRIMARY KEY (tenant, kind, month, outcome));
"""
STATES = ("open", "investigating", "waiting", "closed")
OUTCOMES = ("confirmed", "unfounded", "unresolved")


@dataclass(frozen=True, slots=True)
class Case:
    """A case: about what `address` did, held then by one of `tenants`; `hold` names the hold that keeps its flows."""

    id: str
    opened: datetime
    state: str
    kind: str
    address: str
    tenants: tuple[str, ...]
    assignee: str = ""
    closed: datetime | None = None
    outcome: str = ""
    hold: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the case as JSON."""
        return asdict(self) | {
            "opened": self.opened.isoformat(), "closed": self.closed.isoformat() if self.closed else None
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filed:
    """A report in a case, how often it came in, and the verdict on it: JSON, empty before there is one."""

    report: Report
    case: str
    message: str
    times: int = 1
    verdict: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a case, the `number`th."""

    number: int
    time: datetime
    person: str
    action: str
    details: Mapping[str, Any]


class Store:
    """The file `path`, made where there is none yet, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        try:
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            raise RefusalError(f"{path}: the file of cases cannot be opened ({error})") from None

    @staticmethod
    def path(data_dir: Path) -> Path:
        """Return where the cases of a data directory are."""
        return data_dir / "abuse" / "cases.sqlite"

    @classmethod
    def of(cls, data_dir: Path) -> Store:
        """Return the store in a data directory."""
        return cls(cls.path(data_dir))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Have all changes within be one: all of them are on the disk at its end, or none."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def keep(self, digest: str, now: datetime, name: str, sender: str, subject: str, octets: bytes) -> bool:
        """Keep an original; False where it is there already."""
        row = (digest, now.isoformat(), name, sender, subject, octets)
        return self._db.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?, ?)", row).rowcount == 1

    def original(self, digest: str) -> tuple[str, bytes]:
        """Return the name and the octets of an original."""
        name, octets = self._db.execute("SELECT name, octets FROM messages WHERE digest = ?", (digest,)).fetchone()
        return name, octets

    def set_aside(self, message: str, place: str, why: str, excerpt: str) -> None:
        """Keep what of a message could not be read."""
        self._db.execute("INSERT OR IGNORE INTO unread VALUES (?, ?, ?, ?)", (message, place, why, excerpt))

    def unread(self) -> list[dict[str, str]]:
        """Return what could not be read, the newest message first."""
        names = ("message", "name", "received", "place", "why", "excerpt")
        rows = self._db.execute(
            "SELECT digest, name, received, place, why, excerpt FROM unread JOIN messages ON message = digest "
            "ORDER BY received DESC, place"
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    def open(self, now: datetime, person: str, kind: str, address: str, tenants: tuple[str, ...]) -> Case:
        """Open a case; its number is the next of the day."""
        day = f"{now:%Y%m%d}"
        ((last,),) = self._db.execute("SELECT max(id) FROM cases WHERE id LIKE ?", (f"{day}-%",)).fetchall()
        number = int(last.rpartition("-")[2]) + 1 if last else 1
        case = Case(f"{day}-{number:06}", now, "open", kind, address, tenants)
        self._db.execute(
            "INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, '', NULL, '', '')",
            (case.id, now.isoformat(), case.state, kind, address, json.dumps(tenants)),
        )
        self.happen(case.id, now, person, "opened", {})
        return case

    def file(self, case: str, report: Report, message: str) -> None:
        """Put a report into a case."""
        row = (report.digest, case, message, json.dumps(_told(report)))
        self._db.execute("INSERT INTO reports VALUES (?, ?, ?, ?, 1, '')", row)

    def again(self, digest: str) -> str | None:
        """Count a report that came in before, and return its case; None for one that did not."""
        self._db.execute("UPDATE reports SET times = times + 1 WHERE digest = ?", (digest,))
        row = self._db.execute("SELECT case_id FROM reports WHERE digest = ?", (digest,)).fetchone()
        return str(row[0]) if row else None

    def judge(self, digest: str, verdict: Mapping[str, Any]) -> None:
        """Keep the verdict on a report."""
        self._db.execute("UPDATE reports SET verdict = ? WHERE digest = ?", (json.dumps(verdict), digest))

    def happen(self, case: str, now: datetime, person: str, action: str, details: Mapping[str, Any]) -> None:
        """Add to what happened to a case."""
        self._db.execute(
            "INSERT INTO events SELECT ?, 1 + coalesce(max(number), 0), ?, ?, ?, ? FROM events WHERE case_id = ?",
            (case, now.isoformat(), person, action, json.dumps(details), case),
        )

    def change(self, case: Case, **changes: Any) -> Case:
        """Return the case with state, assignee, hold, closed or outcome changed, in the file too."""
        after = replace(case, **changes)
        self._db.execute(
            "UPDATE cases SET state = ?, assignee = ?, closed = ?, outcome = ?, hold = ? WHERE id = ?",
            (after.state, after.assignee, after.closed.isoformat() if after.closed else None, after.outcome,
             after.hold, after.id),
        )  # fmt: skip
        return after

    def case(self, id: str) -> Case:
        """Return a case; ConfigError where there is none of this name."""
        for case in self._cases("id = ?", (id,)):
            return case
        raise ConfigError(f"there is no case '{id}'; `flowkeep case list --all` has them all")

    def cases(self, over: bool = False) -> list[Case]:
        """Return the cases that are not closed, with `over` all, the oldest first."""
        return list(self._cases("1" if over else "state != 'closed'", ()))

    def open_of(self, address: str) -> list[Case]:
        """Return the open cases of an address."""
        return list(self._cases("address = ? AND state != 'closed'", (address,)))

    def unfinished(self) -> list[Case]:
        """Return the open cases without a hold, or with a report that has no verdict: a killed run left them so."""
        judged = "SELECT case_id FROM reports WHERE verdict = ''"
        return list(self._cases(f"state != 'closed' AND (hold = '' OR id IN ({judged}))", ()))

    def held_by(self, hold: str) -> list[Case]:
        """Return the open cases whose flows a hold keeps."""
        return list(self._cases("hold = ? AND state != 'closed'", (hold,)))

    def _cases(self, where: str, values: tuple[str, ...]) -> Iterator[Case]:
        for id_, opened, state, kind, address, tenants, assignee, closed, outcome, hold in self._db.execute(
            f"SELECT * FROM cases WHERE {where} ORDER BY opened, id",  # noqa: S608 - conditions of our own
            values,
        ).fetchall():
            yield Case(
                id_, datetime.fromisoformat(opened), state, kind, address, tuple(json.loads(tenants)), assignee,
                datetime.fromisoformat(closed) if closed else None, outcome, hold,
            )  # fmt: skip

    def reports(self, cases: Iterable[str]) -> list[Filed]:
        """Return the reports in some cases, case by case."""
        found = []
        for case in cases:
            for told, message, times, verdict in self._db.execute(
                "SELECT told, message, times, verdict FROM reports WHERE case_id = ? ORDER BY rowid", (case,)
            ):
                found.append(Filed(_report(json.loads(told)), case, message, times, json.loads(verdict or "{}")))
        return found

    def events(self, case: str) -> list[Event]:
        """Return what happened to a case, in turn."""
        rows = self._db.execute(
            "SELECT number, time, person, action, details FROM events WHERE case_id = ? ORDER BY number", (case,)
        )
        return [
            Event(number, datetime.fromisoformat(time), person, action, json.loads(details))
            for number, time, person, action, details in rows
        ]

    def offend(self, case: Case, now: datetime) -> None:
        """Count a case that is closed, for each of its tenants."""
        for tenant in case.tenants:
            self._db.execute(
                "INSERT INTO offences VALUES (?, ?, ?, ?, 1) "
                "ON CONFLICT (tenant, kind, month, outcome) DO UPDATE SET cases = cases + 1",
                (tenant, case.kind, f"{now:%Y-%m}", case.outcome),
            )

    def offences(self, tenant: str) -> list[tuple[str, str, str, int]]:
        """Return month, kind, outcome and number of the cases of a tenant that were closed, the newest first."""
        return self._db.execute(
            "SELECT month, kind, outcome, cases FROM offences WHERE tenant = ? ORDER BY month DESC, kind, outcome",
            (tenant,),
        ).fetchall()

    def forget(self, before: datetime) -> int:
        """Delete the cases that were closed before a moment, with their reports and originals; return how many."""
        old = [case.id for case in self._cases("state = 'closed' AND closed < ?", (before.isoformat(),))]
        with self.changing():
            for case in old:
                for table, name in (("events", "case_id"), ("reports", "case_id"), ("cases", "id")):
                    self._db.execute(f"DELETE FROM {table} WHERE {name} = ?", (case,))  # noqa: S608 - our own names
            kept = "SELECT message FROM reports"
            aged = (before.isoformat(),)
            self._db.execute(f"DELETE FROM messages WHERE received < ? AND digest NOT IN ({kept})", aged)  # noqa: S608
            self._db.execute("DELETE FROM unread WHERE message NOT IN (SELECT digest FROM messages)")
        return len(old)


def _told(report: Report) -> dict[str, Any]:
    told = asdict(report)
    when = report.when
    told["when"] = {
        "earliest": when.earliest.isoformat(), "latest": when.latest.isoformat(), "text": when.text,
        "local": when.local.isoformat() if when.local else None,
    }  # fmt: skip
    return told | {name: str(told[name]) if told[name] else None for name in ("address", "target")}


def _report(told: dict[str, Any]) -> Report:
    when = told.pop("when")
    earliest, latest = (datetime.fromisoformat(when[name]) for name in ("earliest", "latest"))
    local = datetime.fromisoformat(when["local"]) if when["local"] else None
    addresses = {name: ip_address(told[name]) if told[name] else None for name in ("address", "target")}
    return Report(**(told | addresses | {"when": When(earliest, latest, when["text"], local)}))
