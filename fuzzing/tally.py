"""What a campaign counted: each worker's books, and their sum."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from decoders import Decoded
from decoders.block import Octets
from decoders.faults import Fault
from fuzzing.findings import Finding

UNREACHABLE = frozenset({Fault.EXPORTER_NOT_ALLOWED, Fault.JOURNAL_FULL})
"""Faults that the receiver counts, before any decoding."""

_SLOWEST = 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Slowness(NamedTuple):
    """How many times longer than allowed a datagram took, whose mutation it is, and its octets."""

    ratio: float
    name: str
    octets: int


class Memory(NamedTuple):
    """Resident octets of a worker when it was warm, at most, and in the end; and its lasting state's at most."""

    start: int
    peak: int
    end: int
    lasting: int


@dataclass(slots=True)
class Tally:
    """`inputs` are datagrams; `timed` of them were timed with their sending, `measured` alone too, and `slow`
    of those took too long.

    `findings` are by reason and name of the seed, the worst of each; `fixed` are the fixed costs by version
    (seconds). `memory` has an entry for each worker.
    """

    inputs: int = 0
    octets: int = 0
    blocks: int = 0
    rows: int = 0
    templates: int = 0
    option_records: int = 0
    names: int = 0
    counter_samples: int = 0
    counter_rows: int = 0
    discards: int = 0
    timed: int = 0
    measured: int = 0
    compared: int = 0
    slow: int = 0
    seconds: float = 0.0
    faults: Counter[Fault] = field(default_factory=Counter)
    kinds: Counter[Octets] = field(default_factory=Counter)
    slowest: list[Slowness] = field(default_factory=list)
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    fixed: dict[int, float] = field(default_factory=dict)
    memory: list[Memory] = field(default_factory=list)

    def count(self, decoded: Decoded, octets: int) -> None:
        """Count one call of `decode`."""
        self.inputs += decoded.datagrams
        self.octets += octets
        self.rows += decoded.flows.rows
        self.templates += decoded.templates
        self.option_records += decoded.option_records
        self.names += len(decoded.names)
        self.counter_samples += decoded.counter_samples
        self.counter_rows += sum(rows.rows for rows in decoded.counters.values())
        self.discards += decoded.discards.rows
        self.faults.update(decoded.faults)
        self.kinds.update(decoded.octets)

    def time(self, slowness: Slowness) -> None:
        """Count a datagram that was timed."""
        self.measured += 1
        self.slow += slowness.ratio > 1
        self.slowest = _slowest([*self.slowest, slowness])

    def find(self, found: Finding) -> bool:
        """Count a finding; True where it is to be kept: the first of its kind, or a slower one."""
        key = (found.reason, found.name)
        known = self.findings.get(key)
        times = found.times + (known.times if known else 0)
        better = known is None or found.ratio > known.ratio
        self.findings[key] = replace(found if known is None or better else known, times=times)
        return better

    def add(self, other: Tally) -> None:
        """Add another worker's books."""
        for name in ("inputs", "octets", "blocks", "rows", "templates", "option_records", "names", "counter_samples",
                     "counter_rows", "discards", "timed", "measured", "compared", "slow"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.seconds = max(self.seconds, other.seconds)
        self.faults.update(other.faults)
        self.kinds.update(other.kinds)
        self.slowest = _slowest([*self.slowest, *other.slowest])
        for found in other.findings.values():
            self.find(found)
        self.fixed = {key: max(self.fixed.get(key, 0.0), value) for key, value in other.fixed.items()}
        self.memory += other.memory

    @property
    def unseen(self) -> list[Fault]:
        """The faults that a datagram can cause, and none did."""
        return [fault for fault in Fault if fault not in UNREACHABLE and not self.faults[fault]]


def _slowest(found: list[Slowness]) -> list[Slowness]:
    """Return the slowest, one of each name."""
    return sorted({one.name: one for one in sorted(found)}.values(), reverse=True)[:_SLOWEST]


def resident() -> int:
    """Return the resident octets of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
