"""What records hold beside plain columns: labels, segments, strings, durations, port blocks, packet sections, sampling,
firewall events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from decoders import texts
from decoders.connections import Connections
from decoders.elements import DURATION_MS, DURATION_US, EXPORTERS, FLOW_ID, PORTS_IN_BLOCK
from decoders.layout import is_number
from decoders.limits import Limits
from decoders.rates import record_rates
from decoders.reads import LAST_TIME, absent, uint
from decoders.records import leading
from decoders.sink import Sink
from schema.batch import Array, map_v4
from schema.columns import MAX_SEGMENTS

if TYPE_CHECKING:
    from decoders.flows import Part

_ICMP = (1, 58)
_NO_ROWS = np.zeros(0, np.int64)
_EVENT = (0, 233)
_COUNTERS = {231: 0, 85: 0, 232: 1, 298: 2, 86: 2, 299: 3}
"""Counters that firewalls give in update events for a while, and in delete events for a whole connection."""


def fill(part: Part, sink: Sink, where: slice, limits: Limits) -> None:
    """Write into the rows `where` what the layout of `part` has of all this."""
    layout = part.layout
    for depth, source in layout.labels.items():
        sink.slot("mpls_labels", where)[:, depth] = uint(part.records.octets(source))
    if layout.segments:
        octets = leading(part.records, layout.segments, 16 * MAX_SEGMENTS)
        whole = part.records.spans(layout.segments)[2] // 16 * 16
        inside = np.arange(octets.shape[1]) < whole[:, None]
        sink.slot("srv6_segments", where)[:, : octets.shape[1]] = np.where(inside, octets, 0)
    for name, source in layout.texts.items():
        sink.put_text(name, where, texts.symbols(part.records, source, limits.name_length))
    if layout.named:
        _durations(part, sink, where)
        _port_blocks(part, sink, where)
    if _EVENT in layout.named and FLOW_ID in layout.named and layout.named[FLOW_ID].length <= 4:
        _settle_events(part, sink, where, limits)
    told = record_rates(part)
    if told is not None:
        sink.put("sampling_rate", where, told.rate)
        sink.put("sampling_source", where, told.source)


def settle_icmp(parts: list[Part], sink: Sink, rows: int) -> None:
    """Give ICMP flows no ports, and where no element tells their type and code, those that a port carries.

    Exporters put type << 8 | code into the destination port (Cisco), a few the other way round into the source port.
    What comes back is another message: of a reverse flow a port tells nothing.
    """
    where = slice(0, rows)
    proto = sink.arrays.get("proto")
    ports = [sink.slot(name, where) for name in ("src_port", "dst_port") if name in sink.arrays]
    icmp = np.flatnonzero((proto[where] == _ICMP[0]) | (proto[where] == _ICMP[1])) if proto is not None else _NO_ROWS
    if not ports or not len(icmp):
        return
    silent = [
        not part.layout.sources.keys() & {"icmp_type", "icmp_code"} and not part.layout.backward for part in parts
    ]
    asked = icmp[np.repeat(silent, [part.rows for part in parts])[icmp]]
    if len(asked):
        source, destination = (sink.slot(name, where, partly=True)[asked] for name in ("src_port", "dst_port"))
        kind, code = (sink.slot(name, where, partly=True) for name in ("icmp_type", "icmp_code"))
        told = (kind[asked] != 0) | (code[asked] != 0)  # by a packet section
        swapped = (destination == 0) & (source != 0)
        kind[asked] = np.where(told, kind[asked], np.where(swapped, source & 0xFF, destination >> 8))
        code[asked] = np.where(told, code[asked], np.where(swapped, source >> 8, destination & 0xFF))
    for port in ports:
        port[icmp] = 0


def _number(part: Part, key: tuple[int, int]) -> Array | None:
    """Return the values of a single element, None where the records have it not as a number."""
    source = part.layout.named.get(key)
    return uint(part.records.octets(source)) if source and is_number(source) else None


def _durations(part: Part, sink: Sink, where: slice) -> None:
    """Complete a flow's times by its duration (IANA 161, 162), where it has one of them only."""
    for key, per_ms in ((DURATION_MS, 1), (DURATION_US, 1000)):
        duration = _number(part, key)
        if duration is None:
            continue
        lasted = np.minimum(duration.astype(np.uint64), 2**40).astype(np.int64) // per_ms
        start, end = (sink.slot(name, where, partly=True) for name in ("flow_start", "flow_end"))
        open_end, open_start = (end == 0) & (start != 0), (start == 0) & (end != 0)
        end[open_end] = np.minimum(start + lasted, LAST_TIME)[open_end]
        start[open_start] = np.maximum(end - lasted, 0)[open_start]


def _port_blocks(part: Part, sink: Sink, where: slice) -> None:
    """Tell the end of a block of ports by its start and size (IANA 361, 364)."""
    size = _number(part, PORTS_IN_BLOCK)
    if size is None or "nat_port_start" not in part.layout.sources:
        return
    first, last = (sink.slot(name, where, partly=True) for name in ("nat_port_start", "nat_port_end"))
    end = first + np.minimum(size.astype(np.uint64), 2**16).astype(np.int64) - 1
    known = (last == 0) & (size > 0) & (end < 2**16)
    last[known] = end[known]


def name_exporters(parts: list[Part], sink: Sink) -> None:
    """Believe the elements 130 and 131 of senders that are trusted with naming the exporter."""
    at = 0
    for part in parts:
        where = slice(at, at + part.rows)
        at = where.stop
        block = part.context.block
        if not block.senders.trusted.any():
            continue
        entries = block.entries[part.context.messages.datagram[part.message]]
        trusted = np.repeat(block.senders.trusted[entries], part.counts)
        for key, width in zip(EXPORTERS, (4, 16), strict=True):
            source = part.layout.named.get(key)
            if source is None or source.length != width:
                continue
            octets = part.records.octets(source)
            if part.kept is not None:
                octets = octets[part.kept]
            told = np.zeros((part.rows, 16), np.uint8)
            if width == 4:
                map_v4(np.ascontiguousarray(octets), told)
            else:
                told[:] = octets
            rows = np.flatnonzero(trusted & ~absent(told))
            sink.slot("exporter", where)[rows] = told[rows]


def _settle_events(part: Part, sink: Sink, where: slice, limits: Limits) -> None:
    """Let the events of each firewall connection count its octets and packets once, in the order on the wire.

    Update and delete events of a connection have one template (Cisco, "NetFlow Implementation Guide").
    """
    ids, event = _number(part, FLOW_ID), _number(part, _EVENT)
    fields = part.layout.template.fields
    for name in ("bytes", "packets"):
        sources = part.layout.sources.get(name)
        counted = fields[sources[0].field] if sources else None
        counter = _COUNTERS.get(counted.id) if counted else None
        if counted and counter is not None and counted.enterprise:  # reverse
            counter |= 1
        if counter is None or ids is None or event is None:
            continue
        connections = part.context.state.connections
        stream = part.context.streams.of_message[part.message]
        distinct, inverse = np.unique(stream, return_inverse=True)
        streams = [part.context.streams.all[index] for index in distinct.tolist()]
        numbers = connections.numbered(streams, limits.streams)
        keys = Connections.key(np.repeat(numbers[inverse], part.counts), ids, counter)
        order = np.argsort(np.repeat(part.start, part.counts), kind="stable")
        column = sink.slot(name, where)
        now = int(part.context.block.time_received.max())
        column[order] = connections.settle(keys[order], event[order], column[order], now, limits.connections)
