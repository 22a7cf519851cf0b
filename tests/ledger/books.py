"""Ledgers for tests: made by a few entries over some months, copied, and verified in both ways."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ledger import standalone
from ledger.book import Ledger
from ledger.folder import snapshot
from ledger.verify import verify

START = datetime(2026, 8, 29, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def small(directory: Path) -> Ledger:
    """A ledger of three months, two of them closed, with a key that was changed once."""
    ledger = Ledger(directory)
    for day in (0, 2, 4):
        ledger.append("plan", {"due": day, "fingerprint": "ab" * 32}, actor="ada", now=START + day * DAY)
    ledger.rotate(actor="ada", now=START + 5 * DAY)
    ledger.append("purge", {"rows": 2**40, "tables": ["flows", "as_minute"]}, actor="systemd", now=START + 40 * DAY)
    return ledger


def found(files: Mapping[str, bytes], anchors: Sequence[bytes] = ()) -> set[tuple[str, str]]:
    """What `ledger.verify` finds: kinds and files."""
    return {(finding.kind, finding.file) for finding in verify(files, anchors).findings}


def found_standalone(directory: Path, *anchors: Path) -> set[tuple[str, str]]:
    """What the stand-alone verifier finds, run as somebody else would: by itself, in a directory with nothing else."""
    place = directory.parent / "elsewhere"
    place.mkdir(exist_ok=True)
    (place / "verify_ledger.py").write_bytes(Path(standalone.__file__).read_bytes())
    command = [sys.executable, "-I", "verify_ledger.py", str(directory), *map(str, anchors)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=60)
    *lines, verdict = done.stdout.splitlines()
    findings = {tuple(line.split(": ", 2)[:2]) for line in lines if not line.startswith("look at this: ")}
    assert (done.returncode, done.stderr) == (1 if findings else 0, ""), done
    assert verdict.endswith("whole") is not bool(findings)
    return {(kind, file) for kind, file in findings}


def written(directory: Path, files: Mapping[str, bytes]) -> Path:
    """A directory with these files."""
    directory.mkdir(mode=0o700)
    for name, octets in files.items():
        (directory / name).write_bytes(octets)
        (directory / name).chmod(0o600)
    return directory


def is_whole(ledger: Ledger) -> bool:
    """Say whether `ledger.verify` finds nothing."""
    return not found(snapshot(ledger.directory))
