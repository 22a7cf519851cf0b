"""The proof that an entry is in the ledger: the way from its hash to the root in a signed checkpoint.

It shows this one entry and only hashes of others (RFC 6962 section 2.1.1). With an entry that names the SHA-256 of a
bag's manifest it says when the evidence was what it is; the same checkpoint, kept elsewhere, says that nobody made the
ledger anew since.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from abuse.standalone_proofs import PROOF_TYPE
from ledger import keys, merkle
from ledger.book import Ledger
from ledger.checkpoint import Checkpoint
from ledger.entry import Entry, LedgerError, canonical, read_json
from ledger.folder import Folder, opened
from ledger.writing import CHECKPOINT, look, numbers, read_checkpoint, read_segment


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry, the hashes beside its way to the root (the nearest first, in hexadecimal), and who signed the root."""

    entry: Entry
    path: tuple[str, ...]
    checkpoint: Checkpoint

    def line(self) -> bytes:
        """Return the proof as it is kept, without the line feed: entry and checkpoint are, octet for octet, theirs."""
        entry, checkpoint = read_json(self.entry.line()), read_json(self.checkpoint.line())
        return canonical({"type": PROOF_TYPE, "entry": entry, "path": list(self.path), "checkpoint": checkpoint})


def prove(ledger: Ledger, entry: Entry, *, actor: str | None = None, now: datetime) -> Proof:
    """Have the ledger sign its head, which is an entry too, and return the proof that `entry` is in it.

    LedgerError where it is not, or no longer, or the ledger cannot be written or read.
    """
    taken = ledger.checkpoint(actor=actor, now=now)
    with opened(ledger.directory, write=False) as folder:
        # a segment that was closed since the entry was written has a checkpoint of its own
        checkpoint = taken if taken.first <= entry.seq else _closing(folder, entry)
        head = look(folder)
        size = head.size if head.first == checkpoint.first else None
        entries = read_segment(folder, checkpoint.first, size)[: checkpoint.last - checkpoint.first + 1]
    index = entry.seq - checkpoint.first
    if index >= len(entries) or entries[index] != entry:
        raise LedgerError(f"{ledger.directory}: entry {entry.seq} is another; `flowkeep ledger verify` says more")
    path = merkle.inclusion_proof([bytes.fromhex(each.hash) for each in entries], index)
    return Proof(entry, tuple(each.hex() for each in path), checkpoint)


def _closing(folder: Folder, entry: Entry) -> Checkpoint:
    first = max((first for first in numbers(folder.names(), CHECKPOINT) if first <= entry.seq), default=0)
    if not first:
        raise LedgerError(f"the ledger has no checkpoint that reaches to entry {entry.seq}")
    return read_checkpoint(folder, first)


def key_records(ledger: Ledger) -> dict[str, bytes]:
    """Return the files with the public keys that ever signed, by name; LedgerError where one is none."""
    with opened(ledger.directory, write=False) as folder:
        files = {name: folder.read(name) for name in folder.names() if name.startswith("key-")}
    for name, octets in files.items():
        try:
            record = keys.parse_public(octets)
        except ValueError as error:
            raise LedgerError(f"the ledger's {name} is no public key's record: {error}") from None
        if keys.public_file(record.key) != name:
            raise LedgerError(f"the ledger's {name} holds the key {record.key}")
    return files
