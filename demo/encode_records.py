"""Flows into fixed-length export records: what the NetFlow v5, v9 and IPFIX encoders share."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from schema.batch import Array, Flows, halves

MAX_OCTETS = 1440
"""Default bound of a datagram's length: it fits an Ethernet MTU of 1500 under IPv6 and UDP."""

_ADDRESSES = ("src_addr", "dst_addr", "next_hop")
_ICMP = (1, 58)
_HEADERS = 24  # of a datagram and the set in it, at most


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a template: element id, the flow value it carries, octets, enterprise number (0 = IANA)."""

    element: int
    value: str
    octets: int
    enterprise: int = 0

    @property
    def specifier(self) -> bytes:
        """The field specifier (RFC 3954 section 5.2; RFC 7011 section 3.2)."""
        if self.enterprise:
            return struct.pack("!HHI", self.element | 0x8000, self.octets, self.enterprise)
        return struct.pack("!HH", self.element, self.octets)


@dataclass(frozen=True, slots=True)
class Template:
    """A template of fixed-length fields, under its id."""

    template_id: int
    fields: tuple[Field, ...]

    @property
    def record(self) -> bytes:
        """The template record: id, field count, field specifiers."""
        return struct.pack("!HH", self.template_id, len(self.fields)) + specifiers(self.fields)

    def data(self, flows: Flows) -> npt.NDArray[Any]:
        """Return one data record per flow, packed, shape (n,); ValueError where a value does not fit its field."""
        return pack([(one.value, one.octets) for one in self.fields], flows)


@dataclass(frozen=True, slots=True)
class Options:
    """What an exporter says of itself in options data.

    `system_rate` is the rate of the whole device (0 = not told); sampler k, from 1, samples one in
    `sampler_rates[k - 1]`; `interfaces` maps an SNMP index to name and description.
    """

    system_rate: int = 0
    sampler_rates: tuple[int, ...] = ()
    interfaces: Mapping[int, tuple[str, str]] = field(default_factory=dict)

    def sampler_ids(self, rates: Array) -> Array:
        """Return the id of the sampler with each of `rates`, shape (n,); 0 where there is none."""
        ids = np.zeros(len(rates), np.uint8)
        for number, rate in enumerate(self.sampler_rates, 1):
            ids[rates == rate] = number
        return ids


def specifiers(fields: Iterable[Field]) -> bytes:
    """Return the field specifiers in their order."""
    return b"".join(one.specifier for one in fields)


def pack(layout: Iterable[tuple[str, int]], flows: Flows) -> npt.NDArray[Any]:
    """Return flows as packed big-endian records of (column, octets); addresses take the last octets of the column."""
    fields = list(layout)
    out: npt.NDArray[Any] = np.empty(flows.rows, np.dtype([_wire(name, octets) for name, octets in fields]))
    for name, octets in fields:
        values = flows.column(name)
        if name in _ADDRESSES:
            values = values[:, -octets:]
        elif values.dtype.itemsize > octets and flows.rows and int(values.max()) >> 8 * octets:
            raise ValueError(f"{name} {values.max()} does not fit {octets} octets: cut the flow in two before export")
        out[name] = values
    return out


def _wire(name: str, octets: int) -> tuple[str, str] | tuple[str, str, int]:
    return (name, "u1", octets) if name in _ADDRESSES else (name, f">u{octets}")


def icmp(flows: Flows) -> npt.NDArray[np.uint16]:
    """Return type << 8 | code of each flow, shape (n,)."""
    return flows.column("icmp_type").astype(np.uint16) << np.uint16(8) | flows.column("icmp_code")


def port_or_icmp(flows: Flows) -> npt.NDArray[np.uint16]:
    """Return the destination port field as NetFlow v5 and v9 have it: for ICMP it carries type << 8 | code."""
    return np.where(np.isin(flows.column("proto"), _ICMP), icmp(flows), flows.column("dst_port"))


def uptime(times: Array, boot_ms: int) -> npt.NDArray[np.uint32]:
    """Return times (ms) as milliseconds since boot, modulo 2^32 as sysUptime is."""
    return (times - boot_ms).astype(np.uint32)


def is_v4(flows: Flows) -> npt.NDArray[np.bool_]:
    """Return which flows have an IPv4-mapped source address, shape (n,)."""
    upper, lower = halves(flows.column("src_addr"))
    mapped: npt.NDArray[np.bool_] = (upper == 0) & (lower >> np.uint64(32) == 0xFFFF)
    return mapped


def by_family(flows: Flows) -> Iterator[tuple[int, Flows]]:
    """Yield (4, the IPv4 flows) and (6, the IPv6 flows), without the empty one; the source address decides."""
    mapped = is_v4(flows)
    for family, chosen in ((4, mapped), (6, ~mapped)):
        if chosen.all() and flows.rows:
            yield family, flows
        elif chosen.any():
            yield family, flows.take(np.flatnonzero(chosen))


def cut(records: npt.NDArray[Any], room: int) -> Iterator[tuple[int, bytes]]:
    """Yield (count, octets) of as many whole records as fit `room` octets, one at least, until all went."""
    body, size = records.tobytes(), records.itemsize
    step = max(room // size, 1) * size
    for start in range(0, len(body), step):
        part = body[start : start + step]
        yield len(part) // size, part


def groups(records: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield lists of options records that fit one datagram together."""
    group: list[bytes] = []
    for record in records:
        if group and sum(map(len, group)) + len(record) > MAX_OCTETS - _HEADERS:
            yield group
            group = []
        group.append(record)
    if group:
        yield group


def a_set(set_id: int, body: bytes) -> bytes:
    """Return a set (flow set): id, length, `body`, padding to a multiple of 4 octets."""
    padding = -len(body) % 4
    return struct.pack("!HH", set_id, 4 + len(body) + padding) + body + bytes(padding)


class TemplateExporter(ABC):
    """What exporters of NetFlow v9 and IPFIX share: sets of records by template, cut to the room of a datagram."""

    def __init__(self, options: Options | None, room: int, templates: Mapping[int, Template]) -> None:
        """`room` is what a datagram has left for one set's records, `templates` are those of flows by IP version."""
        self._options = options or Options()
        self._room = room // 4 * 4  # a set is padded to a multiple of 4
        self._templates = templates

    def announce(self, now_ms: int) -> list[bytes]:
        """Return what goes first and again every few minutes: the templates, then the options data."""
        return [self.templates(now_ms), *self.options(now_ms)]

    @abstractmethod
    def templates(self, now_ms: int) -> bytes:
        """Return one datagram with all templates and options templates."""

    def options(self, now_ms: int) -> list[bytes]:
        """Return the options data: system sampling, samplers, interface names; no datagram for what is not set."""
        return [
            self._datagram(a_set(template_id, b"".join(group)), len(group), now_ms)
            for template_id, records in self._option_records()
            for group in groups(records)
        ]

    def _flow_datagrams(self, flows: Flows, own: dict[str, Array], now_ms: int) -> list[bytes]:
        """Return the flows, with columns of the protocol's `own`, as datagrams of one data set each, IPv4 first."""
        return [
            self._datagram(a_set(self._templates[family].template_id, body), count, now_ms)
            for family, part in by_family(Flows(flows.rows, flows.arrays | own))
            for count, body in cut(self._templates[family].data(part), self._room)
        ]

    @abstractmethod
    def _option_records(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield the records of each options template."""

    @abstractmethod
    def _datagram(self, sets: bytes, records: int, now_ms: int) -> bytes:
        """Return sets that hold `records` records behind the protocol's header."""
