"""NetFlow v5, v9 and IPFIX: from message headers to the records of a block, in the order in which each needs the other.

Templates first, then which layout each set has, then where its records are; their number tells lost messages and
restarted exporters, after which what an exporter told before is void.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from decoders import options
from decoders.bind import Bound, Learned, assign, learn, restart, streams
from decoders.block import Datagrams, Decoded, Octets
from decoders.cursor import SET_HEAD, Items, walk
from decoders.elements import NETFLOW5_FIELDS
from decoders.faults import Fault
from decoders.flows import Context, Located, Part, locate, with_reverse
from decoders.layout import Field, Layout, Template, compile_layout
from decoders.limits import Limits
from decoders.messages import HEADERS, Messages, join
from decoders.messages import find as find_messages
from decoders.sequence import Numbered
from decoders.state import State
from decoders.template_sets import TEMPLATE_SETS
from decoders.templates import Key
from decoders.waiting import Kept

_NETFLOW5 = Template(tuple(Field(0, id_, length) for id_, length in NETFLOW5_FIELDS), options=False)
_WRAP = 2**32

_Restarts = list[tuple[int, int]]
"""Streams, by index, whose exporters began anew, and the position in the block from which on."""


def find(block: Datagrams, messages: Messages, state: State, limits: Limits, now: int, out: Decoded) -> list[Part]:
    """Return the flows' records of all messages; options data is learned from, what misses its template waits."""
    context = Context(block, messages, streams(block, messages), state)
    templated = np.flatnonzero(messages.version != 5)
    walked = walk(block.data, messages.start[templated], messages.end[templated])
    out.faults[Fault.SET_LENGTH] += walked.broken
    out.octets.update({Octets.PADDING: walked.padding, Octets.FAULTY: walked.faulty})
    out.octets[Octets.HEADERS] += SET_HEAD * len(walked.items.start)
    items = walked.items
    sets = Items(templated[items.owner], items.tag, items.start, items.end)
    templates, data = _sort(messages, sets, out)
    learned = learn(block, messages, templates, context.streams, state.templates, limits, out)
    bound, located, restarted = _locate(context, data, learned, limits, now)
    anew = {context.streams.all[index] for index, _ in restarted}
    for stream in anew:
        state.forget(stream)
    out.faults[Fault.TEMPLATE_MISSING] += sum(1 for _ in state.waiting.forget(anew))
    for key in learned.redefined:
        state.samplers.forget(key.stream, key.id)
    for scope in out.broken_sessions:
        state.broken |= {(stream.exporter, scope) for stream in context.streams.all if stream.scope == scope}
    out.faults.update(located.faults)
    out.octets.update(located.octets)
    _refuse(bound, out)
    _keep(context, bound.missing, restarted, limits, out)
    flows, told = _awaited(context, learned, out)
    out.option_records += sum(part.rows for part in (*told, *located.options))
    void = bool(restarted or learned.redefined)
    options.learn([*told, *(_told_since(context, bound, restarted, learned) if void else located.options)], limits, out)
    return with_reverse([*flows, *located.flows], limits)


def _sort(messages: Messages, sets: Items, out: Decoded) -> tuple[Items, Items]:
    """Tell template sets and data sets apart; sets of reserved ids are passed over."""
    version = messages.version[sets.owner]
    of_templates = np.zeros(len(version), np.bool_)
    for of_version, tag in TEMPLATE_SETS:
        of_templates |= (version == of_version) & (sets.tag == tag)
    reserved = (sets.tag < 256) & ~of_templates
    out.faults[Fault.SET_RESERVED] += int(np.count_nonzero(reserved))
    out.octets[Octets.FAULTY] += int((sets.end - sets.start)[reserved].sum())
    return sets.where(of_templates), sets.where(sets.tag >= 256)


def _locate(
    context: Context, data: Items, learned: Learned, limits: Limits, now: int
) -> tuple[Bound, Located, _Restarts]:
    """Find all records, and the restarts that their number betrays."""
    block, messages, all_streams = context.block, context.messages, context.streams
    templates = context.state.templates
    bound = assign(block, messages, data, all_streams, templates, learned, limits)
    located = _located(context, bound)
    numbered = _number(context, bound, located)
    anew = context.state.sequences.follow(all_streams.all, numbered, now, limits.streams)
    found = context.state.restarts.evident(anew, all_streams.all, numbered, messages.export_ms, limits.streams)
    restarts = [(stream, int(messages.start[message])) for stream, message in found]
    if restart(learned, templates, [(all_streams.all[stream], at) for stream, at in restarts]):
        bound = assign(block, messages, data, all_streams, templates, learned, limits)
        located = _located(context, bound)
    return bound, located, restarts


def _located(context: Context, bound: Bound) -> Located:
    messages = context.messages
    old = np.flatnonzero(messages.version == 5)
    plain = [(compile_layout(_NETFLOW5), Items(old, old * 0, messages.start[old], messages.end[old]))]
    return locate(context, [*(plain if len(old) else []), *bound.sets])


