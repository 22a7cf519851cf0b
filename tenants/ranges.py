"""From addresses and times to the allocations that held them: the compiled table, and its vectorised lookups."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from schema.batch import Array, halves
from tenants.allocations import Allocations
from tenants.timelines import Intervals, flatten

_VARIES = -2  # in a settled vector: the holder depends on the moment
_KEPT_WINDOWS = 4
_SAMPLES = 1024

Owners = npt.NDArray[np.int32]
Keys = npt.NDArray[np.unsignedinteger[Any]]


class Ranges:
    """Allocations compiled for lookups: disjoint address intervals, each with a timeline of holders.

    `owners` finds the interval of each address by a search, and its holder by indexing a vector that is made once for
    the times that a batch spans; only the flows whose holder changes within that span need a second search.
    """

    def __init__(self, allocations: Allocations) -> None:
        v4, v6, self._timelines = flatten(allocations)
        self._v4 = _V4(v4)
        self._v6 = _V6(v6)
        self._settled: dict[tuple[int, int], Owners] = {}

    def owners(self, times: npt.NDArray[np.int64], *columns: Array) -> list[Owners]:
        """Return, for each column of addresses, uint8 (n, 16), the indices of the allocations that held them.

        `times`, ms, int64 (n,), say when. The result is int32 (n,), `NOBODY` where no allocation covered the address.
        """
        low, high, outside = self._window(times)
        settled = self._holders(low, high)
        found = []
        for addresses in columns:
            numbers = self._locate(addresses)
            owner = settled.take(numbers)
            rows = np.flatnonzero((owner == _VARIES) | outside)
            if rows.size:
                owner[rows] = self._timelines.holders(numbers[rows], self._timelines.epochs(times[rows]))
            found.append(owner)
        return found

    def _window(self, times: npt.NDArray[np.int64]) -> tuple[int, int, npt.NDArray[np.bool_] | np.bool_]:
        """Return the first and last epoch that the times span, less a few strays, and which times lie outside."""
        changes = self._timelines.changes
        if not times.size or not changes.size:
            return 0, 0, np.False_
        low, high = self._timelines.epochs(np.array([times.min(), times.max()])).tolist()
        if low == high:
            return low, high, np.False_
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
            settled = self._timelines.settled(low, high, _VARIES)
            if len(self._settled) == _KEPT_WINDOWS:
                del self._settled[next(iter(self._settled))]
        self._settled[low, high] = settled  # the last of the dict is the latest used
        return settled

    def _locate(self, addresses: Array) -> npt.NDArray[np.int32]:
        """Return the timeline number of each address."""
        words = np.ascontiguousarray(addresses)
        mapped = (words.view(np.uint64)[:, 0] == 0) & (words.view(">u4")[:, 2] == 0xFFFF)
        if mapped.all():
            return self._v4.locate(words)
        numbers = np.empty(len(words), np.int32)
        numbers[mapped] = self._v4.locate(words[mapped])
        numbers[~mapped] = self._v6.locate(words[~mapped])
        return numbers


class _V4:
    """The intervals of IPv4 by uint32 address."""

    def __init__(self, intervals: Intervals) -> None:
        self._bounds = np.array(intervals.bounds, np.uint32)
        self._timelines = intervals.timelines

    def locate(self, addresses: Array) -> npt.NDArray[np.int32]:
        """Return the timeline numbers of mapped addresses, uint8 (n, 16).

        Sorted needles search six times as fast, and address and row packed into one word sort as fast as it goes.
        """
        rows = len(addresses)
        packed = addresses.view(">u4")[:, 3].astype(np.uint64) << np.uint64(32) | np.arange(rows, dtype=np.uint64)
        packed.sort()
        places = np.searchsorted(self._bounds, (packed >> np.uint64(32)).astype(np.uint32), "right") - 1
        numbers = np.empty(rows, np.int32)
        numbers[packed & np.uint64(0xFFFFFFFF)] = self._timelines[places]
        return numbers


class _V6:
    """The intervals of IPv6. A bound is a pair: the group of its upper half, and the rank of its lower half."""

    def __init__(self, intervals: Intervals) -> None:
        uppers = np.array([bound >> 64 for bound in intervals.bounds], np.uint64)
        lowers = np.array([bound & 2**64 - 1 for bound in intervals.bounds], np.uint64)
        self._uppers, groups = np.unique(uppers, return_inverse=True)
        self._lowers, ranks = np.unique(lowers, return_inverse=True)
        self._bounds = _pair(groups, ranks)
        self._timelines = intervals.timelines

    def locate(self, addresses: Array) -> npt.NDArray[np.int32]:
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
        numbers = np.empty(len(order), np.int32)
        numbers[order] = self._timelines[places]
        return numbers


def _pair(groups: npt.NDArray[np.intp], ranks: npt.NDArray[np.intp]) -> npt.NDArray[np.uint64]:
    return groups.astype(np.uint64) << np.uint64(32) | ranks.astype(np.uint64)
