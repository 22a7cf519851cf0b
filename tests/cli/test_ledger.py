"""`flowkeep ledger` and what `flowkeep sql` puts on record: asked before it is answered, refused where it cannot be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.main import main
from demo.provider import Ports, write_demo
from ledger.book import Ledger
from storage.embedded import Node
from tests.ledger.books import found_standalone, small

Flowkeep = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def flowkeep(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Flowkeep:
    """The command line, in this process: a new one takes a second to start."""

    def flowkeep(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["flowkeep", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), printed.out, printed.err)

    return flowkeep


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_demo(tmp_path / "site", 1_795_000_000_000, Ports(2055, 6343, 8123, 9000, 9477))


@pytest.fixture
def ledger(config: Path) -> Ledger:
    """The ledger of that site, of three months."""
    directory = config.parent / "data" / "ledger"
    assert f"data_dir: {directory.parent.name}\n" in config.read_text()
    return small(directory)


@pytest.fixture
def asking(config: Path, node: Node, database: Node) -> Iterator[Path]:
    """A site whose data directory is that of the running node; the ledger in it begins with the test."""
    data = database.files.root.parent
    config.write_text(config.read_text().replace("data_dir: data\n", f"data_dir: {data}\n"))
    if (data / "ledger").exists():  # tests of other files that had this node have written there
        (data / "ledger").rename(config.parent / "ledger-of-others")
    yield config
    (data / "ledger").rename(config.parent / "ledger-of-this-test")


def test_it_is_shown_verified_and_damage_is_exit_1(flowkeep: Flowkeep, config: Path, ledger: Ledger) -> None:
    shown = flowkeep("ledger", "show", "-n", "2", "-c", str(config))
    assert shown.returncode == 0, shown.stderr
    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["seq", "7", "8"]
    assert "1099511627776" in shown.stdout
    as_json = flowkeep("ledger", "show", "--action", "plan", "--since", "2026-08-31", "--json", "-c", str(config))
    assert [json.loads(line)["details"]["due"] for line in as_json.stdout.splitlines()] == [2, 4]
    whole = flowkeep("ledger", "verify", "-c", str(config))
    assert (whole.returncode, "entries 1 to 8, 2 checkpoints, 0 anchors: whole" in whole.stdout) == (0, True)
    segment = ledger.directory / "000000000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"due":2', b'"due":3'))
    damaged = flowkeep("ledger", "verify", "-c", str(config))
    assert (damaged.returncode, damaged.stderr) == (1, "")
    assert "hash: 000000000001.jsonl: entry 3 is not what its hash was made of" in damaged.stdout
    report = json.loads(flowkeep("ledger", "verify", "--json", "-c", str(config)).stdout)
    assert [(finding["kind"], finding["seq"]) for finding in report["findings"]] == [("hash", 3)]


def test_an_anchor_shows_that_the_end_is_gone(flowkeep: Flowkeep, config: Path, ledger: Ledger, tmp_path: Path) -> None:
    taken = flowkeep("ledger", "checkpoint", "-c", str(config))
    anchor = tmp_path / "anchor.json"
    anchor.write_text(taken.stdout)
    verify = ("ledger", "verify", "--anchor", str(anchor), "-c", str(config))
    assert flowkeep(*verify).returncode == 0
    last = max(ledger.directory.glob("*.jsonl"))
    last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:-1]))
    gone = flowkeep(*verify)
    assert gone.returncode == 1
    assert "its end was cut off" in gone.stdout
    anchor.write_text("")
    empty = flowkeep(*verify)
    assert (empty.returncode, "holds no checkpoint" in empty.stderr) == (2, True)


def test_the_verifier_printed_is_the_one_that_verifies(
    flowkeep: Flowkeep, config: Path, ledger: Ledger, tmp_path: Path
) -> None:
    (tmp_path / "alone").mkdir()
    program = tmp_path / "alone" / "verify_ledger.py"
    program.write_text(flowkeep("ledger", "verifier").stdout)
    command = [sys.executable, "-I", str(program), str(ledger.directory)]
    done = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, env={"PATH": "/usr/bin"})
    assert (done.returncode, done.stdout) == (0, "8 entries, the last is 8: whole\n"), done.stderr
    without = subprocess.run(command, cwd=program.parent, capture_output=True, text=True, env={"PATH": "/nowhere"})
    assert (without.returncode, without.stderr.count("\n")) == (2, 1)
    assert found_standalone(ledger.directory) == set()


def test_the_key_is_printed_and_changed(flowkeep: Flowkeep, config: Path, ledger: Ledger) -> None:
    before = flowkeep("ledger", "key", "-c", str(config)).stdout
    after = flowkeep("ledger", "key", "--rotate", "-c", str(config)).stdout
    assert before.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert after.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert before != after
    assert flowkeep("ledger", "verify", "-c", str(config)).returncode == 0


def test_without_a_ledger_that_is_said(flowkeep: Flowkeep, config: Path) -> None:
    for verb in ("show", "verify"):
        done = flowkeep("ledger", verb, "-c", str(config))
        assert (done.returncode, done.stdout) == (1, "")
        assert "there is no ledger yet; the first entry makes it" in done.stderr


def test_a_query_is_on_record_before_and_after_without_its_text(flowkeep: Flowkeep, asking: Path) -> None:
    done = flowkeep("sql", "SELECT number, '192.0.2.7' FROM numbers(3)", "--names", "-c", str(asking))
    assert done.stdout.count("\n") == 4, done.stderr
    assert flowkeep("sql", "SELECT nonsense", "-c", str(asking)).returncode == 1
    lines = flowkeep("ledger", "show", "--json", "-c", str(asking)).stdout
    assert "192.0.2.7" not in lines
    _, asked, answered, again, refused = map(json.loads, lines.splitlines())
    assert (asked["action"], asked["details"]["role"], asked["details"]["octets"]) == ("privileged_query", "query", 42)
    assert answered["details"] == {"lines": 3, "octets": len(done.stdout), "query": asked["seq"]}
    assert (again["action"], refused["action"]) == ("privileged_query", "refusal")
    assert refused["details"] == {"by": "the database", "query": again["seq"]}
    assert flowkeep("ledger", "verify", "-c", str(asking)).returncode == 0
    was_asked = flowkeep("ledger", "show", "--query", "SELECT nonsense", "--json", "-c", str(asking)).stdout
    assert json.loads(was_asked) == again


def test_a_query_that_cannot_be_put_on_record_is_refused(
    flowkeep: Flowkeep, asking: Path, node: Node, tmp_path: Path
) -> None:
    data = node.files.root.parent
    (data / "ledger").symlink_to(tmp_path)
    done = flowkeep("sql", "SELECT 1", "-c", str(asking))
    assert (done.returncode, done.stdout) == (1, "")
    assert "is a symbolic link" in done.stderr
