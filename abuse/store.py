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
        tenants TEXT, assignee TEXT, closed TEXT, outcome TEXT);
    CREATE INDEX IF NOT EXISTS of_address ON cases (address, state);
    CREATE TABLE IF NOT EXISTS reports (digest TEXT PRIMARY KEY, case_id TEXT, message TEXT, told TEXT, times INTEGER,
        verdict TEXT, hold TEXT);
    CREATE INDEX IF NOT EXISTS of_case ON reports (case_id);
    CREATE INDEX IF NOT EXISTS of_hold ON reports (hold);
    CREATE TABLE IF NOT EXISTS events (case_id TEXT, number INTEGER, time TEXT, person TEXT, action TEXT, details TEXT,
        PRIMARY KEY (case_id, number));
    CREATE TABLE IF NOT EXISTS logs (digest TEXT PRIMARY KEY, stored TEXT);
    CREATE TABLE IF NOT EXISTS offences (tenant TEXT, kind TEXT, month TEXT, outcome TEXT, cases INTEGER,
        PRIMARY KEY (tenant, kind, month, outcome));
"""
_VERSION = 2
_HOLDS_OF_REPORTS = """
    ALTER TABLE reports ADD COLUMN hold TEXT;
    UPDATE reports SET hold = (SELECT hold FROM cases WHERE id = case_id);
    ALTER TABLE cases DROP COLUMN hold;
