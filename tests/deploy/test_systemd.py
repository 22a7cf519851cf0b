"""The units in deploy/systemd/, judged by systemd, and Flowkeep at work under their system call filter."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings.config import load_config
from storage import confine
from storage.client import DatabaseRefusalError
from tests.collector.site import Site, wait_for
from tests.deploy.filtered import allowed, settings
from tests.deploy.programs import DEPLOY, ROOT, run

UNITS = DEPLOY / "systemd"
SERVICES = ("flowkeep.service", "flowkeep-purge.service")
INSTALLED = "/opt/flowkeep/bin/flowkeep"
MOST_EXPOSED = 15
"""Tenths of systemd's exposure level: what is left is the network, a writable state directory and ClickHouse's JIT."""
CANNOT_OPEN_FILE = 76


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, with a program that exists here."""
    directory = tmp_path_factory.mktemp("units")
    for unit in [*UNITS.glob("*.service"), *UNITS.glob("*.timer")]:
        (directory / unit.name).write_text(
            unit.read_text().replace(INSTALLED, str(Path(sys.executable).parent / "flowkeep"))
        )
    return directory


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.mark.parametrize("name", [*SERVICES, "flowkeep-purge.timer"])
def test_systemd_has_nothing_to_say_about_a_unit(units: Path, name: str) -> None:
    done = run("systemd-analyze", "verify", units / name)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if "flowkeep" in line] == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardly_exposed(units: Path, name: str) -> None:
    done = run("systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", units / name)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_services_run_commands_that_exist(units: Path, name: str) -> None:
    (command,) = settings(units / name, "ExecStart")
    program, *arguments = command.split()
    verbs = arguments[: arguments.index("-c")]
    done = subprocess.run([program, *verbs, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--config" in done.stdout


def test_the_timer_purges_soon_after_midnight_utc() -> None:
    (calendar,) = settings(UNITS / "flowkeep-purge.timer", "OnCalendar")
    done = run("systemd-analyze", "calendar", calendar)
    assert re.search(r"Next elapse: .* 00:\d\d:00 UTC|\(in UTC\): .* 00:\d\d:00 UTC", done.stdout), done.stdout


def test_the_kernel_is_asked_for_the_buffer_that_the_configuration_asks_for() -> None:
    config = load_config(ROOT / "configs" / "flowkeep.yaml", {})
    assert f"net.core.rmem_max = {config.receive_buffer}" in (UNITS / "flowkeep.sysctl.conf").read_text()


def test_the_user_of_the_services_is_made() -> None:
    made = run("systemd-sysusers", "--dry-run", UNITS / "flowkeep.sysusers.conf")
    assert made.returncode == 0, made.stderr
    for name in SERVICES:
        assert settings(UNITS / name, "User") == ["flowkeep"]


def test_the_filter_lets_clickhouse_confine_itself() -> None:
    assert {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"} <= allowed(
        UNITS / "flowkeep.service"
    )


def test_flowkeep_works_under_its_units_filter(site: Site) -> None:
    flowkeep = [str(Path(sys.executable).parent / "flowkeep"), "run", "-c", str(site.config)]
    command = [sys.executable, "-m", "tests.deploy.filtered", str(UNITS / "flowkeep.service"), *flowkeep]
    with site.log.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_for(lambda: " ready: " in site.log.read_text() or process.poll() is not None)
        assert process.poll() is None, site.log.read_text()
        assert "Seccomp:\t2" in Path(f"/proc/{process.pid}/status").read_text()
        # compiled to machine code, which MemoryDenyWriteExecute would refuse
        sql = "SELECT sum(number * 2 + 7) FROM numbers(1000000) SETTINGS min_count_to_compile_expression = 0"
        assert site.rows(sql) == [(1_000_006_000_000,)]
        if confine.available():
            secret = f"SELECT file('{site.directory}/data/clickhouse/passwords.json')"
            with site.client() as client, pytest.raises(DatabaseRefusalError) as refusal:
                client.text(secret)
            assert refusal.value.code == CANNOT_OPEN_FILE
    finally:
        process.terminate()
        assert process.wait(60) == 0, site.log.read_text()


def test_the_purge_works_under_its_units_filter(site: Site) -> None:
    flowkeep = [str(Path(sys.executable).parent / "flowkeep"), "retention", "purge", "-c", str(site.config)]
    unit = UNITS / "flowkeep-purge.service"
    with site.collector():
        done = subprocess.run(
            [sys.executable, "-m", "tests.deploy.filtered", str(unit), *flowkeep],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "nothing is due\n"
