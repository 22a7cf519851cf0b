"""What other programs take for the same NetFlow v9 datagrams: the packages `netflow` and `netflume`, and nfcapd.

`datagrams` begins with the one that holds the templates.
"""

from __future__ import annotations

import contextlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import netflow
import netflume

_EXPORTER = "192.0.2.1"
_BURST = 32
"""Datagrams sent at a time: about a third of the default receive buffer, so that nfcapd loses nothing."""
_PATIENCE = 30.0
_ROUNDS = 3


def measure_netflow(datagrams: Sequence[bytes]) -> float:
    """Return the flows that `netflow` decodes per second of one core; it gives up some datagrams with options."""
    # As bytes, a datagram that happens to be valid UTF-8 would be taken for a hex dump.
    payloads = [bytearray(datagram) for datagram in datagrams]
    templates: dict[str, dict[int, object]] = {"netflow": {}, "ipfix": {}}
    flows = 0
    begin = time.process_time()
    for payload in payloads:
        # Several options templates in one set are more than it can read; it has kept the templates before them by then.
        with contextlib.suppress(ValueError, KeyError):
            flows += len(netflow.parse_packet(payload, templates).flows)
    return flows / (time.process_time() - begin)


def measure_netflume(datagrams: Sequence[bytes]) -> float:
    """Return the flows that `netflume` decodes per second of one core, into its plain dicts."""
    decoder = netflume.Decoder()
    begin = time.process_time()
    flows = sum(len(decoder.flows(datagram, _EXPORTER)) for datagram in datagrams)
    return flows / (time.process_time() - begin)


def measure_nfcapd(datagrams: Sequence[bytes], flows: int) -> dict[str, float] | None:
    """Send the datagrams, which hold `flows` flows, to nfcapd over loopback; None where nfcapd is not installed.

    `cpu_seconds` is its user and system time, start and final write included, for a million flows that it stored
    uncompressed; `octets` is what one takes in its file; `stored` is the part of `flows` that it stored. The best of
    some rounds counts: the first regularly takes half as much again.
    """
    if not shutil.which("nfcapd") or not shutil.which("nfdump"):
        return None
    return min((_round(datagrams, flows) for _ in range(_ROUNDS)), key=lambda measured: measured["cpu_seconds"])


def _round(datagrams: Sequence[bytes], flows: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        before = _children_seconds()
        _feed(datagrams, folder)
        seconds = _children_seconds() - before
        files = list(Path(folder).glob("nfcapd.[0-9]*"))
        stored = sum(_stored(file) for file in files)
        octets = sum(file.stat().st_size for file in files)
    if not stored:
        raise RuntimeError("nfcapd stored none of the flows sent to it")
    return {"cpu_seconds": seconds / stored * 1e6, "octets": octets / stored, "stored": stored / flows}


def _feed(datagrams: Sequence[bytes], folder: str) -> None:
    """Run nfcapd, writing to `folder`, until it has read all datagrams and written its file."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        port = _free_port()
        command = ["nfcapd", "-w", folder, "-b", "127.0.0.1", "-p", str(port), "-t", "3600", "-C", "none"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                _await_queue(port)
                for first in range(0, len(datagrams), _BURST):
                    for datagram in datagrams[first : first + _BURST]:
                        sender.sendto(datagram, ("127.0.0.1", port))
                    _await_queue(port)
            finally:
                process.send_signal(signal.SIGTERM)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_queue(port: int) -> None:
    """Wait until the UDP socket of `port` on 127.0.0.1 exists and has no octets to be read."""
    entry = re.compile(rf"0100007F:{port:04X} \S+ \S+ [0-9A-F]+:00000000 ")
    deadline = time.monotonic() + _PATIENCE
    while not entry.search(Path("/proc/net/udp").read_text()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"nfcapd does not read UDP port {port}")
        time.sleep(0.001)


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _stored(file: Path) -> int:
    """Return how many flows nfdump counts in `file`."""
    command = ["nfdump", "-r", str(file), "-I"]
    statistics = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^Flows: (\d+)$", statistics, re.MULTILINE)
    return int(found[1]) if found else 0
