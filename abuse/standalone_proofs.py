"""What `standalone_evidence` proves by: canonical JSON, hashes, Merkle paths; by openssl signatures and time stamps.

It needs Python 3.8 or later, its standard library and openssl 3.0 or later, and none of Flowkeep. `bag.program` puts it
into the one file that lies in each bag.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import json
import os
import re
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

PROOF = ["type", "entry", "path", "checkpoint"]
ENTRY = ["seq", "time", "actor", "action", "details", "previous", "hash"]
CHECKPOINT = ["type", "first", "last", "previous", "head", "root", "latest", "time", "key", "signature"]
KEY = ["type", "key", "public", "previous", "time", "signature"]
KINDS = {"seq": int, "first": int, "last": int, "details": dict, "entry": dict, "checkpoint": dict, "path": list}
PROOF_TYPE = "flowkeep evidence ledger proof"
DIGEST = "manifest_sha256"
"""The name, in the details of the entry of a bag, of the SHA-256 of its manifest-sha256.txt."""

PEM = "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n"
ED25519 = bytes.fromhex("302a300506032b6570032100")
"""What comes before the 32 octets of an Ed25519 key in DER (RFC 8410)."""
# RFC 8032 section 7.1, test 2: an openssl that does not find this signature good, of this alone, cannot be used.
KNOWN_KEY = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
KNOWN_MESSAGE = b"\x72"
KNOWN_SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


class Key(NamedTuple):
    """A public key on record: its name, itself in DER, who speaks for it, what that one signed, and the signature."""

    name: str
    der: bytes
    previous: str
    proven: bytes
    signature: str


def sha256(octets: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(octets).hexdigest()


def is_hash(value: Any) -> bool:
    """Say whether this is a SHA-256 in hexadecimal."""
    return isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value))


def canonical(value: Any) -> bytes:
    """Return JSON in ASCII without white space."""
    return json.dumps(value, separators=(",", ":")).encode()


def whole_number(text: str) -> int:
    """Return a number of JSON; ValueError for one that the ledger does not write."""
    if not re.fullmatch("-?[0-9]{1,20}", text):
        raise ValueError("a number in it is none of the ledger's")
    return int(text)


def read_json(octets: bytes) -> Any:
    """Return the JSON in one canonical line; ValueError where it is in another form."""
    try:
        value = json.loads(octets, parse_int=whole_number, parse_float=whole_number, parse_constant=whole_number)
        is_canonical = canonical(value) + b"\n" == octets
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not is_canonical:
        raise ValueError("it is not in canonical form")
    return value


def expect(value: Any, names: list[str], type_: str | None = None) -> dict[str, Any]:
    """Return an object that has these members, each of its kind; else ValueError."""
    if not isinstance(value, dict) or list(value) != names or value.get("type") != type_:
        raise ValueError("it has not the members that it ought to have")
    for name, member in value.items():
        if type(member) is not KINDS.get(name, str):
            raise ValueError(name + " is of another kind")
    return value


def proven(value: dict[str, Any]) -> bytes:
    """Return the octets that an object's last member proves, a hash or a signature: those of the object without it."""
    return canonical({name: value[name] for name in list(value)[:-1]})


def entry_in(value: Any) -> dict[str, Any]:
    """Return an entry of the ledger whose hash is its own; else ValueError."""
    entry = expect(value, ENTRY)
    if not is_hash(entry["previous"]) or sha256(proven(entry)) != entry["hash"]:
        raise ValueError("the entry is not what its hash was made of")
    return entry


def checkpoint_in(value: Any) -> dict[str, Any]:
    """Return a checkpoint, whose signature is not looked at; ValueError where it is none."""
    point = expect(value, CHECKPOINT, "flowkeep ledger checkpoint")
    hashes = [point[name] for name in ("previous", "head", "root")]
    if not 1 <= point["first"] <= point["last"] or not all(map(is_hash, hashes)):
        raise ValueError("a number or a hash in the checkpoint is none")
    return point


def key_in(octets: bytes) -> Key:
    """Return a public key on record, whose signature is not looked at; ValueError where it is none."""
    record = expect(read_json(octets), KEY, "flowkeep ledger key")
    der = der_in(record["public"])
    if pem_of(der) != record["public"] or sha256(der)[:16] != record["key"]:
        raise ValueError("its key is not the one that it names")
    return Key(record["key"], der, record["previous"], proven(record), record["signature"])


