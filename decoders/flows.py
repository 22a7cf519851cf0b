"""Flows from the data sets of NetFlow v5, v9 and IPFIX: one decode for all records of a layout in the block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from decoders import extras, rates, sections
from decoders.bind import Streams
from decoders.block import Datagrams, Octets
from decoders.cursor import Items, Positions
from decoders.elements import START, Read
from decoders.faults import Fault
from decoders.layout import Layout, Source, is_number
from decoders.limits import Limits
from decoders.messages import Messages
from decoders.reads import LAST_TIME, NO_CLOCKS, Clocks, absent, read, uint
from decoders.records import FixedRecords, Records, VariableRecords
from decoders.sink import Sink
from decoders.state import State
from schema.batch import Array

_LONG_AGO = 1 << 48
_CHUNK = 8192
"""Records read at a time: all their columns are taken while they are in the processor's cache."""

_CLOCKED = frozenset({Read.UPTIME, Read.BEFORE_EXPORT})
_TYPES = np.zeros(16, np.uint8)
_TYPES[[5, 9, 10]] = 1, 2, 3  # codes of schema.columns.FLOW_TYPES by version


@dataclass(frozen=True, slots=True)
class Context:
    """What a block's records are read against; those of a block of `waited` sets came before all others."""

    block: Datagrams
    messages: Messages
    streams: Streams
    state: State
    waited: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that one layout gives: `message`, `start` and `tag`, int64 (sets,), of the sets, `counts` of rows from each,
    `rows` in all.

    `mirrored` holds ready columns where the rows are the reverse flows of records (RFC 5103), of those that are `kept`.
    """

    context: Context
    layout: Layout
    records: Records
    message: Positions
    start: Positions
    tag: Positions
    counts: Positions
    rows: int
    mirrored: dict[str, Array] | None = None
    kept: Array | None = None

    @property
    def origin(self) -> Positions:
        """Where each set stands in the order on the wire: see `Decoded.origins`."""
        return self.start - _LONG_AGO if self.context.waited else self.start


@dataclass(slots=True)
class Located:
    """The records of all data sets, flows and options apart, and what of the sets gave none."""

    flows: list[Part] = field(default_factory=list)
    options: list[Part] = field(default_factory=list)
    faults: Counter[Fault] = field(default_factory=Counter)
    octets: Counter[Octets] = field(default_factory=Counter)


def locate(context: Context, bound: Sequence[tuple[Layout, Items]]) -> Located:
    """Find the records of the sets of each layout."""
    located = Located()
    for layout, sets in bound:
        part = _part(context, layout, sets, located)
        if part:
            (located.options if layout.template.options else located.flows).append(part)
    return located


def _part(context: Context, layout: Layout, sets: Items, located: Located) -> Part | None:
    lengths = sets.end - sets.start
    if not layout.length:
        located.faults[Fault.TEMPLATE_EMPTY] += len(lengths)
        located.octets[Octets.FAULTY] += int(lengths.sum())
        return None
    room = lengths >= layout.length
    if not room.all():
        located.faults[Fault.SET_TOO_SHORT] += int(np.count_nonzero(~room))
        located.octets[Octets.FAULTY] += int(lengths[~room].sum())
        sets, lengths = sets.where(room), lengths[room]
        if not len(lengths):
            return None
    if len(lengths) > 1:
        sets = sets.where(np.argsort(lengths, kind="stable"))  # runs of one length are gathered faster
    records: Records
    if layout.gaps:
        variable = VariableRecords(context.block.data, sets.start, sets.end, layout)
        located.faults[Fault.RECORD_LENGTH] += variable.broken
        records = variable
    else:
        records = FixedRecords(context.block.data, sets.start, sets.end, layout)
    kind = Octets.OPTIONS if layout.template.options else Octets.FLOWS
    located.octets[kind] += int(lengths.sum()) - records.padding - records.faulty
    located.octets[Octets.PADDING] += records.padding
    located.octets[Octets.FAULTY] += records.faulty
    return Part(context, layout, records, sets.owner, sets.start, sets.tag, records.counts, int(records.counts.sum()))


def with_reverse(parts: list[Part], limits: Limits) -> list[Part]:
    """Return the parts, and for layouts that tell of two directions the reverse flows too."""
    found: list[Part] = []
    for part in parts:
        found.append(part)
        if part.layout.reverse and part.rows:
            found.append(_reverse(part, part.layout.reverse, limits))
    return found


def _reverse(part: Part, layout: Layout, limits: Limits) -> Part:
    """Return the reverse flows among a part's records: those whose reverse counters are not all zero."""
    sink = Sink(part.rows)
    _fill(replace(part, layout=layout), sink, slice(0, part.rows), limits)
    counters = [sink.arrays[name] for name in ("bytes", "packets") if name in sink.arrays]
    kept = np.any([counter > 0 for counter in counters], axis=0)
    set_of_row = np.repeat(np.arange(len(part.counts)), part.counts)[kept]
    counts = np.bincount(set_of_row, minlength=len(part.counts))
    mirrored = {name: values[kept] for name, values in sink.arrays.items()}
    return replace(part, layout=layout, counts=counts, rows=len(set_of_row), mirrored=mirrored, kept=kept)


