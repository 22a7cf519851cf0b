"""Which tenant holds which prefix, from when to when: the allocation file, checked whole, as columns."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schema.addresses import V4_MAPPED
from schema.batch import Symbols
from settings.errors import ConfigError
from tenants.cells import ALWAYS, FOREVER, parse_end, parse_label, parse_prefix, parse_start, parse_tenant
from tenants.rows import Row, read_rows

MAX_FAULTS = 20
_PARSERS = (parse_prefix, parse_tenant, *(parse_label,) * 4, parse_start, parse_end)


@dataclass(frozen=True, slots=True)
class Allocation:
    """A prefix held by a tenant from `valid_from` (inclusive) to `valid_to` (exclusive), ms; None is unbounded.

    `resource`, `service`, `region` and `retention_class` are None where the file is silent; `line` is the row's line
    in the file.
    """

    prefix: IPv4Network | IPv6Network
    tenant: str
    resource: str | None
    retention_class: str | None
    valid_from: int | None
    valid_to: int | None
    line: int
    service: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Allocations:
    """The n allocations of the file `path`, in its order, as columns.

    `first` is the first address, uint8 (n, 16), IPv4 mapped; `length` counts bits of those 128 (IPv4 /24 is 120);
    `valid_from` and `valid_to` are int64 ms, `ALWAYS` and `FOREVER` where unbounded. Of `resources`,
    `services`, `regions` and `classes` the empty name is none.
    """

    path: Path
    first: npt.NDArray[np.uint8]
    length: npt.NDArray[np.uint8]
    valid_from: npt.NDArray[np.int64]
    valid_to: npt.NDArray[np.int64]
    tenants: Symbols
    resources: Symbols
    services: Symbols
    regions: Symbols
    classes: Symbols
    lines: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.length)

    def __getitem__(self, index: int) -> Allocation:
        start, end = int(self.valid_from[index]), int(self.valid_to[index])
        return Allocation(
            prefix=_network(self.first[index].tobytes(), int(self.length[index])),
            tenant=self.tenants.names[self.tenants.codes[index]],
            resource=self.resources.names[self.resources.codes[index]] or None,
            retention_class=self.classes.names[self.classes.codes[index]] or None,
            valid_from=None if start == ALWAYS else start,
            valid_to=None if end == FOREVER else end,
            line=int(self.lines[index]),
            service=self.services.names[self.services.codes[index]] or None,
            region=self.regions.names[self.regions.codes[index]] or None,
        )

    def digest(self) -> bytes:
        """Return a SHA-256 over everything but the file's name and line numbers."""
        digest = hashlib.sha256()
        for values in (self.first, self.length, self.valid_from, self.valid_to):
            digest.update(values.tobytes())
        for column in (self.tenants, self.resources, self.services, self.regions, self.classes):
            digest.update(column.codes.tobytes())
            digest.update("\0".join(column.names).encode())
        return digest.digest()


def _network(first: bytes, length: int) -> IPv4Network | IPv6Network:
    if length >= 96 and first.startswith(V4_MAPPED):
        return IPv4Network((first[12:], length - 96))
    return IPv6Network((first, length))


class _Names:
    """Numbers strings in the order they are first seen."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.codes = array("i")

    def add(self, name: str) -> None:
        self.codes.append(self.numbers.setdefault(name, len(self.numbers)))

    def symbols(self) -> Symbols:
        return Symbols(np.frombuffer(self.codes, np.int32), tuple(self.numbers))


def _parse(row: Row) -> tuple[bytes, int, str, tuple[str, ...], int, int]:
    if row.fault:
        raise ValueError(row.fault)
    prefix, tenant, *labels, valid_from, valid_to = row.cells
    start, end = parse_start(valid_from), parse_end(valid_to)
    if end <= start:
        raise ValueError(f"valid_to {valid_to} is not after valid_from {valid_from}; the end is exclusive")
    return *parse_prefix(prefix), parse_tenant(tenant), tuple(map(parse_label, labels)), start, end


def _faults(row: Row) -> Iterator[str]:
    """Yield all that is wrong with a row that `_parse` refused: each cell's fault, or that of the row as a whole."""
    found = False
    for parse, cell in zip(_PARSERS, row.cells, strict=False):
        try:
            parse(cell)
        except ValueError as error:
            found = True
            yield str(error)
    if not found:
        try:
            _parse(row)
        except ValueError as error:
            yield str(error)


