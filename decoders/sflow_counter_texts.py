"""Strings of sFlow counter structures: what hosts and interfaces are called, and what system a host is.

sFlow Host Structures (host_descr), and port_name of the list of structure numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

import numpy as np

from decoders.block import Name, Naming
from decoders.cursor import Data, Items, Positions, distinct, octets, u32
from decoders.xdr import strings
from schema.batch import Array, Symbols
from schema.sflow_structures import MACHINE_TYPES, OS_NAMES

_UUID = 16
_FIXED = 24  # UUID, machine type, name of the operating system
_UNKNOWN = 0xFFFFFFFF


def port_names(data: Data, records: Items, samples: int, most: int) -> dict[str, Symbols]:
    """Return the names that port_name records tell, cut to `most` octets, for each of `samples` samples."""
    names, _, _ = strings(data, records.start, records.end, most)
    return {"port_name": _spread(names, records.owner, samples)}


def names_of(samples: dict[str, Array], told: Symbols) -> Iterator[Name]:
    """Yield the names that samples tell of interfaces, each different one once, with the time it was last told.

    `samples` are the columns that all rows of counters have, `told` the names, of shape (n,) both.
    """
    named = np.array([bool(name) for name in told.names])
    rows = np.flatnonzero(named[told.codes] & (samples["source_class"] == 0))[::-1]
    addresses, whose = distinct(samples["exporter"][rows])
    domain, index = samples["observation_domain"][rows].astype(np.int64), samples["source_index"][rows]
    _, of = np.unique(domain.view(np.uint64) << np.uint64(32) | index, return_inverse=True)
    _, which = np.unique(whose * (len(rows) + 1) + of, return_inverse=True)
    _, last = np.unique(which * len(told.names) + told.codes[rows], return_index=True)
    for at in np.sort(last)[::-1].tolist():
        name, when = told.names[told.codes[rows[at]]], int(samples["time_received"][rows[at]])
        yield Name(addresses[whose[at]], int(domain[at]), Naming.INTERFACE, int(index[at]), name, "", when)


def descriptions(data: Data, records: Items, samples: int, most: int) -> dict[str, Symbols]:
    """Return hostname, uuid, machine_type, os_name and os_release of host_descr records, for each sample.

    Strings are cut to `most` octets; what a record does not tell, or not whole, is empty.
    """
    hostname, at, _ = strings(data, records.start, records.end, most)
    release_at = np.minimum(at + _FIXED, records.end)
    release, _, _ = strings(data, release_at, records.end, most)
    found = {"hostname": hostname, "uuid": _uuids(data, at, records.end)}
    for name, behind, texts in (("machine_type", 16, MACHINE_TYPES), ("os_name", 20, OS_NAMES)):
        found[name] = _chosen(data, at + behind, records.end, texts)
    found["os_release"] = release
    return {name: _spread(column, records.owner, samples) for name, column in found.items()}


def _uuids(data: Data, at: Positions, ends: Positions) -> Symbols:
    """Read UUIDs as RFC 9562 writes them; of no octet but zeros, or ones, is none."""
    there = np.flatnonzero(ends - at >= _UUID)
    known, codes = distinct(octets(data, at[there], _UUID))
    none = (bytes(_UUID), b"\xff" * _UUID)
    return _among(["" if one in none else str(UUID(bytes=one)) for one in known], codes, there, len(at))


def _chosen(data: Data, at: Positions, ends: Positions, texts: Sequence[str]) -> Symbols:
    """Read numbers that stand for one of `texts`; one beyond them is shown as it is."""
    there = np.flatnonzero(ends - at >= 4)
    known, codes = np.unique(u32(data, at[there]), return_inverse=True)
    names = [texts[one] if one < len(texts) else str(one) if one != _UNKNOWN else "" for one in known.tolist()]
    return _among(names, codes, there, len(at))


def _among(names: list[str], codes: Positions, rows: Positions, count: int) -> Symbols:
    """Return a column of `count` strings that are empty but in `rows`."""
    return _spread(Symbols(codes.astype(np.int32), names), rows, count)


def _spread(told: Symbols, rows: Positions, count: int) -> Symbols:
    codes = np.zeros(count, np.int32)
    codes[rows] = told.codes + 1
    return Symbols(codes, ["", *told.names])
