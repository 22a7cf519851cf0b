"""Flows from the data sets of NetFlow v5, v9 and IPFIX: one decode for all records of a layout in the block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from decoders.bind import Streams
from decoders.block import Datagrams, Decoded
from decoders.cursor import Items, Positions, groups
from decoders.elements import Read
from decoders.faults import Fault
from decoders.layout import Layout, Source
from decoders.messages import Messages
from decoders.reads import Clocks, absent, read, uint
from decoders.records import FixedRecords, Records, VariableRecords
from decoders.sampling import Table, rates_in_records
from decoders.sink import Sink
from decoders.state import State
from decoders.stream import Stream
from schema.batch import Array
from schema.columns import BY_NAME

_CHUNK = 8192
"""Records read at a time: all their columns are taken while they are in the processor's cache."""

_CLOCKED = frozenset({Read.UPTIME, Read.BEFORE_EXPORT})
_TYPES = np.zeros(16, np.uint8)
_TYPES[[5, 9, 10]] = 1, 2, 3  # codes of schema.columns.FLOW_TYPES by version


@dataclass(frozen=True, slots=True)
class Context:
    """What a block's records are read against."""

    block: Datagrams
    messages: Messages
    streams: Streams
    state: State


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that one layout gives: `message` and `start`, int64 (sets,), of the sets they come from, `counts` from each.

    `mirrored` holds ready columns where the rows are the reverse flows of records (RFC 5103).
    """

    layout: Layout
    records: Records
    message: Positions
    start: Positions
    counts: Positions
    mirrored: dict[str, Array] | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.counts.sum())


def parts_of(context: Context, sets: Items, layout: Layout, out: Decoded) -> list[Part]:
    """Find the records of all sets of one layout; reverse flows make a part of their own."""
    if not layout.length:
        out.faults[Fault.TEMPLATE_EMPTY] += len(sets.start)
        return []
    room = sets.end - sets.start >= layout.length
    out.faults[Fault.SET_TOO_SHORT] += int(np.count_nonzero(~room))
    sets = sets.where(room)
    if not len(sets.start):
        return []
    sets = sets.where(np.argsort(sets.end - sets.start, kind="stable"))  # runs of one length are gathered faster
    records: Records
    if layout.gaps:
        variable = VariableRecords(context.block.data, sets.start, sets.end, layout)
        out.faults[Fault.RECORD_LENGTH] += variable.broken
        records = variable
    else:
        records = FixedRecords(context.block.data, sets.start, sets.end, layout)
    part = Part(layout, records, sets.owner, sets.start, records.counts)
    return [part, _reverse(context, part, layout.reverse)] if layout.reverse and part.rows else [part]


def _reverse(context: Context, part: Part, layout: Layout) -> Part:
    """Return the reverse flows among a part's records: those whose reverse counters are not all zero."""
    sink = Sink(part.rows)
    _fill(context, Part(layout, part.records, part.message, part.start, part.counts), sink, slice(0, part.rows))
    counters = [sink.arrays[name] for name in ("bytes", "packets") if name in sink.arrays]
    kept = np.any([counter > 0 for counter in counters], axis=0)
    set_of_row = np.repeat(np.arange(len(part.counts)), part.counts)[kept]
    mirrored = {name: values[kept] for name, values in sink.arrays.items()}
    return Part(
        layout, part.records, part.message, part.start, np.bincount(set_of_row, minlength=len(part.counts)), mirrored
    )


def write(context: Context, parts: list[Part], sink: Sink) -> None:
    """Write the rows of all parts into the first rows of `sink`, part after part, with what their messages say."""
    at = 0
    for part in parts:
        where = slice(at, at + part.rows)
        if part.mirrored is None:
            _fill(context, part, sink, where)
        else:
            for name, values in part.mirrored.items():
                sink.slot(name, where)[:] = values
        at = where.stop
    if not at:
        return
    message = np.concatenate([part.message for part in parts])
    counts = np.concatenate([part.counts for part in parts])
    datagram = context.messages.datagram[message]
    where = slice(0, at)
    sink.slot("time_received", where)[:] = np.repeat(context.block.time_received[datagram], counts)
    words = sink.slot("exporter", where).view(np.uint64)
    for half, values in enumerate(np.ascontiguousarray(context.block.exporters[datagram]).view(np.uint64).T):
        words[:, half] = np.repeat(values, counts)
    sink.slot("observation_domain", where)[:] = np.repeat(context.messages.domain[message].astype(np.uint32), counts)
    sink.slot("flow_type", where)[:] = np.repeat(_TYPES[context.messages.version[message]], counts)