class _Builder:
    """Collects the columns of the good rows and the faults of the others."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[tuple[int, str]] = []
        self.first = bytearray()
        self.length = bytearray()
        self.valid_from = array("q")
        self.valid_to = array("q")
        self.lines = array("i")
        self.tenants = _Names()
        self.labels = tuple(_Names() for _ in range(4))  # resource, service, region and class, as in `COLUMNS`

    def add(self, row: Row) -> None:
        try:
            first, length, tenant, labels, start, end = _parse(row)
        except ValueError:
            self.faults += [(row.line, fault) for fault in _faults(row)]
            return
        self.first += first
        self.length.append(length)
        self.valid_from.append(start)
        self.valid_to.append(end)
        self.lines.append(row.line)
        self.tenants.add(tenant)
        for names, label in zip(self.labels, labels, strict=True):
            names.add(label)

    def build(self) -> Allocations:
        resources, services, regions, classes = (names.symbols() for names in self.labels)
        allocations = Allocations(
            path=self.path,
            first=np.frombuffer(self.first, np.uint8).reshape(-1, 16),
            length=np.frombuffer(self.length, np.uint8),
            valid_from=np.frombuffer(self.valid_from, np.int64),
            valid_to=np.frombuffer(self.valid_to, np.int64),
            tenants=self.tenants.symbols(),
            resources=resources,
            services=services,
            regions=regions,
            classes=classes,
            lines=np.frombuffer(self.lines, np.int32),
        )
        self.faults += _overlaps(allocations)
        if self.faults:
            shown = [f"{self.path}:{line}: {text}" for line, text in sorted(self.faults)[:MAX_FAULTS]]
            more = len(self.faults) - len(shown)
            raise ConfigError("\n".join(shown + ([f"{self.path}: and {more} more"] if more else [])))
        return allocations


def _overlaps(allocations: Allocations) -> Iterator[tuple[int, str]]:
    """Yield line and text of each allocation whose very prefix another one holds at the same time."""
    words = allocations.first.view(">u8")
    order = np.lexsort((allocations.valid_from, allocations.length, words[:, 1], words[:, 0]))
    start, end = allocations.valid_from[order], allocations.valid_to[order]
    first, length = words[order], allocations.length[order]
    same = (first[1:] == first[:-1]).all(axis=1) & (length[1:] == length[:-1])
    if not (same & (start[1:] < end[:-1])).any():
        return
    holder = 0  # of the rows of this prefix so far, the one that ends last
    for place in range(1, len(order)):
        if not same[place - 1]:
            holder = place
            continue
        if start[place] < end[holder]:
            earlier, later = sorted((int(order[holder]), int(order[place])))
            a, b = allocations[earlier], allocations[later]
            fault = f"{b.prefix} of '{b.tenant}' overlaps in time with line {a.line} ('{a.tenant}')"
            yield b.line, f"{fault}; end one where the other begins"
        if end[place] > end[holder]:
            holder = place


def load_allocations(path: Path) -> Allocations:
    """Read the allocation file `path`, .csv or .yaml; ConfigError lists the faults, one a line, the first 20 of them.

    `prefix` and `tenant` are required, `resource`, `service`, `region`, `class`, `valid_from` and `valid_to` may be
    empty or absent. Times are RFC 3339 with a zone; a date alone is its midnight UTC.
    """
    builder = _Builder(path)
    for row in read_rows(path):
        builder.add(row)
    return builder.build()
