"""The receiver process: sockets to journal, and nothing else.

It is started by the daemon as `python -m collector.receiver`, with its sockets open and its orders as JSON in the first
line of standard input. Each further line is `close SESSION`: the peer of that TCP session broke the rules. At SIGTERM
it takes what the sockets still hold, seals the segment and ends. Standard library and NumPy only: 30 MB of memory.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from collector.allow_list import AllowList
from collector.segment_writer import SegmentWriter
from collector.sessions import Sessions
from collector.tally import Tally
from collector.tcp import Connections
from collector.udp import Datagrams
from settings.parent import die_with

_WAIT = 0.2
_TICK = 1.0
_GATHER = 0.01
"""Seconds for datagrams to gather in the sockets: a batch of a few hundred costs half of what they cost singly."""

_FASTEST = 2_500_000_000
"""Octets a second by which a socket's buffer fills at worst: 10 Gb/s, and as much again for the kernel's own needs."""

_LAST_CALL = 2.0
"""Seconds for what the sockets still hold at the end; exporters do not stop sending because we do."""

_LAST_TURNS = 16
"""Of TCP for each batch of UDP at the end: what TCP's sockets hold is acknowledged, and would be lost unseen."""


class Receiver:
    """Serves the sockets that `orders` name (`collector.receiver_process`), and reads further orders from `source`."""

    def __init__(self, orders: dict[str, Any], source: int) -> None:
        directory = Path(orders["directory"])
        tally = Tally(Path(orders["tally"])).words
        allow = AllowList(orders["allow"], orders["allow_unlisted"])
        self._writer = SegmentWriter(
            directory, orders["segment_size"], orders["max_size"], orders["after_segment"], orders["clock_shift_ms"]
        )
        sockets = [socket.socket(fileno=fd) for fd in orders["sockets"]]
        endpoints = orders["endpoints"]
        self._udp = Datagrams(self._writer, allow, tally)
        self._sources = {one.fileno(): (one, number) for one, number in zip(sockets, endpoints, strict=True)}
        self._gather = _gathering(sockets)
        self._gathered_at = 0.0
        listeners = dict(enumerate((socket.socket(fileno=fd) for fd in orders["tcp_sockets"]), max(endpoints) + 1))
        self._tcp = Connections(listeners, self._writer, allow, tally, Sessions(directory))
        self._tcp_waits = False
        self._orders, self._line = source, b""
        self._tick_at = time.monotonic() + _TICK
        self._all, self._others = select.epoll(), select.epoll()
        for fd in (self._tcp.fileno(), self._orders):
            self._others.register(fd, select.EPOLLIN)
        for fd in (*self._sources, self._tcp.fileno(), self._orders):
            self._all.register(fd, select.EPOLLIN)

    def step(self) -> None:
        """Do what is to be done now, or wait for it for a moment."""
        gathering = self._gathered_at - time.monotonic()
        more = False
        for fd, _ in self._others.poll(gathering) if gathering > 0 else self._all.poll(_WAIT):
            if fd in self._sources:
                more |= self._udp.drain(*self._sources[fd])
                self._gathered_at = 0.0 if more else time.monotonic() + self._gather
            elif fd == self._orders:
                self._obey()
            elif self._tcp.has_room:
                self._tcp.turn()
            else:
                self._listen_to_tcp(False)
        if time.monotonic() > self._tick_at:
            self._tick_at = time.monotonic() + _TICK
            self._tick()

    def finish(self) -> None:
        """Take what the sockets still hold, end the TCP sessions, seal the segment."""
        deadline = time.monotonic() + _LAST_CALL
        busy = True
        while busy and time.monotonic() < deadline:
            work = [self._udp.drain(*source) for source in self._sources.values()]
            work += [self._tcp.turn() for _ in range(_LAST_TURNS)]
            busy = any(work)
        self._tcp.close()
        self._udp.close()
        self._writer.close()

    def _tick(self) -> None:
        self._writer.turn_over()
        self._udp.wipe()
        if not self._tcp_waits:
            self._tcp.tick()
        elif self._tcp.has_room:
            self._tcp.resume()
            self._listen_to_tcp(True)

    def _listen_to_tcp(self, on: bool) -> None:
        for poll in (self._all, self._others):
            poll.modify(self._tcp.fileno(), select.EPOLLIN if on else 0)
        self._tcp_waits = not on

    def _obey(self) -> None:
        octets = os.read(self._orders, 4096)
        if not octets:
            for poll in (self._all, self._others):
                poll.unregister(self._orders)  # there will be no more; that our parent has ended is told by a signal
            return
        *lines, self._line = (self._line + octets).split(b"\n")
        for line in lines:
            verb, _, number = line.partition(b" ")
            if verb == b"close" and number.isdigit():
                self._tcp.close_session(int(number))


def _gathering(sockets: list[socket.socket]) -> float:
    """Return for how many seconds, whole ms, datagrams may gather without that the smallest buffer overflows."""
    smallest = min(one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for one in sockets)
    return int(min(smallest / _FASTEST, _GATHER) * 1000) / 1000


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
    try:
        receiver = Receiver(orders, sys.stdin.fileno())
    except OSError as error:
        print(f"{orders['directory']}: the receiver cannot work there: {error.strerror}", file=sys.stderr)
        sys.exit(1)
    print("ready", flush=True)
    while running:
        receiver.step()
    receiver.finish()


if __name__ == "__main__":
    main()
