"""Sampling rates: what options data, records and v5 headers say, and which of them holds for a flow.

In order: the operator's override, the sampler that the record names, the record's own figures, the input interface's
rate, the rate of the exporter's domain. Nothing known is 0, which is not 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from schema.batch import Array

_FEW = 4
"""Samplers that are looked for one by one rather than by a search."""

Rates = npt.NDArray[np.uint32]


class Stream(NamedTuple):
    """Whose sampling it is: exporter address (16 octets), protocol version, observation domain or source id."""

    exporter: bytes
    version: int
    domain: int


class Samplers:
    """What options data told: rates by stream, by sampler id and by interface; `revision` grows with every change."""

    def __init__(self) -> None:
        self.plain: dict[Stream, int] = {}
        self.by_sampler: dict[Stream, dict[int, int]] = {}
        self.by_interface: dict[Stream, dict[int, int]] = {}
        self.revision = 0

    def learn(self, stream: Stream, rate: int, sampler: int | None, interface: int | None, most: int) -> None:
        """Keep a rate; beyond `most` samplers or interfaces of one stream, new ones are not kept."""
        if sampler is None and interface is None:
            self.revision += self.plain.get(stream) != rate
            self.plain[stream] = rate
            return
        owner = self.by_interface if sampler is None else self.by_sampler
        known = owner.setdefault(stream, {})
        key = interface if sampler is None else sampler
        if key is not None and (key in known or len(known) < most):
            self.revision += known.get(key) != rate
            known[key] = rate


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


def look_up(known: Mapping[int, int], ids: Array, rates: Rates) -> Rates:
    """Return `rates` with the known rate of each id in its place; where the id is unknown, what stood there."""
    if len(known) <= _FEW:
        for key, rate in known.items():
            rates = np.where(ids == np.uint64(key), np.uint32(rate), rates)
        return rates
    keys = np.array(sorted(known), np.uint64)
    values = np.array([known[key] for key in sorted(known)], np.uint32)
    at = np.minimum(np.searchsorted(keys, ids.astype(np.uint64)), len(keys) - 1)
    return np.where(keys[at] == ids, values[at], rates)
