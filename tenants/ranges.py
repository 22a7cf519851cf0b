"""From addresses and times to the allocations that held them: the compiled table, and its vectorised lookups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from schema.batch import Array, halves
from tenants.allocations import Allocations
from tenants.timelines import Intervals, flatten

_MAPPED = np.frombuffer(b"\x00\x00\xff\xff", np.uint32)[0]
_VARIES = -2  # in a settled vector: the holder depends on the moment
_KEPT_WINDOWS = 4
_SAMPLES = 1024
_ALL = 2**62
_CHUNK = 32768
"""Addresses looked up at a time: all that is made on the way stays in the processor's cache."""
_MOST_PAGES = 16384
"""Pages of 256 entries kept of one level of addresses: 32 MB. Beyond, a search is as fast, and needs no memory."""

Owners = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.intp]
"""Timelines, by number. NumPy indexes with its own word at several times the speed that it does with narrower ones."""

Keys = npt.NDArray[np.unsignedinteger[Any]]


class Ranges:
    """Allocations compiled for lookups: disjoint address intervals, each with a timeline of holders.

    `owners` finds the interval of each address by its leading octets or by a search, and its holder by indexing a
    vector that is made once for the times that a batch spans; only the flows whose holder changes within that span need
    a second search.
    """

    def __init__(self, allocations: Allocations) -> None:
        v4, v6, self._timelines = flatten(allocations)
        self._v4 = _V4(v4)
        self._v6 = _V6(v6)
        self._settled: dict[tuple[int, int], Owners] = {}

    @property
    def step(self) -> int:
        """How many addresses at a time are looked up fastest."""
        return _CHUNK if self._v4.is_indexed else _ALL

    def owners(self, times: npt.NDArray[np.int64], *columns: Array) -> list[Owners]:
        """Return, for each column of addresses, uint8 (n, 16), the indices of the allocations that held them.

        `times`, ms, int64 (n,), say when. The result is intp (n,), `NOBODY` where no allocation covered the address.
        """
        find = self.finder(times)
        return [find(addresses, slice(None)) for addresses in columns]

    def finder(self, times: npt.NDArray[np.int64]) -> Callable[[Array, slice], Owners]:
        """Return what finds the owners of the addresses of some rows, a slice, of a batch of these `times`."""
        low, high, outside = self._window(times)
        settled = self._holders(low, high)

        def find(addresses: Array, rows: slice) -> Owners:
            numbers = self._locate(addresses)
            owner = settled[numbers]
            unsettled = owner == _VARIES
            if outside is not None:
                unsettled |= outside[rows]
            if unsettled.any():
                epochs = self._timelines.epochs(times[rows][unsettled])
                owner[unsettled] = self._timelines.holders(numbers[unsettled], epochs)
            return owner

        return find

    def _window(self, times: npt.NDArray[np.int64]) -> tuple[int, int, npt.NDArray[np.bool_] | None]:
        """Return the first and last epoch that the times span, less a few strays, and which times lie outside if any
        can."""
        changes = self._timelines.changes
        if not times.size or not changes.size:
            return 0, 0, None
        low, high = self._timelines.epochs(np.array([times.min(), times.max()])).tolist()
        if low == high:
            return low, high, None
        # An exporter with a wrong clock must not make the window, and with it the slow part, wide for all others.
        sample = np.sort(times[:: max(1, times.size // _SAMPLES)])
        stray = len(sample) // 64
        low, high = self._timelines.epochs(sample[[stray, -1 - stray]]).tolist()
        outside = np.zeros(times.size, np.bool_)
        if low > 0:
            outside |= times < changes[low - 1]
        if high < len(changes):
            outside |= times >= changes[high]
        return low, high, outside

    def _holders(self, low: int, high: int) -> Owners:
        """Return the holder by timeline number, `_VARIES` where epochs `low` to `high` have more than one."""
        settled = self._settled.pop((low, high), None)
        if settled is None:
            settled = self._timelines.settled(low, high, _VARIES).astype(np.intp)
            if len(self._settled) == _KEPT_WINDOWS:
                del self._settled[next(iter(self._settled))]
        self._settled[low, high] = settled  # the last of the dict is the latest used
        return settled

    def _locate(self, addresses: Array) -> Numbers:
        """Return the timeline number of each address."""
        words = np.ascontiguousarray(addresses)
        v4 = words.view(">u4")[:, 3]
        mapped = (words.view(np.uint64)[:, 0] == 0) & (words.view(np.uint32)[:, 2] == _MAPPED)
        if mapped.all():
            return self._v4.locate(v4.astype(np.intp))
        numbers = np.empty(len(words), np.intp)
        numbers[mapped] = self._v4.locate(v4[mapped].astype(np.intp))
        others = ~mapped
        numbers[others] = self._v6.locate(words.view("V16")[:, 0][others].view(np.uint8).reshape(-1, 16))
        return numbers


class _V4:
    """The intervals of IPv4 by address, as a number of NumPy's own width.

    Three tables, where `is_indexed`, are read one after another, by the leading 16 bits of an address, the next 8 and
    the last 8: an entry is where in the next table the page of 256 entries begins, in the last one the number of the
    timeline. Prefixes that are all of one timeline share a page that says nothing else.
    """

    def __init__(self, intervals: Intervals) -> None:
        self._bounds = np.array(intervals.bounds, np.uint32)
        self._timelines = intervals.timelines.astype(np.intp)
        self._tables = self._compiled()

    @property
    def is_indexed(self) -> bool:
        """Whether addresses are found in tables, and not by a search, which is the faster the more it is given."""
        return len(self._tables) > 0

    def _compiled(self) -> list[Numbers]:
        """Return the three tables; none where prefixes are too many, and too far apart."""
        tables = []
        alike, divided = np.zeros(0, np.intp), np.zeros(1, np.intp)  # by timeline, and by first address
        for bits, width in ((16, 16), (8, 8)):
            first = (divided[:, None] + (np.arange(1 << width) << bits)).ravel()
            places = self._places(first)
            several = places != self._places(first + (1 << bits) - 1)
            divided = first[several]
            several = np.concatenate((np.zeros(len(alike) << width, np.bool_), several))
            numbers = np.concatenate((np.repeat(alike, 1 << width), self._timelines[places]))
            entries = np.empty(len(numbers), np.intp)
            alike, entries[~several] = np.unique(numbers[~several], return_inverse=True)
            entries[several] = len(alike) + np.arange(len(divided))
            if len(alike) + len(divided) > _MOST_PAGES:
                return []
            tables.append(entries << 8)
        last = (divided[:, None] + np.arange(256)).ravel()
        return [*tables, np.concatenate((np.repeat(alike, 256), self._timelines[self._places(last)]))]

    def _places(self, addresses: Numbers) -> Numbers:
        return np.searchsorted(self._bounds, addresses.astype(np.uint32), "right") - 1

    def locate(self, addresses: Numbers) -> Numbers:
        """Return the timeline numbers of addresses."""
        if not self._tables:
            return self._search(addresses)
        root, middle, last = self._tables
        places = middle[root[addresses >> 16] | (addresses >> 8 & 0xFF)]
        numbers: Numbers = last[places | (addresses & 0xFF)]
        return numbers

    def _search(self, addresses: Numbers) -> Numbers:
        """Sorted needles search six times as fast, and address and row packed into one word sort as fast as it goes."""
        rows = len(addresses)
        packed = addresses.view(np.uint64) << np.uint64(32) | np.arange(rows, dtype=np.uint64)
        packed.sort()
        numbers = np.empty(rows, np.intp)
        numbers[(packed & np.uint64(0xFFFFFFFF)).view(np.intp)] = self._timelines[
            self._places((packed >> np.uint64(32)).view(np.intp))
        ]
        return numbers


class _V6:
    """The intervals of IPv6. A bound is a pair: the group of its upper half, and the rank of its lower half."""

    def __init__(self, intervals: Intervals) -> None:
        uppers = np.array([bound >> 64 for bound in intervals.bounds], np.uint64)
        lowers = np.array([bound & 2**64 - 1 for bound in intervals.bounds], np.uint64)
        self._uppers, groups = np.unique(uppers, return_inverse=True)
        self._lowers, ranks = np.unique(lowers, return_inverse=True)
        self._bounds = _pair(groups, ranks)
        self._timelines = intervals.timelines.astype(np.intp)

    def locate(self, addresses: Array) -> Numbers:
        """Return the timeline numbers of addresses, uint8 (n, 16)."""
        upper, lower = halves(addresses)
        order = np.argsort(upper)
        upper, lower = upper[order], lower[order]
        places = np.searchsorted(self._uppers, upper, "right") - 1
        if len(self._lowers) > 1:  # else every bound is at the start of its /64
            ranks = np.searchsorted(self._lowers, lower, "right") - 1
            # past the whole group where the upper half is not the group's own
            ranks[self._uppers[places] != upper] = len(self._lowers)
            places = np.searchsorted(self._bounds, _pair(places, ranks), "right") - 1
        numbers = np.empty(len(order), np.intp)
        numbers[order] = self._timelines[places]
        return numbers


def _pair(groups: npt.NDArray[np.intp], ranks: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64]:
    return groups.astype(np.uint64) << np.uint64(32) | ranks.astype(np.uint64)
