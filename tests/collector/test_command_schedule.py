"""Commands that the daemon runs again and again: at once, each time they are due, and never two at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from collector.command_schedule import CommandSchedule, Task
from tests.collector.site import wait_for


def schedule(script: str, every: float = 3600) -> CommandSchedule:
    return CommandSchedule(Task(["sh", "-c", script], every, "it did not work"))


def test_it_runs_at_once_and_again_when_it_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"
    of = schedule(f"echo asked >> {told}")

    def ran(times: int) -> bool:
        of.look()
        return told.exists() and told.read_text() == "asked\n" * times

    wait_for(lambda: ran(1))
    for _ in range(10):
        time.sleep(0.02)
        assert ran(1)
    clock = time.monotonic
    monkeypatch.setattr("collector.command_schedule.time.monotonic", lambda: clock() + 3601)
    wait_for(lambda: ran(2))
    of.stop()


def test_what_fails_is_said_with_its_own_words(caplog: pytest.LogCaptureFixture) -> None:
    of = schedule("echo one >&2; echo two >&2; exit 3")

    def warned() -> bool:
        of.look()
        return "it did not work: one; two\n" in caplog.text

    wait_for(warned)


def test_a_command_that_hangs_is_not_started_twice_and_is_ended(tmp_path: Path) -> None:
    started = tmp_path / "started"
    of = schedule(f"echo x >> {started}; exec sleep 60", every=0)
    of.look()
    wait_for(started.exists)
    of.look()
    of.stop()
    assert started.read_text() == "x\n"
