"""Whose a bag is, and when it was packed: keys, the ledger's proof, anchors, and what one who has a key may forge."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from abuse import standalone_proofs
from abuse.bag import Packed
from abuse.inclusion import prove
from abuse.standalone_evidence import verdict, verify
from ledger.book import Ledger
from ledger.entry import read_json
from ledger.keys import generate, parse_public
from tests.abuse.evidence_bags import (
    NOW,
    change_proof,
    files_of,
    findings,
    ledger_of,
    listing_of,
    sign_again,
    verdicts,
)


def test_who_signed_is_shown_by_a_key_got_elsewhere(whole: Packed, tmp_path: Path) -> None:
    key = ledger_of(whole).key()
    records = {path.stem[4:]: path for path in whole.path.glob("key-*.json")}
    (first,) = set(records) - {key.name}
    der = standalone_proofs.der_in(key.public.decode())
    (tmp_path / "new.pem").write_bytes(key.public)
    (tmp_path / "windows.pem").write_bytes(key.public.replace(b"\n", b"\r\n"))
    (tmp_path / "old.pem").write_text(parse_public(records[first].read_bytes()).public)
    for given in ("new.pem", "windows.pem", "old.pem"):
        assert verdicts(whole.path, "signer", key=str(tmp_path / given)) == ["OK"]
    for text in (der[-32:].hex(), der[-32:].hex().upper(), standalone_proofs.sha256(der), *map(str, records.values())):
        assert verdicts(whole.path, "signer", key=text) == ["OK"]
    (tmp_path / "other.pem").write_bytes(generate().public)
    for text in ("00" * 32, str(tmp_path / "other.pem")):
        assert findings(whole.path, key=text) == {("signer", "")}
    by_way = [check.words for check in verify(str(whole.path), key=str(tmp_path / "old.pem")) if check.kind == "signer"]
    assert by_way == [f"signed by the key that you gave, by way of {key.name}"]


def test_a_forger_with_a_key_of_his_own_is_found_only_by_the_key(bag: Path, whole: Packed) -> None:
    theirs, ours = generate(), standalone_proofs.der_in(ledger_of(whole).key().public.decode())
    for path in bag.glob("key-*.json"):
        path.unlink()
    (bag / f"key-{theirs.name}.json").write_bytes(theirs.record(theirs, NOW).line() + b"\n")
    (bag / "data/flows.csv").write_bytes(b"src,dst\n192.0.2.66,198.51.100.7\n")
    (bag / "manifest-sha256.txt").write_bytes(listing_of(bag, [n for n in files_of(bag) if n.startswith("data/")]))
    (bag / "ledger-proof.json").unlink()
    sign_again(bag, theirs)
    assert findings(bag) == set()
    assert verdict(verify(str(bag))).startswith("whole in itself; who signed it is only shown")
    assert findings(bag, key=ours[-32:].hex()) == {("signer", "")}


def test_a_forger_whose_key_nobody_speaks_for_is_found(bag: Path, whole: Packed) -> None:
    ours, theirs = ledger_of(whole).key(), generate()
    der = standalone_proofs.der_in(ours.public.decode())
    claimed = parse_public(theirs.record(theirs, NOW).line() + b"\n")
    forged = type(claimed)(claimed.key, claimed.public, ours.name, claimed.time, claimed.signature)
    (bag / f"key-{theirs.name}.json").write_bytes(forged.line() + b"\n")
    sign_again(bag, theirs)
    assert findings(bag, key=der[-32:].hex()) == {("key", f"key-{theirs.name}.json"), ("signer", "")}


def test_keys_in_a_circle_or_with_two_beginnings_are_found(bag: Path, whole: Packed) -> None:
    one, other = generate(), generate()
    for signer, signed in ((one, other), (other, one)):
        (bag / f"key-{signed.name}.json").write_bytes(signer.record(signed, NOW).line() + b"\n")
    sign_again(bag, one)
    assert findings(bag, key="00" * 32) == {("signer", "")}
    (bag / f"key-{other.name}.json").write_bytes(other.record(other, NOW).line() + b"\n")
    sign_again(bag, one)
    assert findings(bag) == {("key", "")}


def test_a_proof_of_something_else_is_found(bag: Path, whole: Packed) -> None:
    ledger = ledger_of(whole)
    key, good = ledger.key(), json.loads((bag / "ledger-proof.json").read_bytes())
    other = prove(ledger, next(ledger.newest()), actor="ada", now=NOW)
    entry, checkpoint = good["entry"], good["checkpoint"]
    stranger = generate()
    unsigned = {**checkpoint, "key": stranger.name}
    forgeries = [
        read_json(other.line()),
        {**good, "path": good["path"][:-1]},
        {**good, "path": [*good["path"], "00" * 32]},
        {**good, "path": good["path"][::-1]},
        {**good, "path": ["0" * 63]},
        {**good, "path": [7]},
        {**good, "path": {}},
        {**good, "entry": {**entry, "actor": "eve"}},
        {**good, "entry": {**entry, "seq": entry["seq"] - 1}},
        {**good, "entry": {**entry, "seq": 10**19}},
        {**good, "entry": {**entry, "details": {}}},
        {**good, "entry": other.entry.hash},
        {**good, "checkpoint": {**checkpoint, "root": "00" * 32}},
        {**good, "checkpoint": {**checkpoint, "last": checkpoint["last"] + 1}},
        {**good, "checkpoint": {**checkpoint, "first": 0}},
        {**good, "checkpoint": {**checkpoint, "time": "2020-01-01T00:00:00.000Z"}},
        {**good, "checkpoint": {**checkpoint, "signature": "00" * 64}},
        {**good, "checkpoint": unsigned},
        {**good, "checkpoint": {**checkpoint, "extra": ""}},
        {**good, "checkpoint": read_json(other.checkpoint.line())},
    ]
    for forged in forgeries:
        change_proof(bag, key, **forged)
        assert findings(bag) == {("ledger", "ledger-proof.json")}, forged
    change_proof(bag, key, **good)
    assert findings(bag) == set()


def test_a_proof_that_is_no_json_of_ours_is_found(bag: Path, whole: Packed) -> None:
    octets, key = (bag / "ledger-proof.json").read_bytes(), ledger_of(whole).key()
    deep = b"[" * 200_000 + b"]" * 200_000
    strange = [
        b"", b"null\n", b"[]\n", deep + b"\n", b'{"a":1.5}\n', b"9" * 100_000 + b"\n", b"NaN\n", b"\xff\n",
        octets.replace(b",", b", ", 1), octets[:-1], octets.replace(b'"seq":', b'"seq":1,"seq":'),
    ]  # fmt: skip
    for text in strange:
        (bag / "ledger-proof.json").write_bytes(text)
        sign_again(bag, key)
        assert findings(bag) == {("ledger", "ledger-proof.json")}, text[:40]


def test_anchors_show_whether_the_ledger_was_made_anew(whole: Packed, tmp_path: Path) -> None:
    shutil.copytree(ledger_of(whole).directory, tmp_path / "ledger")
    ledger, anchor = Ledger(tmp_path / "ledger"), tmp_path / "anchor"

    def came_to(*lines: bytes) -> list[str]:
        anchor.write_bytes(b"".join(line + b"\n" for line in lines))
        return verdicts(whole.path, "anchor", anchors=[str(anchor)])

    proof = whole.proof
    later = ledger.checkpoint(actor="ada", now=NOW).line()
    assert came_to(proof.checkpoint.line()) == ["OK"]
    assert came_to(proof.checkpoint.line(), later) == ["OK", "NOTE"]
    entry = ledger.append("plan", {}, actor="ada", now=NOW)
    assert came_to(prove(ledger, entry, actor="ada", now=NOW).checkpoint.line()) == ["NOTE"]
    assert came_to(b"nothing") == came_to(b"{}") == came_to(b"[]") == ["BAD"]
    assert came_to(proof.checkpoint.line().replace(b'"last":', b'"last":1')) == ["BAD"]
    assert came_to(proof.checkpoint.line()[:-9] + b'00000000"}'[-9:]) == ["BAD"]
    ledger.rotate(actor="ada", now=NOW)
    assert came_to(ledger.checkpoint(actor="ada", now=NOW).line()) == ["NOTE"]


def test_an_anchor_of_another_history_under_the_same_key_is_found(whole: Packed, tmp_path: Path) -> None:
    """The bag's own ledger was made anew by its owner; the anchor is of the one before."""
    key, anchor = ledger_of(whole).key(), tmp_path / "anchor"
    kept = whole.proof.checkpoint
    for change in ({"head": "11" * 32}, {"root": "11" * 32}, {"previous": "11" * 32}):
        fields = {name: getattr(kept, name) for name in kept.__slots__}
        other = type(kept)(**{**fields, **change, "signature": ""})
        line = type(kept)(**{**fields, **change, "signature": key.sign(other.signed()).hex()}).line()
        anchor.write_bytes(line + b"\n")
        assert findings(whole.path, anchors=[str(anchor)]) == {("anchor", str(anchor))}
