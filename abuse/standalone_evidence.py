"""Verify evidence that Flowkeep packed: `python3 -I verify_evidence.py BAG --key KEY`.

This needs Python 3.8 or later, its standard library and the program `openssl` (3.0 or later), and none of Flowkeep:
whoever is handed a bag can read this file and run it. Exit status: 0 whole, 1 findings, 2 wrong use.

BAG is a directory of BagIt 1.0 (RFC 8493). Every file but three is listed by its SHA-256 in one of two manifests:
  manifest-sha256.txt     lists what is in data/, the evidence itself.
  tagmanifest-sha256.txt  lists all others: bagit.txt, bag-info.txt, manifest-sha256.txt, key-NAME.json and so on.
The three are tagmanifest-sha256.txt itself, timestamp.tsr, and signature.txt, which is these lines and no more:
  type: flowkeep evidence signature
  key: NAME        of the public key in key-NAME.json; NAME begins the SHA-256 of the key in DER
  signature: HEX   Ed25519 (RFC 8032) over the octets of tagmanifest-sha256.txt
  timestamp: HEX   SHA-256 of timestamp.tsr, or the word none
  seal: HEX        Ed25519 over the octets of the four lines before
timestamp.tsr is an answer of RFC 3161 over tagmanifest-sha256.txt followed by the 64 octets of the signature.
key-NAME.json is a public key, signed by the one before it: JSON in ASCII without white space; the signature is over the
  line with `,"signature":"..."` taken out.
ledger-proof.json has the entry of Flowkeep's ledger that names the SHA-256 of manifest-sha256.txt; the way from the
  entry's hash to the Merkle root over a segment's hashes (RFC 6962 section 2.1.1); and the segment's signed checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from abuse.standalone_bag import BAD, LARGEST, MANIFEST, NOTE, OK, SIGNATURE, TAGMANIFEST, TIMESTAMP, Bag, Check
from abuse.standalone_proofs import (
    DIGEST,
    PROOF,
    PROOF_TYPE,
    Key,
    checkpoint_in,
    der_in,
    entry_in,
    expect,
    is_hash,
    is_signed,
    key_in,
    openssl,
    openssl_can,
    proven,
    read_json,
    root_by,
    sha256,
    stamped_at,
)

LEDGER_PROOF = "ledger-proof.json"
SIGNED = re.compile(
    rb"(type: flowkeep evidence signature\nkey: ([0-9a-f]{16})\nsignature: ([0-9a-f]{128})\n"
    rb"timestamp: ([0-9a-f]{64}|none)\n)seal: ([0-9a-f]{128})\n"
)


class UsageError(Exception):
    """What was asked for cannot be done at all."""


def ends(point: dict[str, Any]) -> dict[int, str]:
    """Return which entries' hashes a checkpoint names: of the one before its first, and of its last."""
    return {point["first"] - 1: point["previous"], point["last"]: point["head"]}


