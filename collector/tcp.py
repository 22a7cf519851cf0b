"""IPFIX over TCP (RFC 7011 section 10.4): connections are accepted, their messages framed and journaled one by one.

What peers do costs UDP little: a `turn` serves one socket, and reads 8 KiB of it at most. While the journal has no room
none is read, and TCP makes them wait.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from ipaddress import IPv6Address

import numpy as np

from collector.allow_list import AllowList
from collector.segment_writer import ROWS, SegmentWriter
from collector.segments import LARGEST_DATAGRAM
from collector.seldom import Seldom
from collector.sessions import Session, Sessions
from collector.tally import Count, Counted
from schema.addresses import shown

_HEAD = struct.Struct(">HH")
_VERSION, _SHORTEST = 10, 16
_READ = 8 * 1024
"""Octets: in the shortest messages they take 2 ms."""
_ROWS = _READ // _SHORTEST + 3
"""Rows that one read can need: for the messages in it, one that began before, and the session's end."""

_IDLE = 30 * 60.0
_HALF_SENT = 60.0


class Connection:
    """One peer: its session, the beginning of the message that is not whole yet, and since when that waits."""

    __slots__ = ("began", "heard", "pending", "session", "source")

    def __init__(self, source: socket.socket, session: Session, now: float) -> None:
        self.source, self.session = source, session
        self.pending = bytearray()
        self.began = self.heard = now


