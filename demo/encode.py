"""Our synthetic exporters: flows, as `schema.batch.Flows`, into the datagrams a device would send."""

from __future__ import annotations

from typing import Protocol

from demo.encode_ipfix import IpfixExporter
from demo.encode_netflow5 import NetFlow5Exporter
from demo.encode_netflow9 import NetFlow9Exporter
from demo.encode_records import Options
from demo.encode_sflow import SFlowExporter
from schema.batch import Flows

__all__ = ["Exporter", "IpfixExporter", "NetFlow5Exporter", "NetFlow9Exporter", "Options", "SFlowExporter"]


class Exporter(Protocol):
    """What the four exporters have in common. Times are milliseconds since the Unix epoch."""

    def announce(self, now_ms: int) -> list[bytes]:
        """Return the datagrams that go first and again every few minutes: templates and options, if there are any."""

    def datagrams(self, flows: Flows, now_ms: int) -> list[bytes]:
        """Return the flows as datagrams sent at `now_ms`."""
