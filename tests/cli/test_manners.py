"""What a person meets besides answers: exit codes, closed pipes, wide tables, faults of several files at once."""

from __future__ import annotations

import subprocess
import sys
from fcntl import LOCK_EX, flock
from ipaddress import ip_address
from pathlib import Path

import pytest
import typer

from cli.main import FILES, application
from cli.tables import print_table
from demo.provider import Ports, write_demo
from demo.story import reserved
from settings.errors import RefusalError
from tests.collector.site import flowkeep


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_demo(tmp_path / "site", 1_795_000_000_000, Ports(2055, 6343, 8123, 9000, 9477))


@pytest.mark.parametrize("arguments", [["nonsense"], ["flows", "--nonsense"], ["decode"], ["check"], ["sql"]])
def test_wrong_use_is_exit_2(arguments: list[str]) -> None:
    done = flowkeep(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["flows"], ["sql", "SELECT 1"], ["retention", "purge"], ["status"]])
def test_what_is_away_is_exit_3_and_says_how_to_start_it(config: Path, arguments: list[str]) -> None:
    done = flowkeep(*arguments, "-c", str(config))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith("start it with `flowkeep run`\n")


def test_check_names_the_faults_of_policy_and_tenants_together(config: Path) -> None:
    policy, tenants = config.parent / "retention.yaml", config.parent / "allocations.csv"
    policy.write_text(policy.read_text().replace("keep_for: 14d", "keep_for: forever"))
    tenants.write_text(tenants.read_text().replace("192.0.2.0/25", "192.0.2.1/25"))
    done = flowkeep("check", "-c", str(config))
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert f"{policy}:" in first
    assert second.startswith(f"{tenants}:2: ")


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "decode", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_tables_are_never_cut(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    address = ip_address("2001:db8:1234:5678:9abc:def0:1234:5678")
    print_table(("src_addr", "dst_addr", "bytes"), [(address, address, 123_456_789)])
    assert capsys.readouterr().out.splitlines()[1].split() == [str(address), str(address), "123,456,789"]


def test_a_demo_keeps_off_what_is_not_its_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("keep me")
    with pytest.raises(RefusalError, match="not empty and not an earlier demo's"), reserved(mine):
        pass
    with pytest.raises(RefusalError, match="give another directory"), reserved(mine / "letter.txt"):
        pass
    with reserved(tmp_path / "demo"), pytest.raises(RefusalError, match="a demo runs in"), reserved(tmp_path / "demo"):
        pass
    with (tmp_path / "demo" / ".flowkeep-demo").open() as held:
        flock(held, LOCK_EX)  # free again


@pytest.mark.parametrize("file", FILES)
def test_each_file_adds_the_commands_it_is_loaded_for(file: str) -> None:
    group = typer.main.get_command(application(FILES[file][0]))
    assert isinstance(group, typer.core.TyperGroup)
    assert tuple(group.commands) == FILES[file]
    everything = typer.main.get_command(application())
    assert isinstance(everything, typer.core.TyperGroup)
    assert list(everything.commands) == [command for commands in FILES.values() for command in commands]
