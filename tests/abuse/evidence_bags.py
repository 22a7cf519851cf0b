"""Bags for tests: packed from a real ledger, changed and signed again, verified in this process or as others would."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from abuse import standalone_evidence, standalone_proofs
from abuse.bag import Packed, Stamp, pack
from abuse.bag_folder import Content
from abuse.bag_program import program
from abuse.standalone_evidence import verify
from ledger.book import Ledger
from ledger.entry import canonical
from ledger.keys import SigningKey

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
PAYLOAD: Mapping[str, Content] = {
    "flows.csv": b"src,dst\n192.0.2.1,198.51.100.7\n",
    "mail/report.txt": b"it was they\n",
}
INFO = {"Source-Organization": "Example Networks", "External-Identifier": "case 7", "Bagging-Date": "2026-11-20"}
BARE = {"PATH": "/usr/bin:/bin"}
"""An environment in which there is openssl, and nothing else."""


@contextmanager
def remembered() -> Iterator[None]:
    """Ask openssl once for each signature: most of what is done to a bag leaves the signatures as they were."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(standalone_evidence, "is_signed", lru_cache(None)(standalone_proofs.is_signed))
        patch.setattr(standalone_evidence, "openssl_can", lru_cache(None)(standalone_proofs.openssl_can))
        yield


def ledger_in(directory: Path) -> Ledger:
    """A ledger of a few entries whose key was changed once."""
    ledger = Ledger(directory / "ledger")
    ledger.append("plan", {"due": 1}, actor="ada", now=NOW)
    ledger.rotate(actor="ada", now=NOW)
    ledger.append("purge", {"rows": 2}, actor="ada", now=NOW)
    return ledger


def packed(directory: Path, stamp: Stamp | None = None, name: str = "case-7") -> Packed:
    """A small bag in a directory, whose ledger lies beside it."""
    ledger = ledger_in(directory)
    return pack(directory / name, PAYLOAD, INFO, ledger, "export", {"case": 7}, actor="ada", now=NOW, stamp=stamp)


def findings(path: Path, **options: Any) -> set[tuple[str, str]]:
    """Kinds and files of what the verifier finds, in this process."""
    return {(check.kind, check.file) for check in verify(str(path), **options) if check.verdict == "BAD"}


def verdicts(path: Path, kind: str, **options: Any) -> list[str]:
    """What the checks of one kind come to."""
    return [check.verdict for check in verify(str(path), **options) if check.kind == kind]


@dataclass(frozen=True)
class Run:
    """What a run of the stand-alone verifier came to."""

    status: int
    lines: list[str]
    errors: str


def run(program_at: Path, *arguments: str | Path, environment: Mapping[str, str] = BARE) -> Run:
    """Run the verifier as somebody else would, with nothing of ours and from another directory."""
    command = [sys.executable, "-I", "-S", str(program_at), *map(str, arguments)]
    done = subprocess.run(command, cwd="/", env=dict(environment), capture_output=True, text=True, timeout=60)
    return Run(done.returncode, done.stdout.splitlines(), done.stderr)


def verifier(directory: Path) -> Path:
    """The verifier's file, got elsewhere than from a bag."""
    path = directory / "verify.py"
    path.write_bytes(program())
    return path


def copied(bag: Path, to: Path) -> Path:
    """A copy of a bag, in place of the one that was there."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(bag, to, symlinks=True)
    return to


def files_of(bag: Path) -> dict[str, bytes]:
    """The files of a bag, by name."""
    return {str(path.relative_to(bag)): path.read_bytes() for path in sorted(bag.rglob("*")) if path.is_file()}


def listing_of(bag: Path, names: list[str]) -> bytes:
    """A manifest of files of a bag."""
    return "".join(
        f"{hashlib.sha256((bag / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(names)
    ).encode()


def sign_again(bag: Path, key: SigningKey) -> None:
    """Make the tag manifest and signature.txt anew, as only one who has the key can."""
    left_out = {"tagmanifest-sha256.txt", "signature.txt", "timestamp.tsr"}
    tags = [name for name in files_of(bag) if not name.startswith("data/") and name not in left_out]
    manifest = listing_of(bag, tags)
    (bag / "tagmanifest-sha256.txt").write_bytes(manifest)
    token = bag / "timestamp.tsr"
    stamp = hashlib.sha256(token.read_bytes()).hexdigest() if token.exists() else "none"
    above = (
        f"type: flowkeep evidence signature\nkey: {key.name}\nsignature: {key.sign(manifest).hex()}\n"
        f"timestamp: {stamp}\n"
    ).encode()
    (bag / "signature.txt").write_bytes(above + f"seal: {key.sign(above).hex()}\n".encode())


def change_proof(bag: Path, key: SigningKey, **members: Any) -> None:
    """Have the ledger proof say something else, and sign the bag again."""
    path = bag / "ledger-proof.json"
    path.write_bytes(canonical({**json.loads(path.read_bytes()), **members}) + b"\n")
    sign_again(bag, key)


def ledger_of(whole: Packed) -> Ledger:
    """The ledger beside the bag."""
    return Ledger(whole.path.parent / "ledger")
