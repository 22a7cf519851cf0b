"""Rows of counters in a line each, and allocations that name resources."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import numpy as np

from schema.addresses import packed
from schema.batch import Rows, Symbols
from tenants.allocations import Allocations, load_allocations

NOON = 1_793_534_400_000  # 2026-11-01T12:00:00Z
INTERFACE, PHYSICAL, LOGICAL = 0, 2, 3
HYPERVISOR = "10.0.0.1"


def allocations_of(directory: Path, *lines: str) -> Allocations:
    """Load lines of `prefix,tenant,resource,valid_from,valid_to`."""
    path = directory / "allocations.csv"
    path.write_text("\n".join(("prefix,tenant,resource,valid_from,valid_to", *lines)))
    return load_allocations(path)


def symbols(texts: list[str]) -> Symbols:
    names = sorted(set(texts))
    return Symbols(np.array([names.index(text) for text in texts], np.int32), names)


def rows_of(
    *names: tuple[str, str],
    source_class: int = PHYSICAL,
    indexes: list[int] | None = None,
    if_indexes: list[int] | None = None,
    exporter: str = HYPERVISOR,
    domain: int = 0,
    time: int = NOON,
) -> Rows:
    """A row for each (uuid, name), all of one exporter and class of data source, received at `time` (ms)."""
    count = len(names)
    rows = Rows(
        count,
        {
            "time_received": np.full(count, time, np.int64),
            "exporter": np.tile(np.frombuffer(packed(ip_address(exporter)), np.uint8), (count, 1)),
            "observation_domain": np.full(count, domain, np.uint32),
            "source_class": np.full(count, source_class, np.uint32),
            "source_index": np.array(indexes or [1] * count, np.uint32),
            "uuid": symbols([uuid for uuid, _ in names]),
            "name": symbols([name for _, name in names]),
        },
    )
    if if_indexes is not None:
        rows.columns["if_index"] = np.array(if_indexes, np.uint32)
    return rows


def interfaces(*indexes: int, names: list[str] | None = None, **more: object) -> Rows:
    """Rows of the table counters_interface, which has no UUIDs; `names` are the ports'."""
    ports = names or [""] * len(indexes)
    rows = rows_of(*(("", port) for port in ports), source_class=INTERFACE, indexes=list(indexes), **more)  # type: ignore[arg-type]
    del rows.columns["uuid"]
    return rows


def texts(rows: Rows, *names: str) -> list[tuple[str, ...]]:
    """The values of symbol columns, row by row."""
    columns = []
    for name in names:
        column = rows.columns[name]
        assert isinstance(column, Symbols)
        columns.append([column.names[code] for code in column.codes.tolist()])
    return list(zip(*columns, strict=True))
