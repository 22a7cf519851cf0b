"""Verify a copy of a Flowkeep ledger: `python3 verify_ledger.py DIRECTORY [ANCHOR...]`.

This needs Python's standard library and the program `openssl` (3.0 or later), and none of Flowkeep: whoever is handed a
copy of a ledger can read this file and run it. An ANCHOR is a file with checkpoints that were kept elsewhere; only they
show that the end is missing or that all was made anew. Exit status: 0 whole, 1 findings, 2 wrong use.

DIRECTORY holds, all lines being JSON in ASCII without white space, each ended by a line feed:
  SEQ.jsonl       entries from number SEQ on. "hash" is the SHA-256 of the line with `,"hash":"..."` taken out;
                  "previous" is the hash of the entry before, 64 zeros in entry 1.
  SEQ.checkpoint  of a segment that is closed: the hash before it, its last entry's hash, the Merkle root over its
                  entries' hashes (RFC 6962 section 2.1), its newest time, and an Ed25519 signature (RFC 8032) in
                  hexadecimal over the line with `,"signature":"..."` taken out.
  key-NAME.json   a public key, signed by the one before it; NAME begins the SHA-256 of its DER form.
A segment that is gone has to be named by an entry "ledger_expiry"; its checkpoint stands for it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

ENTRY = ["seq", "time", "actor", "action", "details", "previous", "hash"]
CHECKPOINT = ["type", "first", "last", "previous", "head", "root", "latest", "time", "key", "signature"]
KEY = ["type", "key", "public", "previous", "time", "signature"]
NUMBERS = {"seq", "first", "last"}
# RFC 8032 section 7.1, test 2: an openssl that does not find this signature good cannot be used.
KNOWN_KEY = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
KNOWN_MESSAGE = b"\x72"
KNOWN_SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def no_float(text: str) -> Any:
    """Refuse what JSON has besides whole numbers."""
    raise ValueError(text + " is no whole number")


def read(line: bytes, names: list[str], type_: str | None = None) -> tuple[dict[str, Any], bytes]:
    """Return the object in a line and the octets that prove it; ValueError where it is not in canonical form."""
    try:
        value = json.loads(line, parse_float=no_float, parse_constant=no_float)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict) or list(value) != names or value.get("type") != type_:
        raise ValueError("it has not the keys it ought to have")
    for name, member in value.items():
        wanted = int if name in NUMBERS else dict if name == "details" else str
        if type(member) is not wanted:
            raise ValueError(name + " is of another kind")
    if json.dumps(value, separators=(",", ":")).encode() != line:
        raise ValueError("it is not in canonical form")
    *_, (last, proof) = value.items()
    return value, line[: -len(f',"{last}":"{proof}"}}')] + b"}"


def root(leaves: list[bytes]) -> bytes:
    """Return the Merkle root of RFC 6962 section 2.1, as its definition says it."""
    if not leaves:
        return hashlib.sha256().digest()
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    while len(level) > 1:  # an odd one at the end goes up as it is, which makes the same tree
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\1" + pair[0] + pair[1]).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0]


def root_of(entries: list[dict[str, Any]]) -> str:
    """Return the root over entries' hashes, in hexadecimal."""
    return root([bytes.fromhex(entry["hash"]) for entry in entries]).hex()


def is_hash(text: str) -> bool:
    """Say whether this is a SHA-256 in hexadecimal."""
    return bool(re.fullmatch("[0-9a-f]{64}", text))


def openssl(*arguments: str) -> tuple[int, bytes]:
    """Run openssl; return its exit status and what it printed."""
    done = subprocess.run(["openssl", *arguments], capture_output=True, check=False)
    return done.returncode, done.stdout


def is_signed(pem: str, data: bytes, signature: str) -> bool:
    """Say whether a signature in hexadecimal is good, by openssl."""
    if not re.fullmatch("[0-9a-f]{128}", signature):
        return False
    with tempfile.TemporaryDirectory() as place:
        key, message, proof = (Path(place, name) for name in ("key", "message", "proof"))
        key.write_text(pem)
        message.write_bytes(data)
        proof.write_bytes(bytes.fromhex(signature))
        status, _ = openssl(
            "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(key), "-in", str(message), "-sigfile", str(proof)
        )
    return status == 0


def openssl_can() -> bool:
    """Say whether there is an openssl that verifies Ed25519."""
    der = bytes.fromhex("302a300506032b6570032100" + KNOWN_KEY)
    pem = "-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(der).decode() + "\n-----END PUBLIC KEY-----\n"
    try:
        return is_signed(pem, KNOWN_MESSAGE, KNOWN_SIGNATURE)
    except OSError:
        return False


