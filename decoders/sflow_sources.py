"""What the sample pools of sFlow data sources tell: packets for each sample, and samples that the agent dropped.

sflow.org, "sFlow Version 5" section 5 (flow_sample: sequence_number, sample_pool, drops). A source's samples fall into
windows: one ends, and the next begins, with the first sample whose number is in a later 64 than that of its own first.
All sources are followed at once, with what is remembered of them put before their samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from decoders.cursor import Positions
from decoders.xdr import Mask, Words

_WINDOW = 6  # bits of a sample's number that tell its place in a window
_REORDERED = 64
"""A number this far behind the one before is a sample that comes late; one that is further behind, a restart."""

_HALF = 2**31
_NUMBER, _POOL, _DROPS, _LAST, _FIRST_NUMBER, _FIRST_POOL, _RATE, _HEARD = range(8)
_KEY = 7  # words of 64 bits that tell a source


@dataclass(frozen=True, slots=True)
class Samples:
    """n flow samples in the order of arrival: `source` indexes the sources; numbers, pools, drops, all uint32 (n,)."""

    source: npt.NDArray[np.intp]
    number: Words
    pool: Words
    drops: Words


class Sources:
    """Where the samples of each data source stand, the newest of them, and its window; bounded, the oldest go.

    A source's key is `sflow_agents.Numberings.words` of its agent and its `data_source`, as octets.
    """

    def __init__(self) -> None:
        self._slots: dict[bytes, int] = {}
        self._keys: list[bytes] = []
        self._free: list[int] = []
        self._table = np.zeros((0, 8), np.int64)
        self._block = 0

    def __len__(self) -> int:
        return len(self._slots)

    def follow(self, keys: npt.NDArray[np.uint64], samples: Samples, most: int) -> tuple[Words, npt.NDArray[np.int64]]:
        """Account for a block's samples; `keys`, uint64 (sources, 7), are all different.

        Return for each sample the rate of the last window that was complete before it, 0 where there is none, and for
        each source by how much its count of dropped samples grew.
        """
        self._block += 1
        octets = np.ascontiguousarray(keys).view(f"V{8 * _KEY}")[:, 0].tolist()
        slots = np.array([self._slots.get(key, -1) for key in octets], np.int64)
        known = np.flatnonzero(slots >= 0)
        rates, drops, after = _followed(samples, len(keys), known, self._table[slots[known]])
        for row in np.flatnonzero(slots < 0).tolist():
            slots[row] = self._slot(octets[row])
        after[:, _HEARD] = self._block
        self._table[slots] = after
        self._forget(most)
        return rates, drops

    def _slot(self, key: bytes) -> int:
        if self._free:
            slot = self._free.pop()
            self._keys[slot] = key
        else:
            slot = len(self._keys)
            self._keys.append(key)
            if slot == len(self._table):
                self._table = np.concatenate((self._table, np.zeros((max(slot, 64), 8), np.int64)))
        self._slots[key] = slot
        return slot

    def _forget(self, most: int) -> None:
        """Forget those heard longest ago, where there are more than `most`."""
        beyond = len(self._slots) - most
        if beyond <= 0:
            return
        used = np.fromiter(self._slots.values(), np.int64, len(self._slots))
        oldest = used[np.argsort(self._table[used, _HEARD], kind="stable")[:beyond]]
        for slot in oldest.tolist():
            del self._slots[self._keys[slot]]
        self._free += oldest.tolist()
        if len(self._keys) > 2 * most:
            self._pack()

    def _pack(self) -> None:
        """Give back what a block of very many sources took."""
        self._table = self._table[list(self._slots.values())]
        self._keys, self._free = [*self._slots], []
        self._slots = {key: slot for slot, key in enumerate(self._keys)}

    def dump(self) -> list[list[Any]]:
        """Return all of it as a JSON-ready value, the source heard last at the end."""
        rows = [[key.hex(), *self._table[slot].tolist()] for key, slot in self._slots.items()]
        return [row[:-1] for row in sorted(rows, key=lambda row: row[-1])]

    @classmethod
    def load(cls, saved: list[list[Any]]) -> Sources:
        """Return what `dump` gave."""
        sources = cls()
        for key, *row in saved:
            sources._block += 1
            slot = sources._slot(bytes.fromhex(key))
            sources._table[slot] = *row, sources._block
        return sources


def _followed(
    samples: Samples, count: int, known: Positions, state: npt.NDArray[np.int64]
) -> tuple[Words, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return rates and drops as `Sources.follow` does, and what is to be remembered of `count` sources, (count, 8).

    `known` are the sources of which `state` is remembered: the first of the window, the newest and the last sample.
    """
    before = state.astype(np.uint32)
    source = np.concatenate((known, known, known, samples.source))
    order = np.argsort(source.astype(np.min_scalar_type(count)), kind="stable")  # linear up to 16 bits
    source = source[order]
    heard = np.concatenate((before[:, _FIRST_NUMBER], before[:, _NUMBER], before[:, _LAST], samples.number))[order]
    pool = np.concatenate((before[:, _FIRST_POOL], before[:, _POOL], before[:, _POOL], samples.pool))[order]
    drops = np.concatenate((before[:, _DROPS],) * 3 + (samples.drops,))[order]
    remembered = order < 3 * len(known)
    begins = np.diff(source, prepend=-1) != 0
    step = np.diff(heard, prepend=np.uint32(0)).view(np.int32)
    cut = begins | (step < -_REORDERED) & ~remembered
    step[cut] = 1
    newer = np.flatnonzero(step > 0 if (step >= 0).all() else _advances(step, cut))
    # from here on only over samples that are newer than all before them
    number, pool, drops, owner = heard[newer], pool[newer], drops[newer], source[newer]
    anew = cut[newer] | (np.diff(pool, prepend=np.uint32(0)) >= _HALF) & ~remembered[newer]
    at = np.flatnonzero(anew | (np.diff(number >> _WINDOW, prepend=np.uint32(0)) != 0))
    rate = _rates(number[at], pool[at], anew[at])
    first = np.flatnonzero(remembered[newer[at]])  # a window that was begun before: what was told before it holds
    rate[first] = state[np.searchsorted(known, owner[at[first]]), _RATE]
    after = np.zeros((count, 8), np.int64)
    newest, begun = _last(owner), _last(owner[at])
    after[:, _NUMBER], after[:, _POOL], after[:, _DROPS] = number[newest], pool[newest], drops[newest]
    after[:, _FIRST_NUMBER], after[:, _FIRST_POOL] = number[at[begun]], pool[at[begun]]
    after[:, _RATE], after[:, _LAST] = rate[begun], heard[_last(source)]
    shown = rate[_shown(len(source), newer[at], anew[at])]
    rates = np.empty(len(samples.source), np.uint32)
    rates[order[~remembered] - 3 * len(known)] = shown[~remembered]
    return rates, _grown(drops, anew, owner, count), after