class Evidence(Bag):
    """A bag of which is also checked who signed it, when, and that the ledger knows of it."""

    def __init__(self, place: str) -> None:
        super().__init__(place)
        self.keys: dict[str, Key] = {}
        self.spoken_for: set[str] = set()
        self.signer = ""
        self.signature = self.stamp = ""
        self.seq = 0
        self.point: dict[str, Any] = {}
        self.known: dict[int, str] = {}

    def read_keys(self) -> str:
        """Read the public keys; each must be signed by the one it names, and only the first by itself."""
        for name in filter(re.compile("key-.*[.]json").fullmatch, self.tags):
            try:
                key = key_in(self.octets(name))
                if name != f"key-{key.name}.json":
                    raise ValueError("it is the key " + key.name)
                self.keys[key.name] = key
            except ValueError as error:
                self.add(BAD, "key", name, str(error))
        for name, key in self.keys.items():
            speaker = self.keys.get(key.previous or name)
            if speaker and is_signed(speaker.der, key.proven, key.signature):
                self.spoken_for.add(name)
            else:
                self.add(BAD, "key", f"key-{name}.json", "its signature is not good")
        first = [name for name, key in self.keys.items() if not key.previous]
        if len(first) != 1:
            raise ValueError(f"{len(first)} keys say that they are the first")
        return f"{len(self.keys)} on record, each signed by the one before"

    def signed(self) -> str:
        """Verify the signature and the seal, which is over it and the time stamp's hash."""
        match = SIGNED.fullmatch(self.octets(SIGNATURE))
        if not match:
            raise ValueError("it is not in its one form")
        name, signature, stamp, seal = (part.decode() for part in match.groups()[1:])
        key = self.keys.get(name)
        if not key:
            raise ValueError("it is by a key of which the bag has no record")
        if not is_signed(key.der, self.octets(TAGMANIFEST), signature):
            raise ValueError("the signature over tagmanifest-sha256.txt is not good")
        if not is_signed(key.der, match[1], seal):
            raise ValueError("the seal is not good")
        self.signer, self.signature, self.stamp = name, signature, stamp
        return "tagmanifest-sha256.txt is signed by the key " + name

    def by_whom(self, wanted: str | None) -> str:
        """Have the signing key be the wanted one, or one for which that speaks; `wanted` is as of `key_given`."""
        if not self.signer:
            raise ValueError("nobody's signature is good")
        if not wanted:
            words = "who that is, is only shown by a key that you got elsewhere (--key); this one's SHA-256 is "
            self.add(NOTE, "signer", "", words + sha256(self.keys[self.signer].der))
            return ""
        passed: list[str] = []
        name = self.signer
        while name in self.keys and name not in passed:
            key = self.keys[name]
            if wanted in (key.der[-32:].hex(), sha256(key.der)):
                return "signed by the key that you gave" + (", by way of " + ", ".join(passed[::-1]) if passed else "")
            passed.append(name)
            name = key.previous if name in self.spoken_for else ""
        raise ValueError("it is not signed by the key that you gave, nor by one for which that one speaks")

    def ledger(self) -> str:
        """Follow the proof from the manifest over the ledger's entry to the signed checkpoint."""
        if LEDGER_PROOF not in self.tags:
            self.add(NOTE, "ledger", "", "there is no proof that this was put on record in a ledger")
            return ""
        proof = expect(read_json(self.octets(LEDGER_PROOF)), PROOF, PROOF_TYPE)
        entry, point, path = entry_in(proof["entry"]), checkpoint_in(proof["checkpoint"]), proof["path"]
        seq, first, last = entry["seq"], point["first"], point["last"]
        if entry["details"].get(DIGEST) != sha256(self.octets(MANIFEST)):
            raise ValueError("the entry is not of this evidence: it names another manifest")
        if not first <= seq <= last or not all(map(is_hash, path)):
            raise ValueError("the checkpoint does not reach to the entry, or a hash in the way is none")
        if root_by(path, entry["hash"], seq - first, last - first + 1) != point["root"]:
            raise ValueError("the way from the entry does not lead to the checkpoint's root")
        known = {seq - 1: entry["previous"], seq: entry["hash"]}
        if any(known.get(number, head) != head for number, head in ends(point).items()):
            raise ValueError("the entry and the checkpoint do not agree")
        self.believe(point)
        self.seq, self.point, self.known = seq, point, {**ends(point), **known}
        return f"entry {seq}, of {entry['time']}, names this, and is under the root of a checkpoint of {point['time']}"

    def believe(self, point: dict[str, Any]) -> None:
        """Raise ValueError where a checkpoint's signature is not good."""
        key = self.keys.get(point["key"])
        if not key or not is_signed(key.der, proven(point), point["signature"]):
            raise ValueError("the checkpoint's signature is not good, or of a key of which the bag has no record")

    def anchor(self, name: str, line: bytes) -> str:
        """Compare the ledger, as far as the proof shows it, with a checkpoint that was kept elsewhere."""
        point = checkpoint_in(read_json(line.strip() + b"\n"))
        if not self.known or point["key"] not in self.keys:
            missing = "proof" if not self.known else "record of the key that signed it"
            self.add(NOTE, "anchor", name, "it cannot be compared: the bag has no good " + missing)
            return ""
        self.believe(point)
        for number, head in ends(point).items():
            if self.known.get(number, head) != head:
                raise ValueError(f"entry {number} was another: the ledger was made anew")
        is_same = all(point[name] == self.point[name] for name in ("first", "last"))
        if is_same and point["root"] != self.point["root"]:
            raise ValueError("the entries were others: the ledger was made anew")
        if is_same or self.seq in ends(point):
            return "the ledger had the same entries when this checkpoint was made"
        self.add(NOTE, "anchor", name, f"it agrees where it can be compared, which is not at entry {self.seq}")
        return ""

    def timestamp(self, authorities: bytes | None) -> str:
        """Verify that the time stamp is the sealed one, and of what is signed; whose it is, by the authorities."""
        if not self.signer:
            raise ValueError("nothing was signed whose time it could be")
        if self.stamp == "none" and TIMESTAMP in self.files:
            raise ValueError("signature.txt says that there is none")
        if self.stamp == "none":
            self.add(NOTE, "timestamp", "", "no other party says when this was signed")
            return ""
        token = self.octets(TIMESTAMP)
        if sha256(token) != self.stamp:
            raise ValueError("it is not the one that was sealed")
        imprint = sha256(self.octets(TAGMANIFEST) + bytes.fromhex(self.signature))
        with tempfile.TemporaryDirectory() as place:
            reply, query, trusted = (Path(place, name) for name in ("reply", "query", "trusted"))
            reply.write_bytes(token)
            trusted.write_bytes(authorities or b"")
            openssl("ts", "-query", "-digest", imprint, "-sha256", "-no_nonce", "-out", str(query))
            when = stamped_at(reply, query, str(trusted) if authorities else None)
        if authorities:
            return f"an authority that you trust says that this was signed by {when}"
        self.add(NOTE, "timestamp", TIMESTAMP, f"it says {when}; by whose clock is only shown with --tsa-ca")
        return ""


