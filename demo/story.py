"""The demo: a small provider, its exporters, an address that changes hands, old flows, and the purge that ends them.

Everything is real: `flowkeep run` with its embedded ClickHouse, datagrams over UDP, queries as the query user.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from demo.capture import write_capture
from demo.collector_process import CollectorProcess
from demo.encode import SFlowExporter
from demo.encode_counters import Interfaces, machine
from demo.programs import find, nfprobe, sfprobe, softflowd
from demo.provider import (
    CUSTOMER_PORTS,
    DEVICES,
    MOVED_ADDRESS,
    UPLINKS,
    Device,
    Ports,
    traffic,
    write_demo,
)
from settings.errors import RefusalError
from settings.lock import hold
from storage.client import connect

HISTORY_DAYS = 15.5
"""How long ago the old flows were received: past what class basic keeps (14 days), within the others."""

_FLOWS_A_SECOND = 2000
_HISTORY_FLOWS = 20_000
_WINDOW = 120_000
_STRANGER = "127.0.0.99"
_TEN_GIGABIT = 10**10
_MACHINE, _MACHINE_ID, _MACHINE_INDEX = "vm-4711", UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), 4711
"""A virtual machine that the allocations name as a resource, and which the switch, as it runs there, tells of."""
_UPTIME = 90 * 86_400_000 // 4
_MARKER = ".flowkeep-demo"

_TENANTS = """
    SELECT tenant, count() FROM
        (SELECT arrayDistinct([src_tenant, dst_tenant]) AS ends,
                arrayJoin(if(direction = 'transit', ends, arrayFilter(end -> end != 'unassigned', ends))) AS tenant
         FROM flows)
    GROUP BY tenant ORDER BY 2 DESC"""
_MOVED = """
    SELECT src_tenant, min(flow_start), max(flow_start), count() FROM flows
    WHERE src_addr = {address:IPv6} AND time_received > now() - INTERVAL 1 DAY GROUP BY src_tenant ORDER BY 2"""


@dataclass(slots=True)
class Report:
    """What the demo did; as JSON it is what `flowkeep demo --json` prints."""

    datagrams: int = 0
    datagrams_decoded: int = 0
    decoded: int = 0
    stored: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    flow_types: dict[str, int] = field(default_factory=dict)
    tenants: dict[str, int] = field(default_factory=dict)
    programs: dict[str, int] = field(default_factory=dict)
    purged_rows: int = 0
    seconds: float = 0.0

    def add(self, books: dict[str, Any]) -> None:
        """Add one run's books."""
        self.datagrams += books["received"]
        self.datagrams_decoded += books["datagrams_decoded"]
        self.decoded += books["decoded"]
        self.stored += books["stored"]
        for name in ("dropped", "faults", "flow_types"):
            setattr(self, name, dict(Counter(getattr(self, name)) + Counter(books[name])))


