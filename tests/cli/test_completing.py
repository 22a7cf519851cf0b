"""TAB: bash is given words of filters, and names of the configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.provider import Ports, write_demo


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_demo(tmp_path_factory.mktemp("site") / "site", 1_795_000_000_000, Ports(2055, 6343, 8123, 9000, 9477))


def offered(line: str, config: Path, shell: str = "bash") -> list[str]:
    """What is offered for the last word of a line."""
    words = line.split(" ")
    told = {
        "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
        "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
    }[shell]
    environment = {**os.environ, **told, "_FLOWKEEP_COMPLETE": f"complete_{shell}", "FLOWKEEP_CONFIG": str(config)}
    program = Path(sys.executable).with_name("flowkeep")
    done = subprocess.run([program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("flowkeep to", ["top"]),
        ("flowkeep top dst ten", ["tenant"]),
        ("flowkeep top src tenant tiny", ["tiny-games"]),
        ("flowkeep flows exporter acc", ["access1"]),
        ("flowkeep flows not direction in", ["ingress", "internal"]),
        ("flowkeep flows proto t", ["tcp"]),
        ("flowkeep series nat ev", ["event"]),
        ("flowkeep top -s srct", ["srctenant"]),
        ("flowkeep matrix -s srctenant,dstt", ["srctenant,dsttenant"]),
        ("flowkeep compare -s proto/b", ["proto/bytes"]),
    ],
)
def test_a_word_is_completed(config: Path, line: str, some: list[str]) -> None:
    assert offered(line, config) == some


def test_fish_is_given_the_same(config: Path) -> None:
    assert "tiny-games" in offered("flowkeep top src tenant tiny", config, "fish")


def test_a_configuration_that_is_wrong_offers_nothing(tmp_path: Path) -> None:
    assert offered("flowkeep top src tenant a", tmp_path / "none.yaml") == []
