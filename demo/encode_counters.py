"""sFlow v5 counter samples of interfaces (sflow_version_5.txt section 5.4) and virtual machines (sflow_host.txt)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from schema.batch import Array, Flows

_COUNTERS_SAMPLE = 2
_GENERIC, _ETHERNET, _DESCRIPTION, _ADAPTORS, _NODE, _NETWORK = 1, 2, 2000, 2001, 2100, 2104
_FRAMING = 18
"""Octets of an Ethernet header and frame check sequence, which interfaces count and flows do not."""
_ETHERNET_CSMACD, _FULL_DUPLEX, _UP = 6, 1, 3
_UNKNOWN = 0xFFFFFFFF
_X86_64, _LINUX = 3, 2
_VIRTUAL_MACHINE = 3 << 24


@dataclass(slots=True)
class Interfaces:
    """The interfaces of a switch and what went through them: counters by ifIndex, as ifTable and ifXTable count."""

    indexes: Sequence[int]
    speed: int
    octets: dict[tuple[int, bool], int] = field(default_factory=dict)
    packets: dict[tuple[int, bool], int] = field(default_factory=dict)

    def count(self, flows: Flows) -> None:
        """Count traffic, unsampled, at the interfaces where it came in and went out."""
        number = flows.column("packets").astype(np.int64)
        octets = flows.column("bytes").astype(np.int64) + number * _FRAMING
        for name, outward in (("in_if", False), ("out_if", True)):
            interface: Array = flows.column(name)
            for index in self.indexes:
                here = interface == index
                key = (index, outward)
                self.octets[key] = self.octets.get(key, 0) + int(octets[here].sum())
                self.packets[key] = self.packets.get(key, 0) + int(number[here].sum())

    def samples(self, number: int) -> Iterator[bytes]:
        """Yield the counter sample of each interface; each is its source's sample `number`."""
        for index in self.indexes:
            sides = [struct.pack("!QIIIII" if outward else "!QIIIIII", *self._side(index, outward))
                     for outward in (False, True)]  # fmt: skip
            head = struct.pack("!IIQII", index, _ETHERNET_CSMACD, self.speed, _FULL_DUPLEX, _UP)
            generic = _record(_GENERIC, head + sides[0] + sides[1] + struct.pack("!I", 0))
            yield sample(number, index, [generic, _record(_ETHERNET, bytes(4 * 13))])

    def _side(self, index: int, outward: bool) -> list[int]:
        """Return octets, unicast, multicast and broadcast packets, discards, errors, and inward unknown protocols."""
        octets, packets = self.octets.get((index, outward), 0), self.packets.get((index, outward), 0)
        rest = [0, 0, 0, 0] if outward else [0, 0, 0, 0, _UNKNOWN]
        return [octets % 2**64, packets % 2**32, *rest]


def machine(number: int, index: int, name: str, uuid: UUID, if_index: int, octets: tuple[int, int]) -> bytes:
    """Return the counter sample of a virtual machine with one adaptor, as host-sflow sends it.

    `index` is its data source's, `octets` what it received and sent.
    """
    mac = uuid.bytes[:6]
    host = _string(name) + uuid.bytes + struct.pack("!II", _X86_64, _LINUX) + _string("6.1.0")
    adaptors = struct.pack("!III", 1, if_index, 1) + mac + bytes(2)
    node = struct.pack("!IIQQI", 2400, 2, 2**32, 2**31, 1)
    network = struct.pack("!QIIIQIII", octets[0], octets[0] // 800, 0, 0, octets[1], octets[1] // 800, 0, 0)
    records = [_record(_DESCRIPTION, host), _record(_ADAPTORS, adaptors), _record(_NODE, node),
               _record(_NETWORK, network)]  # fmt: skip
    return sample(number, _VIRTUAL_MACHINE | index, records)


def sample(number: int, source: int, records: Sequence[bytes]) -> bytes:
    """Return a counters_sample of a data source, class << 24 | index."""
    body = struct.pack("!III", number % 2**32, source, len(records)) + b"".join(records)
    return struct.pack("!II", _COUNTERS_SAMPLE, len(body)) + body


def _record(format_: int, body: bytes) -> bytes:
    return struct.pack("!II", format_, len(body)) + body


def _string(text: str) -> bytes:
    octets = text.encode()
    return struct.pack("!I", len(octets)) + octets + bytes(-len(octets) % 4)
