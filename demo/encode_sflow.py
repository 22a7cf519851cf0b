"""sFlow v5 (sflow.org/sflow_version_5.txt): sampled packets into datagrams of flow samples with raw packet headers."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

import numpy as np
import numpy.typing as npt

from demo.encode_packets import FCS, HEADER_OCTETS, frames
from schema.batch import Flows

MAX_SAMPLES = 7
_FLOW_SAMPLE, _RAW_HEADER, _ETHERNET = 1, 1, 1
_SAMPLE = np.dtype([(name, ">u4") for name in (
    "format", "length", "sequence", "source", "sampling_rate", "pool", "drops", "input", "output", "records",
    "record_format", "record_length", "protocol", "frame_length", "stripped", "header_length",
)] + [("header", "u1", HEADER_OCTETS)])  # fmt: skip
_BEFORE_HEADER = _SAMPLE.itemsize - HEADER_OCTETS


class SFlowExporter:
    """A switch that samples one packet in `sampling_rate` from one data source, interface `source_index`.

    `agent` is its address, `boot_ms` when it booted, `sequence` and `sample_sequence` the numbers of datagrams and
    samples sent so far.
    """

    def __init__(
        self,
        agent: str,
        boot_ms: int,
        *,
        sub_agent_id: int = 0,
        source_index: int = 1,
        sampling_rate: int = 1000,
        sequence: int = 0,
        sample_sequence: int = 0,
    ) -> None:
        address = ip_address(agent)
        kind = 1 if address.version == 4 else 2
        self._agent = struct.pack("!II", 5, kind) + address.packed + struct.pack("!I", sub_agent_id)
        self._boot_ms = boot_ms
        self._source = source_index
        self._rate = sampling_rate
        self._sequence = sequence
        self._samples = sample_sequence

    def announce(self, now_ms: int) -> list[bytes]:
        """Return nothing: every sFlow sample says all that is needed to read it."""
        return []

    def counters(self, samples: Iterable[bytes], now_ms: int) -> list[bytes]:
        """Return counter samples (`demo.encode_counters`) as datagrams."""
        waiting = list(samples)
        groups = (waiting[first : first + MAX_SAMPLES] for first in range(0, len(waiting), MAX_SAMPLES))
        return [self._datagram(b"".join(group), len(group), now_ms) for group in groups]

    def _datagram(self, body: bytes, count: int, now_ms: int) -> bytes:
        self._sequence = (self._sequence + 1) % 2**32
        return self._agent + struct.pack("!III", self._sequence, (now_ms - self._boot_ms) % 2**32, count) + body

    def datagrams(self, flows: Flows, now_ms: int) -> list[bytes]:
        """Return sampled packets as datagrams; each row is one packet, its `bytes` the IP total length (ValueError)."""
        return list(self._datagrams(flows, now_ms))

    def _datagrams(self, flows: Flows, now_ms: int) -> Iterator[bytes]:
        body, ends = self._encode(flows)
        start = 0
        for first in range(0, flows.rows, MAX_SAMPLES):
            count = min(MAX_SAMPLES, flows.rows - first)
            end = int(ends[first + count - 1])
            yield self._datagram(body[start:end], count, now_ms)
            start = end

    def _encode(self, flows: Flows) -> tuple[bytes, npt.NDArray[np.int64]]:
        """Return all samples one after another, and where each ends, shape (n,)."""
        headers, frame_lengths = frames(flows)
        header_lengths = np.minimum(frame_lengths, HEADER_OCTETS)
        padded = (header_lengths + 3) // 4 * 4
        numbers = np.arange(self._samples + 1, self._samples + 1 + flows.rows)
        self._samples += flows.rows
        out: npt.NDArray[Any] = np.zeros(flows.rows, _SAMPLE)
        out["format"], out["length"] = _FLOW_SAMPLE, _BEFORE_HEADER - 8 + padded
        out["sequence"], out["source"] = numbers.astype(np.uint32), self._source
        out["sampling_rate"], out["pool"] = self._rate, (numbers * self._rate).astype(np.uint32)
        out["input"], out["output"], out["records"] = flows.column("in_if"), flows.column("out_if"), 1
        out["record_format"], out["record_length"], out["protocol"] = _RAW_HEADER, 16 + padded, _ETHERNET
        out["frame_length"], out["stripped"] = frame_lengths + FCS, FCS
        out["header_length"], out["header"] = header_lengths, headers
        octets = _BEFORE_HEADER + padded.astype(np.int64)
        present = np.arange(_SAMPLE.itemsize) < octets[:, None]
        return out.view(np.uint8).reshape(flows.rows, -1)[present].tobytes(), np.cumsum(octets)
