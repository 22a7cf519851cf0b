"""Plausible traffic of a hosting provider: web, SSH, DNS, mail, ping, and one address that scans; and its sampling."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schema.addresses import packed
from schema.batch import Array, Flows

OUTSIDE_HOSTS = 4096
_OUTSIDE_V4 = int(ip_address("198.18.0.0"))  # RFC 2544
_OUTSIDE_V6 = bytes.fromhex("3fff0000")  # RFC 9637
_OWN_AS = 64500
_OUTSIDE_AS = (64496, 64499, 64505, 65536, 65551)  # RFC 5398
_MTU = 1500
_INTERNAL = 0.05  # of the flows are between two hosts of the provider


class _Kind(NamedTuple):
    """A kind of flow: share of all, protocol, service port, how often the tenant is the server, packet count, flags."""

    share: float
    proto: int
    port: int
    tenant_serves: float
    packets: float
    octets: tuple[int, int]
    flags: int


_KINDS = (
    _Kind(0.50, 6, 443, 0.8, 14.0, (80, _MTU), 0x1B),
    _Kind(0.08, 6, 80, 0.8, 8.0, (80, _MTU), 0x1B),
    _Kind(0.05, 6, 22, 0.9, 20.0, (60, 300), 0x1A),
    _Kind(0.22, 17, 53, 0.5, 1.3, (60, 400), 0),
    _Kind(0.06, 6, 25, 0.6, 10.0, (60, 900), 0x1B),
    _Kind(0.05, 1, 0, 0.5, 3.0, (84, 84), 0),
    _Kind(0.04, 6, 22, 0.0, 1.0, (60, 60), 0x02),
)
_SCAN = len(_KINDS) - 1


class Site(NamedTuple):
    """Where traffic happens: the tenants' prefixes, an IPv4 address of theirs that scans, interface indexes."""

    prefixes: Sequence[str]
    scanner: str
    uplinks: Sequence[int]
    customer_ports: Sequence[int]


def draw(rng: np.random.Generator, count: int, start_ms: int, end_ms: int, site: Site) -> Flows:
    """Return `count` flows within `start_ms` and `end_ms` (ms since the epoch), in the order in which they end.

    Hosts that are no tenant's lie in 198.18.0.0/15 and 3fff::/20; the scanner probes port 22 of them.
    """
    kind = rng.choice(len(_KINDS), count, p=[one.share for one in _KINDS])
    scans = kind == _SCAN
    inside, outside = _hosts(rng, count, site.prefixes)
    inside[scans] = mapped(site.scanner)
    neighbours = np.roll(inside, 1, axis=0)
    internal = (rng.random(count) < _INTERNAL) & (_is_v4(inside) == _is_v4(neighbours))
    outside[internal] = neighbours[internal]
    outside[scans] = _outside_v4(rng.integers(0, OUTSIDE_HOSTS, int(scans.sum())))
    proto = _of_kind(kind, [one.proto for one in _KINDS], np.uint8)
    proto[(proto == 1) & ~_is_v4(inside)] = 58
    serves = rng.random(count) < _of_kind(kind, [one.tenant_serves for one in _KINDS], np.float64)
    inward = (rng.random(count) < 0.45) & ~scans
    flows = Flows(count, _volumes(rng, kind) | _times(rng, count, start_ms, end_ms))
    flows.arrays |= {
        "proto": proto,
        "tcp_flags": _of_kind(kind, [one.flags for one in _KINDS], np.uint16),
        "src_addr": np.where(inward[:, None], outside, inside),
        "dst_addr": np.where(inward[:, None], inside, outside),
        **_services(rng, kind, proto, to_server=inward == serves),
        **_path(rng, inward, site),
    }
    return flows


def sampled(rng: np.random.Generator, flows: Flows, rate: int) -> Flows:
    """Return what is left of flows when one packet in `rate` is sampled: counts as a router exports them, unscaled."""
    before = flows.column("packets")
    after = rng.binomial(before.astype(np.int64), 1 / rate).astype(np.uint64)
    seen = np.flatnonzero(after)
    out = flows.take(seen)
    out.arrays["packets"] = after[seen]
    out.arrays["bytes"] = flows.column("bytes")[seen] // before[seen] * after[seen]
    out.arrays["sampling_rate"] = np.full(len(seen), rate, np.uint32)
    return out


def packets(rng: np.random.Generator, flows: Flows, rate: int) -> Flows:
    """Return single packets, one row each, drawn one in `rate` from the flows, in no promised order within a flow."""
    left = sampled(rng, flows, rate)
    counts = left.column("packets").astype(np.int64)
    out = left.take(np.repeat(np.arange(left.rows), counts))
    out.arrays["bytes"] = out.column("bytes") // out.column("packets")
    out.arrays["packets"] = np.ones(out.rows, np.uint64)
    return out