"""
"""From version 1, in which a case had one hold, to 2."""
_OPEN = "case_id IN (SELECT id FROM cases WHERE state != 'closed')"
STATES = ("open", "investigating", "waiting", "closed")
OUTCOMES = ("confirmed", "unfounded", "unresolved")


@dataclass(frozen=True, slots=True)
class Case:
    """A case: about what `address` did, held then by one of `tenants`."""

    id: str
    opened: datetime
    state: str
    kind: str
    address: str
    tenants: tuple[str, ...]
    assignee: str = ""
    closed: datetime | None = None
    outcome: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the case as JSON."""
        return asdict(self) | {
            "opened": self.opened.isoformat(), "closed": self.closed.isoformat() if self.closed else None
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filed:
    """A report in a case, how often it came in, and the verdict on it: JSON, empty before there is one.

    `hold` names the hold that keeps its flows, empty before there is one.
    """

    report: Report
    case: str
    message: str
    times: int = 1
    verdict: Mapping[str, Any] = field(default_factory=dict)
    hold: str = ""


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
        self._path = path
        try:
            self._db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
            self._bring_up_to_date()
        except sqlite3.Error as error:
            raise RefusalError(f"{path}: the file of cases cannot be opened ({error})") from None

    def _bring_up_to_date(self) -> None:
        """Make the tables, or make what an older version made ours; RefusalError for what a newer one made."""
        if self._version() > _VERSION:
            raise RefusalError(f"{self._path}: a newer Flowkeep wrote these cases; install that one")
        if self._version() == _VERSION:
            return
        with self.changing():
            older = self._db.execute("SELECT 1 FROM pragma_table_info('cases') WHERE name = 'hold'").fetchone()
            for statements in (*((_HOLDS_OF_REPORTS,) if older else ()), _TABLES, f"PRAGMA user_version = {_VERSION}"):
                for statement in filter(str.strip, statements.split(";")):
                    self._db.execute(statement)

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

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
        """Have all changes within be one: all of them are on the disk at its end, or none.

        RefusalError where the disk is full, or another command has been writing for long.
        """
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # SQLite may have ended it by itself: the disk is full
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            raise RefusalError(f"{self._path}: nothing was written ({error})") from None

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
        bounds = (f"{day}-", f"{day}.")  # all that begin with the day: the point comes next after the hyphen
        ((last,),) = self._db.execute("SELECT max(id) FROM cases WHERE id > ? AND id < ?", bounds).fetchall()
        number = int(last.rpartition("-")[2]) + 1 if last else 1
        case = Case(f"{day}-{number:06}", now, "open", kind, address, tenants)
        self._db.execute(
            "INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, '', NULL, '')",
            (case.id, now.isoformat(), case.state, kind, address, json.dumps(tenants)),
        )
        self.happen(case.id, now, person, "opened", {})
        return case

    def file(self, case: str, report: Report, message: str) -> Filed:
        """Put a report into a case."""
        row = (report.digest, case, message, json.dumps(_told(report)))
        self._db.execute("INSERT INTO reports VALUES (?, ?, ?, ?, 1, '', '')", row)
        return Filed(report, case, message)

    def again(self, digest: str, counts: bool) -> bool:
        """Say whether a report came in before; where it `counts`, it is counted as having come in once more."""
        many = int(counts)
        return self._db.execute("UPDATE reports SET times = times + ? WHERE digest = ?", (many, digest)).rowcount == 1

    def is_done(self, message: str) -> bool:
        """Say whether a message came in before, and all of it could be read."""
        sql = "SELECT 1 FROM messages WHERE digest = ? AND digest NOT IN (SELECT message FROM unread)"
        return self._db.execute(sql, (message,)).fetchone() is not None

    def hold(self, reports: Iterable[Filed], name: str) -> None:
        """Keep which hold keeps the flows of some reports."""
        rows = [(name, one.report.digest) for one in reports]
        self._db.executemany("UPDATE reports SET hold = ? WHERE digest = ?", rows)

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
        """Return the case with state, assignee, closed or outcome changed, in the file too."""
        after = replace(case, **changes)
        self._db.execute(
            "UPDATE cases SET state = ?, assignee = ?, closed = ?, outcome = ? WHERE id = ?",
            (after.state, after.assignee, after.closed.isoformat() if after.closed else None, after.outcome, after.id),
        )
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

    def unfinished(self) -> list[Filed]:
        """Return the reports of open cases that have no hold or no verdict: a killed run left them so."""
        return list(self._filed(f"(hold = '' OR verdict = '') AND {_OPEN}"))

    def held_by(self, hold: str) -> list[Filed]:
        """Return the reports of open cases whose flows a hold keeps."""
        return list(self._filed(f"hold = ? AND {_OPEN}", hold))

    def unneeded(self) -> list[str]:
        """Return the holds that keep nothing but the flows of closed cases."""
        needed = f"SELECT hold FROM reports WHERE {_OPEN}"  # noqa: S608 - a condition of our own
        rows = self._db.execute(f"SELECT DISTINCT hold FROM reports WHERE hold NOT IN ({needed})")  # noqa: S608
        return [name for (name,) in rows if name]

    def _cases(self, where: str, values: tuple[str, ...]) -> Iterator[Case]:
        for id_, opened, state, kind, address, tenants, assignee, closed, outcome in self._db.execute(
            f"SELECT * FROM cases WHERE {where} ORDER BY opened, id",  # noqa: S608 - conditions of our own
            values,
        ).fetchall():
            yield Case(
                id_, datetime.fromisoformat(opened), state, kind, address, tuple(json.loads(tenants)), assignee,
                datetime.fromisoformat(closed) if closed else None, outcome,
            )  # fmt: skip

    def reports(self, cases: Iterable[str]) -> list[Filed]:
        """Return the reports in some cases, case by case."""
        return [one for case in cases for one in self._filed("case_id = ?", case)]

    def _filed(self, where: str, *values: str) -> Iterator[Filed]:
        sql = f"SELECT told, case_id, message, times, verdict, hold FROM reports WHERE {where} ORDER BY rowid"  # noqa: S608
        for told, case, message, times, verdict, hold in self._db.execute(sql, values).fetchall():
            yield Filed(_report(json.loads(told)), case, message, times, json.loads(verdict or "{}"), hold)

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

    def has_log(self, digest: str) -> bool:
        """Say whether a translator's log was stored before."""
        return self._db.execute("SELECT 1 FROM logs WHERE digest = ?", (digest,)).fetchone() is not None

    def add_log(self, digest: str, now: datetime) -> None:
        """Keep that a translator's log was stored."""
        with self.changing():
            self._db.execute("INSERT OR IGNORE INTO logs VALUES (?, ?)", (digest, now.isoformat()))

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
