"""A site for end-to-end tests: a directory with configuration, tenants and policy, and a collector on it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from demo.collector_process import CollectorProcess
from demo.provider import RETENTION, Ports
from demo.story import free_ports
from settings.config import load_config
from storage.client import Client, connect

TENANTS = """prefix,tenant,resource,class,valid_from,valid_to
192.0.2.0/24,acme,rack-1,standard,,
198.51.100.0/24,globex,rack-2,extended,,
2001:db8:1::/48,acme,rack-1,standard,,
"""


class Site:
    """Files, ports and the collector of one test."""

    def __init__(self, directory: Path, tenants: str = TENANTS, exporters: str = "127.0.0.0/8") -> None:
        self.directory = directory
        self._collectors: list[CollectorProcess] = []
        self.ports: Ports = free_ports()
        self.tcp_port = free_tcp_port()
        self.config = directory / "flowkeep.yaml"
        self.tenants = directory / "tenants.csv"
        self.tenants.write_text(tenants)
        (directory / "retention.yaml").write_text(RETENTION.read_text())
        self.config.write_text(f"""
data_dir: data
listen: ["127.0.0.1:{self.ports.netflow}", "127.0.0.1:{self.ports.sflow}"]
listen_tcp: ["127.0.0.1:{self.tcp_port}"]
exporters: [{{prefix: {exporters}, name: lab}}]
tenants: tenants.csv
retention: retention.yaml
storage: {{mode: embedded}}
journal: {{segment_size: 4MiB}}
blocks: {{rollup_seconds: 0.1}}
metrics: 127.0.0.1:{self.ports.metrics}
""")
        self.log = directory / "collector.log"

    def collector(self, shift: float = 0.0) -> CollectorProcess:
        """The site's collector, not started."""
        collector = CollectorProcess(self.config, self.log, shift)
        self._collectors.append(collector)
        return collector

    def close(self) -> None:
        """End what a failed test may have left running."""
        for collector in self._collectors:
            collector.kill()

    def send(self, payloads: Iterable[bytes], sender: str = "127.0.0.1", pause: float = 0.0) -> int:
        """Send payloads to the first port and return how many."""
        sent = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.bind((sender, 0))
            for payload in payloads:
                out.sendto(payload, ("127.0.0.1", self.ports.netflow))
                sent += 1
                time.sleep(pause)
        return sent

    def connect(self, sender: str = "127.0.0.1") -> socket.socket:
        """A TCP connection to the collector, from `sender`."""
        return socket.create_connection(("127.0.0.1", self.tcp_port), timeout=10, source_address=(sender, 0))

    def client(self, role: str = "query") -> Client:
        """A client of the site's ClickHouse."""
        config = load_config(self.config, {})
        return connect(config.storage, config.data_dir, role)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        with self.client() as client:
            return client.query(sql).rows

    def flowkeep(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a `flowkeep` command with the site's configuration, but for those that take none."""
        return flowkeep(*arguments, "-c", str(self.config))


def free_tcp_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def flowkeep(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run([sys.executable, "-m", "cli.main", *arguments], capture_output=True, text=True, timeout=120)


def wait_for(what: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until `what` holds; the test fails where it does not in time."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.05)
