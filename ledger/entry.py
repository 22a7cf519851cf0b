"""One entry of the ledger as one line of canonical JSON, and which of its octets are hashed. Pure.

A line is a JSON object without white space, in ASCII, its keys in the order `seq`, `time`, `actor`, `action`,
`details`, `previous`, `hash`; keys inside `details` are sorted. `hash` is the SHA-256, in hexadecimal, of the line with
`,"hash":"..."` taken out, and without the line feed at its end: of `{"seq":1, ... ,"previous":"..."}`. `previous` is
the `hash` of the entry before, 64 zeros in the first.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeAlias, Union

from settings.errors import RefusalError

JSON: TypeAlias = Union[str, int, bool, Sequence["JSON"], Mapping[str, "JSON"], None]  # noqa: UP007 - it names itself

GENESIS = "0" * 64
"""What stands for the hash of the entry before the first."""
MAX_LINE = 2**20
_MAX_DEPTH = 16
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_HASH = re.compile(r"[0-9a-f]{64}")
_KEYS = ("seq", "time", "actor", "action", "details", "previous", "hash")


class Action(StrEnum):
    """What can be on record; a word once used keeps its meaning."""

    POLICY_CHANGE = "policy_change"
    PLAN = "plan"
    APPLY = "apply"
    PURGE = "purge"
    HOLD_PLACED = "hold_placed"
    HOLD_EXTENDED = "hold_extended"
    RELEASE_REQUESTED = "release_requested"
    RELEASE_CANCELLED = "release_cancelled"
    HOLD_RELEASED = "hold_released"
    HOLD_CHANGED = "hold_changed"
    HOLD_COPY = "hold_copy"
    HOLD_COPY_REMOVED = "hold_copy_removed"
    EXPORT = "export"
    CASE = "case"
    EVIDENCE = "evidence"
    PRIVILEGED_QUERY = "privileged_query"
    REFUSAL = "refusal"
    VERIFY = "verify"
    CERTIFICATE = "certificate"
    LEDGER_CHECKPOINT = "ledger_checkpoint"
    LEDGER_EXPIRY = "ledger_expiry"
    LEDGER_REPAIR = "ledger_repair"
    START = "start"
    STOP = "stop"
    CONFIGURATION = "configuration"


class LedgerError(RefusalError):
    """The ledger cannot be written or believed; nothing that has to be on record may happen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was done: by whom, when (RFC 3339, UTC, milliseconds), and what ties it to the entry before."""

    seq: int
    time: str
    actor: str
    action: str
    details: Mapping[str, JSON]
    previous: str
    hash: str

    def line(self) -> bytes:
        """Return the entry as it is kept, without the line feed."""
        return sealed(self._body(), "hash", self.hash)

    def _body(self) -> bytes:
        return canonical({name: getattr(self, name) for name in _KEYS[:-1]})

    @property
    def moment(self) -> datetime:
        """When it was, as an aware datetime."""
        return datetime.fromisoformat(self.time)


def make(seq: int, now: datetime, actor: str, action: str, details: Mapping[str, JSON], previous: str) -> Entry:
    """Return a new entry with its hash; LedgerError where it cannot be kept: not JSON, not text, or too long."""
    try:
        plain = _plain(details, _MAX_DEPTH)
        unsealed = Entry(seq, time_text(now), actor, Action(action).value, plain, previous, "")
        actor.encode()
    except ValueError as error:  # UnicodeEncodeError is one
        raise LedgerError(f"this cannot be put on record: {error}") from None
    entry = replace(unsealed, hash=digest(unsealed))
    if len(entry.line()) > MAX_LINE:
        raise LedgerError(f"this cannot be put on record: {action} has more than {MAX_LINE} octets; do it in parts")
    return entry


def parse(line: bytes) -> Entry:
    """Return the entry that is kept as `line`; ValueError where it is none, octet for octet, its hash aside."""
    found = read_json(line)
    if not isinstance(found, dict) or tuple(found) != _KEYS:
        raise ValueError("it does not have the keys of an entry")
    entry = Entry(**found)
    if type(entry.seq) is not int or not isinstance(entry.details, dict):
        raise ValueError("its number is none, or its details are no object")
    if not all(isinstance(text, str) for text in (entry.time, entry.actor, entry.action)):
        raise ValueError("its time, actor or action is no text")
    if not _TIME.fullmatch(entry.time) or not is_hash(entry.previous) or not is_hash(entry.hash):
        raise ValueError("its time or a hash is none")
    datetime.fromisoformat(entry.time)
    if entry.line() != line:
        raise ValueError("it is not in canonical form")
    return entry


def digest(entry: Entry) -> str:
    """Return what the entry's hash ought to be."""
    return hashlib.sha256(entry._body()).hexdigest()


def sealed(body: bytes, name: str, value: str) -> bytes:
    """Return a canonical JSON object with one more member at its end: what proves the rest."""
    return body[:-1] + b"," + canonical({name: value})[1:]


def canonical(value: object) -> bytes:
    """Return a JSON value without white space, in ASCII, its keys in the order they have."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()


def read_json(data: bytes) -> Any:
    """Return the JSON value in some octets, without floats; ValueError where there is none."""
    try:
        return json.loads(data, parse_float=_no_float, parse_constant=_no_float)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def time_text(moment: datetime) -> str:
    """Return a moment, which must have a zone, as RFC 3339 in UTC with milliseconds."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def is_hash(value: object) -> bool:
    """Say whether this is a SHA-256 as the ledger writes it."""
    return isinstance(value, str) and bool(_HASH.fullmatch(value))


def _plain(value: Any, depth: int) -> Any:
    """Return a JSON value with sorted keys; ValueError for floats, which two programs may write differently."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**64:
        return int(value)
    if isinstance(value, str):
        value.encode()
        return str(value)
    if depth and isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {_plain(key, 0): _plain(value[key], depth - 1) for key in sorted(value)}
    if depth and isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [_plain(each, depth - 1) for each in value]
    raise ValueError(f"{type(value).__name__} is no text, whole number, truth value, list or object of few levels")


def _no_float(text: str) -> Any:
    raise ValueError(f"{text} is no whole number")
