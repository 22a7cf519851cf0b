"""Whose a thing of a given name is: the resources that allocations name, each with a timeline of who holds it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from schema.batch import Symbols
from tenants.allocations import Allocations
from tenants.cells import ALWAYS, FOREVER
from tenants.timelines import NOBODY, Timelines

Numbers = npt.NDArray[np.int32]

_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_UUID_LENGTHS = (32, 36)
_NEVER = 2**31 - 1  # the end epoch of what has no end

_Span = tuple[int, int, int]  # (from epoch, to epoch, tenant)


class Resources:
    """The resources of the allocations, by number; number 0 is none.

    Names are taken as they are, but for UUIDs, which many write in more than one way. Several allocations may name one
    resource. Where at some moment two tenants do, nobody is said to hold it then: it is not for us to choose.
    """

    def __init__(self, allocations: Allocations) -> None:
        self.names: list[str] = [""]
        """What allocations call each, by number."""
        self._numbers: dict[str, int] = {}
        called, codes = allocations.resources.names, allocations.resources.codes
        rows = np.flatnonzero(np.array([*map(bool, called), False], np.bool_)[codes])
        start, end = allocations.valid_from[rows], allocations.valid_to[rows]
        self._timelines = Timelines(np.unique(np.concatenate((start[start != ALWAYS], end[end != FOREVER]))))
        spans: dict[str, list[_Span]] = {}
        first = self._timelines.epochs(start).tolist()
        last = np.where(end == FOREVER, _NEVER, self._timelines.epochs(end)).tolist()
        columns = codes[rows].tolist(), first, last, allocations.tenants.codes[rows].tolist()
        for code, *span in zip(*columns, strict=True):
            key = _key(called[code])
            if key not in spans:
                spans[key] = []
                self.names.append(called[code])
            spans[key].append((span[0], span[1], span[2]))
        for key, found in spans.items():
            self._numbers[key] = self._timelines.add(_timeline(found))

    def find(self, names: Symbols) -> Numbers:
        """Return the numbers of the resources of these names, int32 (n,), 0 for what is none."""
        used, which = np.unique(names.codes, return_inverse=True)
        numbers = [self._numbers.get(_key(names.names[code]), 0) for code in used.tolist()]
        return np.array(numbers, np.int32)[which]

    def holders(self, numbers: Numbers, times: npt.NDArray[np.int64]) -> Numbers:
        """Return who held the resources at the times, ms: codes of the allocations' tenants, or `NOBODY`."""
        return self._timelines.holders(numbers, self._timelines.epochs(times))


def _key(name: str) -> str:
    """Return the form in which names are compared."""
    return name.replace("-", "").lower() if len(name) in _UUID_LENGTHS and _UUID.fullmatch(name) else name


def _timeline(spans: Sequence[_Span]) -> list[tuple[int, int]]:
    """Return who alone holds from which epoch on; the first entry is from epoch 0."""
    if len(spans) == 1:
        ((start, end, tenant),) = spans
        before = [(0, NOBODY)] if start else []
        return [*before, (start, tenant), (end, NOBODY)]
    events = [(start, tenant, 1) for start, _, tenant in spans] + [(end, tenant, -1) for _, end, tenant in spans]
    holds = Counter[int]()
    timeline = [(0, NOBODY)]
    for epoch, group in groupby(sorted(events), itemgetter(0)):
        for _, tenant, step in group:
            holds[tenant] += step
            if not holds[tenant]:
                del holds[tenant]
        holder = next(iter(holds)) if len(holds) == 1 else NOBODY
        if epoch == 0:
            timeline = [(0, holder)]
        elif holder != timeline[-1][1]:
            timeline.append((epoch, holder))
    return timeline
