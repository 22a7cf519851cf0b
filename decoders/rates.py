"""Which sampling rate holds for each record, and what said so: the order is in `decoders.sampling`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from decoders.cursor import Positions, groups
from decoders.elements import SAMPLER_IDS
from decoders.layout import Source, is_number
from decoders.reads import uint
from decoders.sampling import By, Tables, rates_in_records
from schema.batch import Array
from schema.columns import SAMPLING_SOURCES

if TYPE_CHECKING:
    from decoders.flows import Part

OVERRIDE, SAMPLER, RECORD, SCOPE, PLAIN, DEFAULT = map(
    SAMPLING_SOURCES.index, ("override", "sampler", "record", "scope", "plain", "default")
)

_UNNAMED = 0
"""The sampler that Cisco 7600s tell the rate of, while their records name none."""


class Rates:
    """The rates of n rows, uint32, and what said them, uint8 codes of SAMPLING_SOURCES; 0 where nothing did."""

    def __init__(self, rows: int) -> None:
        self.rate = np.zeros(rows, np.uint32)
        self.source = np.zeros(rows, np.uint8)

    def tell(self, rates: Array, source: int) -> None:
        """Put the rates that are not 0 in place of those told before."""
        told = rates > 0
        self.rate[told] = rates[told]
        self.source[told] = source


def rates_of(part: Part) -> Rates | None:
    """Return the rates of a part's rows; None where nothing is known of any."""
    samplers, layout = part.context.state.samplers, part.layout
    by_set = Rates(len(part.counts))
    entry = part.context.block.entries[part.context.messages.datagram[part.message]]
    senders = part.context.block.senders
    by_set.tell(senders.default[entry], DEFAULT)
    by_set.tell(part.context.messages.rate[part.message], PLAIN)
    for by, ids, source in (
        (By.SAMPLER, np.full(len(part.counts), _UNNAMED), PLAIN),
        (By.STREAM, np.zeros(len(part.counts), np.int64), PLAIN),
        (By.TEMPLATE, part.tag, SCOPE),
    ):
        if samplers.tables[by] and not (by is By.SAMPLER and any(key in layout.named for key in SAMPLER_IDS)):
            by_set.tell(_look_up(part, samplers.tables[by], ids, None), source)
    rates = Rates(part.rows)
    rates.rate, rates.source = np.repeat(by_set.rate, part.counts), np.repeat(by_set.source, part.counts)
    interface = layout.sources.get("in_if", ())[:1]
    for ids in _columns(part, interface, samplers.tables[By.INTERFACE]):
        rates.tell(_look_up(part, samplers.tables[By.INTERFACE], ids, part.counts), SCOPE)
    if layout.rates:
        figures = {id_: uint(part.records.octets(source)) for id_, source in layout.rates.items()}
        rates.tell(rates_in_records(figures), RECORD)
    named = tuple(layout.named[key] for key in SAMPLER_IDS if key in layout.named and is_number(layout.named[key]))
    for ids in _columns(part, named, samplers.tables[By.SAMPLER]):
        rates.tell(_look_up(part, samplers.tables[By.SAMPLER], ids, part.counts), SAMPLER)
    if senders.override.any():
        rates.tell(np.repeat(senders.override[entry], part.counts), OVERRIDE)
    return rates if rates.source.any() else None


def _columns(part: Part, sources: tuple[Source, ...], known: Tables) -> Iterator[Array]:
    """Yield the ids that `sources` hold, where any rate is known for such."""
    if known:
        for source in sources:
            yield uint(part.records.octets(source))


def _look_up(part: Part, known: Tables, ids: Array, counts: Positions | None) -> npt.NDArray[np.uint32]:
    """Return the rates known for `ids`, which are one a set, or where `counts` are given one a record; 0 for others."""
    streams = part.context.streams
    distinct, of_set = np.unique(streams.of_message[part.message], return_inverse=True)
    tables = [known.get(streams.all[index]) for index in distinct.tolist()]
    if len(tables) == 1:
        return tables[0].look_up(ids) if tables[0] else np.zeros(len(ids), np.uint32)
    found = np.zeros(len(ids), np.uint32)
    for table, rows in zip(
        tables, groups(of_set if counts is None else np.repeat(of_set, counts), len(tables)), strict=True
    ):
        if table:
            found[rows] = table.look_up(ids[rows])
    return found
