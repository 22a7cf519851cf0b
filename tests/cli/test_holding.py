"""`flowkeep hold`: what a person sees from placing a hold to its release; held rows are found after a purge."""

from __future__ import annotations

import getpass
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.holding import person
from storage.embedded import Node
from tests.cli.over_node import configured
from tests.collector.site import flowkeep

Run = Callable[..., subprocess.CompletedProcess[str]]
NOW = datetime.now(UTC)
CASE = ("--kind", "legal", "--reference", "case 7", "--reason", "order of the court")


@pytest.fixture
def run(database: Node, tmp_path: Path) -> Run:
    """Run a command over the node, which has five flows of acme and three of others, two days old."""
    config = configured(database, tmp_path)
    with database.connect("admin") as admin:
        admin.command(
            "INSERT INTO flows (time_received, retention_class, src_tenant, observation_domain) SELECT "
            f"toDateTime64('{NOW - timedelta(days=2):%Y-%m-%d %H:%M:%S}', 3, 'UTC'), 'basic', "
            "if(number < 5, 'acme', 'beta'), number FROM numbers(8)"
        )
    return lambda *arguments: flowkeep(*arguments, "-c", str(config))


def test_a_hold_from_its_placing_to_its_release(run: Run, database: Node) -> None:
    placed = run("hold", "place", "--tenant", "acme", "--clock", "epoc", *CASE)
    assert placed.returncode == 0, placed.stderr
    first, *_, last = placed.stdout.splitlines()
    name = first.split()[1]
    assert first == f"hold {name} covers 5 rows; 1 partitions copied and verified"
    assert last.startswith("the oldest row is of ")
    assert last.endswith("gone already, and not held; rows to come are copied before they are dropped")
    with database.connect("retention") as client:
        client.command(f"ALTER TABLE flows DROP PARTITION ('basic', '{(NOW - timedelta(days=2)).date()}')")
    found = run("flows", "--json", "--last", "7d").stdout.splitlines()
    assert sorted(json.loads(line)["observation_domain"] for line in found) == [0, 1, 2, 3, 4]

    assert run("hold", "release", name, "--reason", "closed").returncode == 0
    refused = run("hold", "approve", name)
    assert refused.returncode == 1
    assert "another person has to approve it; nothing was changed" in refused.stderr
    listed = run("hold", "list", "--json")
    (state,) = json.loads(listed.stdout)
    assert (listed.returncode, state["state"], state["delay_days"]) == (0, "release requested", 30)
    assert state["by"] == state["release_requested_by"] == getpass.getuser()
    shown = run("hold", "show", name)
    assert shown.returncode == 0
    assert ["flows", "basic", str((NOW - timedelta(days=2)).date()), "5"] in map(str.split, shown.stdout.splitlines())


def test_what_is_wrong_is_said(run: Run) -> None:
    nothing = run("hold", "place", "--clock", "epoc", *CASE)
    assert (nothing.returncode, nothing.stdout) == (2, "")
    assert nothing.stderr.startswith("flowkeep: a hold covers nothing: name a tenant")
    unbounded = run("hold", "place", "--all", "--clock", "case", *CASE)
    assert unbounded.returncode == 1
    assert "needs to know every how many days it is reviewed: 1 to 366" in unbounded.stderr


def test_behind_sudo_a_person_is_the_one_who_called_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "mallory")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert person() == getpass.getuser(), "anybody can set a variable"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert person() == "mallory"
