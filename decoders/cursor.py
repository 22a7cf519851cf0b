"""Big-endian reads at many positions of one buffer at once, and walks over length-prefixed items.

Positions are int64 arrays; the caller has checked that they lie inside the buffer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Data = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]

_NARROW = 32
"""Below this many walks at once, plain Python is cheaper than array operations on so few elements."""

_LONG_RUN = 8
"""Regions of one length in a row, on average, from which on copying them as one array is the quicker way."""


def u8(data: Data, at: Positions) -> Positions:
    """Return the octets at `at` as int64."""
    return data[at].astype(np.int64)


def u16(data: Data, at: Positions) -> Positions:
    """Return the big-endian 16-bit values at `at` as int64."""
    return _numbers(data, at, 2)


def u32(data: Data, at: Positions) -> Positions:
    """Return the big-endian 32-bit values at `at` as int64."""
    return _numbers(data, at, 4)


def _numbers(data: Data, at: Positions, width: int) -> Positions:
    """One copy of a void each, from overlapping ones: a quarter of the time that a gather of each octet takes."""
    if not len(at):
        return np.zeros(0, np.int64)
    windows = np.ndarray(len(data) - width + 1, f"V{width}", data, strides=(1,))
    numbers: Positions = windows[at].view(f">u{width}").astype(np.int64)
    return numbers


SET_HEAD = 4
"""Octets of a set's header: id, and length with this header (RFC 3954 section 5.2, RFC 7011 section 3.3.2)."""


@dataclass(frozen=True, slots=True)
class Items:
    """Items found by a walk, in the order of the buffer; all int64 (n,).

    `owner` indexes the walks, `tag` is the item's id or data format, `start` and `end` bound its body.
    """

    owner: Positions
    tag: Positions
    start: Positions
    end: Positions

    def where(self, mask: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Items:
        """Return the items that `mask` picks: booleans, or indices in the order wanted."""
        return Items(self.owner[mask], self.tag[mask], self.start[mask], self.end[mask])


@dataclass(frozen=True, slots=True)
class Walk:
    """The items of some regions; `broken` walks ended at an item whose length lies.

    Their headers, bodies, `padding` and `faulty` octets (passed over behind a length that lies) are all octets there.
    """

    items: Items
    broken: int
    padding: int
    faulty: int


def walk(data: Data, starts: Positions, ends: Positions) -> Walk:
    """Walk the sets of each region [start, end), all regions in step.

    What is too short for a set's header, and a set with id and length zero, is padding. Each set takes at least its
    header, so a walk is linear in its region.
    """
    roomy = ends - starts >= SET_HEAD
    owner = np.flatnonzero(roomy)
    position, end = starts[owner], ends[owner]
    found: list[tuple[Positions, Positions, Positions, Positions]] = []
    broken, faulty = 0, 0
    padding = int((ends - starts)[~roomy].sum())
    while len(owner) >= _NARROW:
        tag, body, stop = u16(data, position), position + SET_HEAD, position + u16(data, position + 2)
        whole = (stop >= body) & (stop <= end)
        unused = (tag == 0) & (stop == position)
        lies = ~whole & ~unused
        broken += int(np.count_nonzero(lies))
        faulty += int((end - position)[lies].sum())
        padding += int((end - position)[unused].sum())
        found.append((owner[whole], tag[whole], body[whole], stop[whole]))
        go = whole & (end - stop >= SET_HEAD)
        padding += int((end - stop)[whole & ~go].sum())
        owner, position, end = owner[go], stop[go], end[go]
    for walker in range(len(owner)):
        items, rest, lying = _walk_one(data, int(position[walker]), int(end[walker]))
        broken, faulty, padding = broken + (lying > 0), faulty + lying, padding + rest
        if items:
            tag, body, stop = np.array(items, np.int64).T
            found.append((np.full(len(items), owner[walker]), tag, body, stop))
    if not found:
        none = np.zeros(0, np.int64)
        return Walk(Items(none, none, none, none), broken, padding, faulty)
    columns = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    order = np.argsort(columns[2], kind="stable")
    return Walk(Items(*(column[order] for column in columns)), broken, padding, faulty)


def _walk_one(data: Data, position: int, end: int) -> tuple[list[tuple[int, int, int]], int, int]:
    """Walk one region in plain Python; return (tag, body start, body end) rows, the octets of padding, and those behind
    a set whose length lies."""
    head, view = struct.Struct(">HH"), data.data
    items: list[tuple[int, int, int]] = []
    while end - position >= SET_HEAD:
        tag, length = head.unpack_from(view, position)
        body, stop = position + SET_HEAD, position + length
        if not body <= stop <= end:
            unused = tag == 0 and length == 0
            return items, end - position if unused else 0, 0 if unused else end - position
        items.append((tag, body, stop))
        position = stop
    return items, end - position, 0


def groups(of: Positions, count: int) -> list[Positions]:
    """Return, for each number below `count`, the indices at which `of` holds it; in one sort, whatever the count."""
    order = np.argsort(of, kind="stable")
    bounds = np.searchsorted(of[order], np.arange(count + 1))
    return [order[first:last] for first, last in pairwise(bounds.tolist())]


def distinct(addresses: npt.NDArray[np.uint8]) -> tuple[list[bytes], Positions]:
    """Return the distinct addresses of (n, 16), and the index of each row among them."""
    words = np.ascontiguousarray(addresses).view(np.uint64)
    high, high_of = np.unique(words[:, 0], return_inverse=True)
    low, low_of = np.unique(words[:, 1], return_inverse=True)
    pairs, inverse = np.unique(high_of * len(low) + low_of, return_inverse=True)
    rows = np.stack([high[pairs // len(low)], low[pairs % len(low)]], axis=1)
    return [row.tobytes() for row in rows], inverse.astype(np.int64)


def gather(data: Data, starts: Positions, ends: Positions) -> npt.NDArray[np.uint8]:
    """Return the octets of all regions [start, end), joined; quickest where regions of one length stand in a row."""
    lengths = ends - starts
    runs = np.flatnonzero(np.diff(lengths, prepend=-1))
    if len(runs) > max(len(starts) // _LONG_RUN, 1):
        joined = b"".join([data.data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)])
        return np.frombuffer(joined, np.uint8)
    found = [_windows(data, starts[run], int(lengths[run.start])) for run in map(slice, runs, [*runs[1:], None])]
    return np.concatenate(found) if len(found) > 1 else found[0]


def _windows(data: Data, starts: Positions, width: int) -> npt.NDArray[np.uint8]:
    """Return the regions of `width` octets from each start, joined: one copy of a void each, from overlapping ones."""
    windows = np.ndarray(len(data) - width + 1, f"V{width}", data, strides=(1,))
    return windows[starts].view(np.uint8)


def octets(data: Data, at: Positions, width: int) -> npt.NDArray[np.uint8]:
    """Return the `width` octets at each position, uint8 of shape (n, width)."""
    if not len(at):
        return np.zeros((0, width), np.uint8)
    return _windows(data, at, width).reshape(-1, width)