class Ledger:
    """The files of a ledger, and what was found in them: (kind, file, words)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
        self.findings: list[tuple[str, str, str]] = []
        self.warnings: list[str] = []
        self.keys: dict[str, dict[str, Any]] = {}
        self.checkpoints: dict[int, dict[str, Any]] = {}
        self.entries: dict[int, dict[str, Any]] = {}
        self.gone: list[dict[str, Any]] = []
        self.last = 0

    def find(self, kind: str, name: str, words: str) -> None:
        """Put down a finding."""
        self.findings.append((kind, name, words))

    def of(self, pattern: str) -> dict[int, str]:
        """Return the names that a pattern matches, by the number in it."""
        found = {name: re.fullmatch(pattern, name, re.ASCII) for name in self.files}
        numbers = {name: int(match[1]) for name, match in found.items() if match}
        return {number: name for name, number in numbers.items() if number and name.startswith(f"{number:012d}.")}

    def read_keys(self) -> None:
        """Read the public keys; each must be signed by the one it names, and only the first by itself."""
        signed = {}
        for name in sorted(name for name in self.files if re.fullmatch("key-.*[.]json", name, re.DOTALL)):
            try:
                key, octets = read(self.line(name), KEY, "flowkeep ledger key")
                body = re.fullmatch("-----BEGIN PUBLIC KEY-----\n(.*)\n-----END PUBLIC KEY-----\n", key["public"])
                der = base64.b64decode(body[1], validate=True) if body else b""
                if name != "key-" + hashlib.sha256(der).hexdigest()[:16] + ".json" or name[4:-5] != key["key"]:
                    raise ValueError("its name is not that of its key")
            except ValueError as error:
                self.find("key", name, str(error))
                continue
            self.keys[key["key"]], signed[key["key"]] = key, octets
        for name, key in self.keys.items():
            speaker = self.keys.get(key["previous"] or name)
            if not speaker or not is_signed(speaker["public"], signed[name], key["signature"]):
                self.find("signature", "key-" + name + ".json", "its signature is not good")
        first = sorted(name for name, key in self.keys.items() if not key["previous"])
        if len(first) > 1:
            self.find("key", "key-" + first[0] + ".json", f"{len(first)} keys say they are the first")
        if "signing.pem" in self.files:
            self.look_at_private(self.directory / "signing.pem")

    def look_at_private(self, path: Path) -> None:
        """Look at the private key, which has no business in a copy: it is the last public one's other half."""
        _, again = openssl("pkey", "-in", str(path))
        _, public = openssl("pkey", "-in", str(path), "-pubout")
        if again != path.read_bytes() or public.decode() not in [key["public"] for key in self.keys.values()]:
            self.find("key", path.name, "it is not the key that the public ones belong to")

    def line(self, name: str) -> bytes:
        """Return the one line of a file."""
        if not self.files[name].endswith(b"\n"):
            raise ValueError("it does not end with a line feed")
        return self.files[name][:-1]

    def checkpoint(self, name: str, line: bytes) -> dict[str, Any]:
        """Return the checkpoint in a line, with a member "good"; a wrong signature is a finding."""
        found, octets = read(line, CHECKPOINT, "flowkeep ledger checkpoint")
        if not all(map(is_hash, (found["previous"], found["head"], found["root"]))):
            raise ValueError("a hash in it is none")
        if not 1 <= found["first"] <= found["last"]:
            raise ValueError("its numbers are none")
        key = self.keys.get(found["key"])
        found["good"] = key is not None and is_signed(key["public"], octets, found["signature"])
        if not found["good"]:
            self.find("signature", name, "its signature is not good, or of a key that is not here")
        return found

    def walk(self) -> None:
        """Follow the chain from the oldest segment or checkpoint to the end."""
        segments, closed = self.of(r"([0-9]+)[.]jsonl"), self.of(r"([0-9]+)[.]checkpoint")
        for first, name in sorted(closed.items()):
            try:
                found = self.checkpoint(name, self.line(name))
                if found["first"] != first:
                    raise ValueError("it is of another segment")
                self.checkpoints[first] = found
            except ValueError as error:
                self.find("checkpoint", name, str(error))
        seq, head, firsts = 0, "0" * 64, sorted({*segments, *closed})
        for first in firsts:
            point = self.checkpoints.get(first)
            if first != seq + 1:
                self.find("missing", f"{first:012d}.jsonl", f"entries {seq + 1} to {first - 1} are not there")
                head = ""
            if first in segments:
                is_open = first == firsts[-1] and not point
                kept, seq, head = self.segment(segments[first], first, head, is_open)
                self.compare(first, point, kept)
                if first not in closed and first != firsts[-1]:
                    self.find("checkpoint", f"{first:012d}.checkpoint", "it is not there, and the segment is closed")
            elif point:
                self.gone.append(point)
                if head and point["previous"] != head:
                    self.find("chain", closed[first], "it does not follow what is before it")
                seq, head = point["last"], point["head"]
        self.last = seq
        if firsts and firsts[-1] in self.checkpoints:
            self.warnings.append("nothing follows the last closed segment")

    def segment(self, name: str, first: int, head: str, is_open: bool) -> tuple[list[dict[str, Any]], int, str]:
        """Return a segment's entries, its last number and its last hash ("" for one that is not known)."""
        *lines, torn = self.files[name].split(b"\n")
        if torn:
            self.find("torn", name, "what is at its end is no whole line")
        if not lines and not torn and not is_open:
            self.find("missing", name, "it is empty")
        kept = []
        for seq, line in enumerate(lines, first):
            try:
                entry, octets = read(line, ENTRY)
                datetime.strptime(entry["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
                if len(entry["time"]) != 24 or not is_hash(entry["hash"]) or not is_hash(entry["previous"]):
                    raise ValueError("its time or a hash is none")
            except ValueError as error:
                self.find("unreadable", name, f"entry {seq}: {error}")
                head = ""
                continue
            if hashlib.sha256(octets).hexdigest() != entry["hash"]:
                self.find("hash", name, f"entry {seq} is not what its hash was made of")
            if entry["seq"] != seq or (head and entry["previous"] != head):
                self.find("chain", name, f"entry {seq} does not follow the one before it")
            before = self.entries.get(seq - 1)
            if before and entry["time"] < before["time"]:
                self.warnings.append(f"entry {seq} is of {entry['time']}, and the one before of {before['time']}")
            head = entry["hash"]
            kept.append(entry)
            self.entries[seq] = entry
        return kept, first + len(lines) - 1, head

    def compare(self, first: int, point: dict[str, Any] | None, kept: list[dict[str, Any]]) -> None:
        """Compare a closed segment with its checkpoint."""
        if not point:
            return
        last = kept[-1] if kept else {"seq": 0, "hash": ""}
        said = [point[name] for name in ("last", "head")]
        if said != [last["seq"], last["hash"]]:
            self.find("checkpoint", f"{first:012d}.checkpoint", "the segment ends with another entry")
        elif (point["previous"], point["root"]) != (kept[0]["previous"], root_of(kept)):
            self.find("checkpoint", f"{first:012d}.checkpoint", "the segment has another root")
        elif point["latest"] != max(entry["time"] for entry in kept):
            self.find("checkpoint", f"{first:012d}.checkpoint", "the segment's newest time is another")

    def look_for_gone(self) -> None:
        """Have an entry say of every segment that is gone that it expired."""
        details = [entry["details"] for entry in self.entries.values() if entry["action"] == "ledger_expiry"]
        through = max((one["last"] for one in details if isinstance(one.get("last"), int)), default=0)
        for point in self.gone:
            if point["last"] > through:
                self.find("missing", f"{point['first']:012d}.jsonl", "it is gone, and no entry says that it expired")

    def hold_against(self, name: str, line: bytes) -> None:
        """Compare the ledger with a checkpoint that was kept elsewhere."""
        try:
            point = self.checkpoint(name, line.strip())
        except ValueError as error:
            return self.find("anchor", name, f"it is no checkpoint: {error}")
        if not point["good"]:
            return None
        first, last = point["first"], point["last"]
        if last > self.last:
            return self.find("anchor", name, f"there were {last} entries, and the ledger ends with {self.last}")
        ends = {each["last"]: each["head"] for each in self.checkpoints.values()}
        head = self.entries[last]["hash"] if last in self.entries else ends.get(last)
        if head is None and last > max((each["last"] for each in self.gone), default=0):
            return self.find("anchor", name, f"entry {last} cannot be read")
        if head is None:
            return self.warnings.append(f"{name}: entry {last} has expired, and can no longer be compared")
        kept = [self.entries[seq] for seq in range(first, last + 1) if seq in self.entries]
        if head != point["head"] or (len(kept) == last - first + 1 and root_of(kept) != point["root"]):
            self.find("anchor", name, f"entries up to {last} were others: the ledger was made anew")
        return None


def main(arguments: list[str]) -> int:
    """Verify, print what was found, return the exit status."""
    if not arguments or arguments[0].startswith("-") or not Path(arguments[0]).is_dir():
        print(__doc__, file=sys.stderr)
        return 2
    if not openssl_can():
        print("the program openssl, 3.0 or later, is needed, and is not here or does not know Ed25519", file=sys.stderr)
        return 2
    try:
        ledger = Ledger(Path(arguments[0]))
        anchors = {path: Path(path).read_bytes().splitlines() for path in arguments[1:]}
    except OSError as error:
        print(error, file=sys.stderr)
        return 2
    if not all(anchors.values()):
        print("an ANCHOR holds nothing; it would prove nothing either", file=sys.stderr)
        return 2
    ledger.read_keys()
    ledger.walk()
    ledger.look_for_gone()
    for path, lines in anchors.items():
        for number, line in enumerate(lines, 1):
            ledger.hold_against(f"{path}:{number}", line)
    for kind, name, words in ledger.findings:
        print(f"{kind}: {name}: {words}")
    for words in ledger.warnings:
        print(f"look at this: {words}")
    count = len(ledger.findings)
    print(f"{len(ledger.entries)} entries, the last is {ledger.last}: " + (f"{count} findings" if count else "whole"))
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
