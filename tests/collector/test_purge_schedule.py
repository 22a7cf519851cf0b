"""The daemon starts the purge once a day, at the policy's time, by the collector's clock, and never two at once."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from collector.clock import Clock
from collector.purge_schedule import PurgeSchedule
from tests.collector.site import wait_for

AT = time(3, 15)
BEGIN = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Given(Clock):
    """A clock that is set."""

    moments: list[datetime] = field(default_factory=lambda: [BEGIN])

    def now_ms(self) -> int:
        """Return what it was set to last."""
        return int(self.moments[-1].timestamp() * 1000)


def schedule(directory: Path, status: int = 0) -> tuple[PurgeSchedule, Given, Path]:
    ran = directory / "ran"
    code = f"import pathlib, sys; p = pathlib.Path({str(ran)!r}); p.open('a').write('x'); sys.exit({status})"
    clock = Given()
    return PurgeSchedule([sys.executable, "-c", code], clock), clock, ran


def runs(of: PurgeSchedule, ran: Path, times: int) -> None:
    def settled() -> bool:
        of.look(AT)
        return ran.exists() and len(ran.read_text()) == times and not of.running

    wait_for(settled)


def test_it_runs_once_a_day_at_its_time(tmp_path: Path) -> None:
    of, clock, ran = schedule(tmp_path)
    of.look(AT)
    clock.moments.append(BEGIN + timedelta(hours=1))
    of.look(AT)
    assert not ran.exists()
    clock.moments.append(BEGIN + timedelta(hours=1, minutes=15))
    runs(of, ran, 1)
    clock.moments.append(BEGIN + timedelta(hours=9))
    of.look(AT)
    assert not of.running
    clock.moments.append(BEGIN + timedelta(days=1, hours=2))
    runs(of, ran, 2)


def test_a_new_time_holds_at_once_none_stops_it_and_a_clock_put_back_does_not(tmp_path: Path) -> None:
    of, clock, ran = schedule(tmp_path)
    of.look(time(23, 0))
    of.look(AT)
    clock.moments.append(BEGIN + timedelta(days=40))
    of.look(None)
    of.look(AT)
    assert not of.running
    clock.moments.append(BEGIN)
    of.look(AT)
    clock.moments.append(BEGIN + timedelta(hours=2))
    runs(of, ran, 1)


def test_what_fails_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    of, clock, ran = schedule(tmp_path, status=1)
    of.look(AT)
    clock.moments.append(BEGIN + timedelta(hours=2))
    runs(of, ran, 1)
    assert "the scheduled purge ended with 1" in caplog.text
