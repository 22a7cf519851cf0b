"""Binds every data set of a block to the layout in force where it stands, learning templates on the way.

Templates that arrive inside a block hold from their own position on. A data set exported before its template was
redefined is read by the old one (RFC 7011 section 8.1), though it arrive later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from decoders.block import Datagrams, Decoded, Octets
from decoders.cursor import Items, Positions, distinct, groups
from decoders.faults import Fault
from decoders.layout import Layout
from decoders.limits import Limits
from decoders.messages import Messages
from decoders.stream import Stream
from decoders.template_sets import TEMPLATE_SETS, recall
from decoders.templates import Key, Known, Templates, is_expired

_NEVER = -1
_OFTEN = 1000
"""ms after which it is worth saying again that a template is in use."""


class Entry(NamedTuple):
    """From position `at` on, a key's data is read by `known`, None where it has no template; `replaces` one that may
    still have data under way, exported before `known` was."""

    at: int
    known: Known | None
    replaces: bool = False


@dataclass(slots=True)
class Learned:
    """What the template sets of a block changed.

    `changes` has each changed key's entries in order, the first what held before; `refreshed` where a key's template
    came again as it was, and `redefined` the options templates that are others now, each with since where.
    """

    changes: dict[Key, list[Entry]] = field(default_factory=dict)
    refreshed: dict[Key, list[int]] = field(default_factory=dict)
    redefined: dict[Key, int] = field(default_factory=dict)

    def awaited(self) -> dict[Key, Known]:
        """Return the templates that data may have waited for: of each key the first after it had none."""
        found: dict[Key, Known] = {}
        for key, history in self.changes.items():
            since = max((index for index, entry in enumerate(history) if entry.known is None), default=_NEVER) + 1
            if 0 < since < len(history) and (known := history[since].known):
                found[key] = known
        return found


@dataclass(frozen=True, slots=True)
class Streams:
    """The distinct streams among messages; `of_message`, int64 (m,), indexes `all`."""

    all: list[Stream]
    of_message: Positions


def streams(block: Datagrams, messages: Messages) -> Streams:
    """Tell apart the messages' streams by exporter, scope, version and domain."""
    senders, sender = distinct(block.exporters[messages.datagram])
    scopes, scope = np.unique(block.scopes[messages.datagram], return_inverse=True)
    pairs, pair = np.unique(sender * len(scopes) + scope, return_inverse=True)
    keys = pair << 36 | messages.version << 32 | messages.domain
    whose, inverse = np.unique(keys, return_inverse=True)
    of_pair = [divmod(each, len(scopes)) for each in pairs.tolist()]
    found = [
        Stream(senders[who], int(scopes[which]), key >> 32 & 15, key & 0xFFFFFFFF)
        for key in whose.tolist()
        for who, which in (of_pair[key >> 36],)
    ]  # fmt: skip
    return Streams(found, inverse.astype(np.int64))


@dataclass(frozen=True, slots=True)
class Bound:
    """The data sets of each layout, those whose template is missing, and those that would ask for too much work."""

    sets: list[tuple[Layout, Items]]
    missing: Items
    refused: Items


def learn(
    block: Datagrams,
    messages: Messages,
    sets: Items,
    streams: Streams,
    templates: Templates,
    limits: Limits,
    out: Decoded,
) -> Learned:
    """Learn from the template sets among `sets`, in their order."""
    learned = Learned()
    for message, tag, start, end in zip(
        *(x.tolist() for x in (sets.owner, sets.tag, sets.start, sets.end)), strict=True
    ):
        stream = streams.all[streams.of_message[message]]
        found = recall(block.data[start:end].tobytes(), stream.version, TEMPLATE_SETS[stream.version, tag], limits)
        out.faults[Fault.TEMPLATE_MALFORMED] += found.malformed
        for kind, octets in (
            (Octets.TEMPLATES, found.templates), (Octets.PADDING, found.padding), (Octets.FAULTY, found.faulty)
        ):  # fmt: skip
            out.octets[kind] += octets
        if stream.is_tcp and stream.scope in out.broken_sessions:
            continue
        exported, seen = int(messages.export_ms[message]), int(block.time_received[messages.datagram[message]])
        for id_, template in found.definitions:
            if template is None:
                _withdraw(stream, id_, start, templates, learned)
                continue
            out.templates += 1
            _define(Key(stream, id_), Known(template, exported, seen), start, templates, limits, learned, out)
        out.faults[Fault.TEMPLATE_LIMIT] += templates.make_room(stream.exporter, limits)
    return learned


