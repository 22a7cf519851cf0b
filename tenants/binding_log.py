"""Logs of address translation (CGNAT, port blocks) as bindings of inside to outside.

A log has a line for each binding, with its start and end, or a line when one is assigned and another when it is
released. Deterministic translation (RFC 7422) needs no log, and is not read here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import chain
from typing import NamedTuple

import numpy as np

from settings.errors import ConfigError
from tenants import binding_cells as cells
from tenants.bindings import Bindings
from tenants.cells import FOREVER

_SYNONYMS = {
    "inside": ("inside", "private", "internal", "subscriber"),
    "outside": ("outside", "public", "external", "nat"),
    "port_first": ("port_first", "port_start", "start_port", "first_port"),
    "port_last": ("port_last", "port_end", "end_port", "last_port"),
    "ports": ("ports", "port_block", "port_range", "block"),
    "port": ("port", "outside_port", "public_port", "external_port", "nat_port"),
    "protocol": ("protocol", "proto"),
    "start": ("start", "start_time", "begin", "assigned", "valid_from"),
    "end": ("end", "end_time", "until", "released", "valid_to"),
    "time": ("time", "timestamp", "datetime"),
    "event": ("event", "action"),
}
_MEANINGS = {name: meaning for meaning, names in _SYNONYMS.items() for name in names}
_SEPARATORS = ",;\t"
_SUFFIXES = ("_address", "_addr", "_ip")

_Block = tuple[bytes, int, int, int]  # outside, first port, last port, protocol


@dataclass(frozen=True, slots=True)
class Log:
    """What a log told: its bindings, in the order of its lines, and what is wrong with which line."""

    bindings: Bindings
    faults: list[tuple[int, str]]


def read_bindings(lines: Iterable[str], name: str, zone: tzinfo | None = None) -> Log:
    """Read a log as CSV with a header, separated by commas, semicolons or tabs; `name` is what errors call it.

    `inside` and `outside` are required, and may be called private and public, or internal and external. Ports are
    `port_start` and `port_end`, a `port_block` such as 1024-2047, or a `port`; without any of them the address is whole
    the host's. Times are `start` and `end`, or `time` and `event`; without a zone of their own they are in `zone`.
    Other columns are passed over. ConfigError where the header tells no log.
    """
    lines = iter(lines)
    header, skipped = "", 0
    for header in lines:
        if header.strip() and not header.startswith("#"):
            break
        skipped += 1
    reader = csv.reader(chain([header.lstrip("\ufeff")], lines), delimiter=max(_SEPARATORS, key=header.count))
    found = _Builder(_Columns(next(reader), f"{name}:{skipped + 1}"), zone)
    try:
        for row in reader:
            if row and not row[0].startswith("#"):
                found.add(row, skipped + reader.line_num)
    except csv.Error as error:
        raise ConfigError(f"{name}:{skipped + reader.line_num}: not valid CSV: {error}") from None
    return found.log()


class _Columns:
    """Where in a line each meaning stands."""

    def __init__(self, header: Sequence[str], place: str) -> None:
        self.width = len(header)
        self._places: dict[str, int] = {}
        for index, title in enumerate(header):
            meaning = _MEANINGS.get(_plain(title))
            if meaning in self._places:
                raise ConfigError(f"{place}: two columns tell '{meaning}': {header[self._places[meaning]]} and {title}")
            if meaning:
                self._places[meaning] = index
        missing = [name for name in ("inside", "outside") if name not in self]
        missing += [] if "start" in self or {"time", "event"} <= self._places.keys() else ["start, or time and event"]
        missing += ["port_end"] if "port_first" in self and "port_last" not in self else []
        if "port" in " ".join(header).lower() and not {"ports", "port_first", "port"} & self._places.keys():
            missing.append("port_start and port_end, port_block or port")
        if missing:
            raise ConfigError(f"{place}: no column tells {' and '.join(missing)}; the header is {', '.join(header)}")

    def __contains__(self, meaning: str) -> bool:
        return meaning in self._places

    def of(self, row: Sequence[str], meaning: str) -> str:
        """Return the cell of a row, empty where there is no such column."""
        place = self._places.get(meaning)
        return "" if place is None else row[place].strip()


def _plain(title: str) -> str:
    name = title.strip().lower().replace(" ", "_").replace("-", "_")
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name


class _Event(NamedTuple):
    """A line that assigns or releases; they sort by time."""

    time: int
    line: int
    is_assigned: bool
    inside: bytes
    block: _Block


class _Builder:
    """Collects the columns of the good lines, and the faults of the others."""

    def __init__(self, columns: _Columns, zone: tzinfo | None) -> None:
        self._columns, self._zone = columns, zone
        self._faults: list[tuple[int, str]] = []
        self._events: list[_Event] = []
        self._found: list[tuple[int, bytes, _Block, int, int]] = []  # line, inside, block, start, end

    def add(self, row: Sequence[str], line: int) -> None:
        """Take the cells of a line."""
        try:
            if len(row) != self._columns.width:
                raise ValueError(f"{len(row)} cells, but the header has {self._columns.width}")
            self._take(row, line)
        except ValueError as error:
            self._faults.append((line, str(error)))

    def _take(self, row: Sequence[str], line: int) -> None:
        of = self._columns.of
        inside = cells.parse_address(of(row, "inside"))
        outside = cells.parse_address(of(row, "outside"))
        block = (outside, *self._ports(row), cells.parse_protocol(of(row, "protocol")))
        if "event" in self._columns:
            is_assigned = cells.parse_event(of(row, "event")) == cells.ASSIGN
            when = of(row, "time") or of(row, "start" if is_assigned else "end")
            self._events.append(_Event(cells.parse_moment(when, self._zone), line, is_assigned, inside, block))
            return
        start, end = of(row, "start"), of(row, "end")
        ended = cells.parse_moment(end, self._zone) if end else FOREVER
        self._bind(line, inside, block, cells.parse_moment(start, self._zone), ended)

    def _ports(self, row: Sequence[str]) -> tuple[int, int]:
        of = self._columns.of
        if "ports" in self._columns:
            return cells.parse_block(of(row, "ports"))
        if "port_first" in self._columns:
            return cells.ordered(cells.parse_port(of(row, "port_first")), cells.parse_port(of(row, "port_last")))
        if "port" in self._columns:
            port = cells.parse_port(of(row, "port"))
            return port, port
        return 0, cells.LAST_PORT

    def _bind(self, line: int, inside: bytes, block: _Block, start: int, end: int) -> None:
        if end < start:
            raise ValueError("the end is before the start")
        self._found.append((line, inside, block, start, max(end, start + 1)))  # logs have seconds, and some last less

    def _pair(self) -> None:
        """Make bindings of what was assigned and released, in order of time whatever the order of the lines."""
        held: dict[_Block, _Event] = {}
        for event in sorted(self._events):
            last = held.get(event.block)
            if event.is_assigned and last and last.inside == event.inside:
                continue  # told once more
            if not event.is_assigned and (last is None or last.inside != event.inside):
                self._faults.append((event.line, "is released, but no line assigns it"))
                continue
            if last:
                self._bind(last.line, last.inside, last.block, last.time, event.time)
                del held[event.block]
            if event.is_assigned:
                if last:
                    fault = "was not released before it was assigned anew; it is taken to end then"
                    self._faults.append((last.line, f"{fault} (line {event.line})"))
                held[event.block] = event
        for event in held.values():
            self._bind(event.line, event.inside, event.block, event.time, FOREVER)

    def log(self) -> Log:
        """Return the bindings and the faults, each in order of lines."""
        self._pair()
        self._found.sort(key=lambda found: found[0])
        bindings = Bindings(
            inside=np.frombuffer(b"".join(found[1] for found in self._found), np.uint8).reshape(-1, 16),
            outside=np.frombuffer(b"".join(found[2][0] for found in self._found), np.uint8).reshape(-1, 16),
            port_first=np.array([found[2][1] for found in self._found], np.uint16),
            port_last=np.array([found[2][2] for found in self._found], np.uint16),
            protocol=np.array([found[2][3] for found in self._found], np.uint8),
            start=np.array([found[3] for found in self._found], np.int64),
            end=np.array([found[4] for found in self._found], np.int64),
            lines=np.array([found[0] for found in self._found], np.int32),
        )
        return Log(bindings, sorted(self._faults))
