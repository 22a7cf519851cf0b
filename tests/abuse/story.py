"""The story that tests of the abuse desk tell: an address that changes hands at 14:00, sampled traffic, and reports."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import numpy as np

from abuse.allocation_history import record
from retention.policy import Policy, load_policy
from schema.addresses import packed
from schema.batch import Flows
from schema.columns import BY_NAME, FLOW_TYPES
from storage.embedded import Node
from storage.writer import Writer
from tenants.allocations import load_allocations
from tenants.attribute import Attributor
from tests.cli.over_node import configured

DAY = (datetime.now(UTC) - timedelta(days=5)).replace(hour=0, minute=0, second=0, microsecond=0)
"""The day of the story: its flows are due, for they are kept for three days, and no purge has run since."""
MOVED, VICTIM, OTHER = "192.0.2.7", "198.51.100.9", "203.0.113.99"
RATE = 100

_POLICY = """
version: 1
ttl_margin: 30d
classes:
  basic: {{keep_for: {days}d, starts: received, purpose: abuse, legal_basis: legitimate_interest, owner: desk,
           justification: reports, review: 2099-01-01}}
disclosed: [time, device, addresses, ports, protocol, volume, routing, link_layer, translation, person, attribution]
default_class: basic
unassigned_class: basic
between_tenants: shortest
purge: {{limits: {{rows: 1, bytes: 1, partitions: 1000}}}}
"""


def at(clock: str) -> datetime:
    """Return a time of the story's day."""
    hour, minute, *second = map(int, clock.split(":"))
    return DAY + timedelta(hours=hour, minutes=minute, seconds=second[0] if second else 0)


def site(node: Node, directory: Path, days: int = 3) -> Path:
    """Write configuration, allocations and policy, with the history of the former, and return the first."""
    config = configured(node, directory)
    shutil.rmtree(node.files.root.parent / "abuse", ignore_errors=True)  # what a test before this one left
    (directory / "tenants.csv").write_text(
        "prefix,tenant,resource,class,valid_from,valid_to\n"
        f"192.0.2.0/24,isp,,,,\n{MOVED}/32,tenant-a,vm-1,,,{at('14:00').isoformat()}\n"
        f"{MOVED}/32,tenant-b,vm-2,,{at('14:00').isoformat()},\n192.0.2.64/26,tenant-c,,,,\n"
    )
    (directory / "retention.yaml").write_text(_POLICY.format(days=days))
    with node.connect("admin") as admin:
        record(admin, load_allocations(directory / "tenants.csv"), DAY - timedelta(days=9))
    return config


class Traffic:
    """Flows of one exporter that samples 1 packet in `RATE`, to be attributed and stored."""

    def __init__(self, directory: Path) -> None:
        self._rows: list[dict[str, int | bytes]] = []
        self._policy: Policy = load_policy(directory / "retention.yaml", {})
        self._attributor = Attributor(load_allocations(directory / "tenants.csv"), self._policy)

    def add(
        self, moment: datetime, source: str, target: str, ports: tuple[int, int], proto: int = 6, flags: int = 0x1B,
        packets: int = 3, in_if: int = 22, rate: int = RATE, nat: tuple[str, int] | None = None, timed: bool = True,
    ) -> None:  # fmt: skip
        """Add a flow of two seconds, received five seconds after its end; not `timed`, its exporter tells no times."""
        start = round(moment.timestamp() * 1000)
        translated = packed(ip_address(nat[0])) if nat else bytes(16)
        self._rows.append({
            "time_received": start + 7000, "flow_start": timed * start, "flow_end": timed * (start + 2000),
            "src_addr": packed(ip_address(source)),
            "dst_addr": packed(ip_address(target)), "src_port": ports[0], "dst_port": ports[1], "proto": proto,
            "tcp_flags": flags, "packets": packets, "bytes": packets * 60, "in_if": in_if, "sampling_rate": rate,
            "exporter": packed(ip_address("192.0.2.254")), "flow_type": FLOW_TYPES.index("netflow9"),
            "post_nat_src_addr": translated, "post_nat_src_port": nat[1] if nat else 0,
        })  # fmt: skip

    def background(self, first: datetime, last: datetime) -> None:
        """Add three flows a minute of somebody else's, so that the exporter is heard."""
        moment = first
        while moment < last:
            for port in range(3):
                self.add(moment + timedelta(seconds=15 * port), "192.0.2.70", "203.0.113.5", (40000 + port, 443))
            moment += timedelta(minutes=1)

    def store(self, node: Node, name: str = "story") -> int:
        """Attribute and store what was added; return how many flows these were."""
        columns = {name: [row[name] for row in self._rows] for name in self._rows[0]}
        arrays = {name: _array(name, values) for name, values in columns.items()}
        flows = self._attributor.attribute(Flows(len(self._rows), arrays, {}))
        with node.connect("ingest") as ingest:
            Writer(ingest).write(flows, name)
        return len(self._rows)


def _array(name: str, values: list[int | bytes]) -> np.ndarray:  # type: ignore[type-arg]
    if isinstance(values[0], bytes):
        return np.frombuffer(b"".join(values), np.uint8).reshape(-1, 16)  # type: ignore[arg-type]
    return np.array(values, BY_NAME[name].dtype)


def xarf(clock: str, target: str, port: int, kind: str, **more: object) -> str:
    """Return a report in XARF v4 about the moved address."""
    return json.dumps(
        {
            "xarf_version": "4.0.0", "report_id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
            "timestamp": at(clock).isoformat(), "reporter": {"org": "Example CERT", "contact": "cert@example.org"},
            "sender": {"org": "Example CERT", "contact": "cert@example.org"}, "source_identifier": MOVED,
            "category": "connection", "type": kind, "destination_ip": target, "destination_port": port,
            "protocol": "tcp", "first_seen": at(clock).isoformat(), **more,
        }
    )  # fmt: skip
