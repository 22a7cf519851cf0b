"""Attribution of a million flows against 100 000 prefixes: random and realistic addresses, IPv6, a re-allocation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from schema.addresses import V4_MAPPED
from schema.batch import Array, Flows, Symbols, map_v4
from tenants.allocations import Allocations
from tenants.attribute import Attributor
from tenants.cells import FOREVER

FLOWS = 1_000_000
PREFIXES = 100_000
TENANTS = 5_000
NOW = 1_800_000_000_000
DAY = 86_400_000


class _TwoClasses:
    unassigned_class = "basic"

    def class_of(self, tenant: str, service: str | None, region: str | None, allocation_class: str | None) -> str:
        return "standard" if tenant[-1] in "13579" else "basic"

    def between(self, one: str, other: str) -> str:
        return min(one, other)


def _allocations(rng: np.random.Generator) -> Allocations:
    """Nine in ten prefixes IPv4 /16 to /32, the others IPv6 /32 to /64; all begin in the past year."""
    v4 = PREFIXES * 9 // 10
    first = rng.integers(0, 256, (PREFIXES, 16), np.uint8)
    first[:v4, :12] = np.frombuffer(V4_MAPPED, np.uint8)
    first[v4:, :2] = (0x20, 0x01)
    length = np.concatenate((96 + rng.integers(16, 33, v4), rng.integers(32, 65, PREFIXES - v4))).astype(np.uint8)
    bits = np.unpackbits(first, axis=1)
    bits[np.arange(128) >= length[:, None]] = 0
    first, index = np.unique(np.packbits(bits, axis=1), axis=0, return_index=True)
    length = length[index]
    rows = len(first)
    tenants = Symbols(rng.integers(0, TENANTS, rows, np.int32), [f"tenant-{number}" for number in range(TENANTS)])
    none = Symbols(np.zeros(rows, np.int32), [""])
    begin = NOW - rng.integers(0, 365, rows) * DAY
    return Allocations(
        path=Path("generated"),
        first=first,
        length=length,
        valid_from=begin,
        valid_to=np.full(rows, FOREVER),
        tenants=tenants,
        resources=none,
        services=none,
        regions=none,
        classes=none,
        lines=np.arange(rows, dtype=np.int32),
    )


def _anywhere(rng: np.random.Generator, rows: int) -> Array:
    addresses = np.zeros((rows, 16), np.uint8)
    map_v4(rng.integers(0, 256, (rows, 4), np.uint8), addresses)
    return addresses


def _within(rng: np.random.Generator, first: Array, rows: int) -> Array:
    """Addresses in the prefixes that begin at `first`, a few of them popular, as traffic has them (Zipf)."""
    hosts = rng.permutation(first)
    return np.ascontiguousarray(hosts[np.minimum(rng.zipf(1.2, rows), len(hosts)) - 1])


def _flows(rng: np.random.Generator, source: Array, target: Array, spread: int) -> Flows:
    times = NOW - rng.integers(1, spread, len(source))
    return Flows(len(source), {"src_addr": source, "dst_addr": target, "flow_start": times})


def _cases(rng: np.random.Generator, allocations: Allocations) -> Iterator[tuple[str, Flows]]:
    v4 = allocations.first[allocations.length >= 96]
    v6 = allocations.first[allocations.length < 96]
    yield "random v4", _flows(rng, _anywhere(rng, FLOWS), _anywhere(rng, FLOWS), 300_000)
    tenants = _within(rng, v4, FLOWS)
    yield "zipf v4", _flows(rng, tenants, _anywhere(rng, FLOWS), 300_000)
    mixed = np.where((rng.random(FLOWS) < 0.2)[:, None], _within(rng, v6, FLOWS), tenants)
    yield "zipf, 20 % v6", _flows(rng, mixed, rng.permutation(mixed), 300_000)
    yield "zipf v4 over a year of changes", _flows(rng, tenants, _anywhere(rng, FLOWS), 365 * DAY)


def _best(attributor: Attributor, flows: Flows) -> float:
    seconds = []
    for _ in range(5):
        begin = time.perf_counter()
        attributor.attribute(flows)
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def run() -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(7)
    allocations = _allocations(rng)
    begin = time.perf_counter()
    attributor = Attributor(allocations, _TwoClasses())
    compiled = time.perf_counter() - begin
    yield {"bench": "attribution_compile", "value": compiled, "unit": f"s per {len(allocations)} prefixes"}
    for case, flows in _cases(rng, allocations):
        seconds = _best(attributor, flows)
        yield {"bench": "attribution_100k_prefixes", "case": case, "value": seconds, "unit": "s per 1M flows"}


if __name__ == "__main__":
    for figure in run():
        print(figure)
