"""Options data (RFC 3954 section 6.1, RFC 7011 section 3.4.2): sampling rates, names, start times.

Read as columns, like flows; only what is different is then looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from decoders.block import Decoded, Name, Naming
from decoders.elements import APPLICATION, INTERFACES, SAMPLER_IDS, START, TEMPLATES, VRFS, Read
from decoders.layout import Source, is_number
from decoders.limits import Limits
from decoders.reads import NO_CLOCKS, read, uint
from decoders.sampling import By, rates_in_records
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


def learn(part: Part, limits: Limits, out: Decoded) -> None:
    """Learn from the records of one options layout; `out.names` gets the names they tell."""
    if not part.rows:
        return
    stream = np.repeat(part.context.streams.of_message[part.message], part.counts)
    _learn_rates(part, stream, limits)
    _learn_starts(part, stream, limits)
    out.names += _names(part, stream, limits)


def _first(part: Part, keys: tuple[tuple[int, int], ...]) -> Source | None:
    """Return the first of the elements `keys` that the records hold as a number."""
    named = part.layout.named
    return next((named[key] for key in keys if key in named and is_number(named[key])), None)


def _learn_rates(part: Part, stream: Array, limits: Limits) -> None:
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
    told = zip(*(column[good].tolist() for column in (stream, ids, teller, rates)), strict=True)
    samplers, streams = part.context.state.samplers, part.context.streams.all
    for (whose, id_, template), rate in {each[:3]: each[3] for each in told}.items():
        samplers.learn(streams[whose], by, id_, rate, template, limits.samplers)


def _learn_starts(part: Part, stream: Array, limits: Limits) -> None:
    """Learn systemInitTimeMilliseconds, against which IPFIX's uptime stamps count."""
    source = _first(part, (START,))
    if not source:
        return
    began = uint(part.records.octets(source)).astype(np.uint64)
    good = np.flatnonzero((began > 0) & (began <= _LAST_EXPORT))
    streams = part.context.streams.all
    for whose, at in dict(zip(stream[good].tolist(), began[good].tolist(), strict=True)).items():
        part.context.state.learn_start(streams[whose], at, limits)


def _names(part: Part, stream: Array, limits: Limits) -> Iterator[Name]:
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
        told = dict(zip(zip(stream.tolist(), ids.tolist(), *columns, strict=True), received.tolist(), strict=True))
        for (whose, id_, name, about), at in islice(told.items(), most):
            whom = context.streams.all[whose]
            if naming is Naming.APPLICATION or id_ < _ADDRESSED:
                name, about = (clean(text, limits.name_length) for text in (name, about))
                yield Name(whom.exporter, whom.domain, naming, id_, name, about, at)


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
