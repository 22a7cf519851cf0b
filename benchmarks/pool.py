"""Datagrams to send again and again: NetFlow v9 of several exporters, whose flows vary as those of a provider do.

Each exporter has a layout of its own and an array of whole datagrams, of which only what must differ is written before
each sending: sequence number, times, and on demand a number in `bytes` that no other flow has.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from demo.encode import NetFlow9Exporter, Options
from demo.encode_netflow9 import TEMPLATES
from demo.encode_records import Field, Template, a_set
from demo.traffic import Site, draw
from schema.batch import Array, Flows

RECORDS = 24
BATCH = 45
"""Datagrams sent by one call: what 64 KB, the kernel's bound, have room for."""
BATCH_FLOWS = BATCH * RECORDS

TENANTS = 40
_PREFIXES = tuple(f"100.64.{number}.0/24" for number in range(3 * TENANTS))
_CLASSES = ("standard",) * 6 + ("basic",) * 3 + ("extended",)
_NETWORKS, _HOSTS = 65536, 64
"""Networks outside, and hosts of each that speak with us."""
_SYSTEMS = 4000
_BOOTED = 86_400_000
_SHORTEST_WAIT, _LONGEST_WAIT = 1000, 6000
"""Milliseconds between the end of a flow and its export."""
_SEED = 5
_HEADER = [("version", ">u2"), ("count", ">u2"), ("uptime", ">u4"), ("seconds", ">u4"), ("sequence", ">u4"),
           ("source", ">u4"), ("set", ">u2"), ("length", ">u2")]  # fmt: skip

LAYOUTS = (
    TEMPLATES[4],
    Template(300, (
        Field(8, "src_addr", 4), Field(12, "dst_addr", 4), Field(4, "proto", 1), Field(7, "src_port", 2),
        Field(11, "dst_port", 2), Field(10, "in_if", 2), Field(14, "out_if", 2), Field(5, "tos", 1),
        Field(6, "tcp_flags", 1), Field(48, "sampler", 1), Field(2, "packets", 8), Field(1, "bytes", 8),
        Field(22, "first", 4), Field(21, "last", 4), Field(16, "src_as", 4), Field(17, "dst_as", 4),
    )),
    Template(301, (
        Field(21, "last", 4), Field(22, "first", 4), Field(1, "bytes", 8), Field(2, "packets", 4),
        Field(10, "in_if", 4), Field(14, "out_if", 4), Field(8, "src_addr", 4), Field(12, "dst_addr", 4),
        Field(4, "proto", 1), Field(6, "tcp_flags", 1), Field(7, "src_port", 2), Field(11, "dst_port", 2),
        Field(58, "src_vlan", 2), Field(89, "forwarding_status", 1), Field(48, "sampler", 1),
        Field(9, "src_mask", 1), Field(13, "dst_mask", 1), Field(16, "src_as", 4), Field(17, "dst_as", 4),
    )),
)  # fmt: skip
"""What exporters send by, in turn: IPv4, and at most 60 octets a record, so that 24 fit an Ethernet frame."""


def allocations_csv() -> str:
    """Return who holds the prefixes that the flows are of, three a tenant, as the file `tenants`."""
    lines = [
        f"{prefix},tenant-{number % TENANTS:02d},rack-{number % 7},{_CLASSES[number % TENANTS % len(_CLASSES)]}"
        for number, prefix in enumerate(_PREFIXES)
    ]  # fmt: skip
    return "\n".join(["prefix,tenant,resource,class", *lines]) + "\n"