def _withdraw(stream: Stream, id_: int, at: int, templates: Templates, learned: Learned) -> None:
    """Forget a template, or with id 2 or 3 all of the stream's; over UDP that is ignored (RFC 7011 section 8.4)."""
    if not stream.is_tcp:
        return
    keys = [Key(stream, id_)]
    if id_ in (2, 3):
        keys = [key for key in templates.of(stream) if templates.by_key[key].template.options == (id_ == 3)]
    for key in keys:
        before = templates.by_key.get(key)
        if before:
            templates.drop(key)
            if before.template.options:
                learned.redefined[key] = at
            learned.changes.setdefault(key, [Entry(_NEVER, before)]).append(Entry(at, None))


def _define(
    key: Key, defined: Known, at: int, templates: Templates, limits: Limits, learned: Learned, out: Decoded
) -> None:
    """Put a definition in force; an identical one only refreshes it (RFC 7011 section 8.1)."""
    before = templates.by_key.get(key)
    if before and is_expired(key, before, defined.seen, limits):
        templates.drop(key)
        before = None
    if before and before.template == defined.template:
        before.seen = defined.seen
        learned.refreshed.setdefault(key, []).append(at)
        return
    if before and key.stream.is_tcp:
        out.faults[Fault.TEMPLATE_CONFLICT] += 1
        out.broken_sessions.add(key.stream.scope)
        for other in templates.of_session(key.stream.exporter, key.stream.scope):
            learned.changes.setdefault(other, [Entry(_NEVER, templates.by_key[other])]).append(Entry(at, None))
        return
    history = learned.changes.setdefault(key, [Entry(_NEVER, before)])
    if before:
        if len(history) == 1 and key in templates.late:
            history[:] = [Entry(_NEVER, templates.late[key][0]), Entry(_NEVER, before, True)]
        templates.serve_late(key, before, defined.seen, limits)
        if before.template.options:
            learned.redefined[key] = at
    templates.keep(key, defined)
    history.append(Entry(at, defined, before is not None))


def restart(learned: Learned, templates: Templates, restarts: Sequence[tuple[Stream, int]]) -> bool:
    """Forget what streams told before a position, where their exporters began anew; return whether that was any."""
    changed: defaultdict[Stream, set[Key]] = defaultdict(set)
    for key in learned.changes:
        changed[key.stream].add(key)
    touched = False
    for stream, at in restarts:
        for key in {*templates.of(stream), *changed[stream]}:
            touched |= _void(learned, templates, key, at)
            if key in learned.changes:
                changed[stream].add(key)
    return touched


def _void(learned: Learned, templates: Templates, key: Key, at: int) -> bool:
    history = learned.changes.get(key) or [Entry(_NEVER, templates.by_key.get(key))]
    if all(entry.at > at or not entry.known for entry in history):
        return False
    before, after = ([entry for entry in history if (entry.at > at) is later] for later in (False, True))
    again = next((place for place in learned.refreshed.get(key, ()) if place > at), None)
    if again is not None and not any(entry.at < again for entry in after):
        after.insert(0, Entry(again, before[-1].known))
    learned.changes[key] = [*before, Entry(at, None), *(entry._replace(replaces=False) for entry in after)]
    if not after:
        templates.drop(key)
    templates.late.pop(key, None)
    return True


