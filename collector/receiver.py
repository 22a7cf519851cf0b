"""The receiver process: sockets to journal, and nothing else.

It is started by the daemon as `python -m collector.receiver`, with its sockets open and its orders as JSON in the first
line of standard input. Each further line is `close SESSION`: the peer of that TCP session broke the rules. At SIGTERM
it takes what the sockets still hold, seals the segment and ends. Standard library only: 15 MB of memory.
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
        sockets = [socket.socket(fileno=fd) for fd in (*orders["sockets"], *orders["tcp_sockets"])]
        count = len(orders["sockets"])
        self._udp = Datagrams(self._writer, allow, tally)
        self._sources = {one.fileno(): (one, number) for number, one in enumerate(sockets[:count])}
        listeners = dict(enumerate(sockets[count:], count))
        self._tcp = Connections(listeners, self._writer, allow, tally, Sessions(directory))
        self._tcp_waits = False
        self._orders, self._line = source, b""
        self._tick_at = time.monotonic() + _TICK
        self._poll = select.epoll()
        for fd in (*self._sources, self._tcp.fileno(), self._orders):
            self._poll.register(fd, select.EPOLLIN)

    def step(self) -> None:
        """Do what is to be done now, or wait for it for a moment."""
        for fd, _ in self._poll.poll(_WAIT):
            if fd in self._sources:
                self._udp.drain(*self._sources[fd])
            elif fd == self._orders:
                self._obey()
            elif self._tcp.has_room:
                self._tcp.turn()
            else:
                self._poll.modify(fd, 0)
                self._tcp_waits = True
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
        self._writer.close()

    def _tick(self) -> None:
        self._writer.turn_over()
        if not self._tcp_waits:
            self._tcp.tick()
        elif self._tcp.has_room:
            self._tcp.resume()
            self._poll.modify(self._tcp.fileno(), select.EPOLLIN)
            self._tcp_waits = False

    def _obey(self) -> None:
        octets = os.read(self._orders, 4096)
        if not octets:
            self._poll.unregister(self._orders)  # there will be no more; that our parent has ended is told by a signal
            return
        *lines, self._line = (self._line + octets).split(b"\n")
        for line in lines:
            verb, _, number = line.partition(b" ")
            if verb == b"close" and number.isdigit():
                self._tcp.close_session(int(number))


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
    receiver = Receiver(orders, sys.stdin.fileno())
    print("ready", flush=True)
    while running:
        receiver.step()
    receiver.finish()


if __name__ == "__main__":
    main()
