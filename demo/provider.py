"""A small hosting provider, all in documentation ranges: tenants and their prefixes, three routers and a switch."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from demo.encode import Exporter, IpfixExporter, NetFlow5Exporter, NetFlow9Exporter, Options, SFlowExporter
from demo.encode_records import is_v4
from demo.traffic import Site, draw, packets, sampled
from schema.batch import Flows
from schema.render import time_text

RETENTION = Path(__file__).with_name("retention.yaml")
MOVED_ADDRESS = "203.0.113.77"
MOVED_FROM, MOVED_TO = "harbour-mail", "pixel-forge"
UPLINKS = (1, 2)
CUSTOMER_PORTS = (10, 11, 12, 13)
_INTERFACES = {1: ("xe-0/0/0", "transit A"), 2: ("xe-0/0/1", "transit B")} | {
    index: (f"xe-0/1/{index - 10}", f"rack {index - 9}") for index in CUSTOMER_PORTS
}


class Allocation(NamedTuple):
    """A prefix that a tenant holds; times are RFC 3339, empty = unbounded."""

    prefix: str
    tenant: str
    resource: str
    retention_class: str
    valid_from: str = ""
    valid_to: str = ""


_LASTING = (
    Allocation("192.0.2.0/25", "acme-shop", "rack-1", "standard"),
    Allocation("192.0.2.128/26", "blue-clinic", "rack-1", "extended"),
    Allocation("192.0.2.192/27", "corvid-dns", "anycast", "standard"),
    Allocation("198.51.100.0/24", "north-cloud", "rack-2", "standard"),
    Allocation("198.51.100.64/27", "lumen-labs", "vm-pool-7", "basic"),
    Allocation("198.51.100.80/32", "tiny-games", "vm-4711", "basic"),
    Allocation("203.0.113.0/26", "pixel-forge", "rack-3", "basic"),
    Allocation("203.0.113.64/27", "harbour-mail", "rack-3", "extended"),
    Allocation("203.0.113.128/25", "kite-video", "rack-4", "standard"),
    Allocation("100.64.0.0/20", "metro-fibre", "cgnat-pool", "extended"),
    Allocation("100.64.8.0/24", "studio-nine", "office", "basic"),
    Allocation("100.64.16.0/22", "campus-net", "dormitory", "standard"),
    Allocation("2001:db8:10::/44", "north-cloud", "rack-2", "standard"),
    Allocation("2001:db8:10:100::/56", "lumen-labs", "vm-pool-7", "basic"),
    Allocation("2001:db8:10:100::4711/128", "tiny-games", "vm-4711", "basic"),
    Allocation("2001:db8:20::/48", "acme-shop", "rack-1", "standard"),
    Allocation("2001:db8:30::/48", "kite-video", "rack-4", "basic"),
    Allocation("2001:db8:40::/64", "blue-clinic", "rack-1", "extended"),
)
UNASSIGNED = "192.0.2.224/27"
SITE = Site((*(one.prefix for one in _LASTING), UNASSIGNED), MOVED_ADDRESS, UPLINKS, CUSTOMER_PORTS)
"""Where our traffic happens; both tenants of MOVED_ADDRESS scan from it."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that exports: its name, its address on this host's loopback, its protocol and its sampling rate."""

    name: str
    address: str
    protocol: str
    sampling_rate: int

    def exporter(self, boot_ms: int) -> Exporter:
        """Return its exporter, booted at `boot_ms`."""
        if self.protocol == "sflow":
            return SFlowExporter(self.address, boot_ms, source_index=UPLINKS[0], sampling_rate=self.sampling_rate)
        if self.protocol == "netflow5":
            return NetFlow5Exporter(boot_ms, sampling_rate=self.sampling_rate)
        options = Options(sampler_rates=(self.sampling_rate,), interfaces=_INTERFACES)
        if self.protocol == "ipfix":
            return IpfixExporter(200, options=options)
        return NetFlow9Exporter(100, boot_ms, options=options)

    def observe(self, rng: np.random.Generator, flows: Flows) -> Flows:
        """Return what the device's sampling sees of the traffic through it: flows, or for the switch single packets."""
        if self.protocol == "netflow5":
            flows = flows.take(np.flatnonzero(is_v4(flows)))
        return (packets if self.protocol == "sflow" else sampled)(rng, flows, self.sampling_rate)


DEVICES = (
    Device("legacy1", "127.0.0.10", "netflow5", 100),
    Device("edge1", "127.0.0.11", "netflow9", 1),
    Device("edge2", "127.0.0.12", "ipfix", 10),
    Device("access1", "127.0.0.13", "sflow", 100),
)


class Ports(NamedTuple):
    """The free ports of a demo, all on loopback."""

    netflow: int
    sflow: int
    clickhouse_http: int
    clickhouse_tcp: int
    metrics: int


def traffic(rng: np.random.Generator, count: int, start_ms: int, end_ms: int) -> Flows:
    """Return `count` flows of our tenants within `start_ms` and `end_ms` (ms), in the order in which they end."""
    return draw(rng, count, start_ms, end_ms, SITE)


def allocations(moved_ms: int) -> list[Allocation]:
    """Return who holds what, when MOVED_ADDRESS goes from MOVED_FROM to MOVED_TO at `moved_ms` (ms since the epoch)."""
    moved = time_text(moved_ms)
    return [
        *_LASTING,
        Allocation(f"{MOVED_ADDRESS}/32", MOVED_FROM, "vm-1138", "extended", valid_to=moved),
        Allocation(f"{MOVED_ADDRESS}/32", MOVED_TO, "vm-2187", "basic", valid_from=moved),
    ]


def allocations_csv(moved_ms: int) -> str:
    """Return `allocations` as CSV with a header line."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("prefix", "tenant", "resource", "class", "valid_from", "valid_to"))
    rows.writerows(allocations(moved_ms))
    return text.getvalue()


def config_yaml(ports: Ports) -> str:
    """Return the demo's configuration; it expects allocations.csv and retention.yaml beside it.

    Softflowd and pmacct send from 127.0.0.1."""
    exporters = "".join(f"  - {{prefix: {device.address}/32, name: {device.name}}}\n" for device in DEVICES)
    return f"""\
# The configuration of `flowkeep demo`: everything on loopback, data beside this file.
data_dir: data
listen: ["127.0.0.1:{ports.netflow}", "127.0.0.1:{ports.sflow}"]
exporters:
{exporters}  - {{prefix: 127.0.0.1/32, name: probes}}
tenants: allocations.csv
retention: retention.yaml
storage: {{mode: embedded, http_port: {ports.clickhouse_http}, tcp_port: {ports.clickhouse_tcp}}}
journal: {{max_size: 256MiB, segment_size: 16MiB}}
blocks: {{rollup_seconds: 1}}
metrics: "127.0.0.1:{ports.metrics}"
"""


def write_demo(directory: Path, moved_ms: int, ports: Ports) -> Path:
    """Write allocations, policy and configuration into `directory`, made if need be; return the last one's path."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "retention.yaml").write_text(RETENTION.read_text(encoding="utf-8"), encoding="utf-8")
    (directory / "allocations.csv").write_text(allocations_csv(moved_ms), encoding="utf-8")
    config = directory / "flowkeep.yaml"
    config.write_text(config_yaml(ports), encoding="utf-8")
    return config
