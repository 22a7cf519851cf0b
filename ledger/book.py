"""The ledger as the rest of Flowkeep sees it: append, sign the head, change the key, read.

Several processes may write: each takes the lock for as long as it needs. What writes cannot delete; `ledger.expiry`
can.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from ledger import keys
from ledger.checkpoint import Checkpoint
from ledger.entry import JSON, Action, Entry, LedgerError, parse
from ledger.folder import Folder, opened
from ledger.keys import PublicKey, SigningKey
from ledger.writing import SEGMENT, Wanted, look, numbers, put, segment_name, sign

_NOBODY = 2**32 - 1


def login_name() -> str:
    """Return who runs this process; with the name of the login in brackets where somebody became another user."""
    name = _user_name(os.geteuid())
    with suppress(OSError, ValueError):
        login = int(Path("/proc/self/loginuid").read_text())
        if login not in (_NOBODY, os.geteuid()):
            return f"{name} ({_user_name(login)})"
    return name


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def _octets(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


class Ledger:
    """The ledger in a directory, by custom `ledger` in the data directory; made by the first entry."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def append(
        self, action: str, details: Mapping[str, JSON], *, actor: str | None = None, now: datetime
    ) -> Entry:  # fmt: skip
        """Put on record what is done, by default by the user who runs this; return when it is on the disk.

        LedgerError where it cannot be: then what was to be done must not be.
        """
        return self._append_with(lambda _: details, action, actor=actor, now=now)

    def append_query(
        self, text: str, details: Mapping[str, JSON], *, actor: str | None = None, now: datetime
    ) -> Entry:  # fmt: skip
        """Put a query on record: not its text, which may name addresses, but a digest that only we can make.

        LedgerError as of `append`.
        """

        def with_digest(folder: Folder) -> dict[str, JSON]:
            if keys.PRIVATE not in folder.names():
                keys.load(folder)
            octets = _octets(text)
            return {**details, "digest": keys.pseudonym(folder, octets), "octets": len(octets)}

        return self._append_with(with_digest, Action.PRIVILEGED_QUERY, actor=actor, now=now)

    def query_digest(self, text: str) -> str:
        """Return the digest under which a query is on record since the key is what it is."""
        with opened(self.directory, write=False) as folder:
            return keys.pseudonym(folder, _octets(text))

    def _append_with(
        self, details: Callable[[Folder], Mapping[str, JSON]], action: str, *, actor: str | None, now: datetime
    ) -> Entry:
        """Append what `details` makes of the opened folder."""
        with opened(self.directory, write=True) as folder:
            return put(folder, [(action, details(folder), actor or login_name())], now)[-1]

    def checkpoint(self, *, actor: str | None = None, now: datetime) -> Checkpoint:
        """Return the signed head of the ledger, to be kept elsewhere; that somebody took it is its last entry."""
        with opened(self.directory, write=True) as folder:
            put(folder, [(Action.LEDGER_CHECKPOINT, {"what": "asked for"}, actor or login_name())], now)
            return sign(folder, look(folder), now)

    def rotate(self, *, actor: str | None = None, now: datetime) -> PublicKey:
        """Make a new key and return its record, which the old key has signed; the old public key stays known."""
        with opened(self.directory, write=True) as folder:
            old, new = keys.load(folder), keys.generate()
            record = old.record(new, now)
            folder.replace(keys.public_file(new.name), record.line() + b"\n")
            details = {"what": "key rotated", "key": new.name, "previous": old.name, "signature": record.signature}
            wanted: Wanted = (Action.CONFIGURATION, details, actor or login_name())
            put(folder, [wanted], now)
            folder.replace(keys.PRIVATE, new.pem())
            return record

    def key(self) -> SigningKey:
        """Return the key that signs, made where there is none yet."""
        return SigningKey.load(self.directory)

    def newest(self) -> Iterator[Entry]:
        """Yield the entries, the newest first; LedgerError where one cannot be read."""
        for octets in self._segments():
            for line in reversed(octets.split(b"\n")[:-1]):  # what is behind the last line feed is no entry
                try:
                    yield parse(line)
                except ValueError:
                    raise LedgerError(
                        f"{self.directory}: an entry cannot be read; `flowkeep ledger verify` says where and why"
                    ) from None

    def _segments(self) -> Iterator[bytes]:
        """Yield the segments' octets, the newest first; one that expired meanwhile is passed over."""
        with opened(self.directory, write=False) as folder:
            firsts = numbers(folder.names(), SEGMENT)
        for first in reversed(firsts):
            with opened(self.directory, write=False) as folder:
                octets = folder.read(segment_name(first)) if segment_name(first) in folder.names() else b""
            yield octets
