"""Sampling rates: what options data and records say, by stream and by what they are told for.

Which of them holds for a flow, in order: the operator's override, the sampler that the record names, the record's own
figures, the rate told for its input interface or its template (scope), the rate told for the whole domain or in the
NetFlow v5 header (plain), the operator's default. Nothing known is 0, which is not 1. `decoders.rates` applies it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum

import numpy as np
import numpy.typing as npt

from decoders.stream import Stream
from schema.batch import Array

_FEW = 4
"""Samplers that are looked for one by one rather than by a search."""

Rates = npt.NDArray[np.uint32]


class By(Enum):
    """What a rate was told for."""

    SAMPLER = "by_sampler"
    INTERFACE = "by_interface"
    TEMPLATE = "by_template"
    STREAM = "plain"


class Table:
    """Sampling rates by the id of a sampler, an interface or a template; each with the options template that told."""

    def __init__(self, rates: Iterable[tuple[int, int, int]] = ()) -> None:
        self._rates = {id_: (rate, teller) for id_, rate, teller in rates}
        self._sorted: tuple[npt.NDArray[np.uint64], Rates] | None = None

    def __len__(self) -> int:
        return len(self._rates)

    def get(self, id_: int) -> int | None:
        """Return the rate of an id, None where it is unknown."""
        found = self._rates.get(id_)
        return found and found[0]

    def teller(self, id_: int) -> int:
        """Return which options template told the rate of a known id."""
        return self._rates[id_][1]

    def put(self, id_: int, rate: int, teller: int) -> None:
        """Keep the rate of an id."""
        self._rates[id_] = rate, teller
        self._sorted = None

    def forget(self, teller: int) -> int:
        """Forget what one options template told; return how many rates that were."""
        kept = {id_: told for id_, told in self._rates.items() if told[1] != teller}
        gone = len(self._rates) - len(kept)
        self._rates, self._sorted = kept, None
        return gone

    def items(self) -> list[tuple[int, int, int]]:
        """Return all (id, rate, teller)."""
        return [(id_, *told) for id_, told in self._rates.items()]

    def look_up(self, ids: Array) -> Rates:
        """Return the known rate of each id, 0 where it is unknown."""
        if len(self) <= _FEW:
            rates = np.zeros(len(ids), np.uint32)
            for id_, (rate, _) in self._rates.items():
                if id_ <= np.iinfo(ids.dtype).max:  # compared as they are: wider ones would be made of them first
                    np.copyto(rates, np.uint32(rate), where=ids == ids.dtype.type(id_))
            return rates
        if self._sorted is None:
            pairs = sorted(self._rates.items())
            keys, values = [id_ for id_, _ in pairs], [rate for _, (rate, _) in pairs]
            self._sorted = np.array(keys, np.uint64), np.array(values, np.uint32)
        known, told = self._sorted
        at = np.minimum(np.searchsorted(known, ids.astype(np.uint64)), len(known) - 1)
        return np.where(known[at] == ids, told[at], np.uint32(0))


Tables = dict[Stream, Table]


class Samplers:
    """What options data told: tables of rates by stream, for each kind of thing that rates are told for.

    In `tables[By.STREAM]` the only id is 0. `revision` grows with every change.
    """

    def __init__(self) -> None:
        self.tables: dict[By, Tables] = {by: {} for by in By}
        self.per_exporter: Counter[bytes] = Counter()
        self.revision = 0

    def learn(self, stream: Stream, by: By, id_: int, rate: int, teller: int, most: int) -> None:
        """Keep a rate that options template `teller` told; beyond `most` of one exporter, new ones are not kept."""
        tables = self.tables[by]
        known = tables.get(stream, _NONE).get(id_)
        if (known == rate and tables[stream].teller(id_) == teller) or (
            known is None and self.per_exporter[stream.exporter] >= most
        ):
            return
        tables.setdefault(stream, Table()).put(id_, rate, teller)
        self.per_exporter[stream.exporter] += known is None
        self.revision += 1

    def plain(self, stream: Stream) -> int:
        """Return the rate told for a whole stream, 0 where none is."""
        return self.tables[By.STREAM].get(stream, _NONE).get(0) or 0

    def forget(self, stream: Stream, teller: int | None = None) -> None:
        """Forget what a stream told, or what one of its options templates did."""
        for tables in self.tables.values():
            table = tables.get(stream)
            if table is None:
                continue
            gone = len(table) if teller is None else table.forget(teller)
            if teller is None or not len(table):
                del tables[stream]
            self.per_exporter[stream.exporter] -= gone
            self.revision += gone > 0
        if not self.per_exporter[stream.exporter]:
            del self.per_exporter[stream.exporter]

    def streams(self) -> set[Stream]:
        """Return the streams of which any rate is known."""
        return {stream for tables in self.tables.values() for stream in tables}


_NONE = Table()


def rates_in_records(columns: Mapping[int, Array]) -> npt.NDArray[np.int64]:
    """Return one-of-how-many from elements 34, 50, 305 and 306, 309 and 310 (RFC 5477 section 8); 0 if none.

    `columns` are by element id; int64 of the records' shape.
    """
    figures = {id_: np.minimum(values.astype(np.uint64), 2**32 - 1).astype(np.int64) for id_, values in columns.items()}
    rate = np.zeros(len(next(iter(figures.values()))), np.int64)
    for chosen, of in ((309, 310), (305, 306)):
        if chosen in figures:
            count = np.maximum(figures[chosen], 1)
            rest = figures.get(of, np.zeros_like(rate))
            found = rest // count if chosen == 309 else (count + rest) // count
            rate = np.where(figures[chosen] > 0, np.minimum(found, 2**32 - 1), rate)
    for id_ in (50, 34):
        if id_ in figures:
            rate = np.where(figures[id_] > 0, figures[id_], rate)
    return rate
