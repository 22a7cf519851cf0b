"""A signed checkpoint: which entries there were, their Merkle root and the chain's head. Pure.

It is a line of canonical JSON whose signature is over the line with `,"signature":"..."` taken out. One is kept beside
each closed segment, and stands for it when it has expired; one made on demand is an anchor, to be kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

from ledger import merkle
from ledger.entry import Entry, canonical, is_hash, read_json, sealed

_TYPE = "flowkeep ledger checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Entries `first` to `last`: the hash before them, theirs as a chain's end and as a tree's root, and their times.

    `latest` is the newest time of them, `time` when it was signed, `key` the name of the key.
    """

    first: int
    last: int
    previous: str
    head: str
    root: str
    latest: str
    time: str
    key: str
    signature: str

    def line(self) -> bytes:
        """Return the checkpoint as it is kept, without the line feed."""
        return sealed(self.signed(), "signature", self.signature)

    def signed(self) -> bytes:
        """Return the octets that the signature is over."""
        names = [field.name for field in fields(self)][:-1]
        return canonical({"type": _TYPE} | {name: getattr(self, name) for name in names})


def over(entries: Sequence[Entry], time: str, key: str, sign: Callable[[bytes], bytes]) -> Checkpoint:
    """Return the signed checkpoint of entries, at least one, that follow each other."""
    first, last = entries[0], entries[-1]
    latest = max(entry.time for entry in entries)
    unsigned = Checkpoint(first.seq, last.seq, first.previous, last.hash, root_of(entries), latest, time, key, "")
    return replace(unsigned, signature=sign(unsigned.signed()).hex())


def root_of(entries: Sequence[Entry]) -> str:
    """Return the Merkle root over the entries' hashes."""
    return merkle.root([bytes.fromhex(entry.hash) for entry in entries]).hex()


def parse(line: bytes) -> Checkpoint:
    """Return the checkpoint in a line; ValueError where it is none, octet for octet. The signature is not looked at."""
    found = read_json(line)
    names = [field.name for field in fields(Checkpoint)]
    if not isinstance(found, dict) or list(found) != ["type", *names] or found.pop("type") != _TYPE:
        raise ValueError("it does not have the keys of a checkpoint")
    numbers, texts = [found.pop(name) for name in names[:2]], list(found.values())
    if not all(type(number) is int for number in numbers) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a number or a text in it is none")
    checkpoint = Checkpoint(*numbers, *texts)
    if not all(map(is_hash, (checkpoint.previous, checkpoint.head, checkpoint.root))):
        raise ValueError("a hash in it is none")
    if not 1 <= checkpoint.first <= checkpoint.last or checkpoint.line() != line:
        raise ValueError("it is not in canonical form")
    return checkpoint
