"""XDR (RFC 4506) at many positions of one buffer at once: items with tag and length, words, arrays, addresses, strings.

All ends are exclusive; what would run past its end is said not to be whole, and is not read.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from decoders.cursor import Data, Items, Positions, Walk, octets, u32
from decoders.texts import clean
from schema.batch import Symbols, map_v4

Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint32]

_NARROW = 32
"""Below this many walks at once, plain Python is cheaper than array operations on so few elements."""

_CHUNK = 4096
"""Positions read at a time: what is turned round from rows to columns stays in the processor's cache."""

ITEM_HEAD = 8
"""Octets of an item's data format and length (sFlow v5, sample_record and flow_record)."""

_MIXER = np.uint64(0x9E3779B97F4A7C15)


def words(data: Data, at: Positions, count: int) -> Words:
    """Return the `count` unsigned integers from each position on, one row each: uint32 (count, n)."""
    found = np.empty((count, len(at)), np.uint32)
    if not len(at):
        return found
    windows = np.ndarray(len(data) - 4 * count + 1, f"V{4 * count}", data, strides=(1,))
    for first in range(0, len(at), _CHUNK):
        part = slice(first, first + _CHUNK)
        found[:, part] = windows[at[part]].view(">u4").reshape(-1, count).T
    return found


def ahead(data: Data, at: Positions, count: int) -> Words:
    """Return what `words` does, with zeros for what lies behind the buffer."""
    size = 4 * count
    late = at > len(data) - size
    if not late.any():
        return words(data, at, count)
    found = np.empty((count, len(at)), np.uint32)
    tail = max(len(data) - size, 0)
    found[:, late] = words(np.concatenate((data[tail:], np.zeros(size, np.uint8))), at[late] - tail, count)
    found[:, ~late] = words(data, at[~late], count)
    return found


def items(data: Data, starts: Positions, ends: Positions, most: Positions, heads: Words | None = None) -> Walk:
    """Walk the items of each region [start, end), at most `most[i]` in region i, all regions in step.

    Each item takes at least its head, so a walk is linear in its region. A length that runs past the region breaks the
    walk there; what stands behind the last item is padding. `heads`, (2, n), are the first items' where the caller has
    read them.
    """
    owner = np.flatnonzero((ends - starts >= ITEM_HEAD) & (most > 0))
    position, end, left = (
        (starts, ends, most) if len(owner) == len(starts) else (each[owner] for each in (starts, ends, most))
    )
    found: list[tuple[Positions, ...]] = []
    broken = faulty = turn = 0
    while len(owner) >= _NARROW:
        tag, length = words(data, position, 2) if heads is None else heads[:, owner]
        heads = None
        body = position + ITEM_HEAD
        stop = body + length
        whole = stop <= end
        if not whole.all():
            broken += len(whole) - int(np.count_nonzero(whole))
            faulty += int((end - position)[~whole].sum())
            owner, tag, body, stop, end, left = (each[whole] for each in (owner, tag, body, stop, end, left))
        found.append((owner, tag.astype(np.int64), body, stop, np.full(len(owner), turn)))
        turn += 1
        after = body + (stop - body + 3 & -4)  # XDR fills up to a multiple of 4 (RFC 4506 section 3)
        go = (end - after >= ITEM_HEAD) & (left > turn)
        owner, position, end, left = (
            (owner, after, end, left) if go.all() else (owner[go], after[go], end[go], left[go])
        )
    for walker in range(len(owner)):
        rows, lying = _walk_one(data, int(position[walker]), int(end[walker]), int(left[walker]) - turn)
        broken, faulty = broken + (lying > 0), faulty + lying
        if rows:
            count = len(rows)
            found.append((np.full(count, owner[walker]), *np.array(rows, np.int64).T, turn + np.arange(count)))
    got = _in_order(found, len(starts))
    held = ITEM_HEAD * len(got.owner) + int((got.end - got.start).sum())
    return Walk(got, broken, int((ends - starts).sum()) - held - faulty, faulty)


def _walk_one(data: Data, position: int, end: int, left: int) -> tuple[list[tuple[int, int, int]], int]:
    """Walk one region in plain Python; return (tag, body start, body end) rows, and the octets from a lie on."""
    head, view = struct.Struct(">II"), data.data
    rows: list[tuple[int, int, int]] = []
    while left > 0 and end - position >= ITEM_HEAD:
        tag, length = head.unpack_from(view, position)
        body = position + ITEM_HEAD
        if length > end - body:
            return rows, end - position
        rows.append((tag, body, body + length))
        position = body + (length + 3 & -4)
        left -= 1
    return rows, 0


