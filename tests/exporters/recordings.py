"""Recordings of real exporters: which there are, and the loopback port that keeps what they send."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

from demo.capture import CapturedFlow
from demo.programs import Run, nfprobe, sfprobe, softflowd
from tests.exporters.tshark_reading import Datagram

PAIRS = [("192.0.2.10", "198.51.100.20"), ("192.0.2.11", "203.0.113.9"), ("2001:db8:1::10", "2001:db8:2::20")]
PROGRAMS: dict[str, Callable[[Path, str, int], Run]] = {
    "softflowd-5": partial(softflowd, version=5),
    "softflowd-9": partial(softflowd, version=9),
    "softflowd-10": partial(softflowd, version=10),
    "nfprobe-5": partial(nfprobe, version=5),
    "nfprobe-9": partial(nfprobe, version=9, source_id=9),
    "nfprobe-10": partial(nfprobe, version=10, source_id=10),
    "sfprobe": partial(sfprobe, agent="192.0.2.250"),
}


@dataclass(frozen=True)
class Export:
    """What one exporter made of the capture: how it ended, what it sent, and tshark's dissection of that."""

    name: str
    run: Run
    datagrams: list[Datagram]
    pdml: ET.Element


@dataclass(frozen=True)
class Capture:
    """The pcap all exporters read, its flows, and the time of its first packet (seconds since the epoch)."""

    path: Path
    flows: list[CapturedFlow]
    start: float


class Listener:
    """A UDP port on 127.0.0.1 that keeps every datagram until it is left."""

    def __init__(self) -> None:
        self.datagrams: list[Datagram] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port: int = self._socket.getsockname()[1]
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._receive)

    def __enter__(self) -> Listener:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join()
        self._socket.close()

    def _receive(self) -> None:
        """Receive until told to leave, and then until nothing more waits in the socket."""
        while True:
            leaving = self._leaving.is_set()
            try:
                payload = self._socket.recv(65535)
            except TimeoutError:
                if leaving:
                    return
                continue
            self.datagrams.append(Datagram(time.time(), payload))