def realistic(rng: np.random.Generator, count: int) -> Flows:
    """Return `count` IPv4 flows between 30,000 hosts of tenants and four million others, few of which do most.

    Their times are not those of any clock: `flow_start` and `flow_end` are right as far apart as they are.
    """
    flows = draw(rng, count, 0, 10**9, Site(_PREFIXES, "100.64.0.7", (1, 2), tuple(range(10, 34))))
    world = np.random.default_rng(_SEED)  # the same for all exporters
    networks = world.integers(1 << 16, 224 << 16, _NETWORKS, np.uint32) << np.uint32(8)
    systems = (1000 + _SYSTEMS * world.random(_NETWORKS) ** 2).astype(np.uint32)
    host = (_NETWORKS * _HOSTS * rng.random(count) ** 3).astype(np.int64)
    address = networks[host // _HOSTS] + (host % _HOSTS * 4).astype(np.uint32)
    for end, interface in (("src", "in_if"), ("dst", "out_if")):
        octets = flows.arrays[f"{end}_addr"]
        rack = octets[:, 14].copy()
        outside = (octets[:, 12] == 198) & (octets[:, 13] & 0xFE == 18)
        octets[outside, 12:] = address[outside].astype(">u4").view(np.uint8).reshape(-1, 4)
        flows.arrays[f"{end}_as"] = np.where(outside, systems[host // _HOSTS], np.uint32(64500))
        # a rack has its port, a network outside its uplink
        flows.arrays[interface] = np.where(outside, 1 + host // _HOSTS % 2, 10 + rack % 24).astype(np.uint32)
        flows.arrays[f"{end}_mask"] = np.where(outside, 16 + host // _HOSTS % 9, 24).astype(np.uint8)
    hop = np.zeros((count, 16), np.uint8)
    hop[:, 10:12] = 0xFF
    hop[:, 12:15] = (10, 0, 0)
    hop[:, 15] = flows.column("out_if")
    flows.arrays |= {
        "next_hop": hop, "src_vlan": flows.column("in_if").astype(np.uint16) + np.uint16(100),
        "forwarding_status": np.full(count, 64, np.uint8), "tos": (rng.random(count) < 0.05).astype(np.uint8) * 184,
    }  # fmt: skip
    return flows


class _Ages(NamedTuple):
    """Milliseconds before the export of a flow's two ends, each (datagrams, RECORDS)."""

    first: npt.NDArray[np.uint32]
    last: npt.NDArray[np.uint32]


class Pool:
    """The datagrams of exporter `number`; `batches` of BATCH datagrams."""

    def __init__(self, number: int, batches: int, now_ms: int) -> None:
        """Draw the flows; the exporter booted a day before `now_ms`."""
        self._source, self._boot = number + 1, now_ms - _BOOTED
        self._layout = LAYOUTS[number % len(LAYOUTS)]
        rng = np.random.default_rng((_SEED, number))
        count = batches * BATCH_FLOWS
        flows = realistic(rng, count)
        last = rng.integers(_SHORTEST_WAIT, _LONGEST_WAIT, count).astype(np.uint32)
        lasted = (flows.column("flow_end") - flows.column("flow_start")).astype(np.uint32)
        self._ages = _Ages(*((age.reshape(-1, RECORDS)) for age in (last + lasted, last)))
        none = np.zeros(count, np.uint32)
        flows.arrays |= {"first": none, "last": none, "sampler": np.ones(count, np.uint8)}
        self._array = self._datagrams(self._layout.data(flows))
        self.batches, self.octets = batches, self._array.dtype.itemsize
        self._octets = self._array.view(np.uint8).data.cast("B")
        self._sequence = len(self.announcement(now_ms))

    def _datagrams(self, records: npt.NDArray[Any]) -> npt.NDArray[Any]:
        out: npt.NDArray[Any] = np.zeros(
            len(records) // RECORDS, np.dtype([*_HEADER, ("records", records.dtype, RECORDS)])
        )
        out["version"], out["count"], out["source"], out["set"] = 9, RECORDS, self._source, self._layout.template_id
        out["length"] = out.dtype.itemsize - 20
        out["records"] = records.reshape(-1, RECORDS)
        return out

    def announcement(self, now_ms: int) -> list[bytes]:
        """Return what goes first: template, and the sampler that every flow names, which takes every packet."""
        exporter = NetFlow9Exporter(self._source, self._boot, options=Options(sampler_rates=(1,)))
        told = exporter.announce(now_ms)
        header = struct.pack("!HHIIII", 9, 1, *self._clock(now_ms), len(told), self._source)
        return [*told, header + a_set(0, self._layout.record)]

    def _clock(self, now_ms: int) -> tuple[int, int]:
        """Return uptime, ms, of the whole second that the header can say, and that second."""
        return now_ms // 1000 * 1000 - self._boot, now_ms // 1000

    def batch(self, number: int, now_ms: int, first_id: int | None) -> memoryview:
        """Return batch `number`, counted on and on, as the octets of BATCH datagrams of `octets` each.

        Its flows get numbers from `first_id` on as their `bytes`, if that is given.
        """
        begin = number % self.batches * BATCH
        rows = slice(begin, begin + BATCH)
        datagrams, records = self._array[rows], self._array["records"][rows]
        uptime, datagrams["seconds"] = self._clock(now_ms)
        datagrams["uptime"] = uptime
        sequence = self._sequence + number * BATCH
        datagrams["sequence"] = np.arange(sequence, sequence + BATCH)
        moment = np.uint32(now_ms - self._boot)
        records["last"], records["first"] = moment - self._ages.last[rows], moment - self._ages.first[rows]
        if first_id is not None:
            records["bytes"] = np.arange(first_id, first_id + BATCH_FLOWS).reshape(BATCH, RECORDS)
        return self._octets[begin * self.octets : (begin + BATCH) * self.octets]


def pools(exporters: int, flows: int, now_ms: int) -> list[Pool]:
    """Return the pools of `exporters`, of about `flows` different flows together."""
    batches = max(flows // BATCH_FLOWS // exporters, 1)
    return [Pool(number, batches, now_ms) for number in range(exporters)]


def wire(pool: Pool, count: int, now_ms: int) -> list[bytes]:
    """Return `count` datagrams of a pool, copied, for those who take them one by one."""
    out: list[bytes] = []
    for number in range(-(-count // BATCH)):
        octets = pool.batch(number, now_ms, None)
        out += [bytes(octets[at : at + pool.octets]) for at in range(0, len(octets), pool.octets)]
    return out[:count]


def ids_of(datagrams: Array) -> npt.NDArray[np.uint64]:
    """Return the numbers that flows of datagrams, counted from 0, carry, uint64 (n, RECORDS): the first has 1 to 24."""
    first = (datagrams.astype(np.int64) * RECORDS + 1)[:, None]
    return (first + np.arange(RECORDS)).astype(np.uint64)
