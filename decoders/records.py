"""The records of many sets of one layout, joined: fields as arrays of octets, whether at fixed places or not."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from decoders.cursor import Data, Positions, gather, octets, u16
from decoders.layout import VARIABLE, WIDTHS, Layout, Source

_NARROW = 32
"""Below this many sets at once, plain Python finds the records faster than array operations do."""


_ALL = slice(None)


class Records(Protocol):
    """n records; `counts` says how many came from each set.

    Of the sets' octets, `padding` are too few for a record, and `faulty` are those of a record that leaves its set.
    """

    counts: Positions
    padding: int
    faulty: int

    def octets(self, source: Source, rows: slice = _ALL) -> npt.NDArray[np.uint8]:
        """Return the source's octets in the records `rows`, uint8 of shape (n, length)."""
        ...

    def spans(self, source: Source) -> tuple[Data, Positions, Positions]:
        """Return where the source's octets lie: a buffer, and in it each record's start and length, int64 (n,)."""
        ...


def leading(records: Records, source: Source, most: int) -> npt.NDArray[np.uint8]:
    """Return the first octets of a field in all records, uint8 (n, width), zeros behind them; at most `most`."""
    data, starts, lengths = records.spans(source)
    width = min(int(lengths.max(initial=1)), most)
    inside = np.arange(width) < lengths[:, None]
    return np.where(inside, data[np.where(inside, starts[:, None] + np.arange(width), 0)], np.uint8(0))


class FixedRecords:
    """Records of one length: the sets' bodies are joined and seen as a matrix."""

    def __init__(self, data: Data, starts: Positions, ends: Positions, layout: Layout) -> None:
        self.counts = (ends - starts) // layout.length
        self.padding = int((ends - starts).sum()) - int(self.counts.sum()) * layout.length
        self.faulty = 0
        self._places = layout.places
        if len(starts) == 1:
            octets = data[int(starts[0]) : int(starts[0] + self.counts[0] * layout.length)]
        else:
            octets = gather(data, starts, starts + self.counts * layout.length)
        self._rows = octets.reshape(-1, layout.length)

    def octets(self, source: Source, rows: slice = _ALL) -> npt.NDArray[np.uint8]:
        """Return the source's octets in the records `rows`, a view of shape (n, length)."""
        at = self._places[source.field][1] + source.skip
        return self._rows[rows, at : at + source.length]

    def spans(self, source: Source) -> tuple[Data, Positions, Positions]:
        """Return where the source's octets lie in the joined records."""
        count, length = self._rows.shape
        at = self._places[source.field][1] + source.skip
        return self._rows.reshape(-1), np.arange(count) * length + at, np.full(count, source.length)


class VariableRecords:
    """Records with variable-length fields (RFC 7011 section 7): each field's place is found, then gathered.

    A record is found as its anchors (see `Layout.places`) and the lengths of its variable-length fields, so that the
    search costs no more than the octets it passes, whatever the template.
    """

    def __init__(self, data: Data, starts: Positions, ends: Positions, layout: Layout) -> None:
        self._data, self._layout = data, layout
        self.broken = self.padding = self.faulty = 0
        width = len(layout.gaps)
        found: list[tuple[Positions, Positions, Positions]] = []
        active, at = np.arange(len(starts)), starts
        while len(active) >= _NARROW:
            anchors, lengths, stop = _step(data, at, layout)
            rest = ends[active] - stop
            whole = rest >= 0
            self.broken += int(np.count_nonzero(~whole))
            self.faulty += int((ends[active] - at)[~whole].sum())
            found.append((active[whole], anchors[whole], lengths[whole]))
            go = rest >= layout.length
            self.padding += int(rest[whole & ~go].sum())
            active, at = active[go], stop[go]
        view = data.data
        for owner, position in zip(active.tolist(), at.tolist(), strict=True):
            rows, stopped, whole_set = _walk(view, position, int(ends[owner]), layout)
            rest_of_set = int(ends[owner]) - stopped
            self.broken += not whole_set
            self.padding += rest_of_set if whole_set else 0
            self.faulty += 0 if whole_set else rest_of_set
            table = np.array(rows, np.int64).reshape(len(rows), 2 * width + 1)
            found.append((np.full(len(rows), owner), table[:, : width + 1], table[:, width + 1 :]))
        owners, anchors, lengths = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.argsort(owners, kind="stable")
        self.counts = np.bincount(owners, minlength=len(starts))
        self._anchors, self._lengths = anchors[order], lengths[order]

    def octets(self, source: Source, rows: slice = _ALL) -> npt.NDArray[np.uint8]:
        """Return the source's octets in the records `rows`, a copy of shape (n, length).

        A number in a variable-length field is taken right-aligned; where a length does not fit the type, it reads zero.
        """
        anchor, offset = self._layout.places[source.field]
        if source.length != VARIABLE:
            return octets(self._data, self._anchors[rows, anchor] + offset + source.skip, source.length)
        length = self._lengths[rows, anchor - 1, None]
        width = WIDTHS.get(source.read, 8)
        at = self._anchors[rows, anchor, None] + np.arange(-width, 0)
        fits = (length == width) if source.read in WIDTHS else (length <= width)
        inside = (np.arange(width, 0, -1) <= length) & fits
        return np.where(inside, self._data[np.where(inside, at, 0)], np.uint8(0))

    def spans(self, source: Source) -> tuple[Data, Positions, Positions]:
        """Return where the source's octets lie in the block."""
        anchor, offset = self._layout.places[source.field]
        if source.length != VARIABLE:
            starts = self._anchors[:, anchor] + offset + source.skip
            return self._data, starts, np.full(len(starts), source.length)
        length = self._lengths[:, anchor - 1]
        return self._data, self._anchors[:, anchor] - length, length


def _step(data: Data, at: Positions, layout: Layout) -> tuple[Positions, Positions, Positions]:
    """Find the record at each position: its anchors (n, fields + 1), its field lengths (n, fields) and its end.

    Reads are clamped to the buffer: a record whose end lies past its set's end means nothing.
    """
    last = len(data) - 1
    anchors, lengths = [at], []
    for gap in layout.gaps:
        at = at + gap
        length = data[np.minimum(at, last)].astype(np.int64)
        long = length == 255
        prefix = np.where(long, 3, 1)
        if long.any():
            length = np.where(long, u16(data, np.minimum(at + 1, last - 1)), length)
        at = at + prefix + length
        anchors.append(at)
        lengths.append(length)
    return np.stack(anchors, axis=1), np.stack(lengths, axis=1), at + layout.tail


def _walk(view: memoryview, at: int, end: int, layout: Layout) -> tuple[list[list[int]], int, bool]:
    """Find the records of one set, each as anchors and then lengths, and where the last whole one ends; False where
    another leaves the set."""
    rows: list[list[int]] = []
    stopped = at
    while end - at >= layout.length:
        anchors, lengths = [at], []
        for gap in layout.gaps:
            at += gap
            if at >= end:
                return rows, stopped, False
            length = view[at]
            at += 1
            if length == 255:
                if end - at < 2:
                    return rows, stopped, False
                length = view[at] << 8 | view[at + 1]
                at += 2
            at += length
            anchors.append(at)
            lengths.append(length)
        at += layout.tail
        if at > end:
            return rows, stopped, False
        rows.append(anchors + lengths)
        stopped = at
    return rows, stopped, True
