"""The numbers of TCP sessions, and which of them are open, in a mapped file that outlives the receiver.

A number is given once, whatever the clock does; and a session that was open when the receiver was killed is known to
have ended when the next one starts. Standard library only: it is part of the receiver.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple

FILE = "tcp.sessions"
MOST = 256
"""Sessions that may be open at a time."""

_FIRST = 1 << 16
"""Below are UDP's, see `decoders.block.TCP_SESSIONS`."""

_DAMAGED = 1 << 47
"""No such time in ms is near, but a disk that failed may say so; the journal's rows have 48 bits for a session."""

_LAST = struct.Struct("=Q")
_SLOT = struct.Struct("=Q16sHHH")
_SLOTS_AT = 64
_SIZE = _SLOTS_AT + MOST * _SLOT.size


class Session(NamedTuple):
    """A TCP connection: its number, the peer's address (16 octets) and port, allow-list entry and listener."""

    number: int
    sender: bytes
    port: int
    entry: int
    listener: int


class Sessions:
    """The sessions that are open, or whose end is not in the journal yet."""

    def __init__(self, directory: Path) -> None:
        descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
        (last,) = _LAST.unpack_from(self._map)
        if last >= _DAMAGED:
            self._map[:] = bytes(_SIZE)
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self.left: list[Session] = []
        """Those that were open when another receiver ended."""
        for at in range(_SLOTS_AT, _SIZE, _SLOT.size):
            session = Session(*_SLOT.unpack_from(self._map, at))
            if _FIRST <= session.number <= last:
                self._slots[session.number] = at
                self.left.append(session)
            else:
                self._free.append(at)

    @property
    def full(self) -> bool:
        """Whether no other session can be opened."""
        return not self._free

    def open(self, now_ms: int, sender: bytes, port: int, entry: int, listener: int) -> Session:
        """Return a new session, numbered by the time, ms since 1970, or by the number after the last if that is less.

        IndexError where MOST are open.
        """
        at = self._free.pop()
        number = max(now_ms, _LAST.unpack_from(self._map)[0] + 1, _FIRST)
        session = Session(number, sender, port, entry, listener)
        _LAST.pack_into(self._map, 0, number)
        _SLOT.pack_into(self._map, at, *session)
        self._slots[number] = at
        return session

    def forget(self, session: Session) -> None:
        """Give the place of a session to another: its end is in the journal."""
        at = self._slots.pop(session.number)
        _SLOT.pack_into(self._map, at, 0, bytes(16), 0, 0, 0)
        self._free.append(at)