def octets_given(path: str) -> bytes:
    """Return a file that the user named; UsageError where it cannot be read or holds nothing."""
    try:
        with open(path, "rb") as file:
            octets = file.read(LARGEST)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None
    if not octets.strip():
        raise UsageError(path + ": holds nothing, and would prove nothing")
    return octets


def key_given(text: str) -> str:
    """Return, in hexadecimal, the key or its SHA-256: given so, or in a file as PEM or as a record of the ledger."""
    if re.fullmatch("[0-9A-Fa-f]{64}", text):
        return text.lower()
    try:
        # a record has the PEM in JSON, where a line feed is two characters
        return der_in(octets_given(text).decode("ascii").replace("\\n", "\n"))[-32:].hex()
    except ValueError:
        raise UsageError(text + ": is no Ed25519 key; give 64 hexadecimal digits or a file with PEM") from None


def verify(
    path: str, key: str | None = None, anchors: Sequence[str] = (), tsa_ca: str | None = None
) -> list[Check]:  # fmt: skip
    """Verify a bag and return all checks; UsageError where it cannot be begun.

    `key` is as of `key_given`; `anchors` are files with checkpoints of the ledger that were kept elsewhere, a line
    each; `tsa_ca` a file of certificates in PEM of authorities that are trusted to stamp times.
    """
    if not os.path.isdir(path):
        raise UsageError(path + ": is no directory; a packed bag has to be unpacked first")
    if not openssl_can():
        raise UsageError("the program openssl, 3.0 or later, is needed, and is not here or does not know Ed25519")
    wanted = None if key is None else key_given(key)
    lines = [(each, line) for each in anchors for line in octets_given(each).splitlines()]
    authorities = None if tsa_ca is None else octets_given(tsa_ca)
    if authorities and b"-----BEGIN CERTIFICATE-----" not in authorities:
        raise UsageError(f"{tsa_ca}: has no certificate in PEM")
    evidence = Evidence(path)
    evidence.check_form()
    evidence.check("key", "", evidence.read_keys)
    evidence.check("signature", SIGNATURE, evidence.signed)
    evidence.check("signer", "", lambda: evidence.by_whom(wanted))
    evidence.check("ledger", LEDGER_PROOF, evidence.ledger)
    for each, line in lines:
        evidence.check("anchor", each, partial(evidence.anchor, each, line))
    evidence.check("timestamp", TIMESTAMP, lambda: evidence.timestamp(authorities))
    return evidence.checks


def verdict(checks: Sequence[Check]) -> str:
    """Return in words what the checks come to."""
    bad = sum(check.verdict == BAD for check in checks)
    if bad:
        return f"{bad} findings: do not rely on this"
    if any((check.verdict, check.kind) == (OK, "signer") for check in checks):
        return "whole, and signed by the key that you gave"
    return "whole in itself; who signed it is only shown by a key that you got elsewhere (--key)"


def plain(text: str) -> str:
    """Return a text that does nothing to a terminal."""
    return re.sub("[^ -~]", lambda match: ascii(match[0])[1:-1], text)


def main(arguments: Sequence[str]) -> int:
    """Verify, print what the checks came to, return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("bag", metavar="BAG", help="the unpacked bag")
    parser.add_argument("--key", help="the signer's key, got elsewhere: a file (PEM), or it or its SHA-256, 64 digits")
    parser.add_argument("--anchor", action="append", default=[], help="a file of ledger checkpoints, kept elsewhere")
    parser.add_argument("--tsa-ca", help="a file (PEM) of certificates of authorities trusted to stamp times")
    parser.add_argument("--json", action="store_true", help="print the checks as JSON")
    given = parser.parse_args(arguments)
    try:
        checks = verify(given.bag, given.key, given.anchor, given.tsa_ca)
    except UsageError as error:
        print(plain(str(error)), file=sys.stderr)
        return 2
    here, bag = os.path.realpath(__file__), os.path.join(os.path.realpath(given.bag), "")
    if here.startswith(bag):
        checks.append(Check(NOTE, "program", "", "it is the bag's own, which a forger would change too: use another"))
    if given.json:
        print(json.dumps({"verdict": verdict(checks), "checks": [check._asdict() for check in checks]}, indent=1))
    else:
        for check in checks:
            print(check.verdict.ljust(4), plain(": ".join(filter(None, check[1:]))))
        print(verdict(checks))
    return 1 if any(check.verdict == BAD for check in checks) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