class Sender:
    """Our synthetic devices, each sending from an address of its own to one collector."""

    def __init__(self, ports: Ports, now_ms: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._ports = ports
        self._exporters = [(device, device.exporter(now_ms - _UPTIME), _socket(device.address)) for device in DEVICES]
        self._interfaces = Interfaces((*UPLINKS, *CUSTOMER_PORTS), _TEN_GIGABIT)
        self._rounds = 0
        self.sent = 0
        for device, exporter, out in self._exporters:
            for payload in exporter.announce(now_ms):
                self._send(out, payload, device)

    def send(self, count: int, start_ms: int, end_ms: int) -> None:
        """Send what the devices see of `count` flows between two times, exported at the latter."""
        flows = traffic(self._rng, count, start_ms, end_ms)
        for device, exporter, out in self._exporters:
            for payload in exporter.datagrams(device.observe(self._rng, flows), end_ms):
                self._send(out, payload, device)
        self._interfaces.count(flows)
        self._rounds += 1
        for device, exporter, out in self._exporters:
            if isinstance(exporter, SFlowExporter):
                for payload in exporter.counters(self._samples(), end_ms):
                    self._send(out, payload, device)

    def _samples(self) -> Iterator[bytes]:
        """Yield what the switch counts: the traffic of each interface, and that of a machine behind one of them."""
        yield from self._interfaces.samples(self._rounds)
        octets = tuple(self._interfaces.octets[CUSTOMER_PORTS[0], outward] for outward in (True, False))
        yield machine(self._rounds, _MACHINE_INDEX, _MACHINE, _MACHINE_ID, CUSTOMER_PORTS[0], (octets[0], octets[1]))

    def misbehave(self) -> None:
        """Send what a collector must refuse: a datagram of no protocol, and one from a sender nobody knows."""
        device, _, out = self._exporters[0]
        self._send(out, b"\xff\xfe neither NetFlow nor sFlow", device)
        with _socket(_STRANGER) as stranger:
            self._send(stranger, b"\0\5 whatever it says", device)

    def _send(self, out: socket.socket, payload: bytes, device: Device) -> None:
        port = self._ports.sflow if device.protocol == "sflow" else self._ports.netflow
        out.sendto(payload, ("127.0.0.1", port))
        self.sent += 1

    def close(self) -> None:
        """Close the devices' sockets."""
        for _, _, out in self._exporters:
            out.close()


def _socket(address: str) -> socket.socket:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.bind((address, 0))
    return out


def free_ports() -> Ports:
    """Return free ports of loopback."""
    held = [socket.socket(socket.AF_INET, kind) for kind in (socket.SOCK_DGRAM,) * 2 + (socket.SOCK_STREAM,) * 3]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = Ports(*(one.getsockname()[1] for one in held))
    for one in held:
        one.close()
    return ports


def prepare(directory: Path, moved_ms: int, ports: Ports) -> Path:
    """Empty the demo's directory, write its configuration there and return the configuration's path."""
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _MARKER:
            path.unlink()
    return write_demo(directory, moved_ms, ports)


@contextmanager
def reserved(directory: Path) -> Iterator[None]:
    """Hold the demo's directory, made if need be; RefusalError where it is another's or another demo runs in it."""
    marker = directory / _MARKER
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()) and not marker.exists():
            raise RefusalError(f"{directory} is not empty and not an earlier demo's; give another with --directory")
        held = hold(marker, f"a demo runs in {directory}; end it, or give another with --directory", 0.0)
        try:
            yield
        finally:
            os.close(held)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise RefusalError(f"{error.filename}: {error.strerror}; give another directory with --directory") from None


