"""Several processes at one ledger, and processes that are killed while they write."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.book import Ledger
from ledger.expiry import expire
from ledger.folder import snapshot
from ledger.verify import verify
from tests.ledger.books import DAY, START, is_whole, small

KILLS = 20
LATER = START + 41 * DAY


def appending(directory: Path, actor: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.ledger.appending", str(directory), actor, str(count)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_two_processes_append_at_once_and_none_loses_an_entry(tmp_path: Path) -> None:
    both = [appending(tmp_path / "ledger", actor, 60) for actor in ("ada", "bob")]
    for process in both:
        assert process.stdin
        process.stdin.close()
    for process in both:
        assert process.stdout
        with process.stdout:
            printed = {int(line.split()[0]): line.split()[1] for line in process.stdout}
        assert process.wait() == 0
        assert len(printed) == 60
    ledger = Ledger(tmp_path / "ledger")
    assert is_whole(ledger)
    plans = [entry.actor for entry in ledger.newest() if entry.action == "plan"]
    assert (plans.count("ada"), plans.count("bob")) == (60, 60)


def test_kill_at_any_moment_loses_no_entry_whose_append_returned(tmp_path: Path) -> None:
    moments, ledger = random.Random(6), Ledger(tmp_path / "ledger")
    for _ in range(KILLS):
        with appending(ledger.directory, "ada", 0) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.close()
            returned = [process.stdout.readline() for _ in range(moments.randrange(1, 25))]
            process.kill()
            returned += process.stdout.readlines()
        mine = ledger.append("verify", {"returned": len(returned)}, actor="bob", now=START)
        report = verify(snapshot(ledger.directory))
        assert report.findings == []
        assert report.last == mine.seq
        kept = {entry.seq: entry.hash for entry in ledger.newest()}
        said = dict(line.split() for line in returned if line.endswith("\n"))
        assert all(kept[int(seq)] == hash_ for seq, hash_ in said.items() if int(seq) in kept)
        # what is not there any more has expired, and nothing else
        assert all(seq in kept for seq in range(min(kept), mine.seq + 1))
        assert max(map(int, said)) >= min(kept)


def ends_before_step(step: int, what: Callable[[], object]) -> bool:
    """Do something in a process of its own that dies at its `step`th change of the disk; say whether it came so far."""
    child = os.fork()
    if child == 0:
        steps = itertools.count()

        def dying(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
            def change(*arguments: Any, **options: Any) -> Any:
                if next(steps) == step:
                    if name == "pwrite":  # half of it comes to the disk
                        call(arguments[0], arguments[1][: len(arguments[1]) // 2], arguments[2])
                    os._exit(9)
                return call(*arguments, **options)

            return change

        for name in ("pwrite", "ftruncate", "fsync", "rename", "unlink", "mkdir"):
            setattr(os, name, dying(name, getattr(os, name)))
        try:
            what()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize(
    ("what", "least"),
    [
        (lambda ledger: ledger.append("plan", {}, actor="ada", now=LATER), 3),
        (lambda ledger: ledger.append("plan", {}, actor="ada", now=LATER + 60 * DAY), 7),
        (lambda ledger: ledger.rotate(actor="ada", now=LATER), 11),
        (lambda ledger: ledger.checkpoint(actor="ada", now=LATER), 3),
        (lambda ledger: expire(ledger, START + 3 * DAY, actor="ada", now=LATER), 5),
    ],
    ids=["append", "append in a new month", "rotate", "checkpoint", "expire"],
)
def test_kill_at_every_step_leaves_a_ledger_that_goes_on(
    what: Callable[[Ledger], object], least: int, tmp_path: Path
) -> None:
    before = small(tmp_path / "before")
    entries = {entry.seq: entry for entry in before.newest()}
    for step in itertools.count():
        ledger = Ledger(tmp_path / f"after{step}")
        shutil.copytree(before.directory, ledger.directory)
        died = ends_before_step(step, lambda ledger=ledger: what(ledger))  # type: ignore[misc]
        if not died:
            break
        ledger.append("verify", {}, actor="bob", now=LATER + 61 * DAY)
        assert is_whole(ledger), f"step {step}"
        what(ledger)
        assert is_whole(ledger), f"step {step}"
        kept = {entry.seq: entry for entry in ledger.newest()}
        assert all(kept[seq] == entry for seq, entry in entries.items() if seq >= min(kept)), f"step {step}"
    assert step >= least


def test_kill_at_every_step_of_the_first_entry_leaves_a_ledger_that_begins(tmp_path: Path) -> None:
    for step in itertools.count():
        ledger = Ledger(tmp_path / str(step) / "data" / "ledger")
        died = ends_before_step(step, lambda ledger=ledger: ledger.append("start", {}, now=START))  # type: ignore[misc]
        if not died:
            break
        assert ledger.append("start", {}, now=START).seq >= 2
        assert is_whole(ledger), f"step {step}"
    assert step >= 12
