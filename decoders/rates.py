"""Which sampling rate holds for each record, and what said so: the order is in `decoders.sampling`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from decoders.cursor import Positions, groups
from decoders.elements import SAMPLER_IDS
from decoders.layout import is_number
from decoders.reads import uint
from decoders.sampling import By, Tables, rates_in_records
from decoders.sink import Sink
from schema.batch import Array
from schema.columns import SAMPLING_SOURCES

if TYPE_CHECKING:
    from decoders.flows import Context, Part

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
        if told.all():  # mostly: one rate is told for all
            self.rate[:] = rates
            self.source[:] = source
        elif told.any():
            self.rate[told] = rates[told]
            self.source[told] = source


def record_rates(part: Part) -> Rates | None:
    """Return the rates that a part's records name or tell themselves; None where they do not."""
    tables, layout = part.context.state.samplers.tables, part.layout
    interface = layout.sources.get("in_if", ())[:1] if tables[By.INTERFACE] else ()
    named = tuple(layout.named[key] for key in SAMPLER_IDS if key in layout.named) if tables[By.SAMPLER] else ()
    if not interface and not layout.rates and not named:
        return None
    rates = Rates(part.rows)
    for source in interface:
        rates.tell(_look_up([part], tables[By.INTERFACE], uint(part.records.octets(source)), by_row=True), SCOPE)
    if layout.rates:
        figures = {id_: uint(part.records.octets(source)) for id_, source in layout.rates.items()}
        rates.tell(rates_in_records(figures), RECORD)
    for source in filter(is_number, named):
        rates.tell(_look_up([part], tables[By.SAMPLER], uint(part.records.octets(source)), by_row=True), SAMPLER)
    return rates


def complete(
    context: Context, parts: list[Part], message: Positions, counts: Positions, sink: Sink, where: slice
) -> None:
    """Write the rates of the rows `where`, those of `parts`: what records tell goes before what is told for all.

    `message` and `counts` are those of all the parts' sets.
    """
    entry = context.block.entries[context.messages.datagram[message]]
    senders, tables = context.block.senders, context.state.samplers.tables
    by_set = Rates(len(message))
    by_set.tell(senders.default[entry], DEFAULT)
    by_set.tell(context.messages.rate[message], PLAIN)
    if tables[By.SAMPLER]:
        unnamed = [not any(key in part.layout.named for key in SAMPLER_IDS) for part in parts]
        found = _look_up(parts, tables[By.SAMPLER], np.full(len(message), _UNNAMED), by_row=False)
        by_set.tell(found * np.repeat(unnamed, [len(part.counts) for part in parts]), PLAIN)
    for by, ids, source in (
        (By.STREAM, np.zeros(len(message), np.int64), PLAIN),
        (By.TEMPLATE, np.concatenate([part.tag for part in parts]), SCOPE),
    ):
        if tables[by]:
            by_set.tell(_look_up(parts, tables[by], ids, by_row=False), source)
    overrides = senders.override[entry]
    by_set.tell(overrides, OVERRIDE)
    if not by_set.source.any():
        return
    rate, told = np.repeat(by_set.rate, counts), np.repeat(by_set.source, counts)
    if "sampling_source" in sink.arrays:
        known = sink.slot("sampling_source", where)
        unsettled = (known == 0) | np.repeat(overrides > 0, counts)
        np.copyto(sink.slot("sampling_rate", where), rate, where=unsettled)
        np.copyto(known, told, where=unsettled)
    else:
        sink.put("sampling_rate", where, rate)
        sink.put("sampling_source", where, told)


def _look_up(parts: list[Part], known: Tables, ids: Array, by_row: bool) -> npt.NDArray[np.uint32]:
    """Return the rates known for `ids`, which are one a set of the parts, or one a row; 0 for others."""
    streams = parts[0].context.streams
    of_set = np.concatenate([streams.of_message[part.message] for part in parts])
    distinct, inverse = np.unique(of_set, return_inverse=True)
    tables = [known.get(streams.all[index]) for index in distinct.tolist()]
    if len(tables) == 1:
        return tables[0].look_up(ids) if tables[0] else np.zeros(len(ids), np.uint32)
    found = np.zeros(len(ids), np.uint32)
    of = np.repeat(inverse, np.concatenate([part.counts for part in parts])) if by_row else inverse
    for table, rows in zip(tables, groups(of, len(tables)), strict=True):
        if table:
            found[rows] = table.look_up(ids[rows])
    return found