class Connections:
    """All of TCP behind one descriptor that is ready when a `turn` has something to do."""

    def __init__(
        self,
        listeners: dict[int, socket.socket],
        writer: SegmentWriter,
        allow: AllowList,
        tally: memoryview,
        sessions: Sessions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`listeners` are listening sockets by the number that rows name them by; `clock` gives seconds."""
        self._writer, self._allow, self._tally, self._sessions, self._clock = writer, allow, tally, sessions, clock
        self._poll = select.epoll()
        self._listeners = {source.fileno(): (source, number) for number, source in listeners.items()}
        self._connections: dict[int, Connection] = {}
        self._ended: list[Session] = list(sessions.left)
        self._deaf = False
        self._say_deaf, self._say_broken = Seldom(), Seldom()
        for fd in self._listeners:
            self._poll.register(fd, select.EPOLLIN)
        self._tally[Count.TCP_OPEN] = 0
        self._journal_ends()

    def fileno(self) -> int:
        """Return a descriptor for the receiver's epoll."""
        return self._poll.fileno()

    @property
    def has_room(self) -> bool:
        """Whether the journal takes all that one read can give."""
        return self._writer.room_within_bound(_ROWS)

    def turn(self) -> bool:
        """Serve one of the sockets that are ready, each in its turn; False where none is or the journal has no room."""
        if not self.has_room:
            return False
        ready = self._poll.poll(0, 1)  # of many, the kernel names the one that it named longest ago
        for fd, _ in ready:
            if fd in self._listeners:
                self._accept(*self._listeners[fd])
            else:
                self._read(self._connections[fd])
        return bool(ready)

    def _accept(self, listener: socket.socket, number: int) -> None:
        try:
            source, peer = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        except OSError as error:  # no descriptor is left; as long as that is so, the listener would be ready
            self._listen(False)
            if self._say_deaf():
                print(f"TCP: no connection can be accepted for now: {error.strerror}", file=sys.stderr)
            return
        allowed = self._allow.find(peer[0])
        if allowed is None or self._sessions.full:
            self._tally[Count.TCP_NOT_ALLOWED if allowed is None else Count.TCP_TOO_MANY] += 1
            source.close()
            return
        source.setblocking(False)
        sender, entry = allowed
        session = self._sessions.open(self._writer.now_ms(), sender, peer[1], entry, number)
        self._connections[source.fileno()] = Connection(source, session, self._clock())
        self._poll.register(source, select.EPOLLIN)
        self._tally[Count.TCP_OPENED] += 1
        self._tally[Count.TCP_OPEN] = len(self._connections)

    def _listen(self, on: bool) -> None:
        for fd in self._listeners:
            self._poll.modify(fd, select.EPOLLIN if on else 0)
        self._deaf = not on

    def _read(self, connection: Connection) -> None:
        pending = connection.pending
        try:
            octets = connection.source.recv(min(_READ, LARGEST_DATAGRAM - len(pending)))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the peer has reset the connection
            octets = b""
        if not octets:
            self._end(connection)
            return
        now = self._clock()
        if not pending:
            connection.began = now
        connection.heard = now
        pending += octets
        if not self._frame(connection):
            if self._say_broken():
                peer = shown(IPv6Address(connection.session.sender))
                print(f"TCP: {peer} sent what is no IPFIX message; the connection is closed", file=sys.stderr)
            self._end(connection, Count.TCP_BROKEN)

    def _frame(self, connection: Connection) -> bool:
        """Journal the messages that are whole; False where what follows them is the beginning of no IPFIX message."""
        pending = connection.pending
        at, end = 0, len(pending)
        sound = True
        lengths = []
        while end - at >= _HEAD.size:
            version, length = _HEAD.unpack_from(pending, at)
            sound = version == _VERSION and length >= _SHORTEST
            if not sound or end - at < length:
                break
            lengths.append(length)
            at += length
        if at:
            counted = Counted(len(lengths), at)
            if not self._append(connection.session, lengths, bytes(pending[:at]), counted):
                self._writer.count(self._tally, counted._replace(journal_full=len(lengths)))
            connection.began = connection.heard
            del pending[:at]
        return sound

    def _append(self, session: Session, lengths: list[int], octets: bytes, counted: Counted) -> bool:
        """Journal messages of one session; False where the disk does not take them."""
        number, sender, port, entry, listener = session
        data = np.frombuffer(octets, np.uint8)
        rows = np.zeros(len(lengths), ROWS)
        rows["time"], rows["exporter"], rows["length"] = self._writer.now_ms(), np.void(sender), lengths
        rows["port"], rows["entry"], rows["listener"] = port, entry, listener
        rows["session_low"], rows["session_high"] = number & 0xFFFF, number >> 16
        vectors = np.array([[data.ctypes.data, len(data)]], np.uint64)
        return self._writer.append(rows, vectors, self._tally, counted)

    def _end(self, connection: Connection, why: Count | None = None) -> None:
        """Close a connection; `why` counts it where it is our decision."""
        fd = connection.source.fileno()
        self._poll.unregister(fd)
        del self._connections[fd]
        connection.source.close()
        if why is not None:
            self._tally[why] += 1
        self._tally[Count.TCP_OPEN] = len(self._connections)
        self._ended.append(connection.session)
        self._journal_ends()

    def _journal_ends(self) -> None:
        """Append the row that says that a session has ended, for each of which it is not said yet."""
        while self._ended and self._writer.room_within_bound(1):
            session = self._ended[-1]
            if not self._append(session, [0], b"", Counted()):
                return  # `tick` tries again
            self._sessions.forget(session)
            self._ended.pop()

    def close_session(self, number: int) -> None:
        """Close the connection of a session, if there still is one: its peer broke the rules."""
        for connection in self._connections.values():
            if connection.session.number == number:
                self._end(connection, Count.TCP_RULES)
                return

    def tick(self) -> None:
        """Close what is idle or leaves a message half sent; to be called every second or so, not while it is paused."""
        now = self._clock()
        for connection in list(self._connections.values()):
            if connection.pending and now - connection.began > _HALF_SENT:
                self._end(connection, Count.TCP_HALF_SENT)
            elif now - connection.heard > _IDLE:
                self._end(connection, Count.TCP_IDLE)
        self._journal_ends()
        if self._deaf:
            self._listen(True)

    def resume(self) -> None:
        """Count waiting from now on: we did not read, so no peer can be blamed for the time before."""
        now = self._clock()
        for connection in self._connections.values():
            connection.began = connection.heard = now

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._connections.values()):
            self._end(connection)
        self._poll.close()