def _fill(context: Context, part: Part, sink: Sink, where: slice) -> None:
    clocks = _clocks(context, part)
    for first in range(0, part.rows, _CHUNK):
        rows = slice(first, min(first + _CHUNK, part.rows))
        there = slice(where.start + rows.start, where.start + rows.stop)
        _fill_chunk(part, clocks.of(rows), sink, rows, there)
    for depth, source in part.layout.labels.items():
        sink.slot("mpls_labels", where)[:, depth] = uint(part.records.octets(source))
    rates = _rates(context, part)
    if rates is not None:
        sink.slot("sampling_rate", where)[:] = rates


def _fill_chunk(part: Part, clocks: Clocks, sink: Sink, rows: slice, where: slice) -> None:
    for name, sources in part.layout.sources.items():
        out = sink.slot(name, where)
        read(part.records.octets(sources[0], rows), sources[0].read, clocks, out)
        for source in sources[1:]:
            gap = absent(out)
            if not gap.any():
                break
            other = BY_NAME[name].zeros(len(out))
            read(part.records.octets(source, rows), source.read, clocks, other)
            out[gap] = other[gap]


def _clocks(context: Context, part: Part) -> Clocks:
    """Return the exporters' clocks, record by record, where the layout has times that need them."""
    if not any(source.read in _CLOCKED for sources in part.layout.sources.values() for source in sources):
        none = np.zeros(0)
        return Clocks(none.astype(np.int64), none.astype(np.uint32), none.astype(np.bool_))
    messages = context.messages
    export, uptime = messages.export_ms[part.message], messages.uptime_ms[part.message]
    known = messages.version[part.message] != 10
    if not known.all():
        stream = context.streams.of_message[part.message]
        boot = _told(context, context.state.started, stream, -1)
        uptime = np.where(known, uptime, export - boot)
        known |= boot >= 0
    return Clocks(
        np.repeat(export, part.counts),
        np.repeat((uptime & 0xFFFFFFFF).astype(np.uint32), part.counts),
        np.repeat(known, part.counts),
    )


def _rates(context: Context, part: Part) -> npt.NDArray[np.uint32] | None:
    """Return the sampling rate of each row by the order of `decoders.sampling`; None where nothing is known."""
    samplers, keys = context.state.samplers, context.streams.all
    stream = context.streams.of_message[part.message]
    override = context.block.senders.override[context.block.entries[context.messages.datagram[part.message]]]
    plain = _told(context, samplers.plain, stream, 0)
    base = np.where(plain > 0, plain, context.messages.rate[part.message]).astype(np.uint32)
    rates = np.repeat(base, part.counts)
    _look_up(samplers.by_interface, part, part.layout.sources.get("in_if", ())[:1], keys, stream, rates)
    if part.layout.rates:
        columns = {id_: uint(part.records.octets(source)) for id_, source in part.layout.rates.items()}
        told = rates_in_records(columns)
        rates[told > 0] = told[told > 0]
    _look_up(samplers.by_sampler, part, part.layout.samplers, keys, stream, rates)
    if override.any():
        forced = np.repeat(override, part.counts)
        rates[forced > 0] = forced[forced > 0]
    return rates if rates.any() else None


def _told(context: Context, known: dict[Stream, int], stream: Positions, absent: int) -> Positions:
    """Return what is known of each of `stream`, which index the streams; `absent` where nothing is."""
    if not known:
        return np.full(len(stream), absent)
    distinct, inverse = np.unique(stream, return_inverse=True)
    keys = context.streams.all
    found: Positions = np.array([known.get(keys[index], absent) for index in distinct.tolist()], np.int64)[inverse]
    return found


def _look_up(
    known: dict[Stream, Table],
    part: Part,
    sources: Sequence[Source],
    keys: list[Stream],
    stream: Positions,
    rates: npt.NDArray[np.uint32],
) -> None:
    """Write the rates known for what `sources` name into `rates`, for the rows of each stream that knows any."""
    if not sources or not known:
        return
    distinct, of_set = np.unique(stream, return_inverse=True)
    tables = [known.get(keys[index]) for index in distinct.tolist()]
    if not any(tables):
        return
    rows: Sequence[Positions | slice] = [slice(None)]
    if len(tables) > 1:
        rows = groups(np.repeat(of_set, part.counts), len(tables))
    for source in sources:
        ids = uint(part.records.octets(source))
        for table, where in zip(tables, rows, strict=True):
            if table:
                rates[where] = table.look_up(ids[where], rates[where])
