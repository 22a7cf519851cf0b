"""The receiver process: sockets to journal, and nothing else.

It is started by the daemon as `python -m collector.receiver`, with its sockets open and its orders as JSON on standard
input. SIGTERM takes what the sockets still hold, seals the segment and ends. Standard library only: 15 MB of memory.
"""

from __future__ import annotations

import errno
import json
import select
import signal
import socket
import sys
import time
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from collector.segments import LARGEST_DATAGRAM, ROW, Segment, numbers
from collector.seldom import Seldom
from collector.tally import Count, Tally
from schema.addresses import packed
from settings.parent import die_with

NOT_LISTED = 0xFFFF
"""Allow-list entry of a sender that only `allow_unlisted_exporters` lets in."""

_BATCH = 256
_KNOWN_SENDERS = 65536
_LONGEST_OPEN = 60.0
_LAST_CALL = 2.0
"""Seconds for what the sockets still hold at the end; exporters do not stop sending because we do."""


class AllowList:
    """Says of a sender's address, as the socket tells it, whether it may send, and under which entry."""

    def __init__(self, prefixes: list[str], unlisted: bool) -> None:
        self._networks = [ip_network(prefix) for prefix in prefixes]
        self._unlisted = unlisted
        self._known: dict[str, tuple[bytes, int] | None] = {}

    def find(self, sender: str) -> tuple[bytes, int] | None:
        """Return the sender's 16 octets (IPv4 mapped) and its entry, the longest prefix; None if it may not send."""
        try:
            return self._known[sender]
        except KeyError:
            if len(self._known) >= _KNOWN_SENDERS:
                self._known.clear()
            answer = self._known[sender] = self._search(sender)
            return answer

    def _search(self, sender: str) -> tuple[bytes, int] | None:
        address = ip_address(sender.partition("%")[0])
        if address.version == 6 and address.ipv4_mapped:
            address = address.ipv4_mapped
        octets = packed(address)
        matches = [(network.prefixlen, -entry) for entry, network in enumerate(self._networks) if address in network]
        if matches:
            return octets, -max(matches)[1]
        return (octets, NOT_LISTED) if self._unlisted else None


class Receiver:
    """Moves datagrams from sockets into segments of `directory`."""

    def __init__(self, orders: dict[str, Any]) -> None:
        self._directory = Path(orders["directory"])
        self._size: int = orders["segment_size"]
        self._shift: int = orders["clock_shift_ms"]
        self._allow = AllowList(orders["allow"], orders["allow_unlisted"])
        self._tally = Tally(Path(orders["tally"])).words
        self._next = max([orders["after_segment"], *numbers(self._directory)]) + 1
        self._segment: Segment | None = None
        self._scratch = bytearray(LARGEST_DATAGRAM)
        self._retry_at = 0.0
        self._say_full = Seldom()
        self._open()

    def _open(self) -> None:
        """Seal the segment and begin the next; without room on disk there is none, until a later try."""
        if self._segment:
            self._segment.seal()
            self._segment = None
        if time.monotonic() < self._retry_at:
            return
        self._next += 1  # also where it fails: a segment that was there for a moment may be known to the reader
        try:
            segment = Segment.create(self._directory, self._next - 1, self._size)
        except OSError as error:
            self._retry_at = time.monotonic() + 1.0
            reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
            if self._say_full():
                print(f"journal: no new segment in {self._directory}: {reason}; datagrams are lost", file=sys.stderr)
            return
        self._segment = segment
        self._view = memoryview(segment.map)
        self._row, self._used = 0, 0
        self._opened_at = time.monotonic()

    def drain(self, source: socket.socket, listener: int) -> bool:
        """Take up to a batch of datagrams from one socket; True if it may hold more."""
        tally = self._tally
        for _ in range(_BATCH):
            segment = self._segment
            if segment is None or self._row == segment.rows or segment.size - self._used < LARGEST_DATAGRAM:
                self._open()
                segment = self._segment
            try:
                if segment is None:
                    length, sender = source.recvfrom_into(self._scratch)
                else:
                    at = segment.data_at + self._used
                    length, sender = source.recvfrom_into(self._view[at : at + LARGEST_DATAGRAM])
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:  # an ICMP error from an earlier sender; the socket itself is well
                continue
            tally[Count.RECEIVED] += 1
            tally[Count.OCTETS] += length
            allowed = self._allow.find(sender[0])
            if allowed is None:
                tally[Count.REFUSED] += 1
            elif segment is None:
                tally[Count.JOURNAL_FULL] += 1
            else:
                now = time.time_ns() // 1_000_000 + self._shift
                row_at = segment.index_at + self._row * ROW.size
                ROW.pack_into(segment.map, row_at, now, allowed[0], self._used, length, sender[1], allowed[1], listener)
                self._row += 1
                self._used += length
                segment.count = self._row
        return True

    def turn_over(self) -> None:
        """Begin a new segment if this one has been open for long: what is stored is deleted by segments."""
        if self._segment and self._row and time.monotonic() - self._opened_at > _LONGEST_OPEN:
            self._open()

    def close(self) -> None:
        """Seal the segment."""
        if self._segment:
            self._segment.seal()


def main() -> None:
    """Receive until SIGTERM."""
    line = sys.stdin.readline()
    if not line:
        return  # who started us ended before it could say what to do
    orders = json.loads(line)
    die_with(orders["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running = True

    def stop(*_: object) -> None:
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    sources = {fd: (socket.socket(fileno=fd), listener) for listener, fd in enumerate(orders["sockets"])}
    receiver = Receiver(orders)
    poll = select.epoll()
    for fd in sources:
        poll.register(fd, select.EPOLLIN)
    print("ready", flush=True)
    while running:
        for fd, _ in poll.poll(0.2):
            receiver.drain(*sources[fd])
        receiver.turn_over()
    deadline = time.monotonic() + _LAST_CALL
    for source, listener in sources.values():
        while receiver.drain(source, listener) and time.monotonic() < deadline:
            pass
    receiver.close()


if __name__ == "__main__":
    main()
