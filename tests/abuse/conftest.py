"""Commands given in this process, on the site of a test's own `told`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.main import main

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
