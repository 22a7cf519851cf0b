"""The evidence of a case as a BagIt 1.0 bag (RFC 8493), which others verify with nothing of ours.

What is signed in which order is said in `standalone_evidence`, which verifies it and lies in each bag as
verify_evidence.py. The order is forced: an entry of the ledger names the manifest of what is in data/, so that comes
first; then come the entry, the proof that it is in the ledger, the manifest of all other files, the signature over that
and the time stamp over both. A bag holds personal data: only its owner may read it. Until it is sealed it lies under
another name, from where the next run clears it away if this one is killed.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from abuse.bag_folder import Content, begin, finish, refusing, write
from abuse.bag_program import README, program
from abuse.inclusion import Proof, key_records, prove
from abuse.standalone_bag import DECLARATION, MANIFEST, SIGNATURE, TAGMANIFEST, TIMESTAMP, is_name
from abuse.standalone_evidence import LEDGER_PROOF
from abuse.standalone_proofs import DIGEST
from ledger.book import Ledger
from ledger.entry import JSON, Entry
from ledger.keys import SigningKey, public_file
from settings.errors import RefusalError

Stamp = Callable[[bytes], bytes]
"""What gets a time stamp for octets, as `timestamp.Authority.stamp` does."""

_LABEL = re.compile("[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_OXUM = "Payload-Oxum"
_WIDTH = 79
_UNFIT = ("Cc", "Cs")
"""Control characters, and halves of characters that UTF-8 cannot say."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A sealed bag: where, its manifest's SHA-256, and how the ledger knows of it."""

    path: Path
    manifest_sha256: str
    proof: Proof

    @property
    def entry(self) -> Entry:
        """The ledger's entry that names the manifest."""
        return self.proof.entry


def pack(
    target: Path, payload: Mapping[str, Content], info: Mapping[str, str], ledger: Ledger, action: str,
    details: Mapping[str, JSON], *, actor: str | None = None, now: datetime, stamp: Stamp | None = None,
) -> Packed:  # fmt: skip
    """Pack files, by their names in data/, into a new directory `target`; put it on record and return the sealed bag.

    `info` is for bag-info.txt. The entry has `action` and `details` besides the manifest's SHA-256. RefusalError, a
    LedgerError too, where it cannot be done; UnreachableError where no time stamp is to be had. The entry then stays in
    the ledger, and the manifest that it names is of no bag.
    """
    with begun(target, payload, info) as bag:
        entry = ledger.append(action, {**details, DIGEST: bag.manifest_sha256}, actor=actor, now=now)
        proof = prove(ledger, entry, actor=actor, now=now)
        key = ledger.key()
        return Packed(bag.seal(key, key_records(ledger), proof, stamp), bag.manifest_sha256, proof)


@dataclass(frozen=True, slots=True)
class Begun:
    """A bag whose evidence is written, and nothing else."""

    target: Path
    place: Path
    info: bytes
    manifest: bytes

    @property
    def manifest_sha256(self) -> str:
        """The SHA-256 of manifest-sha256.txt, for the ledger's entry."""
        return hashlib.sha256(self.manifest).hexdigest()

    def seal(
        self, key: SigningKey, records: Mapping[str, bytes], proof: Proof | None, stamp: Stamp | None = None
    ) -> Path:  # fmt: skip
        """Write all other files, sign, have the time stamped, give the bag its name and return it.

        `records` are the ledger's public keys, `key` the private one to the newest. RefusalError where the proof is of
        another bag or the disk does not take it; what `stamp` raises.
        """
        if proof and proof.entry.details.get(DIGEST) != self.manifest_sha256:
            raise RefusalError(f"{self.target}: entry {proof.entry.seq} of the ledger is of other evidence")
        if public_file(key.name) not in records:
            raise RefusalError(f"{self.target}: the key {key.name}, which is to sign, is not on record")
        tags = {
            "bagit.txt": DECLARATION, "bag-info.txt": self.info, MANIFEST: self.manifest,
            "README.txt": README.encode(), "verify_evidence.py": program(), **records,
        }  # fmt: skip
        if proof:
            tags[LEDGER_PROOF] = proof.line() + b"\n"
        tagmanifest = _manifest({name: hashlib.sha256(octets).hexdigest() for name, octets in tags.items()})
        signature = key.sign(tagmanifest)
        tags[TAGMANIFEST] = tagmanifest
        token = stamp(tagmanifest + signature) if stamp else None
        if token is not None:
            tags[TIMESTAMP] = token
        tags[SIGNATURE] = _signature(key, signature, token)
        with refusing(self.target):
            for name, octets in tags.items():
                write(self.place / name, octets)
            finish(self.place, self.target)
        return self.target


@contextmanager
def begun(target: Path, payload: Mapping[str, Content], info: Mapping[str, str]) -> Iterator[Begun]:
    """Write the evidence for a new bag; what is not sealed is gone afterwards.

    Names in `payload` are as `is_name` has them, and `info` is text by labels such as "Contact-Name", in one paragraph
    each. RefusalError where they are not, where there is a `target` already, another process packs it, or the disk does
    not take it.
    """
    _look_at_names(payload)
    with begin(target) as place:
        with refusing(target):
            hashes, total = {}, 0
            for name, content in payload.items():
                path = place / "data" / name
                write(path, content)
                with open(path, "rb") as file:
                    hashes[f"data/{name}"] = hashlib.file_digest(file, "sha256").hexdigest()
                    total += file.tell()
        text = _info({**info, _OXUM: f"{total}.{len(hashes)}"})
        yield Begun(target, place, text, _manifest(hashes))


def _look_at_names(names: Collection[str]) -> None:
    """Refuse names that are not plain, or not different on systems to which a and A are the same."""
    folded = {name.lower() for name in names}
    above = {str(parent) for name in folded for parent in PurePosixPath(name).parents}
    strange = sorted(name for name in names if not is_name(f"data/{name}"))
    if strange or not names or len(folded) < len(names) or folded & above:
        raise RefusalError(f"evidence needs files with plain names, all different: {strange or sorted(names)}")


def _manifest(hashes: Mapping[str, str]) -> bytes:
    return "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes)).encode()


def _info(info: Mapping[str, str]) -> bytes:
    """Return bag-info.txt; a line feed in a value would begin a label of its own, so it becomes a space."""
    lines: list[str] = []
    for label, value in info.items():
        words = " ".join(value.split())
        if not _LABEL.fullmatch(label) or not words or any(unicodedata.category(each) in _UNFIT for each in words):
            raise RefusalError(f"bag-info.txt cannot hold this: {label!r}: {value!r}")
        lines += textwrap.wrap(
            words, _WIDTH, initial_indent=f"{label}: ", subsequent_indent="  ", break_long_words=False,
            break_on_hyphens=False,
        )  # fmt: skip
    return "".join(line + "\n" for line in lines).encode()


def _signature(key: SigningKey, signature: bytes, token: bytes | None) -> bytes:
    stamp = hashlib.sha256(token).hexdigest() if token is not None else "none"
    lines = {"type": "flowkeep evidence signature", "key": key.name, "signature": signature.hex(), "timestamp": stamp}
    above = "".join(f"{name}: {value}\n" for name, value in lines.items()).encode()
    return above + f"seal: {key.sign(above).hex()}\n".encode()
