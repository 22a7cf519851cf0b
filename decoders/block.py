"""What goes into `decode` and what comes out of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from decoders.faults import Fault
from schema.batch import Array, Flows, Rows


@dataclass(frozen=True, slots=True)
class Senders:
    """What the operator says of those who send: k entries, of which the last is for whoever is not listed.

    `override` and `default` are sampling rates, uint32 (k,), 0 where there is none. `trusted`, bool (k,): elements 130
    and 131 name the exporter. `by_port`, bool (k,): templates and sequence numbers belong to an address and a port.
    """

    override: npt.NDArray[np.uint32]
    default: npt.NDArray[np.uint32]
    trusted: npt.NDArray[np.bool_]
    by_port: npt.NDArray[np.bool_]

    @classmethod
    def nobody(cls) -> Senders:
        """Return the entry of senders of whom nothing is said."""
        rates, no = np.zeros(1, np.uint32), np.zeros(1, np.bool_)
        return cls(rates, rates, no, no)


@dataclass(frozen=True, slots=True)
class Datagrams:
    """n UDP payloads, or IPFIX messages from TCP, inside one buffer.

    `data` is uint8; payload i is `data[offsets[i]:offsets[i] + lengths[i]]`, offsets increasing. `exporters` is uint8
    (n, 16), the senders' addresses, IPv4 mapped. `time_received` is int64 ms. `ports` is int64, the senders' ports, 0
    where not known; `sessions` is int64, 0 for UDP, for TCP a number that no other connection has, from
    `stream.TCP_SESSIONS` on. `entries` is int64, each sender's entry in `senders`.
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    exporters: npt.NDArray[np.uint8]
    time_received: npt.NDArray[np.int64]
    ports: npt.NDArray[np.int64]
    sessions: npt.NDArray[np.int64]
    entries: npt.NDArray[np.int64]
    senders: Senders

    @property
    def count(self) -> int:
        """Number of datagrams."""
        return len(self.offsets)

    @property
    def scopes(self) -> npt.NDArray[np.int64]:
        """What of the transport session a template belongs to beside the address, int64 (n,): `Stream.scope`."""
        by_port = self.senders.by_port
        if not by_port.any():
            return self.sessions
        return np.where((self.sessions == 0) & by_port[self.entries], self.ports, self.sessions)

    @classmethod
    def of(cls, payloads: Sequence[bytes], exporter: bytes, time_received: int) -> Datagrams:
        """Join payloads of one exporter (16 octets), all received at `time_received` (ms)."""
        return cls.gather(payloads, [exporter] * len(payloads), [time_received] * len(payloads))

    @classmethod
    def gather(
        cls,
        payloads: Sequence[bytes],
        exporters: Sequence[bytes],
        times: Sequence[int],
        ports: Sequence[int] | None = None,
        sessions: Sequence[int] | None = None,
        entries: Sequence[int] | None = None,
        senders: Senders | None = None,
    ) -> Datagrams:
        """Join payloads, each with its exporter (16 octets) and the time it was received (ms)."""
        lengths = np.array([len(payload) for payload in payloads], np.int64)
        none = [0] * len(payloads)
        return cls(
            np.frombuffer(b"".join(payloads), np.uint8),
            np.cumsum(lengths) - lengths,
            lengths,
            np.frombuffer(b"".join(exporters), np.uint8).reshape(-1, 16),
            np.array(times, np.int64),
            np.array(ports or none, np.int64),
            np.array(sessions or none, np.int64),
            np.array(entries or none, np.int64),
            senders or Senders.nobody(),
        )


class Naming(StrEnum):
    """What options data gives names to."""

    INTERFACE = "interface"
    APPLICATION = "application"
    VRF = "vrf"
    SAMPLER = "sampler"


class Name(NamedTuple):
    """What an exporter's options data calls one of its interfaces, applications, VRFs or samplers.

    `id` is the SNMP index, the application as the column `application` has it, the VRF's or the sampler's id.
    """

    exporter: bytes
    observation_domain: int
    naming: Naming
    id: int
    name: str
    description: str
    time_received: int


class Octets(StrEnum):
    """What became of the octets of the datagrams: each octet is counted under one of these."""

    HEADERS = "headers"  # of messages, sets and samples
    TEMPLATES = "templates"
    FLOWS = "flows"  # records and flow samples
    OPTIONS = "options"
    COUNTERS = "counters"  # sFlow counter samples
    PADDING = "padding"
    WAITING = "waiting"  # data sets kept until their template comes
    FAULTY = "faulty"  # passed over for a reason that `faults` counts


class SequenceNews(NamedTuple):
    """What the numbering of one exporter's stream told since the last block, in the protocol's own unit.

    `exporter` is the sender's address (16 octets), `version` 5, 9, 10 or 105 (sFlow), `domain` the observation domain,
    source id, engine or sub-agent. `lost` units never came, in `gaps` places; `reordered` came late, `duplicates`
    twice. `resets` says how often the numbering began anew, `shared` that several exporters number under this one
    identity.
    """

    exporter: bytes
    version: int
    domain: int
    lost: int
    gaps: int
    reordered: int
    duplicates: int
    resets: int
    shared: bool


@dataclass(slots=True)
class Decoded:
    """What a block held.

    `flows` are the flows. `origins` says where they come from, in the order of the rows: offsets in the block's buffer
    of sets or samples (below zero where they waited since earlier blocks), and how many rows each gave; `origin` tells
    it row by row. `faults` counts what could not be
    decoded, in the units of `decoders.faults`. `datagrams` were received, of which `datagrams_bad` ended in a fault of
    the unit datagram. `octets` add up to those received. `broken_sessions` are TCP sessions that broke the rules and
    are to be closed (RFC 7011 section 8.1). The rest are counts for `flowkeep decode --stats`.

    `discards` are packets that sFlow agents discarded, with the columns of `schema.tables.DISCARDS` that decoders know;
    `counters` are counter samples by the table that they go to (`schema.counters`). `passed_over` counts sFlow records
    of structures that are not stored, by "flow" or "counter", enterprise and format. `agent_drops` are packets that
    agents failed to sample, by their senders' addresses.
    """

    flows: Flows
    origins: list[tuple[Array, Array]] = field(default_factory=list)
    datagrams: int = 0
    datagrams_bad: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)
    octets: Counter[Octets] = field(default_factory=Counter)
    templates: int = 0
    option_records: int = 0
    counter_samples: int = 0
    sequence: list[SequenceNews] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    broken_sessions: set[int] = field(default_factory=set)
    discards: Flows = field(default_factory=lambda: Flows(0))
    counters: dict[str, Rows] = field(default_factory=dict)
    passed_over: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    agent_drops: Counter[bytes] = field(default_factory=Counter)

    @property
    def sequence_gaps(self) -> int:
        """Places where messages were lost for good, by their numbers."""
        return sum(news.gaps for news in self.sequence)

    @property
    def origin(self) -> Array:
        """Where each row comes from, int64 (rows,): sorting by it, stably, restores the order on the wire."""
        return np.concatenate([np.zeros(0, np.int64), *(np.repeat(start, rows) for start, rows in self.origins)])
