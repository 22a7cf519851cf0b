"""Sums of flows, one flow after the other: flows are dicts here, and nothing of `rollups` or of NumPy is used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

Flow = Mapping[str, Any]
Sums = dict[tuple[Any, ...], tuple[int, int, int]]
"""By the values of a table's columns, in the order of COLUMNS: flows, octets, packets."""

SENT = ("direction", "flow_type", "sampling_rate", "flow_direction")
TRAFFIC = (
    "src_tenant", "dst_tenant", "exporter", "in_if", "out_if", "in_if_form", "out_if_form", "proto", "application",
    *SENT,
)  # fmt: skip
SYSTEMS = ("side", "src_as", "dst_as", "exporter", "in_if", "out_if", "in_if_form", "out_if_form", *SENT)
COLUMNS = {
    "traffic_1m": ("time_received", *TRAFFIC),
    "traffic_1h": ("time_received", *TRAFFIC),
    "tenants_1h": ("time_received", "src_tenant", "dst_tenant", *SENT),
    "as_1m": ("time_received", *SYSTEMS),
    "as_1h": ("time_received", *SYSTEMS),
}
OF_SOURCE, OF_DESTINATION = ("src_as", "in_if", "in_if_form"), ("dst_as", "out_if", "out_if_form")


def sums(table: str, flows: Iterable[Flow]) -> Sums:
    """Return what a table is to say of the flows."""
    found: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for flow in flows:
        period = 60_000 if table.endswith("1m") else 3_600_000
        told = {**flow, "time_received": flow["time_received"] - flow["time_received"] % period}
        sides = [told]
        if table.startswith("as_"):
            sides = [
                {**told, "side": "source", **dict.fromkeys(OF_DESTINATION, 0)},
                {**told, "side": "destination", **dict.fromkeys(OF_SOURCE, 0)},
            ]
        for side in sides:
            total = found[tuple(side[column] for column in COLUMNS[table])]
            for place, more in enumerate((1, flow["bytes"], flow["packets"])):
                total[place] = (total[place] + more) % 2**64
    return {key: (total[0], total[1], total[2]) for key, total in found.items()}


def added(table: str, rows: Iterable[Flow]) -> Sums:
    """Return what rows of a table come to when those of one key are added."""
    found: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in rows:
        total = found[tuple(row[column] for column in COLUMNS[table])]
        for place, name in enumerate(("flows", "bytes", "packets")):
            total[place] = (total[place] + row[name]) % 2**64
    return {key: (total[0], total[1], total[2]) for key, total in found.items()}
