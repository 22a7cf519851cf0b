"""Records of the way a packet takes (sFlow v5 section 5): extended_router, extended_gateway, extended_mpls.

What a gateway tells of a route is the same for many packets: it is read and put into words once for each that differs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from decoders.cursor import Data, Items, Positions, groups, u32
from decoders.sflow_told import Rows, Told
from decoders.xdr import Mask, addresses, alike, arrays, words
from schema.batch import Array, Symbols
from schema.columns import MAX_LABELS

_ALL_BITS = 128
_SET = 1  # as_path_segment_type AS_SET; AS_SEQUENCE is 2
_WIDER = 4
"""Paths and communities may have this many times the octets of a name."""

_SHORT = 256


def router(told: Told, records: Items) -> None:
    """extended_router: next hop, prefix lengths of source and destination."""
    hop, after, whole = addresses(told.data, records.start, records.end)
    kept = told.keep(records, whole & (records.end - after >= 8))
    rows = records.owner[kept]
    told.fill("next_hop", rows, hop[kept])
    for name, bits in zip(("src_mask", "dst_mask"), words(told.data, after[kept], 2), strict=True):
        told.put(name, rows, np.where(bits <= _ALL_BITS, bits, 0))


class Route(NamedTuple):
    """A route as a gateway tells it: AS path as text, its `first` and `last` AS numbers (0 where it is empty)."""

    path: str
    first: int
    last: int
    communities: str
    local_pref: int


def gateway(told: Told, records: Items) -> None:
    """extended_gateway: next hop of BGP, AS numbers, AS path, communities, local preference."""
    hop, at, whole = addresses(told.data, records.start, records.end)
    whole &= records.end - at >= 24
    routes, of = _routes(told.data, at + 12, records.end, whole, told.limits.name_length * _WIDER)
    kept = told.keep(records, of >= 0)
    if not len(kept):
        return
    rows, told_route, of = records.owner[kept], of.astype(np.int32), of[kept]
    own, source, source_peer = words(told.data, at[kept], 3)
    told.fill("next_hop", rows, hop[kept])
    told.put("src_as", rows, source)
    told.put("src_peer_as", rows, source_peer)
    first, last, local_pref = np.array([(route.first, route.last, route.local_pref) for route in routes], np.int64).T
    told.put("dst_as", rows, np.where(last[of] > 0, last[of], own))
    told.put("dst_peer_as", rows, first[of])
    told.put("local_pref", rows, local_pref[of])
    told.write("as_path", rows, Symbols(told_route, [route.path for route in routes]), kept)
    told.write("communities", rows, Symbols(told_route, [route.communities for route in routes]), kept)


def _routes(data: Data, at: Positions, ends: Positions, whole: Mask, most: int) -> tuple[list[Route], Positions]:
    """Return the routes, none twice unless of another length, that stand between `at` and `ends` where `whole` says so.

    Return too which of them each is, -1 where it is none.
    """
    routes: list[Route] = []
    of = np.full(len(at), -1)
    there = np.flatnonzero(whole)
    counts, group = np.unique((ends - at)[there] // 4, return_inverse=True)
    for count, rows in zip(counts.tolist(), groups(group, len(counts)), strict=True):
        read = np.ascontiguousarray(words(data, at[there[rows]], count).T)
        first, code = alike(read)
        numbers = []
        known = _remembered if 4 * count <= _SHORT else _route
        for row in read[first]:
            route = known(row.tobytes(), most)
            numbers.append(-1 if route is None else len(routes))
            if route is not None:
                routes.append(route)
        of[there[rows]] = np.array(numbers)[code]
    return routes, of


def _route(octets: bytes, most: int) -> Route | None:
    """Return the route of dst_as_path, communities and localpref, words in native order; None where they run past."""
    told = memoryview(octets).cast("I").tolist()
    at, end = 1, len(told)
    segments: list[tuple[int, list[int]]] = []
    for _ in range(told[0]):
        if end - at < 2 or told[at + 1] > end - at - 2:
            return None
        path = told[at + 2 : at + 2 + told[at + 1]]
        if path:
            segments.append((told[at], path))
        at += 2 + len(path)
    if end - at < 2 or told[at] > end - at - 2:
        return None
    communities = told[at + 1 : at + 1 + told[at]]
    ends = (segments[0][1][0], segments[-1][1][-1]) if segments else (0, 0)
    room = most // 2 + 2  # each takes two octets or more: so many are too long already
    return Route(
        _joined(_numbers(segments, room), most),
        *ends,
        _joined([f"{one >> 16}:{one & 0xFFFF}" for one in communities[:room]], most),
        told[at + 1 + len(communities)],
    )


_remembered = lru_cache(2**13)(_route)
"""Routes of `_SHORT` octets at most, which the next block has again."""


def _numbers(segments: list[tuple[int, list[int]]], room: int) -> list[str]:
    """Return the first numbers of an AS path, `room` at most; those of a set stand in braces."""
    found: list[str] = []
    for kind, path in segments:
        part = [str(number) for number in path[: room - len(found)]]
        if part and kind == _SET:
            part[0] = "{" + part[0]
            part[-1] += "}"
        found += part
    return found


def _joined(numbers: list[str], most: int) -> str:
    """Join numbers to a text of at most `most` octets, which ends in ` ...` where some are left out."""
    text = " ".join(numbers)
    if len(text) <= most:
        return text
    return text[: max(text.rfind(" ", 0, most - 3), 0)] + " ..."


def mpls(told: Told, records: Items) -> None:
    """extended_mpls: next hop, label stacks with which the packet came and left."""
    hop, at, whole = addresses(told.data, records.start, records.end)
    came, left, sound = arrays(told.data, at, records.end)
    went, _, there = arrays(told.data, left, records.end)
    kept = told.keep(records, whole & sound & there)
    rows = records.owner[kept]
    told.fill("next_hop", rows, hop[kept])
    _labels(told, "mpls_labels", rows, at[kept] + 4, came[kept])
    _labels(told, "mpls_out_labels", rows, left[kept] + 4, went[kept])


def _labels(told: Told, name: str, rows: Rows, at: Positions, counts: Positions) -> None:
    """Fill a column of labels from stacks of label stack entries (RFC 3032 section 2.1) without their TTL."""
    labels: Array = np.zeros((len(rows), MAX_LABELS), np.uint32)
    for depth in range(min(int(counts.max(initial=0)), MAX_LABELS)):
        deep = np.flatnonzero(counts > depth)
        labels[deep, depth] = u32(told.data, at[deep] + 4 * depth) >> 8
    if labels.any():
        told.fill(name, rows, labels)
