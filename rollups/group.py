"""A block's flows as groups that are alike in the dimensions of `schema.rollups`, with sums exact to flow and octet.

Each group is a partial sum: those of other blocks, and of flows that come late, add to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rollups.keys import Distinct, Keys, Packed, distinct, numbered
from schema.batch import Array, Flows
from schema.rollups import MINUTE, SIDES, SUMS

TENANTS = ("src_tenant", "dst_tenant")
_OF_FLOWS = (
    "in_if", "out_if", "in_if_form", "out_if_form", "direction", "flow_direction", *TENANTS, "proto", "application",
)  # fmt: skip
"""Dimensions of traffic that change from flow to flow, unlike minute and origin: exporter, protocol, sampling rate."""
_OF_SIDES = {
    "source": ("src_as", ("origin", "minute", "direction", "flow_direction", "in_if", "in_if_form")),
    "destination": ("dst_as", ("origin", "minute", "direction", "flow_direction", "out_if", "out_if_form")),
}
"""Of each side of a flow the column of its autonomous system, and those that say where it was seen."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups that differ in `columns`, whole numbers of shape (n,), and their `sums`; columns that lack are zero."""

    columns: dict[str, Array]
    sums: dict[str, Keys]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.sums["flows"])

    def by(self, columns: Mapping[str, Array]) -> Groups:
        """Return the groups that these make by other columns."""
        packed = Packed(self.count, columns)
        found = distinct(packed.keys)
        return Groups(packed.unpack(found.keys), {name: found.sums(values) for name, values in self.sums.items()})

    @staticmethod
    def together(parts: Sequence[Groups]) -> Groups:
        """Return the groups of all parts, one after another; equal ones stay apart."""
        if len(parts) == 1:
            return parts[0]
        columns = dict.fromkeys(name for part in parts for name in part.columns)
        sums = dict.fromkeys(name for part in parts for name in part.sums)
        return Groups(
            {name: _joined([part.columns.get(name) for part in parts], parts) for name in columns},
            {name: _joined([part.sums.get(name) for part in parts], parts) for name in sums},
        )


@dataclass(frozen=True, slots=True)
class Grouped:
    """A block's groups. Minutes are counted from the epoch; origins and tenants are numbered as the block has them."""

    traffic: Groups
    systems: Groups
    """With a `side` (`schema.rollups.SIDES`): each flow is in one group of each."""
    origins: dict[str, Array]
    """Exporter, protocol and sampling rate of each origin."""
    tenants: dict[str, Sequence[str]]
    """Of `src_tenant` and `dst_tenant`, the names."""

    @property
    def flows(self) -> int:
        """How many flows they are of."""
        return int(self.traffic.sums["flows"].sum())

    @property
    def count(self) -> int:
        """How many groups there are."""
        return self.traffic.count + self.systems.count


def group(flows: Flows) -> Grouped:
    """Return the groups of attributed flows, of which there is at least one."""
    origins, origin = _origins(flows)
    first, later = _minutes(flows.arrays["time_received"])
    columns = {"origin": origin} | ({} if later is None else {"minute": later})
    columns |= {name: _numbers(flows, name) for name in _OF_FLOWS if name in flows.arrays or name in flows.symbols}
    packed = Packed(flows.rows, columns)
    found = distinct(packed.keys)
    traffic = _sum(flows, packed, found)
    traffic.columns["minute"] = first + traffic.columns.get("minute", np.zeros(traffic.count, np.uint64))
    systems = [_systems(flows, found, traffic, *_OF_SIDES[side]) for side in SIDES]
    both = Groups.together(systems)
    both.columns["side"] = np.repeat(np.arange(len(SIDES), dtype=np.uint8), [each.count for each in systems])
    return Grouped(
        traffic, both, origins, {name: flows.symbols[name].names for name in TENANTS if name in flows.symbols}
    )


def _numbers(flows: Flows, name: str) -> Array:
    return flows.symbols[name].codes if name in flows.symbols else flows.arrays[name]


def _origins(flows: Flows) -> tuple[dict[str, Array], Array]:
    """Return exporter, protocol and sampling rate of each origin in the block, and for each flow which is its.

    The flows of a datagram stand together, so that only where something changes has to be looked at.
    """
    upper, lower = np.ascontiguousarray(flows.column("exporter")).view(np.uint64).T
    columns = {"upper": upper, "lower": lower}
    columns |= {name: flows.column(name) for name in ("flow_type", "sampling_rate")}
    changes = np.zeros(flows.rows, np.bool_)
    changes[0] = True
    for values in columns.values():
        changes[1:] |= values[1:] != values[:-1]
    starts = np.flatnonzero(changes)
    packed = Packed(len(starts), {name: values[starts] for name, values in columns.items()})
    codes, keys = numbered(packed.keys)
    found = packed.unpack(keys)
    exporters = np.stack([found.pop("upper"), found.pop("lower")], axis=1).view(np.uint8)
    return {"exporter": exporters, **found}, np.repeat(codes, np.diff(starts, append=flows.rows))


def _minutes(times: Array) -> tuple[np.uint64, Array | None]:
    """Return the first minute since the epoch, and for each time how many later its own is; None if none is."""
    first, last = int(times.min()) // MINUTE, int(times.max()) // MINUTE
    return np.uint64(first), None if first == last else (times - first * MINUTE) // MINUTE


def _sum(flows: Flows, packed: Packed, found: Distinct) -> Groups:
    sums = {"flows": found.counts.astype(np.uint64)}
    sums |= {name: found.sums(flows.arrays[name]) for name in SUMS if name in flows.arrays}
    return Groups(packed.unpack(found.keys), sums)


def _systems(flows: Flows, found: Distinct, traffic: Groups, system: str, where: Sequence[str]) -> Groups:
    """Return the groups by the autonomous system of one side and by where it was seen, which the traffic's groups tell.

    So the flows are looked at by two columns and not by seven; where there is no such system, not at all.
    """
    places = {name: traffic.columns[name] for name in where if name in traffic.columns}
    if system not in flows.arrays:
        return traffic.by(places)
    packed = Packed(traffic.count, places)
    codes, keys = numbered(packed.keys)
    together = Packed(flows.rows, {"place": found.spread(codes), system: flows.arrays[system]})
    groups = _sum(flows, together, distinct(together.keys))
    place = groups.columns.pop("place")
    return Groups(packed.unpack(keys[place]) | groups.columns, groups.sums)


def _joined(columns: Sequence[Array | None], parts: Sequence[Groups]) -> Array:
    given = (np.zeros(part.count, np.uint64) if column is None else column
             for column, part in zip(columns, parts, strict=True))  # fmt: skip
    return np.concatenate([values.astype(np.uint64, copy=False) for values in given])
