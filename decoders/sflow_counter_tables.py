"""Which structures of sFlow counter samples are stored, in which tables, and the records of each.

The layouts are those of `schema.counters` and `schema.sflow_structures`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np
import numpy.typing as npt

from decoders.block import Decoded
from decoders.cursor import Items
from decoders.passed_over import pass_over
from decoders.sflow_counter_fields import Layout, layout
from schema.counters import COUNTER_TABLES, CounterTable
from schema.sflow_structures import Key, counter_structures

SFP, PORT_NAME, HOST_DESCR, HOST_ADAPTERS, BUFFERS = (0, 10), (0, 1005), (0, 2000), (0, 2001), (4413, 2)
INTERFACE, VLAN, HOST, VIRTUAL, LANE, ADAPTOR = (
    "counters_interface", "counters_vlan", "counters_host", "counters_virtual", "counters_lane", "counters_adaptor"
)  # fmt: skip
TABLES = {table.name: table for table in COUNTER_TABLES}

_STANDARD = 4096  # formats of an enterprise


def _fixed(table: CounterTable) -> Iterator[tuple[Key, Layout]]:
    """Yield the layouts of the structures whose fields go to the table, without what repeats in them."""
    for key, group in groupby(table.parts.items(), lambda item: item[1][0]):
        own = counter_structures()[key].parts
        parts = [(column, part) for column, (_, part) in group if part in own]
        yield key, layout(parts)


def _queues() -> Iterator[Layout]:
    """Yield the layouts of the two lists of queues of bst_port_buffers."""
    parts = [(column, part) for column, (key, part) in TABLES[INTERFACE].parts.items() if key == BUFFERS]
    repeated = (item for item in parts if item[1] not in counter_structures()[BUFFERS].parts)
    for _, group in groupby(repeated, lambda item: item[1].name.partition("[")[0]):
        yield layout(group)


LAYOUTS: dict[Key, tuple[str, Layout]] = {
    key: (table.name, form)
    for table in COUNTER_TABLES
    if table.name not in (LANE, ADAPTOR)
    for key, form in _fixed(table)
}
"""For each structure whose fields are columns: of which table, and how they stand in it."""
LANE_LAYOUT = layout((column, part) for column, (_, part) in TABLES[LANE].parts.items())
QUEUE_LAYOUTS = tuple(_queues())

_KEYS: tuple[Key, ...] = (*LAYOUTS, PORT_NAME, HOST_DESCR, HOST_ADAPTERS)


def _codes() -> npt.NDArray[np.uint8]:
    codes = np.zeros(_STANDARD + 1, np.uint8)
    for place, (enterprise, format_) in enumerate(_KEYS):
        if not enterprise:
            codes[format_] = place + 1
    return codes


_CODES = _codes()
"""For each format of sflow.org's own, and for all other data formats: one more than its place in `_KEYS`, or zero."""


def structures(records: Items, out: Decoded) -> dict[Key, Items]:
    """Return the records of each structure that is stored, of each sample the first; count all others."""
    tag = records.tag
    code = _CODES[np.minimum(tag, _STANDARD)]
    for place, (enterprise, format_) in enumerate(_KEYS):
        if enterprise:
            code[tag == enterprise << 12 | format_] = place + 1
    numbers = np.bincount(code, minlength=len(_KEYS) + 1).tolist()
    if numbers[0]:
        pass_over("counter", tag[code == 0], out)
    found = {}
    for place, key in enumerate(_KEYS):
        if numbers[place + 1]:
            which = np.flatnonzero(code == place + 1)
            owner = records.owner[which]
            first = np.diff(owner, prepend=-1) != 0
            found[key] = records.where(which[first])
            if not first.all():
                pass_over("counter", tag[which[~first]], out)
    return found