def write(parts: list[Part], sink: Sink, limits: Limits) -> None:
    """Write the rows of all parts into the first rows of `sink`, part after part, with what their messages say."""
    at = 0
    by_context: list[tuple[Context, int, list[Part]]] = []
    for part in parts:
        where = slice(at, at + part.rows)
        if part.mirrored is None:
            _fill(part, sink, where, limits)
        else:
            for name, values in part.mirrored.items():
                sink.slot(name, where)[:] = values
        if not by_context or by_context[-1][0] is not part.context:
            by_context.append((part.context, at, []))
        by_context[-1][2].append(part)
        at = where.stop
    for context, first, of_context in by_context:
        _write_origin(context, of_context, sink, first)
    if parts:
        sections.complete(parts, sink, limits.inner)
        extras.settle_icmp(parts, sink, at)
        extras.name_exporters(parts, sink)


def _write_origin(context: Context, parts: list[Part], sink: Sink, first: int) -> None:
    """Write what messages and datagrams say of the rows of `parts`, which begin at row `first`."""
    message = np.concatenate([part.message for part in parts])
    counts = np.concatenate([part.counts for part in parts])
    datagram = context.messages.datagram[message]
    where = slice(first, first + int(counts.sum()))
    sink.put("time_received", where, np.repeat(context.block.time_received[datagram], counts))
    exporters = np.ascontiguousarray(context.block.exporters[datagram]).view("V16")  # copied in one piece
    sink.put("exporter", where, np.repeat(exporters, counts).view(np.uint8).reshape(-1, 16))
    sink.put("exporter_port", where, np.repeat(context.block.ports[datagram].astype(np.uint16), counts))
    sink.put("observation_domain", where, np.repeat(context.messages.domain[message].astype(np.uint32), counts))
    sink.put("flow_type", where, np.repeat(_TYPES[context.messages.version[message]], counts))
    if np.any(context.messages.mode[message]):
        mode = np.repeat(context.messages.mode[message], counts)
        np.copyto(sink.slot("sampling_mode", where, partly=True), mode, casting="unsafe", where=mode > 0)
    rates.complete(context, parts, message, counts, sink, where)


def _fill(part: Part, sink: Sink, where: slice, limits: Limits) -> None:
    clocks = _clocks(part)
    columns = [(sink.slot(name, where), sources) for name, sources in part.layout.sources.items()]
    for first in range(0, part.rows, _CHUNK):
        rows = slice(first, min(first + _CHUNK, part.rows))
        clocks_there = clocks.of(rows)
        for column, sources in columns:
            _fill_chunk(part.records, sources, rows, clocks_there, column[rows])
    extras.fill(part, sink, where, limits)


def _fill_chunk(records: Records, sources: Sequence[Source], rows: slice, clocks: Clocks, out: Array) -> None:
    read(records.octets(sources[0], rows), sources[0].read, clocks, out)
    for source in sources[1:]:
        gap = absent(out)
        if not gap.any():
            break
        other = np.zeros_like(out)
        read(records.octets(source, rows), source.read, clocks, other)
        out[gap] = other[gap]


def _clocks(part: Part) -> Clocks:
    """Return the exporters' clocks, record by record, where the layout has times that need them."""
    if not any(source.read in _CLOCKED for sources in part.layout.sources.values() for source in sources):
        return NO_CLOCKS
    messages = part.context.messages
    export, uptime = messages.export_ms[part.message], messages.uptime_ms[part.message]
    known = messages.version[part.message] != 10
    if not known.all():
        boot = _started(part)
        uptime = np.where(known, uptime, export - boot)
        known |= boot >= 0
    clocks = Clocks(
        np.repeat(export, part.counts),
        np.repeat((uptime & 0xFFFFFFFF).astype(np.uint32), part.counts),
        np.repeat(known, part.counts),
    )
    began = part.layout.named.get(START)
    if began and is_number(began):  # told in the record itself
        boots = np.minimum(uint(part.records.octets(began)).astype(np.uint64), LAST_TIME).astype(np.int64)
        told = boots > 0
        clocks.uptime[told] = ((clocks.export - boots) & 0xFFFFFFFF).astype(np.uint32)[told]
        clocks.known[told] = True
    return clocks


def _started(part: Part) -> Positions:
    """Return when the uptime of each set's exporter began, ms since 1970; -1 where it has not told."""
    streams, known = part.context.streams, part.context.state.started
    distinct, inverse = np.unique(streams.of_message[part.message], return_inverse=True)
    found: Positions = np.array([known.get(streams.all[index], -1) for index in distinct.tolist()], np.int64)[inverse]
    return found
