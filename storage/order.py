"""Flows in the order of their table: parted as its partitions are, and sorted as its key says.

ClickHouse would do that with every column of the table, those that the flows lack included; what comes in order it
takes as it is, for about half of the work (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from schema.batch import Flows, Symbols

_HOUR, _DAY = 3_600_000, 86_400_000
_WORD = 64


def parted(flows: Flows) -> Iterator[tuple[str, Flows]]:
    """Yield the flows of each partition and its name, sorted by hour, source tenant and destination tenant.

    Flows that are alike in these stay in their order. KeyError without classes or times of reception.
    """
    if not flows.rows:
        return
    classes, times = flows.symbols["retention_class"], flows.arrays["time_received"]
    tenants = (_ranks(flows.symbols[name]) for name in ("src_tenant", "dst_tenant") if name in flows.symbols)
    first = int(times.min()) // _DAY * _DAY
    ordered = flows.take(_order((classes.codes, (times - first) // _HOUR, *tenants)))
    codes, days = ordered.symbols["retention_class"].codes, ordered.arrays["time_received"] // _DAY
    changes = (codes[1:] != codes[:-1]) | (days[1:] != days[:-1])
    starts = [0, *(np.flatnonzero(changes) + 1).tolist()]
    for start, end in zip(starts, [*starts[1:], flows.rows], strict=True):
        yield f"{classes.names[int(codes[start])]} {int(days[start])}", _between(ordered, start, end)


def _ranks(tenants: Symbols) -> npt.NDArray[np.int64]:
    """Return the place of each tenant in the order of the names, as octets: so ClickHouse compares them."""
    octets = [name.encode() for name in tenants.names]
    places = np.empty(len(octets), np.int64)
    places[sorted(range(len(octets)), key=octets.__getitem__)] = np.arange(len(octets))
    return places.take(tenants.codes)


def _order(columns: Sequence[npt.NDArray[np.signedinteger]]) -> npt.NDArray[np.int64]:
    """Return the order of rows by columns of numbers that are not negative, the first counting most; stable."""
    rows = len(columns[0])
    widths = [int(column.max()).bit_length() for column in columns]
    of_row = rows.bit_length()
    if sum(widths) + of_row > _WORD:
        return np.lexsort(tuple(reversed(columns)))
    keys = np.zeros(rows, np.uint64)
    for column, width in zip(columns, widths, strict=True):
        keys <<= np.uint64(width)
        keys |= column.astype(np.uint64)
    # Sorting words that end in their row's number is several times faster than finding out the order of keys.
    keys <<= np.uint64(of_row)
    keys |= np.arange(rows, dtype=np.uint64)
    keys.sort()
    return (keys & np.uint64((1 << of_row) - 1)).view(np.int64)


def _between(flows: Flows, start: int, end: int) -> Flows:
    """Return the rows [start, end), as views."""
    return Flows(
        end - start,
        {name: values[start:end] for name, values in flows.arrays.items()},
        {name: Symbols(column.codes[start:end], column.names) for name, column in flows.symbols.items()},
    )
