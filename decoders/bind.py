"""Binds every data set of a block to the layout in force where it stands, learning templates on the way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from decoders.block import Datagrams, Decoded
from decoders.cursor import Items, Positions, groups
from decoders.faults import Fault
from decoders.layout import Layout
from decoders.limits import Limits
from decoders.messages import Messages
from decoders.stream import Stream
from decoders.templates import TEMPLATE_SETS, Key, Templates, parse

_Changes = dict[Key, list[tuple[int, Layout | None]]]


@dataclass(frozen=True, slots=True)
class Streams:
    """The distinct streams among messages; `of_message`, int64 (m,), indexes `all`."""

    all: list[Stream]
    of_message: Positions


def streams(block: Datagrams, messages: Messages) -> Streams:
    """Tell apart the messages' streams by exporter, version and domain."""
    senders, sender = _distinct(block.exporters[messages.datagram])
    scopes, scope = np.unique(block.scopes[messages.datagram], return_inverse=True)
    keys = (sender * len(scopes) + scope) << 36 | messages.version << 32 | messages.domain
    distinct, inverse = np.unique(keys, return_inverse=True)
    whose = [divmod(key >> 36, max(len(scopes), 1)) for key in distinct.tolist()]
    found = [
        Stream(senders[who], int(scopes[which]), key >> 32 & 15, key & 0xFFFFFFFF)
        for key, (who, which) in zip(distinct.tolist(), whose, strict=True)
    ]
    return Streams(found, inverse.astype(np.int64))


def _distinct(addresses: np.ndarray) -> tuple[list[bytes], Positions]:
    """Return the distinct addresses of (n, 16), and the index of each row among them."""
    words = np.ascontiguousarray(addresses).view(np.uint64)
    high, high_of = np.unique(words[:, 0], return_inverse=True)
    low, low_of = np.unique(words[:, 1], return_inverse=True)
    pairs, inverse = np.unique(high_of * len(low) + low_of, return_inverse=True)
    rows = np.stack([high[pairs // len(low)], low[pairs % len(low)]], axis=1)
    return [row.tobytes() for row in rows], inverse.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Bound:
    """The data sets of each layout, and those whose template is missing."""

    sets: list[tuple[Layout, Items]]
    missing: Items


def bind(
    block: Datagrams,
    messages: Messages,
    sets: Items,
    streams: Streams,
    templates: Templates,
    limits: Limits,
    out: Decoded,
) -> Bound:
    """Learn the templates among `sets`, and find the layout of each data set among them."""
    version = messages.version[sets.owner]
    holds_templates = ((version == 9) & (sets.tag < 2)) | ((version == 10) & ((sets.tag == 2) | (sets.tag == 3)))
    out.faults[Fault.SET_RESERVED] += int(np.count_nonzero((sets.tag < 256) & ~holds_templates))
    changes = _learn(block, sets.where(holds_templates), streams, templates, limits, out)
    data_sets = sets.where(sets.tag >= 256)
    keys, key_of = np.unique(streams.of_message[data_sets.owner] << 16 | data_sets.tag, return_inverse=True)
    layouts: dict[int, tuple[int, Layout]] = {}

    def number(layout: Layout | None) -> int:
        return -1 if layout is None else layouts.setdefault(id(layout), (len(layouts), layout))[0]

    of_key = np.full(len(keys), -1)
    moving: list[tuple[int, list[tuple[int, Layout | None]]]] = []
    for index, packed in enumerate(keys.tolist()):
        stream = streams.all[packed >> 16]
        key = Key(stream, packed & 0xFFFF)
        if key in changes:
            moving.append((index, changes[key]))
        else:
            of_key[index] = number(templates.by_key.get(key))
    layout_of = of_key[key_of]
    by_key = groups(key_of, len(keys))
    for index, history in moving:
        where = by_key[index]
        since = np.searchsorted([at for at, _ in history], data_sets.start[where]) - 1
        layout_of[where] = np.array([number(layout) for _, layout in history])[since]
    of_layout = groups(layout_of, len(layouts))
    pairs = [(layout, data_sets.where(where)) for (_, layout), where in zip(layouts.values(), of_layout, strict=True)]
    return Bound(pairs, data_sets.where(np.flatnonzero(layout_of < 0)))


def _learn(
    block: Datagrams, sets: Items, streams: Streams, templates: Templates, limits: Limits, out: Decoded
) -> _Changes:
    """Learn from template sets in their order; return each changed key's layouts, with where they begin to hold."""
    changes: _Changes = {}
    faults: Counter[Fault] = out.faults
    for message, tag, start, end in zip(
        *(x.tolist() for x in (sets.owner, sets.tag, sets.start, sets.end)), strict=True
    ):
        stream = streams.all[streams.of_message[message]]
        options = TEMPLATE_SETS[stream.version, tag]
        for found in parse(block.data[start:end].tobytes(), stream.version, options, limits):
            if isinstance(found, Fault):
                faults[found] += 1
                continue
            out.templates += 1
            key = Key(stream, found[0])
            before = templates.by_key.get(key)
            fault = templates.learn(key, found[1], limits)
            if fault is not None:
                faults[fault] += 1
            after = templates.by_key.get(key)
            if after is not before:
                changes.setdefault(key, [(-1, before)]).append((start, after))
    return changes
