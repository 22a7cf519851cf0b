"""Decoding of whole blocks on one core, beside the Python peers on the same datagrams."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.peers import measure_netflow, measure_netflume
from collector.heap import KEPT_OCTETS, keep_freed
from decoders import Datagrams, Limits, State, decode
from demo.encode import Exporter, IpfixExporter, NetFlow5Exporter, NetFlow9Exporter, Options, SFlowExporter
from demo.encode_records import is_v4
from demo.provider import traffic
from demo.traffic import mapped, packets
from schema.batch import Flows

_NOW = 1_795_000_000_000
_FLOWS = 100_000
_ROUNDS = 15
_ROUTER = mapped("192.0.2.1").tobytes()


def v4_flows(count: int) -> Flows:
    """Return `count` IPv4 flows of the demo's provider."""
    flows = traffic(np.random.default_rng(7), count * 2, _NOW - 60_000, _NOW)
    return flows.take(np.flatnonzero(is_v4(flows))[:count])


def exported(exporter: Exporter, flows: Flows) -> list[bytes]:
    """Return an exporter's announcements and datagrams."""
    return [*exporter.announce(_NOW), *exporter.datagrams(flows, _NOW)]


def rate(payloads: list[bytes]) -> tuple[float, int]:
    """Return flows a second, the median of some rounds after a warm-up, and the flows of a round."""
    block, state = Datagrams.of(payloads, _ROUTER, _NOW), State()
    times = []
    for _ in range(_ROUNDS):
        begun = time.perf_counter()
        rows = decode(block, state, Limits()).flows.rows
        times.append(time.perf_counter() - begun)
    return rows / float(np.median(times[3:])), rows


def run() -> Iterator[dict[str, Any]]:
    """Yield a result for each protocol, and how many times faster NetFlow v9 is than the peers."""
    keep_freed(KEPT_OCTETS)  # as the collector does
    flows = v4_flows(_FLOWS)
    boot = _NOW - 10**7
    options = Options(sampler_rates=(1,))
    exporters: dict[str, Callable[[], list[bytes]]] = {
        "netflow5": lambda: exported(NetFlow5Exporter(boot), flows),
        "netflow9": lambda: exported(NetFlow9Exporter(1, boot, options=options), flows),
        "ipfix": lambda: exported(IpfixExporter(1, options=options, max_octets=2000), flows),
        "sflow": lambda: exported(SFlowExporter("192.0.2.9", boot), packets(np.random.default_rng(7), flows, 20)),
    }
    ours = 0.0
    for name, make in exporters.items():
        payloads = make()
        found, rows = rate(payloads)
        if name == "netflow9":
            ours = found
        yield {
            "bench": f"decode_{name}", "value": round(found / 1e6, 2), "unit": "M flows/s",
            "records_per_datagram": round(rows / len(payloads), 1),
        }  # fmt: skip
    sample = exporters["netflow9"]()
    for name, measure in (("netflow", measure_netflow), ("netflume", measure_netflume)):
        peer = measure(sample[: 1 + 20_000 // 24])
        yield {
            "bench": f"decode_netflow9_peer_{name}", "value": round(peer / 1e6, 3), "unit": "M flows/s",
            "flowkeep_times_faster": round(ours / peer, 1),
        }  # fmt: skip
