"""NetFlow v5 (Cisco NetFlow Collection Engine guide, table B-3 and B-4): flows into datagrams of up to 30 records."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from demo.encode_records import by_family, cut, pack, port_or_icmp, uptime
from schema.batch import Array, Flows

MAX_RECORDS = 30
_RECORD = 48
_AS_TRANS = 23456
_SYSTEMATIC = 1
_FIELDS = (
    ("src_addr", 4), ("dst_addr", 4), ("next_hop", 4), ("in_if", 2), ("out_if", 2), ("packets", 4), ("bytes", 4),
    ("first", 4), ("last", 4), ("src_port", 2), ("dst_port", 2), ("pad1", 1), ("tcp_flags", 1), ("proto", 1),
    ("tos", 1), ("src_as", 2), ("dst_as", 2), ("src_mask", 1), ("dst_mask", 1), ("pad2", 2),
)  # fmt: skip


class NetFlow5Exporter:
    """A router that exports NetFlow v5.

    `boot_ms` is when it booted, `sampling_rate` the rate in every header (0 = none told, below 2^14), `sequence` the
    number of flows sent so far.
    """

    def __init__(
        self, boot_ms: int, *, engine_type: int = 0, engine_id: int = 0, sampling_rate: int = 0, sequence: int = 0
    ) -> None:
        self._boot_ms = boot_ms
        self._engine = engine_type << 8 | engine_id
        self._sampling = _SYSTEMATIC << 14 | sampling_rate if sampling_rate else 0
        self._sequence = sequence

    def announce(self, now_ms: int) -> list[bytes]:
        """Return nothing: version 5 has no templates and no options."""
        return []

    def datagrams(self, flows: Flows, now_ms: int) -> list[bytes]:
        """Return the flows as datagrams; ValueError for IPv6 flows and values that version 5 cannot carry."""
        return list(self._datagrams(flows, now_ms))

    def _datagrams(self, flows: Flows, now_ms: int) -> Iterator[bytes]:
        for family, part in by_family(flows):
            if family == 6:
                raise ValueError("NetFlow v5 carries no IPv6 flows")
            for count, body in cut(pack(_FIELDS, _as_exported(part, self._boot_ms)), MAX_RECORDS * _RECORD):
                yield self._header(count, now_ms) + body
                self._sequence = (self._sequence + count) % 2**32

    def _header(self, count: int, now_ms: int) -> bytes:
        seconds, milliseconds = divmod(now_ms, 1000)
        sys_uptime = (now_ms - self._boot_ms) % 2**32
        return struct.pack(
            "!HHIIIIHH",
            5,
            count,
            sys_uptime,
            seconds,
            milliseconds * 1_000_000,
            self._sequence,
            self._engine,
            self._sampling,
        )


def _as_exported(flows: Flows, boot_ms: int) -> Flows:
    """Return the flows with the values that version 5 forms in its own way."""
    zeros = np.zeros(flows.rows, np.uint8)
    own: dict[str, Array] = {
        "first": uptime(flows.column("flow_start"), boot_ms),
        "last": uptime(flows.column("flow_end"), boot_ms),
        "dst_port": port_or_icmp(flows),
        "pad1": zeros,
        "pad2": zeros,
    }
    for name in ("src_as", "dst_as"):  # RFC 6793: a 4-octet AS number shows as AS_TRANS to those who know 2 octets
        numbers = flows.column(name)
        own[name] = np.where(numbers > 0xFFFF, _AS_TRANS, numbers).astype(np.uint16)
    return Flows(flows.rows, flows.arrays | own)