def tell(directory: Path, seconds: float, say: Callable[[str], None], linger: Callable[[Path], None] | None) -> Report:
    """Run the demo in `directory`, with live traffic for `seconds`; `say` hears what happens.

    `linger`, if there is one, is called with the configuration while the collector still runs.
    """
    begun, report, ports = time.monotonic(), Report(), free_ports()
    with reserved(directory):
        config = prepare(directory, _now() - _WINDOW // 2, ports)
        say(f"configuration, tenants and policy are in {directory}/")
        _history(config, ports, report, say)
        with _collector(config) as collector:
            say(
                f"flowkeep run -c {config}: ready in {collector.start():.1f} s, "
                f"NetFlow and IPFIX on UDP 127.0.0.1:{ports.netflow}, sFlow on {ports.sflow}"
            )
            books = collector.settle(_live(directory, ports, seconds, say, report))
            report.add(books)
            faults = ", ".join(f"{name} {count}" for name, count in books["faults"].items())
            say(
                f"received {books['received']:,} datagrams, decoded {books['decoded']:,} flows, "
                f"stored {books['stored']:,}; refused or faulty: {faults or 'none'}"
            )
            _ask(collector, report, say)
            report.purged_rows = _purge(config, say)
            report.seconds = round(time.monotonic() - begun, 1)
            if linger:
                linger(config)
    return report


@contextmanager
def _collector(config: Path, shift: float = 0.0) -> Iterator[CollectorProcess]:
    """Give a collector that is not started yet; whatever happens then, also Ctrl-C while it starts, ends it."""
    collector = CollectorProcess(config, config.parent / "collector.log", shift)
    try:
        yield collector
    finally:
        collector.stop()


def _now() -> int:
    return time.time_ns() // 1_000_000


def _history(config: Path, ports: Ports, report: Report, say: Callable[[str], None]) -> None:
    shift = -HISTORY_DAYS * 86_400
    with _collector(config, shift) as collector:
        collector.start()
        then = _now() + int(shift * 1000)
        sender = Sender(ports, then, seed=1)
        sender.send(_HISTORY_FLOWS, then - _WINDOW, then)
        sender.close()
        books = collector.settle(sender.sent)
    report.add(books)
    say(f"{HISTORY_DAYS} days ago, by a shifted clock: {books['stored']:,} flows received and stored")


def _live(directory: Path, ports: Ports, seconds: float, say: Callable[[str], None], report: Report) -> int:
    """Send live traffic, run the real exporters that are installed, and return how many datagrams we sent ourselves."""
    sender = Sender(ports, _now(), seed=2)
    sender.send(_FLOWS_A_SECOND * 5, _now() - _WINDOW, _now())
    sender.misbehave()
    say(f"{len(DEVICES)} devices send NetFlow v5, v9, IPFIX and sFlow, the last {seconds:g} s live")
    report.programs = _programs(directory, ports, say)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        now = _now()
        sender.send(_FLOWS_A_SECOND, now - 1000, now)
        time.sleep(min(1.0, max(until - time.monotonic(), 0)))
    sender.close()
    return sender.sent


def _programs(directory: Path, ports: Ports, say: Callable[[str], None]) -> dict[str, int]:
    """Run softflowd and pmacct over a capture, where they are installed; return their exit statuses."""
    capture = directory / "traffic.pcap"
    hosts, peers = (
        [str(ip_address(first) + offset) for offset in range(4)] for first in ("192.0.2.10", "198.51.100.20")
    )
    write_capture(capture, list(zip(hosts, peers, strict=True)), start=time.time() - 60)
    done: dict[str, int] = {}
    if find("softflowd"):
        for version in (5, 9, 10):
            done[f"softflowd v{version}"] = softflowd(capture, "127.0.0.1", ports.netflow, version).status
    if find("pmacctd"):
        done["nfprobe v9"] = nfprobe(capture, "127.0.0.1", ports.netflow, 9, source_id=33).status
        done["sfprobe"] = sfprobe(capture, "127.0.0.1", ports.sflow).status
    ends = [name if status == 0 else f"{name} (exit status {status})" for name, status in done.items()]
    say(f"real exporters over a capture: {', '.join(ends) or 'neither softflowd nor pmacct is installed'}")
    return done


def _ask(collector: CollectorProcess, report: Report, say: Callable[[str], None]) -> None:
    with connect(collector.config.storage, collector.config.data_dir, "query") as client:
        report.tenants = {str(name): int(count) for name, count in client.query(_TENANTS).rows}
        moved = client.query(_MOVED, {"address": f"::ffff:{MOVED_ADDRESS}"}).rows
    say(
        "flows by tenant: "
        + ", ".join(f"{name} {count:,}" for name, count in list(report.tenants.items())[:6])
        + ", ..."
    )
    for tenant, first, last, count in moved:
        say(f"{MOVED_ADDRESS} was {tenant}'s from {first:%H:%M:%S} to {last:%H:%M:%S} UTC: {count:,} flows")


def _purge(config: Path, say: Callable[[str], None]) -> int:
    command = [sys.executable, "-P", "-m", "cli.main", "retention", "purge", "-c", str(config), "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RefusalError(f"the purge failed: {done.stderr or done.stdout}")
    answer = json.loads(done.stdout)
    for step in answer["due"]:
        say(f"purge: {step['rows']:,} rows: {step['reason']}")
    return int(answer["purged_rows"])
