"""Batches of flows for the storage tests."""

from __future__ import annotations

import numpy as np

from schema.batch import Flows, Symbols, map_v4
from schema.columns import FLOW_COLUMNS, Column, Kind

DAY_MS = 86_400_000
NOW_MS = 3_800_000_000_000  # 2090-06-01: no run of these tests sees it expire


def every_column(rows: int, seed: int = 1, now_ms: int = NOW_MS) -> Flows:
    """Return random flows with all columns present, over the whole range of each type."""
    rng = np.random.default_rng(seed)
    flows = Flows(rows)
    for column in FLOW_COLUMNS:
        if column.kind is Kind.SYMBOL:
            names = ["basic", "standard"] if column.name == "retention_class" else ["", "it's", "grüezi\t\\", "unused"]
            flows.symbols[column.name] = Symbols(rng.integers(0, min(len(names), 3), rows).astype(np.int32), names)
        else:
            flows.arrays[column.name] = _random(column, rows, rng)
    flows.arrays["time_received"] = now_ms - rng.integers(0, 60_000, rows)
    flows.arrays["observation_domain"] = np.arange(rows, dtype="u4")  # tells rows apart
    return flows


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