def _in_order(found: list[tuple[Positions, ...]], regions: int) -> Items:
    """Put items, found turn by turn with their owners first and their turns last, in the order of the buffer."""
    if not found:
        none = np.zeros(0, np.int64)
        return Items(none, none, none, none)
    if len(found) == 1:
        return Items(*found[0][:4])
    owner, *columns, turn = (np.concatenate(parts) for parts in zip(*found, strict=True))
    counts = np.bincount(owner, minlength=regions)
    place = (np.cumsum(counts) - counts)[owner] + turn
    ordered = np.empty((4, len(owner)), np.int64)
    for row, column in zip(ordered, (owner, *columns), strict=True):
        row[place] = column
    return Items(*ordered)


def arrays(data: Data, at: Positions, ends: Positions) -> tuple[Positions, Positions, Mask]:
    """Return of the variable-length arrays of words at `at` their counts, where they end, and which are there whole."""
    whole = ends - at >= 4
    counts = np.zeros(len(at), np.int64)
    counts[whole] = u32(data, at[whole])
    whole &= counts <= (ends - at - 4) // 4
    return np.where(whole, counts, 0), np.where(whole, at + 4 + 4 * counts, ends), whole


def addresses(data: Data, at: Positions, ends: Positions) -> tuple[npt.NDArray[np.uint8], Positions, Mask]:
    """Return the addresses (sFlow v5, type address) at `at`, uint8 (n, 16), where they end, and which are there whole.

    Type 0 is an address that is not known: `::`, without octets. Types above 2 are not whole, for nobody knows where
    they end.
    """
    whole = ends - at >= 4
    kind = np.full(len(at), 3)
    kind[whole] = np.minimum(u32(data, at[whole]), 3)
    after = at + 4 + np.array([0, 4, 16, 0])[kind]
    whole &= (kind < 3) & (after <= ends)
    found = np.zeros((len(at), 16), np.uint8)
    four, six = np.flatnonzero(whole & (kind == 1)), np.flatnonzero(whole & (kind == 2))
    found[four] = mapped(data, at[four] + 4)
    found[six] = octets(data, at[six] + 4, 16)
    return found, np.where(whole, after, ends), whole


def mapped(data: Data, at: Positions) -> npt.NDArray[np.uint8]:
    """Return the IPv4 addresses at `at`, mapped: uint8 (n, 16)."""
    found = np.zeros((len(at), 16), np.uint8)
    map_v4(octets(data, at, 4), found)
    return found


def strings(data: Data, at: Positions, ends: Positions, most: int) -> tuple[Symbols, Positions, Mask]:
    """Read the strings whose lengths stand at `at`, int64 (n,), none beyond `ends`.

    Return them cleaned and cut to `most` octets, where each ends with its padding, and which are there whole, bool
    (n,). Of one that is not whole the text is empty and its end is `ends`.
    """
    whole = ends - at >= 4
    lengths = np.zeros(len(at), np.int64)
    lengths[whole] = u32(data, at[whole])
    whole &= lengths <= ends - at - 4
    lengths[~whole] = 0
    after = np.where(whole, np.minimum(at + 4 + (lengths + 3 & -4), ends), ends)
    shown = np.minimum(lengths, most)
    width = max(int(shown.max(initial=0)) + 3 & -4, 4)
    # what lies too near the buffer's end for the widest is moved back, and its octets moved up again
    begin = np.minimum(at + 4, len(data) - width)
    if len(data) < width or not whole.any():
        return Symbols(np.zeros(len(at), np.int32), [""]), after, whole
    column = octets(data, begin, width)
    shift = at + 4 - begin
    late = np.flatnonzero((shift > 0) & whole)
    for row in late.tolist():  # a few at most: those in the last octets of the whole block
        column[row, : width - shift[row]] = column[row, shift[row] :].copy()
    column[np.arange(width) >= shown[:, None]] = 0
    first, codes = alike(column.view(np.uint32))
    return Symbols(codes.astype(np.int32), [clean(text.tobytes(), most) for text in column[first]]), after, whole


def alike(rows: npt.NDArray[np.unsignedinteger]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the indices of rows, (n, w), of which no two are alike, and for each row which of those it is like.

    Rows are told apart by a hash, which is far quicker than sorting them; where that fails they are sorted.
    """
    factors = np.arange(1, rows.shape[1] + 1, dtype=np.uint64) * _MIXER
    factors = (factors ^ factors >> np.uint64(29)) * _MIXER | np.uint64(1)
    _, first, of = np.unique(rows.astype(np.uint64) @ factors, return_index=True, return_inverse=True)
    if (rows[first][of] != rows).any():
        _, first, of = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, of.reshape(-1)
