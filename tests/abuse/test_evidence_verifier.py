"""The stand-alone verifier, with nothing of ours: a whole bag is whole, and whatever is done to it is found."""

from __future__ import annotations

import ast
import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from abuse import standalone_bag, standalone_evidence, standalone_proofs
from abuse.bag import Packed
from abuse.bag_program import program
from abuse.standalone_evidence import main, verify
from tests.abuse.evidence_bags import (
    copied,
    files_of,
    findings,
    ledger_of,
    listing_of,
    run,
    sign_again,
    verifier,
)


def test_a_whole_bag_is_whole_wherever_it_is(whole: Packed, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_bytes(ledger_of(whole).key().public)
    anchor = tmp_path / "anchor"
    anchor.write_bytes(whole.proof.checkpoint.line() + b"\n")
    alone = copied(whole.path, tmp_path / "else where" / "b")
    for program_at in (verifier(tmp_path), alone / "verify_evidence.py"):
        plain = run(program_at, alone)
        assert (plain.status, plain.errors) == (0, "")
        assert "whole in itself; who signed it is only shown by a key that you got elsewhere" in plain.lines[-1]
        told = run(program_at, alone, "--key", pem, "--anchor", anchor)
        assert (told.status, told.errors) == (0, "")
        assert told.lines[-1] == "whole, and signed by the key that you gave"
        assert any(line.startswith("OK   anchor: ") for line in told.lines)
        assert any("NOTE program: it is the bag's own" in line for line in told.lines) is (program_at.parent == alone)
    assert files_of(alone) == files_of(whole.path)


def test_the_verifier_is_one_file_for_python_3_8(whole: Packed) -> None:
    text = program().decode()
    tree = ast.parse(text, feature_version=(3, 8))
    imported = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names
    names = [name for module in (standalone_proofs, standalone_bag, standalone_evidence) for name in defined(module)]
    assert len(names) == len(set(names)), "two modules define one name, and in the one file there is only one"
    assert (whole.path / "verify_evidence.py").read_text() == text


def defined(module: object) -> list[str]:
    """The names that a module defines at its top."""
    tree = ast.parse(Path(str(getattr(module, "__file__", ""))).read_text())
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    named = [node for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return [node.id for node in named] + [
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]


def test_one_changed_octet_anywhere_is_found(bag: Path) -> None:
    assert findings(bag) == set()
    small = {"signature.txt", "bagit.txt", "data/flows.csv", "data/mail/report.txt"}
    for name, octets in files_of(bag).items():
        for at in range(0, len(octets), 1 if name in small else max(len(octets) // 40, 1)):
            changed = octets[:at] + bytes([octets[at] ^ 1 << at % 8]) + octets[at + 1 :]
            (bag / name).write_bytes(changed)
            assert findings(bag), f"{name}: octet {at}"
        (bag / name).write_bytes(octets)
    assert findings(bag) == set()


@pytest.mark.parametrize(
    "change",
    [
        lambda octets: octets + b"\n", lambda octets: octets[:-1], lambda octets: b"", lambda octets: octets + octets,
        lambda octets: octets.replace(b"\n", b"\r\n"), lambda octets: b"\xef\xbb\xbf" + octets,
        lambda octets: octets.upper(), lambda octets: octets + b"\0", lambda octets: b"\n" + octets,
    ],
)  # fmt: skip
def test_every_other_form_of_a_file_is_found(bag: Path, change: Callable[[bytes], bytes]) -> None:
    for name, octets in files_of(bag).items():
        (bag / name).write_bytes(change(octets))
        assert findings(bag), name
        (bag / name).write_bytes(octets)


def test_a_file_that_is_gone_or_added_or_called_otherwise_is_found(bag: Path) -> None:
    for name, octets in files_of(bag).items():
        (bag / name).unlink()
        assert ("form", name) in findings(bag)
        (bag / f"{name}x").write_bytes(octets)
        assert findings(bag) >= {("form", name), ("form", f"{name}x")}
        (bag / f"{name}x").rename(bag / name)
    for name in (
        "x",
        "data/x",
        "data/mail/x",
        "timestamp.tsr",
        "manifest-md5.txt",
        "fetch.txt",
        "json.py",
        ".x",
        "a b",
    ):
        (bag / name).write_bytes(b"x")
        assert findings(bag), name
        (bag / name).unlink()
    for name in ("x", "data/x"):
        (bag / name).mkdir()
        assert findings(bag) == {("form", name)}
        (bag / name).rmdir()
    assert findings(bag) == set()


def test_exchanged_files_are_found(bag: Path) -> None:
    files = files_of(bag)
    for one in files:
        for other in files:
            if one < other:
                (bag / one).write_bytes(files[other])
                (bag / other).write_bytes(files[one])
                assert findings(bag), (one, other)
                (bag / one).write_bytes(files[one])
                (bag / other).write_bytes(files[other])
    assert findings(bag) == set()


def test_what_is_no_plain_file_is_found_and_never_followed(bag: Path, tmp_path: Path) -> None:
    for name, octets in files_of(bag).items():
        path = bag / name
        path.rename(tmp_path / "moved")
        for make in (lambda: path.symlink_to(tmp_path / "moved"), lambda: os.mkfifo(path), path.mkdir):  # noqa: B023
            make()
            assert findings(bag), name
            path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(octets)
    (bag / "data").rename(tmp_path / "data")
    (bag / "data").symlink_to(tmp_path / "data")
    assert ("form", "data") in findings(bag)


def test_names_that_are_no_text_and_deep_directories_are_found(bag: Path, tmp_path: Path) -> None:
    strange = os.fsencode(bag) + b"/data/\xff\x1b[2J\n"
    Path(os.fsdecode(strange)).write_bytes(b"x")
    (bag / "data" / "/".join(["d"] * 150)).mkdir(parents=True)
    done = run(verifier(tmp_path), bag)
    assert (done.status, done.errors) == (1, "")
    assert any(r"data/\udcff\x1b[2J\n" in line for line in done.lines)
    assert "\x1b" not in "".join(done.lines)


def test_a_file_that_is_too_large_to_be_what_it_is_called_is_found(bag: Path) -> None:
    os.truncate(bag / "signature.txt", 2**40)
    assert ("signature", "signature.txt") in findings(bag)


def test_a_large_file_of_evidence_is_hashed_in_parts(bag: Path, whole: Packed) -> None:
    large = bag / "data" / "large"
    large.write_bytes(b"")
    os.truncate(large, standalone_bag.LARGEST + 2**20)
    (bag / "manifest-sha256.txt").write_bytes(listing_of(bag, [n for n in files_of(bag) if n.startswith("data/")]))
    (bag / "ledger-proof.json").unlink()
    sign_again(bag, ledger_of(whole).key())
    assert findings(bag) == set()


def test_a_manifest_that_lists_what_it_may_not_is_found(bag: Path, whole: Packed, tmp_path: Path) -> None:
    key, octets = ledger_of(whole).key(), (bag / "manifest-sha256.txt").read_bytes()
    (tmp_path / "outside").write_bytes(b"x")
    digest = standalone_proofs.sha256(b"x")
    for line in ("../outside", str(tmp_path / "outside"), "data/../../outside", "data/", "data", "bagit.txt", "x"):
        (bag / "manifest-sha256.txt").write_bytes(f"{digest}  {line}\n".encode() + octets)
        (bag / "ledger-proof.json").unlink(missing_ok=True)
        sign_again(bag, key)
        assert {kind for kind, _ in findings(bag)} >= {"form"}, line
    (bag / "manifest-sha256.txt").write_bytes(octets)
    sign_again(bag, key)
    for name in ("tagmanifest-sha256.txt", "signature.txt", "data/flows.csv"):
        listed = listing_of(bag, ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "README.txt", name])
        (bag / "tagmanifest-sha256.txt").write_bytes(listed)
        assert ("form", name) in findings(bag)


def test_json_says_the_same(bag: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(bag), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["checks"] == [check._asdict() for check in verify(str(bag))]
    (bag / "data/flows.csv").write_bytes(b"")
    assert main([str(bag), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "1 findings: do not rely on this"
    bad = [check for check in found["checks"] if check["verdict"] == "BAD"]
    assert [(check["kind"], check["file"]) for check in bad] == [("hash", "data/flows.csv")]


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["nowhere"], ["BAG/bagit.txt"], ["BAG", "--key", "nowhere"], ["BAG", "--key", "0123456789abcdef"],
        ["BAG", "--key", "BAG/bagit.txt"], ["BAG", "--anchor", "nowhere"], ["BAG", "--anchor", "/dev/null"],
        ["BAG", "--tsa-ca", "BAG/bagit.txt"], ["BAG", "--tsa-ca", "BAG"], ["BAG", "--what"], ["BAG", "more"],
        ["BAG", "--key", "\udcff"],
    ],
)  # fmt: skip
def test_wrong_use_is_said_without_a_traceback(bag: Path, tmp_path: Path, arguments: list[str]) -> None:
    done = run(verifier(tmp_path), *(argument.replace("BAG", str(bag)) for argument in arguments))
    assert (done.status, done.lines) == (2, [])
    assert done.errors
    assert "Traceback" not in done.errors


def test_without_openssl_nothing_is_said_of_the_bag(bag: Path, tmp_path: Path) -> None:
    done = run(verifier(tmp_path), bag, environment={"PATH": str(tmp_path)})
    assert (done.status, done.lines) == (2, [])
    assert done.errors.startswith("the program openssl, 3.0 or later, is needed")


def test_an_openssl_that_finds_everything_good_or_bad_is_not_believed(bag: Path, tmp_path: Path) -> None:
    fake = tmp_path / "openssl"
    for status in (0, 1):
        fake.write_text(f"#!/bin/sh\nexit {status}\n")
        fake.chmod(0o755)
        assert run(verifier(tmp_path), bag, environment={"PATH": str(tmp_path)}).status == 2


def test_whatever_is_done_there_is_no_traceback(whole: Packed, tmp_path: Path) -> None:
    chance = random.Random(20261120)
    files = files_of(whole.path)
    anchor = tmp_path / "anchor"
    for _ in range(120):
        bag = copied(whole.path, tmp_path / "bag")
        for name in chance.sample(sorted(files), chance.randint(1, 4)):
            octets, path = files[name], bag / name
            at = chance.randrange(len(octets))
            junk = chance.randbytes(chance.randint(0, 40))
            path.write_bytes(chance.choice([octets[:at], octets[:at] + junk + octets[at + 1 :], junk, octets[at:]]))
            if chance.random() < 0.2:
                path.rename(
                    bag / chance.choice(["data/" + "x" * chance.randint(1, 200), "key-x.json", "timestamp.tsr"])
                )
        anchor.write_bytes(chance.randbytes(20) + b"\n" + whole.proof.checkpoint.line()[: chance.randint(1, 400)])
        assert findings(bag, anchors=[str(anchor)])
