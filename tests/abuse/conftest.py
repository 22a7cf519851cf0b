"""Commands given in this process, on the site of a test's own `told`; and a bag of evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abuse.bag import Packed
from cli.main import main
from tests.abuse.evidence_bags import copied, packed, remembered

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(told: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Give a command, and return its exit code and what it printed: JSON where it is that."""

    def ask(*arguments: str) -> tuple[int, Any]:
        of_site = () if arguments[:2] == ("case", "verify") else ("-c", str(told))
        monkeypatch.setattr("sys.argv", ["flowkeep", *arguments, *of_site])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, json.loads(out) if "--json" in arguments and out else out + err

    return ask


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packed]:
    """A bag that nobody touched, beside its ledger."""
    with remembered():
        yield packed(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def bag(whole: Packed, tmp_path: Path) -> Path:
    """A copy of it, to do something to."""
    return copied(whole.path, tmp_path / "bag")
