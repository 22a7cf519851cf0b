"""What sFlow counter structures hold several of: lanes of optical modules, queues of ports, adaptors of hosts.

Each is a count and as many items (RFC 4506 section 4.13); of more than the octets left can hold only those are read.
"""

from __future__ import annotations

import numpy as np

from decoders.cursor import Data, Items, Positions, octets, u32
from decoders.sflow_counter_fields import Layout, read
from schema.batch import Nullable

_LANES, _ADAPTORS, _MACS = 64, 64, 16
"""Most of them that are read in a sample, and of MAC addresses in an adaptor."""

_MAC = 8  # octets on the wire, two of them padding
_ALL = 2**48 - 1

Repeated = tuple[Positions, dict[str, Nullable]]
"""The samples that the rows are of, which does not decrease, and their columns."""


def counted(data: Data, at: Positions, ends: Positions) -> Positions:
    """Return the counts at the positions `at`, 0 where no word is left before `ends`."""
    count = np.zeros(len(at), np.int64)
    there = ends - at >= 4
    count[there] = u32(data, at[there])
    return count


def _each(counts: Positions) -> tuple[Positions, Positions]:
    """Return for each of all items whose it is, and its number among those of the same one."""
    of = np.repeat(np.arange(len(counts)), counts)
    return of, np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)


def lanes(data: Data, records: Items, behind: int, form: Layout) -> Repeated:
    """Read the lanes, whose count stands `behind` octets into the records; the last one may not be there whole."""
    at = np.minimum(records.start + behind, records.end)
    left = np.maximum(records.end - at - 4, 0)
    counts = np.minimum(np.minimum(counted(data, at, records.end), _LANES), -(-left // form.width))
    of, number = _each(counts)
    return records.owner[of], read(data, at[of] + 4 + number * form.width, records.end[of], form)


def queues(data: Data, records: Items, behind: int, forms: tuple[Layout, ...]) -> dict[str, Nullable]:
    """Read the lists that stand `behind` octets into the records, one after the other, each as far as its layout."""
    at = np.minimum(records.start + behind, records.end)
    found: dict[str, Nullable] = {}
    for form in forms:
        last = at + 4 + 4 * counted(data, at, records.end)
        found |= read(data, np.minimum(at + 4, records.end), np.minimum(last, records.end), form)
        at = np.minimum(last, records.end)
    return found


def adaptors(data: Data, records: Items) -> Repeated:
    """Read host_adapters: a row for each MAC address of each adaptor, and one for an adaptor that has none."""
    at, end, record = records.start + 4, records.end, np.arange(len(records.start))
    count = counted(data, records.start, end)
    steps: list[tuple[Positions, Positions, Positions]] = []
    for turn in range(_ADAPTORS):  # the adaptor of that number, of all samples
        go = (count > turn) & (end - at >= 8)
        if not go.any():
            break
        at, end, record, count = at[go], end[go], record[go], count[go]
        macs = u32(data, at + 4)
        there = np.minimum(macs, (end - at - 8) // _MAC)
        steps.append((record, at, np.minimum(there, _MACS)))
        at = np.where(there == macs, at + 8 + _MAC * macs, end)  # a count that lies ends the walk
    if not steps:
        none = np.zeros(0, np.int64)
        return none, _adaptor_columns(data, none, none, none)
    record, at, macs = (np.concatenate(column) for column in zip(*steps, strict=True))
    order = np.argsort(at, kind="stable")
    record, at, macs = record[order], at[order], macs[order]
    of, number = _each(np.maximum(macs, 1))
    return records.owner[record[of]], _adaptor_columns(data, at[of], number, macs[of])


def _adaptor_columns(data: Data, at: Positions, number: Positions, macs: Positions) -> dict[str, Nullable]:
    """Return the columns of the adaptors at `at`, of each the MAC address of that number."""
    index = u32(data, at).astype(np.uint32)
    mac = np.full(len(at), _ALL, np.uint64)
    has = macs > 0
    mac[has] = octets(data, at[has] + 8 + _MAC * number[has], _MAC).view(">u8")[:, 0] >> np.uint64(16)
    # 0 is an adaptor whose index is not known
    return {"if_index": Nullable(index, (index == 0) | (index == 0xFFFFFFFF)), "mac": Nullable(mac, mac == _ALL)}
