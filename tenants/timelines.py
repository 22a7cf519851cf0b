"""Nested prefixes with times of validity, flattened: disjoint address intervals, and for each a timeline of holders."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from tenants.allocations import Allocations
from tenants.cells import ALWAYS, FOREVER

NOBODY = -1
"""The owner of an address that no allocation covers at the time."""

_Timeline = list[tuple[int, int]]  # (epoch, owner): who holds from the epoch on; the first is from epoch 0
_Span = tuple[int, int, int]  # (from epoch, to epoch, owner)
_Nested = tuple[int, int, list[_Span]]  # first address, last address, spans in order of time
_EPOCH_BITS = 32
_NEVER = 2**31 - 1  # the end epoch of what has no end
_MAPPED = 0xFFFF


@dataclass(frozen=True, slots=True)
class Intervals:
    """All addresses of a family as disjoint intervals: `bounds[i]` is the first address of interval i, as an integer,
    `timelines[i]`, int32, the number of its timeline. `bounds[0]` is 0.
    """

    bounds: list[int]
    timelines: npt.NDArray[np.int32]


class Timelines:
    """Who holds, from which epoch on; timelines are numbered, and number 0 is the one that nobody is ever on.

    Epoch e is the time from change e - 1 (inclusive) to change e (exclusive), `changes` being the instants, ms, at
    which any allocation begins or ends.
    """

    def __init__(self, changes: npt.NDArray[np.int64]) -> None:
        self.changes = changes
        self._keys = array("Q")
        self._owners = array("i")
        self.count = 0
        self.add([(0, NOBODY)])

    def add(self, timeline: _Timeline) -> int:
        """Keep the timeline, and return the number it now has."""
        number = self.count
        for epoch, owner in timeline:
            self._keys.append(number << _EPOCH_BITS | epoch)
            self._owners.append(owner)
        self.count += 1
        return number

    def epochs(self, times: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        """Return the epochs of the instants `times`, ms."""
        return np.searchsorted(self.changes, times, "right")

    def holders(
        self, numbers: npt.NDArray[np.signedinteger[Any]], epochs: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.int32]:
        """Return for each timeline the allocation (its index, or `NOBODY`) that holds at the epoch beside it."""
        return self._owner_array()[self._segments(numbers, epochs)]

    def settled(self, low: int, high: int, varies: int) -> npt.NDArray[np.int32]:
        """Return for every timeline who holds from epoch `low` to `high`, `varies` where that changes between them."""
        numbers = np.arange(self.count)
        first, last = self._segments(numbers, low), self._segments(numbers, high)
        return np.where(first == last, self._owner_array()[first], np.int32(varies))

    def _segments(self, numbers: npt.NDArray[np.signedinteger[Any]], epochs: npt.ArrayLike) -> npt.NDArray[np.intp]:
        needles = numbers.astype(np.uint64) << np.uint64(_EPOCH_BITS) | np.asarray(epochs).astype(np.uint64)
        return np.searchsorted(np.frombuffer(self._keys, np.uint64), needles, "right") - 1

    def _owner_array(self) -> npt.NDArray[np.int32]:
        return np.frombuffer(self._owners, np.int32)


def flatten(allocations: Allocations) -> tuple[Intervals, Intervals, Timelines]:
    """Return the intervals of IPv4, those of IPv6, and their timelines.

    At every instant an address is held by the longest prefix around it that is valid then.
    """
    starts = allocations.valid_from[allocations.valid_from != ALWAYS]
    ends = allocations.valid_to[allocations.valid_to != FOREVER]
    timelines = Timelines(np.unique(np.concatenate((starts, ends))))
    words = allocations.first.view(">u8").astype(np.uint64)
    mapped = (words[:, 0] == 0) & (words[:, 1] >> np.uint64(32) == _MAPPED) & (allocations.length >= 96)
    order = np.lexsort((allocations.valid_from, allocations.length, words[:, 1], words[:, 0]))
    v4 = _sweep(_nested(allocations, words, order[mapped[order]], 32, timelines), 32, timelines)
    v6 = _sweep(_nested(allocations, words, order[~mapped[order]], 128, timelines), 128, timelines)
    return v4, v6, timelines


def _nested(
    allocations: Allocations,
    words: npt.NDArray[np.uint64],
    order: npt.NDArray[np.intp],
    bits: int,
    timelines: Timelines,
) -> Iterator[_Nested]:
    """Yield the distinct prefixes among the allocations `order`, which come sorted by prefix and start."""
    start = timelines.epochs(allocations.valid_from[order])
    ends = allocations.valid_to[order]
    end = np.where(ends == FOREVER, _NEVER, timelines.epochs(ends))
    rows = zip(
        words[order, 0].tolist(), words[order, 1].tolist(), allocations.length[order].tolist(),
        start.tolist(), end.tolist(), order.tolist(), strict=True,
    )  # fmt: skip
    for (upper, lower, length), group in groupby(rows, itemgetter(0, 1, 2)):
        first = (upper << 64 | lower) & (1 << bits) - 1
        yield first, first + (1 << (128 - length)) - 1, [row[3:] for row in group]


def _sweep(prefixes: Iterable[_Nested], bits: int, timelines: Timelines) -> Intervals:
    """Walk the prefixes in order of address, outer before inner, and note where the innermost one changes."""
    bounds, numbers = [0], [0]
    around: list[tuple[int, int, _Timeline]] = [(1 << bits, 0, [(0, NOBODY)])]

    def begin(address: int, number: int) -> None:
        if bounds[-1] == address:
            numbers[-1] = number
        else:
            bounds.append(address)
            numbers.append(number)

    def close() -> None:
        last = around.pop()[0]
        begin(last + 1, around[-1][1])

    for first, last, spans in prefixes:
        while around[-1][0] < first:
            close()
        timeline = _overlay(around[-1][2], spans)
        number = timelines.add(timeline)
        begin(first, number)
        around.append((last, number, timeline))
    while len(around) > 1:
        close()
    if bounds[-1] >> bits:  # the last prefix reached the end of the address space
        bounds.pop()
        numbers.pop()
    return Intervals(bounds, np.array(numbers, np.int32))


def _overlay(outer: _Timeline, spans: list[_Span]) -> _Timeline:
    """Return the timeline of a prefix: its own spans, and between them that of the prefix around it."""
    timeline: _Timeline = []
    at = 0
    for start, end, owner in spans:
        _extend(timeline, outer, at, start)
        timeline.append((start, owner))
        at = end
    _extend(timeline, outer, at, _NEVER)
    return timeline


def _extend(timeline: _Timeline, outer: _Timeline, start: int, end: int) -> None:
    """Append to `timeline` what `outer` holds from epoch `start` to `end`."""
    if start >= end:
        return
    place = bisect_right(outer, start, key=itemgetter(0))
    timeline.append((start, outer[place - 1][1]))
    while place < len(outer) and outer[place][0] < end:
        timeline.append(outer[place])
        place += 1
