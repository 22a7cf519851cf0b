"""Programs of other people that these tests run; without one they fail and say how to get it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def run(program: str, *arguments: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program in the repository's root and return what it said."""
    path = shutil.which(program)
    if path is None:
        pytest.fail(f"{program} is not installed; `make programs` installs what the tests need")
    command = [path, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
