"""A bag is what RFC 8493 says, only its owner's, the same for the same evidence, and either whole or not there."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from abuse.bag import begun, pack
from abuse.bag_archive import archive
from abuse.bag_folder import begin
from abuse.bag_program import README
from abuse.inclusion import key_records, prove
from ledger.book import Ledger
from ledger.keys import generate
from settings.errors import ConfigError, RefusalError, UnreachableError
from tests.abuse.evidence_bags import BARE, INFO, NOW, PAYLOAD, copied, files_of, findings, ledger_in, packed


def shell(script: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of a script that stops at the first error."""
    return subprocess.run(
        ["sh", "-euc", script], cwd=cwd, env={**BARE, **environment}, capture_output=True, text=True, timeout=60
    )


def test_a_bag_has_the_form_of_rfc_8493(tmp_path: Path) -> None:
    bag = packed(tmp_path)
    files = files_of(bag.path)
    assert files["bagit.txt"] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    assert files["data/mail/report.txt"] == b"it was they\n"
    info = files["bag-info.txt"].decode()
    assert info.splitlines()[0] == "Source-Organization: Example Networks"
    assert f"Payload-Oxum: {sum(map(len, PAYLOAD.values()))}.2\n" in info  # type: ignore[arg-type]
    done = shell("sha256sum --strict -c manifest-sha256.txt tagmanifest-sha256.txt", bag.path)
    assert done.returncode == 0, done
    checked = {line.partition(":")[0] for line in done.stdout.splitlines()}
    assert set(files) - checked == {"tagmanifest-sha256.txt", "signature.txt"}


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        bag = packed(tmp_path).path
    finally:
        os.umask(before)
    modes = {(path.is_dir(), stat.S_IMODE(path.lstat().st_mode)) for path in (bag, *bag.rglob("*"))}
    assert modes == {(True, 0o700), (False, 0o600)}


def test_the_same_evidence_has_the_same_manifest(tmp_path: Path) -> None:
    first, second = (packed(tmp_path / name) for name in ("a", "b"))
    assert first.manifest_sha256 == second.manifest_sha256
    same = {name for name, octets in files_of(first.path).items() if files_of(second.path).get(name) == octets}
    assert same >= {"manifest-sha256.txt", "bag-info.txt", "README.txt", "verify_evidence.py", "data/flows.csv"}


def test_evidence_is_octets_or_a_file_or_what_a_function_writes(tmp_path: Path) -> None:
    table = pa.table({"bytes": [1, 2, 3]})
    (tmp_path / "notes.txt").write_text("seen")

    def parquet(file: BinaryIO) -> None:
        pq.write_table(table, file)

    payload: dict[str, Any] = {"a": b"octets", "b": tmp_path / "notes.txt", "c/flows.parquet": parquet}
    bag = pack(tmp_path / "bag", payload, INFO, ledger_in(tmp_path), "export", {}, now=NOW).path
    assert (bag / "data/a").read_bytes() == b"octets"
    assert (bag / "data/b").read_text() == "seen"
    assert pq.read_table(bag / "data/c/flows.parquet").equals(table)
    assert findings(bag) == set()


def test_long_text_is_folded_and_no_text_makes_a_label_of_its_own(tmp_path: Path) -> None:
    forged = "They said:\nPayload-Oxum: 1.1\r\nContact-Name: Mallory\u2028Contact-Phone: 1"
    info = {"Internal-Sender-Description": forged, "External-Description": "wort " * 60 + "Ümläut", "URL": "x" * 200}
    with begun(tmp_path / "bag", PAYLOAD, info) as bag:
        lines = bag.info.decode().splitlines()
    labels = [line.split(":")[0] for line in lines if not line.startswith(" ")]
    assert labels == [*info, "Payload-Oxum"]
    assert max(len(line) for line in lines if "xxx" not in line) <= 79
    text = re.sub("\n +", " ", bag.info.decode())
    assert text.splitlines()[:2] == [
        f"Internal-Sender-Description: {' '.join(forged.split())}", "External-Description: " + "wort " * 60 + "Ümläut",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("Contact Name", "x"),
        ("Contact:Name", "x"),
        ("", "x"),
        ("A", ""),
        ("A", " \n"),
        ("A", "\x1b[2J"),
        ("A", "\ud800"),
    ],
)
def test_what_bag_info_cannot_hold_is_refused(tmp_path: Path, label: str, value: str) -> None:
    with pytest.raises(RefusalError), begun(tmp_path / "bag", PAYLOAD, {label: value}):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "names",
    [
        ["../x"], ["/etc/x"], ["a/../b"], ["./a"], ["a//b"], ["a/"], [""], [".x"], ["-x"], ["a."], ["a b"], ["ä"],
        ["a\nb"], ["x" * 101], ["a/" * 100 + "b"], ["a\\b"], ["a:b"], ["A", "a"], ["a", "a/b"], ["A/b", "a"], [],
    ],
)  # fmt: skip
def test_names_that_are_not_plain_or_not_different_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(RefusalError), begun(tmp_path / "bag", dict.fromkeys(names, b"x"), {}):
        pass
    assert list(tmp_path.iterdir()) == []


def test_only_plain_files_are_packed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe")
    for source in ("link", "pipe", "missing", "."):
        with pytest.raises(RefusalError), begun(tmp_path / "bag", {"a": tmp_path / source}, {}):
            pass
    assert not (tmp_path / "bag").exists()


