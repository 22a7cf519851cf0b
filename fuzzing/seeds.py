"""What mutations begin with: captures of real devices, what our own exporters send, and what is built by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from demo.encode import Exporter, IpfixExporter, NetFlow5Exporter, NetFlow9Exporter, Options, SFlowExporter
from demo.encode_records import is_v4
from demo.provider import traffic
from demo.traffic import packets
from fuzzing.built import Named, built
from fuzzing.messages import NOW

CAPTURES = Path(__file__).resolve().parents[2] / "shared" / "captures"
"""The captures lie beside the checkout, as in CI; a campaign without them says so in its report."""


class Seed(NamedTuple):
    """Datagrams of one exporter, in the order in which it sends them; templates before what needs them."""

    name: str
    datagrams: tuple[bytes, ...]


def load() -> list[Seed]:
    """Return all seeds; those of captures only where `CAPTURES` is."""
    return [Seed(name, tuple(datagrams)) for name, datagrams in (*_captured(), *_exported(), *built())]


def _captured() -> Iterator[Named]:
    if CAPTURES.is_dir():
        for name, files in json.loads((CAPTURES / "groups.json").read_text()).items():
            yield f"capture {name}", [(CAPTURES / "vendor" / file).read_bytes() for file in files]


def _exported() -> Iterator[Named]:
    flows = traffic(np.random.default_rng(7), 60, NOW - 60_000, NOW)
    v4 = flows.take(np.flatnonzero(is_v4(flows)))
    options = Options(1000, (1, 100), {1: ("xe-0/0/0", "transit"), 2: ("xe-0/0/1", "")})
    boot = NOW - 10**7
    exporters: list[tuple[str, Exporter]] = [
        ("netflow5", NetFlow5Exporter(boot, sampling_rate=100)),
        ("netflow9", NetFlow9Exporter(1, boot, options=options)),
        ("ipfix", IpfixExporter(1, options=options)),
        ("sflow", SFlowExporter("192.0.2.9", boot)),
    ]
    for name, exporter in exporters:
        carried = {"netflow5": v4, "sflow": packets(np.random.default_rng(7), flows, 20)}.get(name, flows)
        announced, sent = exporter.announce(NOW), exporter.datagrams(carried, NOW)
        yield f"exported {name}", [*announced[:3], *sent[:2]]
        if announced:
            yield f"exported {name}, options", [*announced[:1], *announced[2:], *sent[-1:]]
