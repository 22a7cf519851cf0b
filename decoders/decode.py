"""The one way into the decoders: a block of datagrams and the state in, columns of flows, faults and names out.

Gather first, then decode whole blocks: records of one layout from all datagrams become one array. Nothing here raises,
whatever the octets, and a bad set costs no other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from decoders import messages as export
from decoders import options, sflow
from decoders.bind import Bound, bind, streams
from decoders.block import Datagrams, Decoded
from decoders.cursor import Form, Items, Positions, u16, u32, walk
from decoders.elements import NETFLOW5_FIELDS
from decoders.faults import Fault
from decoders.flows import Context, Part, parts_of, write
from decoders.layout import Field, Template, compile_layout
from decoders.limits import Limits
from decoders.sink import Sink
from decoders.state import State
from schema.batch import Array, Flows

_NETFLOW5 = Template(tuple(Field(0, id_, length) for id_, length in NETFLOW5_FIELDS), options=False)
_ICMP = (1, 58)


def decode(block: Datagrams, state: State, limits: Limits) -> Decoded:
    """Decode a block; `state` learns from it, so blocks are given in the order of arrival.

    Flows stand grouped by layout; `Decoded.origin` tells the order on the wire.
    """
    out = Decoded(Flows(0), datagrams=block.count)
    versions = _versions(block, out)
    found = [
        export.find(block, version, np.flatnonzero(versions == version), out.faults)
        for version in (5, 9, 10)
        if np.any(versions == version)
    ]
    parts: list[Part] = []
    context = None
    if found:
        messages = export.join(found)
        context = Context(block, messages, streams(block, messages), state)
        parts = _netflow(context, limits, out)
    samples = sflow.find(block, np.flatnonzero(versions == sflow.VERSION), state, limits, out)
    rows = sum(part.rows for part in parts)
    sink = Sink(rows + samples.rows)
    if context is not None:
        write(context, parts, sink)
    sflow.write(block, samples, sink, slice(rows, sink.rows))
    out.flows = sink.flows()
    _settle_icmp(out.flows)
    out.origins = [*((part.start, part.counts) for part in parts), (samples.origin, np.ones_like(samples.origin))]
    out.datagrams_bad = sum(count for fault, count in out.faults.items() if fault.unit == "datagram")
    out.faults = +out.faults
    return out


def _versions(block: Datagrams, out: Decoded) -> npt.NDArray[np.int64]:
    """Return each datagram's version: 5, 9, 10, `sflow.VERSION`, or 0 where it is none that we know."""
    versions = np.zeros(block.count, np.int64)
    readable = block.lengths >= 4
    at = block.offsets[readable]
    first = u16(block.data, at)
    versions[readable] = np.where(np.isin(first, (5, 9, 10)), first, 0)
    versions[readable] += np.where(u32(block.data, at) == 5, sflow.VERSION, 0)
    out.faults[Fault.TOO_SHORT] += int(np.count_nonzero(~readable))
    out.faults[Fault.UNKNOWN_VERSION] += int(np.count_nonzero(readable & (versions == 0)))
    return versions


def _netflow(context: Context, limits: Limits, out: Decoded) -> list[Part]:
    """Decode what NetFlow v5, v9 and IPFIX messages hold, but for writing the rows."""
    block, messages, state = context.block, context.messages, context.state
    old = np.flatnonzero(messages.version == 5)
    templated = np.flatnonzero(messages.version != 5)
    sets, broken = walk(block.data, messages.start[templated], messages.end[templated], Form.SET)
    out.faults[Fault.SET_LENGTH] += broken
    sets = Items(templated[sets.owner], sets.tag, sets.start, sets.end)
    bound = bind(block, messages, sets, context.streams, state.templates, limits, out)
    out.faults[Fault.TEMPLATE_MISSING] += len(bound.missing.start)
    records = np.zeros(messages.count, np.int64)
    records[old] = (messages.end[old] - messages.start[old]) // 48
    _options(context, bound, limits, out, records)
    parts: list[Part] = []
    if len(old):
        plain = Items(old, old * 0, messages.start[old], messages.end[old])
        parts += parts_of(context, plain, compile_layout(_NETFLOW5), out)
    for layout, of_layout in bound.sets:
        if not layout.template.options:
            found = parts_of(context, of_layout, layout, out)
            parts += found
            if found:
                np.add.at(records, found[0].message, found[0].counts)
    _follow(context, bound, records, limits, out)
    return parts


def _options(context: Context, bound: Bound, limits: Limits, out: Decoded, records: Positions) -> None:
    """Learn from all options data of the block, before any flow is read: it may stand behind the flows it explains."""
    for layout, sets in bound.sets:
        if layout.template.options:
            counts = options.learn(
                context.block, context.messages, sets, layout, context.streams, context.state, limits, out
            )
            np.add.at(records, sets.owner, counts)


def _follow(context: Context, bound: Bound, records: Positions, limits: Limits, out: Decoded) -> None:
    """Count the gaps in the messages' sequence numbers, in the unit of each version."""
    messages = context.messages
    countable = np.ones(messages.count, np.bool_)
    countable[bound.missing.owner] = False
    countable |= messages.version != 10
    step = np.where(messages.version == 9, 1, records)
    out.sequence_gaps += context.state.sequences.gaps(
        context.streams.all, context.streams.of_message, messages.sequence, step, countable, limits.streams
    )


def _settle_icmp(flows: Flows) -> None:
    """Give ICMP flows their type and code from the port that carries them, and no ports.

    Exporters put type << 8 | code into the destination port (Cisco), a few the other way round into the source port.
    """
    proto = flows.arrays.get("proto")
    ports = [flows.arrays[name] for name in ("src_port", "dst_port") if name in flows.arrays]
    rows = np.flatnonzero((proto == _ICMP[0]) | (proto == _ICMP[1])) if proto is not None else np.zeros(0, np.int64)
    if not len(rows) or not ports:
        return
    source, destination = flows.column("src_port")[rows], flows.column("dst_port")[rows]
    kind, code = _ensure(flows, "icmp_type"), _ensure(flows, "icmp_code")
    swapped = (destination == 0) & (source != 0)
    told = (kind[rows] != 0) | (code[rows] != 0)
    kind[rows] = np.where(told, kind[rows], np.where(swapped, source & 0xFF, destination >> 8))
    code[rows] = np.where(told, code[rows], np.where(swapped, source >> 8, destination & 0xFF))
    for port in ports:
        port[rows] = 0


def _ensure(flows: Flows, name: str) -> Array:
    return flows.arrays.setdefault(name, flows.column(name))
