"""deploy/Dockerfile, read line by line (there is no Docker here): what it takes exists, and what it builds works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from settings.config import load_config
from tests.deploy.programs import DEPLOY, ROOT

_LINES = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text()).splitlines()
INSTRUCTIONS = [tuple(line.split(maxsplit=1)) for line in _LINES if line and not line.startswith("#")]


def arguments(instruction: str) -> list[str]:
    return [argument for name, argument in INSTRUCTIONS if name == instruction]


def sources() -> list[str]:
    copies = [copy.split() for copy in arguments("COPY") if not copy.startswith("--from")]
    return [source for copy in copies for source in copy[:-1]]


def test_everything_copied_is_there() -> None:
    assert [source for source in sources() if not (ROOT / source).exists()] == []


def test_it_does_not_run_as_root() -> None:
    last_stage = INSTRUCTIONS[max(at for at, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]
    assert [argument for name, argument in last_stage if name == "USER"] == ["flowkeep"]


def test_bases_have_a_tag() -> None:
    for base in arguments("FROM"):
        assert re.match(r"\S+:\d[\w.-]+", base), base


def test_every_package_that_pip_fetches_has_its_hash() -> None:
    installs = [part for run in arguments("RUN") for part in run.split("&&") if re.search(r"pip (install|wheel)", part)]
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install or "--no-build-isolation" in install


def test_ports_and_paths_are_those_of_the_example_configuration() -> None:
    config = load_config(ROOT / "configs" / "flowkeep.yaml", {})
    exposed = arguments("EXPOSE")[0].split()
    assert [port for port in exposed if port != "4739/tcp"] == [
        f"{listen.rpartition(':')[2]}/udp" for listen in config.listen
    ]
    assert arguments("VOLUME") == [str(config.data_dir)]
    assert f"http://{config.metrics}/healthz" in arguments("HEALTHCHECK")[0]


def test_the_build_backend_is_in_the_development_lock() -> None:
    (command,) = [run for run in arguments("RUN") if "backend.txt" in run]
    script = re.search(r"sed -n '([^']+)'", command)
    assert script
    lines = subprocess.run(
        ["sed", "-n", script[1], ROOT / "requirements-dev.txt"], capture_output=True, text=True
    ).stdout
    assert re.match(r"setuptools==\S+ \\\n( +--hash=sha256:\w+( \\)?\n)+", lines), lines


def test_what_is_copied_makes_a_whole_package(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    for source in sources():
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / "src" / source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    built = subprocess.run([*pip, "--wheel-dir", tmp_path, tmp_path / "src"], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    wanted = {
        str(path.relative_to(ROOT)) for package in packages for path in (ROOT / package).iterdir() if path.is_file()
    }
    assert wanted - packed == set()


@pytest.fixture
def healthcheck() -> list[str]:
    command: list[str] = json.loads(arguments("HEALTHCHECK")[0].partition("CMD ")[2])
    return [sys.executable, *command[1:]]


def test_the_healthcheck_fails_where_nothing_answers(healthcheck: list[str]) -> None:
    elsewhere = [word.replace("127.0.0.1:9477", "127.0.0.1:1") for word in healthcheck]
    assert elsewhere != healthcheck
    assert subprocess.run(elsewhere, capture_output=True).returncode != 0
