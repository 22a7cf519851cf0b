"""Whether a ledger is whole: every octet of every file against hashes, signatures and what follows what. Pure.

What it cannot see by itself is that the end is missing, or that all was made anew by somebody who had the key: for that
it is given anchors, checkpoints that were kept elsewhere. `ledger.standalone` says the same again, without our code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ledger import checkpoint as checkpoints
from ledger import keys
from ledger.checkpoint import Checkpoint, root_of
from ledger.entry import GENESIS, Action, Entry, digest, parse
from ledger.keys import PublicKey, SigningKey
from ledger.writing import CHECKPOINT, SEGMENT, checkpoint_name, numbers, segment_name

Kind = Literal[
    "unreadable", "hash", "chain", "torn", "missing", "checkpoint", "signature", "key", "anchor", "time", "leftover"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written: in which file, at which entry (0: of none), and what in words."""

    kind: Kind
    file: str
    seq: int
    text: str


@dataclass(slots=True)
class Report:
    """What there is and what is wrong with it. Warnings are no proof of anything, but somebody should know."""

    findings: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)
    entries: int = 0
    first: int = 0
    last: int = 0
    head: str = GENESIS
    checkpoints: int = 0


def verify(files: Mapping[str, bytes], anchors: Sequence[bytes] = ()) -> Report:
    """Verify a ledger, given by its files' names and octets, and against checkpoints that were kept elsewhere."""
    return _Verifier(files).run(anchors)


