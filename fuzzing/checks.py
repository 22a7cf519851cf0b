"""What must hold of whatever `decode` returns, and of the state it leaves, whatever the octets were."""

from __future__ import annotations

import gc
import json
import random
import sys
import types
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from decoders import Datagrams, Decoded, State
from schema.batch import Array, Flows, Nullable, Rows, Symbols
from schema.columns import BY_NAME, Column, Kind
from schema.render import rows, rows_of
from schema.tables import DISCARDS, STORED_TABLES, StoredTable

COUNTS_OCTETS = True
"""Whether `Decoded.octets` is filled already: then it must add up to the octets received, datagram by datagram."""

_RENDERED = 12
"""Rows of a block that are rendered, beside those with the extreme values of each column."""

_WHOLE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType)


class BrokenError(Exception):
    """Something does not hold; the message says what, in few words, the same for the same cause."""


def require(holds: bool, what: str) -> None:
    """Raise `BrokenError` unless `holds`."""
    if not holds:
        raise BrokenError(what)


def check(block: Datagrams, decoded: Decoded) -> None:
    """Check the counts and columns of a decoded block."""
    flows, octets = decoded.flows, int(block.lengths.sum())
    require(decoded.datagrams == block.count, "datagrams are not those received")
    require(0 <= decoded.datagrams_bad <= block.count, "more bad datagrams than datagrams")
    require(len(decoded.origin) == flows.rows, "origins are not as many as rows")
    told = int(np.count_nonzero(decoded.origin >= 0))  # the others waited for their template since earlier blocks
    require(told <= 2 * octets, "more rows than octets can hold")
    require(all(count > 0 for count in decoded.faults.values()), "a fault is counted no times")
    if COUNTS_OCTETS:
        require(sum(decoded.octets.values()) == octets, "octets do not add up to those received")
        require(all(count >= 0 for count in decoded.octets.values()), "octets below zero")
    _check_columns(flows.rows, {**flows.arrays, **flows.symbols}, BY_NAME)
    tables = measurements(decoded)
    for table, measured in tables.items():
        _check_columns(measured.rows, measured.columns, table.by_name)
    require(sum(measured.rows for measured in tables.values()) <= octets, "more rows than octets can hold")


def measurements(decoded: Decoded) -> dict[StoredTable, Rows]:
    """Return the rows that a block gave for tables other than the flows'."""
    discards = decoded.discards
    columns: dict[str, Array | Symbols | Nullable] = {**discards.arrays, **discards.symbols}
    found = decoded.counters | {DISCARDS.name: Rows(discards.rows, columns)}
    return {table: found[table.name] for table in STORED_TABLES if table.name in found}


def _check_columns(rows: int, columns: Mapping[str, Array | Symbols | Nullable], known: Mapping[str, Column]) -> None:
    for name, values in columns.items():
        column = known[name]
        if isinstance(values, Symbols):
            codes = values.codes
            require(codes.shape == (rows,), f"column {name} has another shape than the rows")
            inside = not rows or (int(codes.min()) >= 0 and int(codes.max()) < len(values.names))
            require(inside, f"column {name} has a code without a name")
            continue
        if isinstance(values, Nullable):
            require(values.absent.shape == (rows,), f"column {name} is unknown in other rows than there are")
            values = values.values
        shape = (rows, column.width) if column.width else (rows,)
        require(values.shape == shape, f"column {name} has another shape than the rows")
        require(values.dtype == np.dtype(column.dtype), f"column {name} has another type than its column's")
        if column.kind is Kind.ENUM and rows:
            require(int(values.max()) < len(column.names), f"column {name} has a code without a name")


def check_rendering(flows: Flows, rng: random.Random) -> None:
    """Render some rows, those with the least and the greatest value of each column among them."""
    if not flows.rows:
        return
    chosen = {int(rng.random() * flows.rows) for _ in range(_RENDERED)}
    for values in flows.arrays.values():
        if values.ndim == 1:
            chosen |= {int(values.argmin()), int(values.argmax())}
    rendered(flows.take(np.array(sorted(chosen), np.intp)))


def rendered(flows: Flows) -> Counter[str]:
    """Return the rows as lines of JSON, each with how often it occurs."""
    return Counter(json.dumps(row, allow_nan=False) for row in rows(flows))


def check_state(state: State, again: bool = True) -> None:
    """Check that what a state dumps is JSON, and if `again`, that it gives the same state again."""
    dumped = state.dump()
    saved = json.dumps(dumped, allow_nan=False)
    if again:
        require(State.load(json.loads(saved)).dump() == dumped, "a state does not survive its saved form")


def footprint(state: State) -> int:
    """Return the octets of memory that all objects take which a state holds on to, whatever they are."""
    seen: set[int] = set()
    total = 0
    waiting: list[Any] = [state]
    while waiting:
        one = waiting.pop()
        if id(one) not in seen and not isinstance(one, _WHOLE):
            seen.add(id(one))
            total += sys.getsizeof(one)
            waiting += gc.get_referents(one)
    return total


def outcome(decoded: Decoded) -> Counter[str]:
    """Return what a block gave that must not depend on what else was decoded with it: rows, faults and counts."""
    found = rendered(decoded.flows)
    for table, measured in measurements(decoded).items():
        told = (_told(table, row) for row in rows_of(table, measured))
        found.update(f"{table.name} {json.dumps(row, allow_nan=False)}" for row in told)
    found.update({f"agent drops {sender.hex()}": count for sender, count in decoded.agent_drops.items()})
    found.update({f"fault {fault}": count for fault, count in decoded.faults.items()})
    found.update({f"octets {kind}": count for kind, count in decoded.octets.items()})
    found.update(str(name) for name in decoded.names)
    found["templates"] = decoded.templates
    found["option records"] = decoded.option_records
    found["counter samples"] = decoded.counter_samples
    found["bad datagrams"] = decoded.datagrams_bad
    return +found


def _told(table: StoredTable, row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row tells: whether a column that tells nothing is there depends on the other rows."""
    known = table.by_name
    return {
        name: value
        for name, value in row.items()
        if value is not None
        and (known[name].nullable or value not in (0, "", [], "::", "00:00:00:00:00:00", "none", "only", "unknown"))
    }