def test_a_bag_is_never_replaced(tmp_path: Path) -> None:
    bag = packed(tmp_path)
    before = files_of(bag.path)
    for target in (bag.path, tmp_path / "link", tmp_path / "file"):
        if not target.exists():
            target.symlink_to("nowhere") if target.name == "link" else target.write_text("x")
        with pytest.raises(RefusalError, match="is there already"), begun(target, PAYLOAD, INFO):
            pass
    assert files_of(bag.path) == before


def test_what_appears_while_a_bag_is_made_is_not_replaced(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    with begun(tmp_path / "bag", PAYLOAD, INFO) as bag:
        (tmp_path / "bag").mkdir()
        (tmp_path / "bag" / "mine").write_text("x")
        with pytest.raises(RefusalError):
            bag.seal(ledger.key(), key_records(ledger), None)
    assert files_of(tmp_path / "bag") == {"mine": b"x"}


def test_what_is_not_sealed_is_gone(tmp_path: Path) -> None:
    def away(data: bytes) -> bytes:
        raise UnreachableError("no authority")

    with pytest.raises(UnreachableError):
        packed(tmp_path, away)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger"]


def test_one_process_packs_a_bag(tmp_path: Path) -> None:
    with begin(tmp_path / "bag") as place:
        (place / "x").write_text("mine")
        with pytest.raises(RefusalError, match="another process"), begun(tmp_path / "bag", PAYLOAD, {}):
            pass
        assert (place / "x").read_text() == "mine"


KILLED = """
import sys, time
from pathlib import Path
from abuse.bag import begun

def slowly(file):
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)

with begun(Path(sys.argv[1]), {"a/whole": b"x", "half": slowly}, {}):
    pass
"""


def test_a_killed_run_leaves_no_bag_and_the_next_clears_up(tmp_path: Path) -> None:
    target = tmp_path / "case-7"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(target)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        process.kill()
    assert [path.name for path in tmp_path.iterdir()] == [".case-7.new"]
    assert findings(packed(tmp_path).path) == set()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case-7", "ledger"]


def test_a_proof_of_other_evidence_and_a_stranger_key_are_refused(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    proof = prove(ledger, ledger.append("export", {"manifest_sha256": "00" * 32}, now=NOW), now=NOW)
    with begun(tmp_path / "bag", PAYLOAD, INFO) as bag:
        with pytest.raises(RefusalError, match="of other evidence"):
            bag.seal(ledger.key(), key_records(ledger), proof)
        with pytest.raises(RefusalError, match="not on record"):
            bag.seal(generate(), key_records(ledger), None)
    assert not (tmp_path / "bag").exists()


@pytest.mark.parametrize(("ending", "unpack"), [(".zip", "unzip -q"), (".tar", "tar -xf")])
def test_packed_into_one_file_it_is_the_same_each_time_and_comes_out_whole(
    tmp_path: Path, ending: str, unpack: str
) -> None:
    bag = packed(tmp_path).path
    first = archive(bag, tmp_path / f"first{ending}")
    again = copied(bag, tmp_path / "copy" / bag.name)
    for path in again.rglob("*"):
        os.utime(path, (time.time() - 9999,) * 2)
        path.chmod(0o755)
    assert archive(again, tmp_path / f"second{ending}").read_bytes() == first.read_bytes()
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    (tmp_path / "out").mkdir()
    done = shell(f"umask 077; {unpack} {first}", tmp_path / "out")
    assert done.returncode == 0, done
    out = tmp_path / "out" / bag.name
    assert files_of(out) == files_of(bag)
    assert findings(out) == set()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (out, *out.rglob("*"))} == {0o700, 0o600}
    with pytest.raises(RefusalError, match="is there already"):
        archive(bag, first)
    assert not list(tmp_path.glob(".*"))


def test_an_archive_of_another_kind_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.zip or \.tar"):
        archive(tmp_path, tmp_path / "bag.rar")


def test_the_way_by_hand_that_the_bag_describes_works(tmp_path: Path) -> None:
    bag = packed(tmp_path).path
    before, _, after = (bag / "README.txt").read_text().partition("By hand,")
    assert before + _ + after == README
    script = "".join(
        line[4:] + "\n" for line in after.partition("With a time stamp")[0].splitlines() if line[:4] == " " * 4
    )
    assert script.count("\n") == 6
    assert shell(script, bag).returncode == 0
    damaged = copied(bag, tmp_path / "damaged")
    for name in ("signature.txt", "tagmanifest-sha256.txt", "data/flows.csv", "README.txt"):
        octets = (bag / name).read_bytes()
        at = octets.find(b"signature: ") + 20 if name == "signature.txt" else 3
        changed = b"0" if octets[at : at + 1] != b"0" else b"1"
        (damaged / name).write_bytes(octets[:at] + changed + octets[at + 1 :])
        assert shell(script, damaged).returncode != 0, name
        (damaged / name).write_bytes(octets)
    assert shell(script, damaged).returncode == 0


def test_a_bag_needs_no_proof(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    key = ledger.key()
    with begun(tmp_path / "bag", PAYLOAD, INFO) as bag:
        assert bag.seal(key, key_records(ledger), None) == tmp_path / "bag"
    assert findings(tmp_path / "bag") == set()
    assert "ledger-proof.json" not in files_of(tmp_path / "bag")
