"""Batches of flows and other rows for the storage tests."""

from __future__ import annotations

import numpy as np

from schema.batch import Array, Flows, Nullable, Rows, Symbols, map_v4
from schema.columns import FLOW_COLUMNS, Column, Kind
from schema.tables import StoredTable

DAY_MS = 86_400_000
NOW_MS = 3_800_000_000_000  # 2090-06-01: no run of these tests sees it expire


def every_column(rows: int, seed: int = 1, now_ms: int = NOW_MS) -> Flows:
    """Return random flows with all columns present, over the whole range of each type."""
    rng = np.random.default_rng(seed)
    flows = Flows(rows)
    for column in FLOW_COLUMNS:
        if column.kind is Kind.SYMBOL:
            flows.symbols[column.name] = _symbols(column, rows, rng)
        else:
            flows.arrays[column.name] = _random(column, rows, rng)
    flows.arrays["time_received"] = now_ms - rng.integers(0, 60_000, rows)
    flows.arrays["observation_domain"] = np.arange(rows, dtype="u4")  # tells rows apart
    return flows


def every_column_of(table: StoredTable, rows: int, seed: int = 1, now_ms: int = NOW_MS) -> Rows:
    """Return random rows with all columns of `table` present; of those that may be NULL some values are."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Array | Symbols | Nullable] = {}
    for column in table.columns:
        if column.kind is Kind.SYMBOL:
            columns[column.name] = _symbols(column, rows, rng)
            continue
        values = _random(column, rows, rng)
        columns[column.name] = Nullable(values, rng.random(rows) < 0.3) if column.nullable else values
    columns["time_received"] = now_ms - rng.integers(0, 60_000, rows)
    columns["observation_domain"] = np.arange(rows, dtype="u4")  # tells rows apart
    return Rows(rows, columns)


def _symbols(column: Column, rows: int, rng: np.random.Generator) -> Symbols:
    names = ["basic", "standard"] if column.name == "retention_class" else ["", "it's", "grüezi\t\\", "unused"]
    return Symbols(rng.integers(0, min(len(names), 3), rows).astype(np.int32), names)


def _random(column: Column, rows: int, rng: np.random.Generator) -> np.ndarray:
    match column.kind:
        case Kind.TIME:
            return rng.integers(0, NOW_MS, rows)
        case Kind.ENUM:
            return rng.integers(0, len(column.names), rows).astype("u1")
        case Kind.ADDRESS:
            octets = rng.integers(0, 256, (rows, 16)).astype("u1")
            mapped = np.zeros((rows, 16), "u1")
            map_v4(octets[:, :4], mapped)
            return np.where(rng.random((rows, 1)) < 0.5, octets, mapped)
        case Kind.LABELS:
            depth = rng.integers(0, column.width + 1, (rows, 1))
            return np.where(np.arange(column.width) < depth, rng.integers(1, 2**24, (rows, column.width)), 0).astype(
                "u4"
            )
        case Kind.SEGMENTS:
            depth = rng.integers(0, column.width // 16 + 1, (rows, 1))
            return np.where(np.arange(column.width) < depth * 16, rng.integers(1, 256, (rows, column.width)), 0).astype(
                "u1"
            )
        case Kind.MAC:
            return rng.integers(0, 2**48, rows, dtype="u8")
        case Kind.FLOAT:
            special = rng.choice(np.array([0, -1.5, np.inf, 1e-45, np.finfo("f4").max]), rows)
            return np.where(rng.random(rows) < 0.5, special, rng.normal(0, 100, rows)).astype(column.dtype)
        case _:
            return rng.integers(0, np.iinfo(column.dtype).max, rows, dtype=column.dtype, endpoint=True)


def at(times_ms: list[int], retention_class: str = "basic") -> Flows:
    """Return flows with nothing but reception times and a class."""
    codes = np.zeros(len(times_ms), np.int32)
    return Flows(
        len(times_ms),
        {"time_received": np.array(times_ms, "i8")},
        {"retention_class": Symbols(codes, [retention_class])},
    )


def rows_at(times_ms: list[int], retention_classes: list[str]) -> Rows:
    """Return rows with nothing but reception times and classes."""
    names = sorted(set(retention_classes))
    codes = np.array([names.index(name) for name in retention_classes], np.int32)
    return Rows(
        len(times_ms),
        {"time_received": np.array(times_ms, "i8"), "retention_class": Symbols(codes, names)},
    )
