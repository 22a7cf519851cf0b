"""Options data (RFC 3954 section 6.1, RFC 7011 section 3.4.2): sampling rates, names, start times.

Read as columns, like flows; only what is different is then looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from decoders.block import Decoded, Name, Naming
from decoders.elements import APPLICATION, INTERFACES, SAMPLER_IDS, START, TEMPLATES, VRFS, Read
from decoders.layout import Source, is_number
from decoders.limits import Limits
from decoders.reads import NO_CLOCKS, read, uint
from decoders.sampling import By, rates_in_records
from decoders.stream import Stream
from decoders.texts import clean, raw
from schema.batch import Array

if TYPE_CHECKING:
    from decoders.flows import Part

_LAST_EXPORT = 0xFFFFFFFF * 1000
"""The last time that a message's header can tell, ms since 1970: nothing that exports began later."""

_Element = tuple[int, int]
_NAMES: tuple[tuple[Naming, tuple[_Element, ...], _Element, _Element | None], ...] = (
    (Naming.INTERFACE, INTERFACES, (0, 82), (0, 83)),
    (Naming.APPLICATION, (APPLICATION,), (0, 96), (0, 94)),
    (Naming.VRF, VRFS, (0, 236), None),
    (Naming.SAMPLER, SAMPLER_IDS, (0, 84), (0, 335)),
)
"""What is named, by which elements it is known, and which hold its name and its description."""

_ADDRESSED = 2**32
_PLACE = itemgetter(0)
_Rate = tuple[Stream, By, int, int, int]
"""Whose rate, told by what, its id, the rate, and the options template that told it."""


def learn(parts: Sequence[Part], limits: Limits, out: Decoded) -> None:
    """Learn from the records of options layouts; `out.names` gets the names they tell.

    What is told last on the wire holds, whatever layout it is told by.
    """
    rates: list[tuple[int, _Rate]] = []
    starts: list[tuple[int, Stream, int]] = []
    names: list[tuple[int, Name]] = []
    for part in parts:
        if part.rows:
            stream = np.repeat(part.context.streams.of_message[part.message], part.counts)
            place = np.repeat(part.start, part.counts)
            rates += _rates(part, stream, place)
            starts += _starts(part, stream, place)
            names += _names(part, stream, place, limits)
    for _, rate in sorted(rates, key=_PLACE):
        parts[0].context.state.samplers.learn(*rate, limits.samplers)
    for _, whose, at in sorted(starts, key=_PLACE):
        parts[0].context.state.learn_start(whose, at, limits)
    out.names += [name for _, name in sorted(names, key=_PLACE)]


def _first(part: Part, keys: tuple[tuple[int, int], ...]) -> Source | None:
    """Return the first of the elements `keys` that the records hold as a number."""
    named = part.layout.named
    return next((named[key] for key in keys if key in named and is_number(named[key])), None)


def _rates(part: Part, stream: Array, place: Array) -> Iterator[tuple[int, _Rate]]:
    layout = part.layout
    if not layout.rates:
        return
    rates = rates_in_records({id_: uint(part.records.octets(source)) for id_, source in layout.rates.items()})
    by, ids = By.STREAM, np.zeros(part.rows, np.uint64)
    for kind, keys in ((By.SAMPLER, SAMPLER_IDS), (By.INTERFACE, INTERFACES), (By.TEMPLATE, TEMPLATES)):
        source = _first(part, keys)
        if source:
            by, ids = kind, uint(part.records.octets(source)).astype(np.uint64)
            break
    good = np.flatnonzero((rates > 0) & (rates < _ADDRESSED))
    teller = np.repeat(part.tag, part.counts)
    told = zip(*(column[good].tolist() for column in (stream, ids, teller, rates, place)), strict=True)
    streams = part.context.streams.all
    for (whose, id_, template), (rate, at) in {each[:3]: each[3:] for each in told}.items():
        yield at, (streams[whose], by, id_, rate, template)


def _starts(part: Part, stream: Array, place: Array) -> Iterator[tuple[int, Stream, int]]:
    """Yield systemInitTimeMilliseconds, against which IPFIX's uptime stamps count."""
    source = _first(part, (START,))
    if not source:
        return
    began = uint(part.records.octets(source)).astype(np.uint64)
    good = np.flatnonzero((began > 0) & (began <= _LAST_EXPORT))
    told = zip(*(column[good].tolist() for column in (stream, place, began)), strict=True)
    for whose, at, start in {each[0]: each for each in told}.values():
        yield at, part.context.streams.all[whose], start


def _names(part: Part, stream: Array, place: Array, limits: Limits) -> Iterator[tuple[int, Name]]:
    """Yield the names that records tell, each once, and no more than their datagrams may tell."""
    named, context = part.layout.named, part.context
    datagram = context.messages.datagram[part.message]
    most = limits.layouts + int(context.block.lengths[np.unique(datagram)].sum()) // limits.octets_per_name
    for naming, keys, texts, description in _NAMES:
        sources = [named.get(texts), named.get(description) if description else None]
        ids = _ids(part, naming, keys) if any(sources) else None
        if ids is None:
            continue
        received = np.repeat(context.block.time_received[datagram], part.counts)
        columns = (
            raw(part.records, source, limits.name_length).tolist() if source else [b""] * part.rows
            for source in sources
        )
        when = zip(received.tolist(), place.tolist(), strict=True)
        told = dict(zip(zip(stream.tolist(), ids.tolist(), *columns, strict=True), when, strict=True))
        for (whose, id_, name, about), (at, where) in islice(told.items(), most):
            whom = context.streams.all[whose]
            if naming is Naming.APPLICATION or id_ < _ADDRESSED:
                name, about = (clean(text, limits.name_length) for text in (name, about))
                yield where, Name(whom.exporter, whom.domain, naming, id_, name, about, at)


def _ids(part: Part, naming: Naming, keys: tuple[tuple[int, int], ...]) -> Array | None:
    if naming is not Naming.APPLICATION:
        source = _first(part, keys)
        return uint(part.records.octets(source)) if source else None
    source = part.layout.named.get(APPLICATION)
    if source is None or not 1 <= source.length <= 9:
        return None
    ids = np.zeros(part.rows, np.uint64)
    read(part.records.octets(source), Read.APPLICATION, NO_CLOCKS, ids)
    return ids
