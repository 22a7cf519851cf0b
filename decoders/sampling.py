"""Sampling rates: what options data, records and v5 headers say, and which of them holds for a flow.

In order: the operator's override, the sampler that the record names, the record's own figures, the input interface's
rate, the rate of the exporter's domain. Nothing known is 0, which is not 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from decoders.stream import Stream
from schema.batch import Array

_FEW = 4
"""Samplers that are looked for one by one rather than by a search."""

Rates = npt.NDArray[np.uint32]


class Table:
    """Sampling rates by the id of a sampler or an interface."""

    def __init__(self, rates: Iterable[tuple[int, int]] = ()) -> None:
        self._rates = dict(rates)
        self._sorted: tuple[npt.NDArray[np.uint64], Rates] | None = None

    def __len__(self) -> int:
        return len(self._rates)

    def get(self, id_: int) -> int | None:
        """Return the rate of an id, None where it is unknown."""
        return self._rates.get(id_)

    def put(self, id_: int, rate: int) -> None:
        """Keep the rate of an id."""
        self._rates[id_] = rate
        self._sorted = None

    def items(self) -> list[tuple[int, int]]:
        """Return all (id, rate)."""
        return list(self._rates.items())

    def look_up(self, ids: Array, rates: Rates) -> Rates:
        """Return `rates` with the known rate of each id in its place; where the id is unknown, what stood there."""
        if len(self) <= _FEW:
            for id_, rate in self._rates.items():
                rates = np.where(ids == np.uint64(id_), np.uint32(rate), rates)
            return rates
        if self._sorted is None:
            pairs = sorted(self._rates.items())
            keys, values = [id_ for id_, _ in pairs], [rate for _, rate in pairs]
            self._sorted = np.array(keys, np.uint64), np.array(values, np.uint32)
        known, told = self._sorted
        at = np.minimum(np.searchsorted(known, ids.astype(np.uint64)), len(known) - 1)
        return np.where(known[at] == ids, told[at], rates)


class Samplers:
    """What options data told: rates by stream, by sampler id and by interface; `revision` grows with every change."""

    def __init__(self) -> None:
        self.plain: dict[Stream, int] = {}
        self.by_sampler: dict[Stream, Table] = {}
        self.by_interface: dict[Stream, Table] = {}
        self.per_exporter: Counter[bytes] = Counter()
        self.revision = 0

    def learn(self, stream: Stream, rate: int, sampler: int | None, interface: int | None, most: int) -> None:
        """Keep a rate; beyond `most` rates of one exporter, new ones are not kept."""
        tables, id_ = (self.by_interface, interface) if sampler is None else (self.by_sampler, sampler)
        known = self.plain.get(stream) if id_ is None else tables.get(stream, Table()).get(id_)
        if known == rate or (known is None and self.per_exporter[stream.exporter] >= most):
            return
        if id_ is None:
            self.plain[stream] = rate
        else:
            tables.setdefault(stream, Table()).put(id_, rate)
        self.per_exporter[stream.exporter] += known is None
        self.revision += 1


def rate_of(figures: Mapping[int, int]) -> int:
    """Return one-of-how-many from elements 34, 50, 305 and 306, 309 and 310 (RFC 5477 section 8); 0 if none."""
    for id_ in (34, 50):
        if figures.get(id_):
            return figures[id_]
    if figures.get(305):
        return (figures[305] + figures.get(306, 0)) // figures[305]
    if figures.get(309):
        return figures.get(310, 0) // figures[309]
    return 0


def rates_in_records(columns: Mapping[int, Array]) -> npt.NDArray[np.int64]:
    """Return `rate_of` for columns of figures, by element id; int64 of the records' shape."""
    figures = {id_: np.minimum(values.astype(np.uint64), 2**32 - 1).astype(np.int64) for id_, values in columns.items()}
    rate = np.zeros(len(next(iter(figures.values()))), np.int64)
    for chosen, of in ((309, 310), (305, 306)):
        if chosen in figures:
            count = np.maximum(figures[chosen], 1)
            rest = figures.get(of, np.zeros_like(rate))
            found = rest // count if chosen == 309 else (count + rest) // count
            rate = np.where(figures[chosen] > 0, found, rate)
    for id_ in (50, 34):
        if id_ in figures:
            rate = np.where(figures[id_] > 0, figures[id_], rate)
    return rate