def der_in(text: str) -> bytes:
    """Return the Ed25519 key in PEM as DER; ValueError where there is none."""
    match = re.search("-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\\s]{,200})-----END PUBLIC KEY-----", text)
    der = base64.b64decode("".join(match[1].split()), validate=True) if match else b""
    if not der.startswith(ED25519) or len(der) != len(ED25519) + 32:
        raise ValueError("there is no Ed25519 key in PEM")
    return der


def pem_of(der: bytes) -> str:
    """Return a public key as PEM."""
    return PEM.format(base64.b64encode(der).decode())


def root_by(path: list[str], leaf: str, index: int, size: int) -> str:
    """Return the root to which a path leads from leaf `index` of `size` (RFC 9162 section 2.1.3.2)."""
    here, last, value = index, size - 1, hashlib.sha256(b"\0" + bytes.fromhex(leaf)).digest()
    for other in map(bytes.fromhex, path):
        if last == 0:
            raise ValueError("the way to the root is too long")
        if here & 1 or here == last:
            value = hashlib.sha256(b"\1" + other + value).digest()
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            value = hashlib.sha256(b"\1" + value + other).digest()
        here, last = here >> 1, last >> 1
    if last:
        raise ValueError("the way to the root is too short")
    return value.hex()


def openssl(*arguments: str) -> bytes:
    """Run openssl and return what it printed; ValueError with its reason where it fails."""
    try:
        done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        raise ValueError("openssl did not end") from None
    if done.returncode:
        # a line is id:error:code:library:function:reason:file:line:data
        lines = [line.split(":", 8) for line in done.stderr.decode(errors="replace").splitlines()]
        reasons = [" ".join(parts[5::3]).strip() for parts in lines if len(parts) == 9 and parts[1] == "error"]
        raise ValueError("openssl says: " + (reasons[-1] if reasons else "no"))
    return done.stdout


def is_signed(der: bytes, data: bytes, signature: str) -> bool:
    """Say whether a signature in hexadecimal is good, by openssl."""
    if not re.fullmatch("[0-9a-f]{128}", signature):
        return False
    with tempfile.TemporaryDirectory() as place:
        key, message, proof = (Path(place, name) for name in ("key", "message", "proof"))
        key.write_text(pem_of(der))
        message.write_bytes(data)
        proof.write_bytes(bytes.fromhex(signature))
        files = ["-inkey", str(key), "-in", str(message), "-sigfile", str(proof)]
        try:
            openssl("pkeyutl", "-verify", "-rawin", "-pubin", *files)
        except ValueError:
            return False
    return True


def openssl_can() -> bool:
    """Say whether there is an openssl that verifies Ed25519."""
    key = ED25519 + bytes.fromhex(KNOWN_KEY)
    try:
        return is_signed(key, KNOWN_MESSAGE, KNOWN_SIGNATURE) and not is_signed(key, b"", KNOWN_SIGNATURE)
    except OSError:
        return False


def stamped_at(reply: Path, query: Path, authorities: str | None) -> str:
    """Return when a query of RFC 3161 was answered; ValueError where the answer is not to it or is not sound.

    `authorities` is a file of certificates to trust. Without one the answer's own are trusted, which shows only that
    nobody changed it. Certificates are judged as of the time in the answer: evidence outlives them.
    """
    with tempfile.TemporaryDirectory() as place:
        token, own = os.path.join(place, "token"), os.path.join(place, "own")
        openssl("ts", "-reply", "-in", str(reply), "-token_out", "-out", token)
        # of the token alone: the status around it is signed by nobody, and its words could name another time
        text = openssl("ts", "-reply", "-in", token, "-token_in", "-text").decode(errors="replace")
        match = re.search(r"^Time stamp: (\w+ +\d+ \d+:\d+:\d+)(?:\.\d+)?( \d+) GMT$", text, re.MULTILINE)
        if not match:
            raise ValueError("it names no time")
        moment = datetime.strptime(match[1] + match[2], "%b %d %H:%M:%S %Y")
        openssl("pkcs7", "-inform", "DER", "-in", token, "-print_certs", "-out", own)
        trusted = ["-CAfile", authorities or own, "-partial_chain", "-attime", str(calendar.timegm(moment.timetuple()))]
        openssl("ts", "-verify", "-queryfile", str(query), "-in", str(reply), *trusted)
    return moment.isoformat() + "Z"
