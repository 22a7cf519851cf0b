"""Each entry's proof leads to a signed root: of the open segment or a closed one, under an old key, with a torn end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from abuse import standalone_proofs
from abuse.inclusion import Proof, key_records, prove
from ledger import checkpoint as checkpoints
from ledger import keys, merkle
from ledger.book import Ledger
from ledger.entry import LedgerError, parse
from tests.abuse.evidence_bags import NOW, ledger_in


def is_sound(ledger: Ledger, proof: Proof) -> bool:
    """Say whether our code, the ledger's and the stand-alone one find that the proof holds."""
    leaf, root = bytes.fromhex(proof.entry.hash), bytes.fromhex(proof.checkpoint.root)
    index, size = proof.entry.seq - proof.checkpoint.first, proof.checkpoint.last - proof.checkpoint.first + 1
    public = keys.parse_public(key_records(ledger)[keys.public_file(proof.checkpoint.key)]).public.encode()
    return (
        merkle.includes(leaf, index, size, [bytes.fromhex(each) for each in proof.path], root)
        and standalone_proofs.root_by(list(proof.path), proof.entry.hash, index, size) == proof.checkpoint.root
        and keys.is_signed(public, proof.checkpoint.signed(), proof.checkpoint.signature)
    )


def test_each_entry_of_a_growing_ledger_is_proven(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    for number in range(12):
        entry = ledger.append("plan", {"n": number}, actor="ada", now=NOW)
        proof = prove(ledger, entry, actor="ada", now=NOW)
        assert is_sound(ledger, proof)
        assert proof.checkpoint.last == entry.seq + 1


def test_an_entry_of_a_closed_segment_is_proven_by_its_checkpoint(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    old = ledger.append("plan", {"n": 1}, actor="ada", now=NOW)
    ledger.rotate(actor="ada", now=NOW)
    proof = prove(ledger, old, actor="ada", now=NOW + timedelta(days=31))
    assert proof.checkpoint.last < max(entry.seq for entry in ledger.newest())
    assert is_sound(ledger, proof)


def test_a_torn_line_at_the_end_is_no_hindrance(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    entry = ledger.append("plan", {"n": 1}, actor="ada", now=NOW)
    with open(ledger.directory / "000000000001.jsonl", "ab") as file:
        file.write(b'{"seq":99,')
    assert is_sound(ledger, prove(ledger, entry, actor="ada", now=NOW))


def test_an_entry_that_the_ledger_has_not_is_not_proven(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    entry = ledger.append("plan", {"n": 1}, actor="ada", now=NOW)
    for other in (replace(entry, actor="eve"), replace(entry, seq=entry.seq + 7), replace(entry, seq=entry.seq - 1)):
        with pytest.raises(LedgerError, match="is another"):
            prove(ledger, other, actor="ada", now=NOW)


def test_the_proof_holds_entry_and_checkpoint_octet_for_octet(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    entry = ledger.append("plan", {"who": "Zoë \U0001f600", "list": [1, {"a": None}]}, actor="ada", now=NOW)
    line = prove(ledger, entry, actor="ada", now=NOW).line()
    assert entry.line() in line
    found = standalone_proofs.expect(
        standalone_proofs.read_json(line + b"\n"), standalone_proofs.PROOF, standalone_proofs.PROOF_TYPE
    )
    assert parse(standalone_proofs.canonical(found["entry"])) == entry
    assert checkpoints.parse(standalone_proofs.canonical(found["checkpoint"])).last == entry.seq + 1


def test_a_public_key_that_is_none_is_not_handed_on(tmp_path: Path) -> None:
    ledger = ledger_in(tmp_path)
    first, second = key_records(ledger).values()
    name = next(iter(key_records(ledger)))
    (ledger.directory / name).write_bytes(second)
    with pytest.raises(LedgerError, match="holds the key"):
        key_records(ledger)
    (ledger.directory / name).write_bytes(first[:-1])
    with pytest.raises(LedgerError, match="is no public key's record"):
        key_records(ledger)