def assign(
    block: Datagrams,
    messages: Messages,
    sets: Items,
    streams: Streams,
    templates: Templates,
    learned: Learned,
    limits: Limits,
) -> Bound:
    """Find the layout of each of the data sets `sets`."""
    refused = _too_many(block, messages, sets, limits)
    asked = sets
    if len(refused):
        sets = sets.where(np.delete(np.arange(len(sets.start)), refused))
    keys, key_of = np.unique(streams.of_message[sets.owner] << 16 | sets.tag, return_inverse=True)
    layouts: dict[int, tuple[int, Layout]] = {}

    def number(known: Known | None) -> int:
        return _NEVER if known is None else layouts.setdefault(id(known.layout), (len(layouts), known.layout))[0]

    of_key = np.full(len(keys), _NEVER)
    moving: list[tuple[int, list[Entry]]] = []
    first = _first(block, messages, sets, key_of, len(keys))
    for index, (packed, now) in enumerate(zip(keys.tolist(), first, strict=True)):
        key = Key(streams.all[packed >> 16], packed & 0xFFFF)
        known = templates.by_key.get(key)
        if known and is_expired(key, known, now, limits):
            templates.drop(key)
            known = None
        if known and now - known.used >= _OFTEN:
            templates.use(key)
            known.used = now
        if key in learned.changes:
            moving.append((index, learned.changes[key]))
        elif key in templates.late:
            moving.append((index, [Entry(_NEVER, templates.late[key][0]), Entry(_NEVER, known, True)]))
        else:
            of_key[index] = number(known)
    layout_of = of_key[key_of]
    if moving:
        by_key = groups(key_of, len(keys))
        for index, history in moving:
            where = by_key[index]
            exported = messages.export_ms[sets.owner[where]]
            layout_of[where] = _by_history(history, sets.start[where], exported, [number(e.known) for e in history])
    of_layout = groups(layout_of, len(layouts))
    pairs = [(layout, sets.where(where)) for (_, layout), where in zip(layouts.values(), of_layout, strict=True)]
    return Bound(
        [pair for pair in pairs if len(pair[1].start)],
        sets.where(np.flatnonzero(layout_of == _NEVER)),
        asked.where(refused),
    )


def _first(block: Datagrams, messages: Messages, sets: Items, key_of: Positions, keys: int) -> list[int]:
    """Return when the first set of each key was received, ms."""
    at = np.zeros(keys, np.int64)
    at[key_of[::-1]] = np.arange(len(key_of))[::-1]
    received: list[int] = block.time_received[messages.datagram[sets.owner[at]]].tolist()
    return received


def _by_history(history: list[Entry], starts: Positions, exported: Positions, numbers: list[int]) -> Positions:
    """Return the layout's number of each set of one key, by where it stands and when it was exported."""
    since = np.searchsorted([entry.at for entry in history], starts) - 1
    defined = np.array([entry.known.exported if entry.replaces and entry.known else 0 for entry in history])
    late = (exported < defined[since]) & (since > 0)
    return np.array(numbers)[since - late]


def _too_many(block: Datagrams, messages: Messages, sets: Items, limits: Limits) -> Positions:
    """Return the sets beyond the number of different templates that their datagram may use: work by the template is
    what a small datagram could ask for most of."""
    datagram = messages.datagram[sets.owner]
    most = limits.layouts + block.lengths // limits.octets_per_layout
    crowded = np.flatnonzero((np.bincount(datagram, minlength=block.count) > most)[datagram])
    if not len(crowded):
        return crowded
    pairs = sets.owner[crowded] << 16 | sets.tag[crowded]
    distinct, seen, pair_of = np.unique(pairs, return_index=True, return_inverse=True)
    of = messages.datagram[distinct >> 16]
    order = np.lexsort((seen, of))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(of[order], of[order])
    refused: Positions = crowded[(rank >= most[of])[pair_of]]
    return refused
