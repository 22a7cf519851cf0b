"""Firewall events (Cisco ASA NSEL) told so that no octet counts twice.

Update events tell what a connection moved since the update before; its delete event tells all of it again, or for the
first time where no update was due (Cisco, "NetFlow Implementation Guide", flow update events; nfdump issue 116). So a
delete event keeps what no update has told yet, and an update that arrives after the delete keeps nothing.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import numpy.typing as npt

from decoders.stream import Stream
from schema.batch import Array

DELETED, UPDATED = 2, 5
"""firewallEvent (IANA 233)."""

_FORGOTTEN = 60_000
"""ms after its delete event when a connection's late updates are no longer expected."""

_NUMBER = np.uint64(35)
"""Bits of a key below the number of its stream."""

_KINDS = (np.uint64, np.uint64, np.bool_, np.int64)
Keys = npt.NDArray[np.uint64]


class Connections:
    """What update events have told of each connection: `keys` sorted, `counted` so far, whether `closed`, and when it
    was last heard of (`touched`, ms)."""

    def __init__(self) -> None:
        self.numbers: dict[Stream, int] = {}
        self._next = 0
        self._set([np.zeros(0, kind) for kind in _KINDS])

    def _set(self, columns: list[Array]) -> None:
        self.keys, self.counted, self.closed, self.touched = columns

    def numbered(self, streams: list[Stream], most: int) -> Keys:
        """Return the numbers that stand for streams in keys; past `most` streams all begin anew."""
        if len(self.numbers.keys() | set(streams)) > most:
            self.numbers.clear()
        for stream in streams:
            if stream not in self.numbers:
                self.numbers[stream] = self._next
                self._next += 1
        return np.array([self.numbers[stream] for stream in streams], np.uint64)

    def forget(self, stream: Stream) -> None:
        """Forget a stream, whose exporter counts its connections anew."""
        self.numbers.pop(stream, None)

    def absorb(self, other: Connections, streams: set[Stream]) -> None:
        """Take over what `other` remembers of `streams`, none of which is known here."""
        columns: list[list[Array]] = [[column] for column in (self.keys, self.counted, self.closed, self.touched)]
        for stream in sorted(streams):
            number = np.uint64(other.numbers[stream])
            mine = other.keys >> _NUMBER == number
            self.numbers[stream] = self._next
            keys = other.keys[mine] - (number << _NUMBER) + (np.uint64(self._next) << _NUMBER)
            self._next += 1
            taken = (keys, other.counted[mine], other.closed[mine], other.touched[mine])
            for column, values in zip(columns, taken, strict=True):
                column.append(values)
        self._set([np.concatenate(column) for column in columns])  # still sorted: numbers only grow

    @staticmethod
    def key(numbers: Array, ids: Array, counter: int) -> Keys:
        """Return the keys of the connections `ids` of numbered streams; `counter` tells their counters apart."""
        return numbers << _NUMBER | (ids.astype(np.uint64) & np.uint64(0xFFFFFFFF)) << np.uint64(2) | np.uint64(counter)

    def settle(self, keys: Keys, events: Array, told: Array, now: int, most: int) -> Array:
        """Return what of the counters `told` (n,) by events in their order on the wire is told for the first time."""
        order = np.argsort(keys, kind="stable")
        key, event, value = keys[order], events[order], told[order].astype(np.uint64)
        distinct, first = np.unique(key, return_index=True)
        counted, closed = self._recall(distinct, now)
        group = np.repeat(np.arange(len(distinct)), np.diff(np.append(first, len(key))))
        deletes = event == DELETED
        before = _running(deletes.astype(np.uint64), first, group) - deletes  # deletes earlier in the block
        over = (before > 0) | closed[group]
        fresh = np.where((event == UPDATED) & ~over, value, np.uint64(0))
        so_far = _running(fresh, first, group) + counted[group]
        rest = np.where(value > so_far, value - so_far, np.uint64(0))
        kept = np.where(deletes, np.where(over, np.uint64(0), rest), np.where(event == UPDATED, fresh, value))
        last = np.append(first[1:], len(key)) - 1
        self._keep(distinct, so_far[last], closed | (_running(deletes, first, group)[last] > 0), now, most)
        out = np.empty_like(kept)
        out[order] = kept
        return out

    def _recall(self, keys: Keys, now: int) -> tuple[Keys, npt.NDArray[np.bool_]]:
        at = np.minimum(np.searchsorted(self.keys, keys), max(len(self.keys) - 1, 0))
        known = self.keys[at] == keys if len(self.keys) else np.zeros(len(keys), np.bool_)
        if len(self.keys):
            known &= ~(self.closed[at] & (now - self.touched[at] > _FORGOTTEN))
        counted, closed = np.zeros(len(keys), np.uint64), np.zeros(len(keys), np.bool_)
        counted[known], closed[known] = self.counted[at[known]], self.closed[at[known]]
        return counted, closed

    def _keep(self, keys: Keys, counted: Keys, closed: npt.NDArray[np.bool_], now: int, most: int) -> None:
        """Remember the connections of a block, and no more than `most`: those heard of last."""
        old = ~np.isin(self.keys, keys, assume_unique=True) & ~(self.closed & (now - self.touched > _FORGOTTEN))
        new = (counted > 0) | closed
        columns = [
            np.concatenate(pair)
            for pair in (
                (self.keys[old], keys[new]),
                (self.counted[old], counted[new]),
                (self.closed[old], closed[new]),
                (self.touched[old], np.full(int(new.sum()), now)),
            )
        ]
        if len(columns[0]) > most:
            latest = np.argsort(columns[3], kind="stable")[-most:]
            columns = [column[latest] for column in columns]
        order = np.argsort(columns[0])
        self._set([column[order] for column in columns])

    def dump(self) -> dict[str, Any]:
        """Return what is remembered as a JSON-ready value."""
        columns = (self.keys, self.counted, self.closed, self.touched)
        return {
            "streams": [[*stream.saved, number] for stream, number in self.numbers.items()],
            "columns": [base64.b64encode(column.tobytes()).decode() for column in columns],
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Remember what `dump` gave."""
        for *stream, number in saved["streams"]:
            self.numbers[Stream.load(stream)] = number
            self._next = max(self._next, number + 1)
        columns = zip(saved["columns"], _KINDS, strict=True)
        self._set([np.frombuffer(base64.b64decode(text), kind) for text, kind in columns])


def _running(values: Array, first: Array, group: Array) -> Array:
    """Return the running sums of `values` within groups, which begin at `first`."""
    sums = np.cumsum(values, dtype=np.uint64)
    start = np.where(first > 0, sums[np.maximum(first - 1, 0)], np.uint64(0))
    return sums - start[group]
