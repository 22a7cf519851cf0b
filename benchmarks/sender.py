"""The load: `python -m benchmarks.sender ORDERS` in a process of its own sends NetFlow v9 to a UDP port at a rate.

It is to take little of the machine that it shares with what it measures: 45 datagrams leave by one call, for the kernel
cuts them apart itself (UDP_SEGMENT; 2.2 us a datagram here instead of 5.4 by sendmmsg). Orders are lines of JSON on
standard input; `Sender` is the other end.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from typing import Any

from benchmarks.pool import BATCH, BATCH_FLOWS, RECORDS, Pool, pools
from settings.parent import die_with

_SOL_UDP, _UDP_SEGMENT = 17, 103
_START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What one order had sent: batches [first, end) of BATCH datagrams each, `announced` datagrams without flows.

    `seconds` it took, `cpu_seconds` of the sender's process; `behind` is by how many seconds it was late at most.
    """

    first: int
    end: int
    announced: int
    seconds: float
    cpu_seconds: float
    behind: float

    @property
    def flows(self) -> int:
        """How many flows."""
        return (self.end - self.first) * BATCH_FLOWS

    @property
    def datagrams(self) -> int:
        """How many datagrams with flows."""
        return (self.end - self.first) * BATCH


def source_of(exporter: int) -> str:
    """Return the address that an exporter, counted from 0, sends from."""
    return f"127.0.1.{exporter + 1}"


class Sender:
    """A sending process; `numbered` gives each flow a number of its own in `bytes`, from 1 on."""

    def __init__(self, port: int, exporters: int = 8, flows: int = 2_000_000, numbered: bool = False) -> None:
        """Start it and wait until its `flows` different flows are drawn."""
        orders = {"parent": os.getpid(), "port": port, "exporters": exporters, "flows": flows, "numbered": numbered}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sender", json.dumps(orders)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._read()

    def begin(self, rate: float, seconds: float) -> None:
        """Have `rate` flows a second sent for `seconds`."""
        self._order({"rate": rate, "seconds": seconds})

    def end(self, at_once: bool = False) -> Sent:
        """Return what was sent, when the time is over or at once."""
        if at_once:
            self._order({})
        return Sent(**self._read())

    def _order(self, order: dict[str, float]) -> None:
        if self._process.stdin is None:
            raise RuntimeError("the sender has no standard input")
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError("the sender ended; its own message is above")
        return dict(json.loads(line))

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for end in (self._process.stdin, self._process.stdout):
            if end:
                end.close()

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Load:
    """The process's own side: exporters with their sockets, and how far they have come."""

    def __init__(self, port: int, exporters: int, flows: int, numbered: bool) -> None:
        self._to = ("127.0.0.1", port)
        self._numbered = numbered
        self._exporters = [
            (pool, _socket(number, pool)) for number, pool in enumerate(pools(exporters, flows, _now_ms()))
        ]
        self._batch = 0
        self._announced = False

    def send(self, rate: float, seconds: float, stop: threading.Event) -> Sent:
        """Send `rate` flows a second for `seconds`, or until `stop`, evenly, the exporters in turn."""
        announced = self._announce()
        first, cpu, begun = self._batch, time.process_time(), time.monotonic()
        apart = BATCH_FLOWS / rate
        behind = 0.0
        due = begun
        while not stop.is_set() and due < begun + seconds:
            late = time.monotonic() - due
            if late < 0:
                time.sleep(-late)
            elif late > behind:
                behind = late
            self._send()
            due += apart
        took = time.monotonic() - begun
        return Sent(first, self._batch, announced, took, time.process_time() - cpu, behind)

    def _send(self) -> None:
        number, turn = divmod(self._batch, len(self._exporters))[::-1]
        pool, out = self._exporters[number]
        first = self._batch * BATCH_FLOWS + 1 if self._numbered else None
        out.sendto(pool.batch(turn, _now_ms(), first), self._to)
        self._batch += 1

    def _announce(self) -> int:
        """Send templates and options once; return how many datagrams they took."""
        if self._announced:
            return 0
        self._announced = True
        count = 0
        for pool, out in self._exporters:
            for datagram in pool.announcement(_now_ms()):
                out.sendto(datagram, self._to)
                count += 1
        return count


def _socket(number: int, pool: Pool) -> socket.socket:
    """Return an exporter's socket, not connected: the sending goes on when nobody listens."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind((source_of(number), 0))
    out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 2**20)
    out.setsockopt(_SOL_UDP, _UDP_SEGMENT, pool.octets)
    return out


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _read_orders(orders: SimpleQueue[dict[str, float] | None], stop: threading.Event) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if order:
            stop.clear()
            orders.put(order)
        else:
            stop.set()
    stop.set()
    orders.put(None)


def main() -> None:
    """Send as ordered until standard input ends."""
    given = json.loads(sys.argv[1])
    die_with(given.pop("parent"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load = Load(**given)
    print(json.dumps({"ready": RECORDS}), flush=True)
    orders: SimpleQueue[dict[str, float] | None] = SimpleQueue()
    stop = threading.Event()
    threading.Thread(target=_read_orders, args=(orders, stop), daemon=True).start()
    while (order := orders.get()) is not None:
        print(json.dumps(asdict(load.send(order["rate"], order["seconds"], stop))), flush=True)


if __name__ == "__main__":
    main()