def _grown(drops: Words, anew: Mask, owner: Positions, count: int) -> npt.NDArray[np.int64]:
    """Return by how much the drops of each source grew; where they fall, or numbering began anew, they tell nothing."""
    if not drops.any():
        return np.zeros(count, np.int64)
    grown = np.where(anew, 0, np.diff(drops, prepend=np.uint32(0)))
    grown[grown >= _HALF] = 0
    return np.bincount(owner, grown, count).astype(np.int64)


def _advances(step: npt.NDArray[np.int32], cut: Mask) -> Mask:
    """Return which samples are newer than all before them since the last `cut`, whatever comes late."""
    moved = np.where(cut, 0, step.astype(np.int64))
    first = np.flatnonzero(cut)
    run = np.cumsum(cut) - 1
    reach = np.add.reduceat(np.abs(moved), first)  # no run goes further than that, up or down
    base = np.cumsum(2 * reach + 1) - reach
    place = np.cumsum(moved)
    place += (base - place[first])[run]
    advances: Mask = np.diff(np.maximum.accumulate(place), prepend=-1) > 0
    return advances


def _rates(number: Words, pool: Words, anew: Mask) -> Words:
    """Return packets for each sample of the windows that end at these samples; 0 where numbering began anew."""
    numbers = np.diff(number, prepend=np.uint32(0)).astype(np.int64)
    packets = np.diff(pool, prepend=np.uint32(0)).astype(np.int64)
    numbers[anew] = 1
    return np.where(anew, 0, (packets + numbers // 2) // numbers).astype(np.uint32)


def _last(of: Positions) -> npt.NDArray[np.intp]:
    """Return the last index of each number in `of`, which is sorted."""
    return np.flatnonzero(np.append(np.diff(of) != 0, True)[: len(of)])


def _shown(rows: int, border: npt.NDArray[np.intp], anew: Mask) -> npt.NDArray[np.intp]:
    """Return for each row which border's rate it has: the last before it, but its own where numbering began anew."""
    passed = np.zeros(rows, np.int64)
    passed[border] = 1
    shown = np.cumsum(passed) - 1
    shown[border[~anew]] -= 1
    return shown