class _Verifier:
    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self.report = Report()
        self._public: dict[str, PublicKey] = {}
        self._checkpoints: dict[int, Checkpoint] = {}
        self._entries: dict[int, Entry] = {}
        self._gone: list[Checkpoint] = []

    def run(self, anchors: Sequence[bytes]) -> Report:
        self._read_keys()
        self._read_checkpoints()
        self._walk()
        self._look_for_gone()
        for number, line in enumerate(anchors, 1):
            self._compare(f"anchor {number}", line)
        self._look_for_strangers()
        self.report.entries, self.report.checkpoints = len(self._entries), len(self._checkpoints)
        return self.report

    def _find(self, kind: Kind, file: str, text: str, seq: int = 0) -> None:
        self.report.findings.append(Finding(kind, file, seq, text))

    def _warn(self, kind: Kind, file: str, text: str, seq: int = 0) -> None:
        self.report.warnings.append(Finding(kind, file, seq, text))

    def _read_keys(self) -> None:
        for name in self._key_files():
            try:
                record = keys.parse_public(self._files[name])
            except ValueError as error:
                self._find("key", name, f"it is no public key's record: {error}")
                continue
            if keys.public_file(record.key) == name:
                self._public[record.key] = record
            else:
                self._find("key", name, f"it holds the key {record.key}")
        for record in self._public.values():
            speaker = self._public.get(record.previous or record.key)
            if not speaker or not keys.is_signed(speaker.public.encode(), record.signed(), record.signature):
                by = record.previous or "itself"
                self._find(
                    "signature", keys.public_file(record.key), f"the signature of {by} under this key is not good"
                )
        first = sorted(record.key for record in self._public.values() if not record.previous)
        if len(first) > 1:
            self._find("key", keys.public_file(first[0]), f"{len(first)} keys say they are the first")
        self._read_private()

    def _key_files(self) -> list[str]:
        return sorted(name for name in self._files if name.startswith("key-") and name.endswith(".json"))

    def _read_private(self) -> None:
        """Look at the private key too, where there is one: copies for others come without."""
        private = self._files.get(keys.PRIVATE)
        if private is None:
            return
        try:
            key = SigningKey(private)
        except ValueError:
            self._find("key", keys.PRIVATE, "it is no Ed25519 key in PEM")
            return
        if key.name not in self._public or key.pem() != private:
            self._find(
                "key", keys.PRIVATE, "it is not the key that the public ones belong to, or not as it was written"
            )

    def _read_checkpoints(self) -> None:
        for first in numbers(list(self._files), CHECKPOINT):
            name = checkpoint_name(first)
            try:
                found = _parse_line(self._files[name])
            except ValueError as error:
                self._find("checkpoint", name, f"it is no checkpoint: {error}")
                continue
            self._check_signature(name, found)
            if found.first == first:
                self._checkpoints[first] = found
            else:
                self._find("checkpoint", name, f"it is of the segment that begins with {found.first}")

    def _check_signature(self, name: str, checkpoint: Checkpoint) -> bool:
        record = self._public.get(checkpoint.key)
        if record and keys.is_signed(record.public.encode(), checkpoint.signed(), checkpoint.signature):
            return True
        whose = "is not good" if record else "is of a key that the ledger does not have"
        self._find("signature", name, f"its signature, by {checkpoint.key[:64]}, {whose}")
        return False

    def _walk(self) -> None:
        """Follow the chain from the oldest segment or checkpoint to the end."""
        segments = numbers(list(self._files), SEGMENT)
        firsts = sorted({*segments, *numbers(list(self._files), CHECKPOINT)})
        seq, head, report = 0, GENESIS, self.report
        for first in firsts:
            name, checkpoint = segment_name(first), self._checkpoints.get(first)
            if first != seq + 1:
                self._find("missing", name, f"entries {seq + 1} to {first - 1} are not there", first)
                head = ""
            if name in self._files:
                is_open = first == firsts[-1] and not checkpoint
                entries, lines, head = self._read_segment(name, first, head, is_open)
                seq = first + lines - 1
                if checkpoint:
                    self._compare_segment(checkpoint, entries)
                elif first != firsts[-1] and checkpoint_name(first) not in self._files:
                    self._find(
                        "checkpoint", checkpoint_name(first), "it is not there, and the segment is closed", first
                    )
            elif checkpoint:
                self._gone.append(checkpoint)
                if head and checkpoint.previous != head:
                    self._find("chain", checkpoint_name(first), "it does not follow what is before it", first)
                seq, head = checkpoint.last, checkpoint.head
        report.last, report.head = seq, head
        report.first = min(self._entries, default=0)
        if firsts and firsts[-1] in self._checkpoints:
            self._warn("missing", segment_name(seq + 1), "nothing follows the last closed segment", seq + 1)

    def _read_segment(self, name: str, first: int, head: str, is_open: bool) -> tuple[list[Entry], int, str]:
        """Return a segment's entries that can be read, how many lines it has, and the hash that the next is to follow.

        `head` is the hash that the first is to follow. A hash that is not known, for want of a readable line, is "".
        """
        *lines, torn = self._files[name].split(b"\n")
        if torn:
            remedy = "; if a process was killed, the next entry cuts it off and says so" if is_open else ""
            self._find("torn", name, f"{len(torn)} octets at its end are no whole line{remedy}", first + len(lines))
        if not lines and not torn and not is_open:
            self._find("missing", name, "it is empty", first)
        entries: list[Entry] = []
        for seq, line in enumerate(lines, first):
            try:
                entry = parse(line)
            except ValueError as error:
                self._find("unreadable", name, f"entry {seq} is none: {error}", seq)
                head = ""
                continue
            if entry.hash != digest(entry):
                self._find("hash", name, f"entry {seq} is not what its hash was made of", seq)
            if entry.seq != seq or (head and entry.previous != head):
                self._find("chain", name, f"entry {seq} does not follow the one before it", seq)
            before = self._entries.get(seq - 1)
            if before and entry.time < before.time:
                self._warn("time", name, f"entry {seq} is of {entry.time}, and the one before of {before.time}", seq)
            head = entry.hash
            entries.append(entry)
            self._entries[seq] = entry
        return entries, len(lines), head

    def _compare_segment(self, checkpoint: Checkpoint, entries: list[Entry]) -> None:
        name = checkpoint_name(checkpoint.first)
        last = entries[-1] if entries else None
        if not last or (last.seq, last.hash) != (checkpoint.last, checkpoint.head):
            self._find("checkpoint", name, f"the segment does not end with entry {checkpoint.last}", checkpoint.last)
        elif entries[0].previous != checkpoint.previous or root_of(entries) != checkpoint.root:
            self._find("checkpoint", name, "the segment has another Merkle root", checkpoint.first)
        elif max(entry.time for entry in entries) != checkpoint.latest:
            self._find("checkpoint", name, "the segment's newest time is another", checkpoint.first)

    def _look_for_gone(self) -> None:
        """Have every missing segment be one that an entry says has expired."""
        through = [
            entry.details.get("last") for entry in self._entries.values() if entry.action == Action.LEDGER_EXPIRY
        ]
        last = max((number for number in through if isinstance(number, int)), default=0)
        for checkpoint in self._gone:
            if checkpoint.last > last:
                name = segment_name(checkpoint.first)
                self._find("missing", name, "it is gone, and no entry says that it expired", checkpoint.first)
        for first, checkpoint in self._checkpoints.items():
            if checkpoint.last <= last and segment_name(first) in self._files:
                self._warn("leftover", segment_name(first), "it has expired; the next expiry deletes it", first)

    def _compare(self, name: str, line: bytes) -> None:
        """Compare the ledger with a checkpoint that was kept elsewhere."""
        try:
            anchor = checkpoints.parse(line.strip())
        except ValueError as error:
            self._find("anchor", name, f"it is no checkpoint: {error}")
            return
        if not self._check_signature(name, anchor):
            return
        if anchor.last > self.report.last:
            text = f"there were {anchor.last} entries, and the ledger ends with {self.report.last}: its end was cut off"
            self._find("anchor", name, text, anchor.last)
            return
        entries = [self._entries[seq] for seq in range(anchor.first, anchor.last + 1) if seq in self._entries]
        ends = {checkpoint.last: checkpoint.head for checkpoint in self._checkpoints.values()}
        kept = self._entries.get(anchor.last)
        head = kept.hash if kept else ends.get(anchor.last)
        if head is None and anchor.last > max((gone.last for gone in self._gone), default=0):
            self._find("anchor", name, f"entry {anchor.last} cannot be read", anchor.last)
        elif head is None:
            self._warn("anchor", name, f"entry {anchor.last} has expired, and can no longer be compared", anchor.last)
        elif head != anchor.head:
            self._find("anchor", name, f"entry {anchor.last} was another: the ledger was made anew", anchor.last)
        elif len(entries) == anchor.last - anchor.first + 1 and root_of(entries) != anchor.root:
            self._find("anchor", name, f"entries {anchor.first} to {anchor.last} have another root", anchor.last)

    def _look_for_strangers(self) -> None:
        known = {segment_name(first) for first in numbers(list(self._files), SEGMENT)}
        known |= {checkpoint_name(first) for first in numbers(list(self._files), CHECKPOINT)}
        for name in sorted(set(self._files) - known - {keys.PRIVATE, *self._key_files()}):
            self._warn("leftover", name, "this is no file of the ledger's")


def _parse_line(data: bytes) -> Checkpoint:
    if not data.endswith(b"\n"):
        raise ValueError("it does not end with a line feed")
    return checkpoints.parse(data[:-1])