def mapped(address: str) -> npt.NDArray[np.uint8]:
    """Return an address as the stored columns have it: 16 octets, IPv4 mapped."""
    return np.frombuffer(packed(ip_address(address)), np.uint8)


def _of_kind(kind: Array, values: Sequence[float], dtype: npt.DTypeLike) -> Array:
    return np.array(values, dtype)[kind]


def _is_v4(addresses: Array) -> npt.NDArray[np.bool_]:
    return np.asarray((addresses[:, 10:12] == 0xFF).all(axis=1) & (addresses[:, :10] == 0).all(axis=1))


def _hosts(rng: np.random.Generator, count: int, prefixes: Sequence[str]) -> tuple[Array, Array]:
    """Return tenants' and outside addresses, each of shape (count, 16), of one family row by row."""
    networks = [ip_network(prefix) for prefix in prefixes]
    first = np.stack([mapped(str(network.network_address)) for network in networks])
    sizes = np.array([min(network.num_addresses, 256) for network in networks])
    popularity = 1 / np.arange(1, len(networks) + 1)
    chosen = rng.choice(len(networks), count, p=popularity / popularity.sum())
    inside = first[chosen]
    # prefixes are aligned and sizes powers of two: adding stays within the last octet, and few hosts make most traffic
    inside[:, 15] += (sizes[chosen] * rng.random(count) ** 3).astype(np.uint8)
    others = (OUTSIDE_HOSTS * rng.random(count) ** 2).astype(np.int64)
    return inside, np.where(_is_v4(inside)[:, None], _outside_v4(others), _outside_v6(others))


def _outside_v4(index: Array) -> Array:
    out = np.zeros((len(index), 16), np.uint8)
    out[:, 10:12] = 0xFF
    out[:, 12:] = (_OUTSIDE_V4 + index).astype(">u4").view(np.uint8).reshape(-1, 4)
    return out


def _outside_v6(index: Array) -> Array:
    out = np.zeros((len(index), 16), np.uint8)
    out[:, :4] = np.frombuffer(_OUTSIDE_V6, np.uint8)
    out[:, 4:8] = index.astype(">u4").view(np.uint8).reshape(-1, 4)
    out[:, 15] = 1
    return out


def _volumes(rng: np.random.Generator, kind: Array) -> dict[str, Array]:
    mean = _of_kind(kind, [one.packets for one in _KINDS], np.float64)
    number = rng.geometric(1 / mean).astype(np.uint64)
    low, high = (_of_kind(kind, [one.octets[end] for one in _KINDS], np.int64) for end in (0, 1))
    return {"packets": number, "bytes": number * rng.integers(low, high + 1).astype(np.uint64)}


def _times(rng: np.random.Generator, count: int, start_ms: int, end_ms: int) -> dict[str, Array]:
    end = np.sort(rng.integers(start_ms, end_ms, count))
    duration = rng.exponential(2000, count).astype(np.int64)
    return {"flow_start": np.maximum(end - duration, start_ms), "flow_end": end}


def _services(rng: np.random.Generator, kind: Array, proto: Array, *, to_server: Array) -> dict[str, Array]:
    """Return ports, and for ICMP the type: echo request to the server, reply from it."""
    service = _of_kind(kind, [one.port for one in _KINDS], np.uint16)
    is_icmp = np.isin(proto, (1, 58))
    client = np.where(is_icmp, 0, rng.integers(1024, 65536, len(kind))).astype(np.uint16)
    request, reply = np.where(proto == 58, 128, 8), np.where(proto == 58, 129, 0)
    return {
        "src_port": np.where(to_server, client, service),
        "dst_port": np.where(to_server, service, client),
        "icmp_type": np.where(is_icmp, np.where(to_server, request, reply), 0).astype(np.uint8),
    }


def _path(rng: np.random.Generator, inward: Array, site: Site) -> dict[str, Array]:
    count = len(inward)
    uplink, port = (rng.choice(np.array(side, np.uint32), count) for side in (site.uplinks, site.customer_ports))
    other = rng.choice(np.array(_OUTSIDE_AS, np.uint32), count)
    own = np.full(count, _OWN_AS, np.uint32)
    return {
        "in_if": np.where(inward, uplink, port),
        "out_if": np.where(inward, port, uplink),
        "src_as": np.where(inward, other, own),
        "dst_as": np.where(inward, own, other),
    }