def _number(context: Context, bound: Bound, located: Located) -> Numbered:
    """Return the messages as `decoders.sequence` counts them: v5 by flows, v9 by messages, IPFIX by data records."""
    messages = context.messages
    records = np.zeros(messages.count, np.int64)
    for part in (*located.flows, *located.options):
        np.add.at(records, part.message, part.counts)
    for unread in (bound.missing, bound.refused):
        records[unread.owner[messages.version[unread.owner] == 10]] = -1
    units = np.where(messages.version == 9, 1, records)
    boot = np.where(messages.version == 10, -1, (messages.export_ms - messages.uptime_ms) % _WRAP)
    return Numbered(context.streams.of_message, messages.sequence, units, boot)


def _void(context: Context, sets: Items, restarts: _Restarts) -> npt.NDArray[np.bool_]:
    """Return which sets were told before their exporter began anew."""
    last = np.zeros(len(context.streams.all), np.int64)
    for stream, at in restarts:
        last[stream] = max(last[stream], at)
    void: npt.NDArray[np.bool_] = sets.start < last[context.streams.of_message[sets.owner]]
    return void


def _told_since(context: Context, bound: Bound, restarts: _Restarts, learned: Learned) -> list[Part]:
    """Return the options data that exporters told since they began anew, or redefined its template."""
    kept: list[tuple[Layout, Items]] = []
    number = {stream: index for index, stream in enumerate(context.streams.all)}
    since = {number[key.stream] << 16 | key.id: at for key, at in learned.redefined.items()}
    for layout, sets in bound.sets:
        if layout.template.options:
            keys, key_of = np.unique(context.streams.of_message[sets.owner] << 16 | sets.tag, return_inverse=True)
            redefined = np.array([since.get(key, 0) for key in keys.tolist()], np.int64)[key_of]
            kept.append((layout, sets.where(~_void(context, sets, restarts) & (sets.start >= redefined))))
    return locate(context, [(layout, sets) for layout, sets in kept if len(sets.start)]).options


def _refuse(bound: Bound, out: Decoded) -> None:
    out.faults[Fault.WORK_LIMIT] += len(bound.refused.start)
    out.octets[Octets.FAULTY] += int((bound.refused.end - bound.refused.start).sum())


def _keep(context: Context, missing: Items, restarts: _Restarts, limits: Limits, out: Decoded) -> None:
    """Keep data sets until their templates come, as far as there is room."""
    block, messages, waiting = context.block, context.messages, context.state.waiting
    if not len(missing.start):
        return
    datagram = messages.datagram[missing.owner]
    columns = (missing.owner, datagram, missing.tag, missing.start, missing.end, _void(context, missing, restarts))
    last, raw, begin = -1, b"", 0
    for message, of, tag, start, end, void in zip(*(column.tolist() for column in columns), strict=True):
        stream = context.streams.all[context.streams.of_message[message]]
        header = HEADERS[stream.version]
        if stream.is_tcp or void or not waiting.room_for(stream.exporter, header + end - start, limits):
            out.faults[Fault.TEMPLATE_MISSING] += 1  # TCP keeps the order: nothing can come that explains it
            out.octets[Octets.FAULTY] += end - start
            continue
        if message != last:
            last, begin = message, int(messages.start[message]) - header
            raw = block.data[begin : int(messages.end[message])].tobytes()
            told = int(block.time_received[of]), int(block.ports[of]), int(block.sessions[of]), int(block.entries[of])
        body = raw[start - 4 - begin : end - begin]
        waiting.keep(Key(stream, tag), raw[:header], body, *told)
        out.octets[Octets.WAITING] += end - start


def _awaited(context: Context, learned: Learned, out: Decoded) -> tuple[list[Part], list[Part]]:
    """Return the records, of flows and of options, that waited for templates which have come now."""
    waiting = context.state.waiting
    layouts: list[Layout] = []
    kept: list[Kept] = []
    exporters: list[bytes] = []
    numbers: list[int] = []
    for key, known in learned.awaited().items() if waiting.sets else ():
        found = waiting.take(key)
        if not found:
            continue
        kept += found
        exporters += [key.stream.exporter] * len(found)
        numbers += [len(layouts)] * len(found)
        layouts.append(known.layout)
    if not kept:
        return [], []
    times, ports, sessions, entries = zip(*(each[1:] for each in kept), strict=True)
    listed = len(context.block.senders.default) - 1  # the configuration may have been another when they came
    entries = [min(entry, listed) for entry in entries]
    block = Datagrams.gather(
        [each.payload for each in kept], exporters, times, ports, sessions, entries, context.block.senders
    )
    versions = block.data[block.offsets + 1]
    unused = Decoded(out.flows)
    messages = join([
        find_messages(block, version, np.flatnonzero(versions == version), unused)
        for version in np.unique(versions).tolist()
    ])  # fmt: skip
    again = Context(block, messages, streams(block, messages), context.state, waited=True)
    items = walk(block.data, again.messages.start, again.messages.end).items
    number = np.array(numbers)[again.messages.datagram[items.owner]]
    bound = [(layout, items.where(number == index)) for index, layout in enumerate(layouts)]
    located = locate(again, [(layout, sets) for layout, sets in bound if len(sets.start)])
    out.faults.update(located.faults)
    return located.flows, located.options
