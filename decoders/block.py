"""What goes into `decode` and what comes out of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decoders.faults import Fault
from schema.batch import Array, Flows


@dataclass(frozen=True, slots=True)
class Datagrams:
    """n UDP payloads inside one buffer.

    `data` is uint8; payload i is `data[offsets[i]:offsets[i] + lengths[i]]`, offsets increasing. `exporters` is uint8
    (n, 16), the senders' addresses, IPv4 mapped. `time_received` is int64 ms. `overrides` is uint32 (n,): the
    operator's sampling rate for that sender, 0 where there is none.
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    exporters: npt.NDArray[np.uint8]
    time_received: npt.NDArray[np.int64]
    overrides: npt.NDArray[np.uint32]

    @property
    def count(self) -> int:
        """Number of datagrams."""
        return len(self.offsets)

    @classmethod
    def of(cls, payloads: Sequence[bytes], exporter: bytes, time_received: int) -> Datagrams:
        """Join payloads of one exporter (16 octets), all received at `time_received` (ms)."""
        return cls.gather(payloads, [exporter] * len(payloads), [time_received] * len(payloads))

    @classmethod
    def gather(cls, payloads: Sequence[bytes], exporters: Sequence[bytes], times: Sequence[int]) -> Datagrams:
        """Join payloads, each with its exporter (16 octets) and the time it was received (ms)."""
        lengths = np.array([len(payload) for payload in payloads], np.int64)
        return cls(
            np.frombuffer(b"".join(payloads), np.uint8),
            np.cumsum(lengths) - lengths,
            lengths,
            np.frombuffer(b"".join(exporters), np.uint8).reshape(-1, 16),
            np.array(times, np.int64),
            np.zeros(len(payloads), np.uint32),
        )


class InterfaceName(NamedTuple):
    """What an exporter's options data calls one of its interfaces."""

    exporter: bytes
    observation_domain: int
    if_index: int
    name: str
    description: str
    time_received: int


@dataclass(slots=True)
class Decoded:
    """What a block held.

    `flows` are the flows. `origins` says where they come from, in the order of the rows: offsets in the block's buffer
    of sets or samples, and how many rows each gave; `origin` tells it row by row. `faults` counts what could not be
    decoded, in the units of `decoders.faults`. `datagrams` were received, of which `datagrams_bad` ended in a fault of
    the unit datagram. The rest are counts for `flowkeep decode --stats`.
    """

    flows: Flows
    origins: list[tuple[Array, Array]] = field(default_factory=list)
    datagrams: int = 0
    datagrams_bad: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    templates: int = 0
    option_records: int = 0
    counter_samples: int = 0
    sequence_gaps: int = 0
    interface_names: list[InterfaceName] = field(default_factory=list)

    @property
    def origin(self) -> Array:
        """Where each row comes from, int64 (rows,): sorting by it, stably, restores the order on the wire."""
        return np.concatenate([np.zeros(0, np.int64), *(np.repeat(start, rows) for start, rows in self.origins)])
