"""The rows of `schema.rollups` of one block of flows, or of several blocks in one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from rollups.group import TENANTS, Grouped, Groups, group
from schema.batch import Array, Flows, Nullable, Rows, Symbols
from schema.rollups import AS_1H, AS_1M, HOUR, MINUTE, ROLLUPS, TENANTS_1H, TRAFFIC_1H, TRAFFIC_1M
from schema.tables import Category

_DTYPES = {column.name: column.dtype for table in ROLLUPS for column in table.columns}


class Rollups:
    """Sums of the flows that were added, as rows; one for each block, or one for as many blocks as are stored together.

    Whatever order blocks are added in, and however they are parted among several of these, the tables come to the
    same sums.
    """

    def __init__(self) -> None:
        self.flows = 0
        """How many flows were added."""
        self._origins: dict[tuple[bytes, int, int], int] = {}
        self._names = {"": 0}  # the first is what a block without tenants has
        self._traffic: list[Groups] = []
        self._systems: list[Groups] = []

    def add(self, flows: Flows) -> None:
        """Add a block of attributed flows; KeyError for flows without `time_received`."""
        if not flows.rows:
            return
        self.add_groups(group(flows))

    def add_groups(self, grouped: Grouped) -> None:
        """Add a block by its groups, whose numbers of origins and tenants become ours."""
        origins = self._own_origins(grouped)
        for groups in (grouped.traffic, grouped.systems):
            groups.columns["origin"] = origins[groups.columns["origin"]]
        for name in grouped.tenants:
            codes = grouped.traffic.columns[name]
            grouped.traffic.columns[name] = self._own_codes(grouped.tenants[name], codes)
        self._traffic.append(grouped.traffic)
        self._systems.append(grouped.systems)
        self.flows += grouped.flows

    def rows(self) -> dict[str, Rows]:
        """Return the rows of each table of `ROLLUPS` that what was added comes to; nothing if nothing was."""
        if not self.flows:
            return {}
        rows = {}
        for (minute, hour), parts in (
            ((TRAFFIC_1M, TRAFFIC_1H), self._traffic),
            ((AS_1M, AS_1H), self._systems),
        ):
            by_minute = _fewest(Groups.together(parts), len(parts))
            by_hour = _by_hour(by_minute)
            rows[minute.name] = found = self._rows(by_minute, self._origins)
            if by_hour is not by_minute:
                found = self._rows(by_hour, self._origins)
            starts = _starts(by_hour) // HOUR * HOUR
            rows[hour.name] = Rows(found.rows, {**found.columns, "time_received": starts})
            if hour is TRAFFIC_1H:
                rows[TENANTS_1H.name] = self._of_tenants(by_hour)
        return rows

    def _of_tenants(self, by_hour: Groups) -> Rows:
        """Return the traffic's groups as rows of TENANTS_1H, which know of an origin no exporter."""
        kinds: dict[tuple[int, int], int] = {}
        of_origins = np.array([kinds.setdefault(key[1:], len(kinds)) for key in self._origins], np.uint64)
        kept = {name: of for name, of in by_hour.columns.items() if name in (*TENANTS_1H.dimensions, "minute")}
        groups = by_hour.by({**kept, "origin": of_origins[by_hour.columns["origin"].astype(np.intp)]})
        found = self._rows(groups, [(bytes(16), *kind) for kind in kinds])
        columns = {name: values for name, values in found.columns.items() if name != "exporter"}
        return Rows(found.rows, {**columns, "time_received": _starts(groups) // HOUR * HOUR})

    def _own_origins(self, grouped: Grouped) -> Array:
        """Return what number each of the block's origins has here."""
        exporters, types, rates = (grouped.origins[name] for name in ("exporter", "flow_type", "sampling_rate"))
        keys = zip(map(bytes, exporters), types.tolist(), rates.tolist(), strict=True)
        return np.array([self._origins.setdefault(key, len(self._origins)) for key in keys], np.uint64)

    def _own_codes(self, names: Sequence[str], codes: Array) -> Array:
        """Return the numbers that the tenants with these codes have here."""
        used = np.flatnonzero(np.bincount(codes.astype(np.intp), minlength=len(names)))
        own = np.zeros(len(names), np.uint64)
        own[used] = [self._names.setdefault(names[code], len(self._names)) for code in used.tolist()]
        return own[codes]

    def _rows(self, groups: Groups, origins: Iterable[tuple[bytes, int, int]]) -> Rows:
        """Return groups of some origins as rows, each at its minute."""
        exporters, types, rates = zip(*origins, strict=True)
        columns = {name: values for name, values in groups.columns.items() if name != "minute"}
        origin, names = columns.pop("origin").astype(np.intp), list(self._names)
        given: dict[str, Array | Symbols | Nullable] = {
            "time_received": _starts(groups),
            "exporter": np.frombuffer(b"".join(exporters), np.uint8).reshape(-1, 16).take(origin, axis=0),
            "flow_type": np.array(types, _DTYPES["flow_type"]).take(origin),
            "sampling_rate": np.array(rates, _DTYPES["sampling_rate"]).take(origin),
            "retention_class": Symbols(np.zeros(groups.count, np.int32), (Category.ROLLUPS.value,)),
            **{name: Symbols(columns.pop(name).astype(np.int32), names) for name in TENANTS if name in columns},
            **{name: values.astype(_DTYPES[name], copy=False) for name, values in columns.items()},
        }
        return Rows(groups.count, given | groups.sums)


def _fewest(groups: Groups, parts: int) -> Groups:
    """Return groups of so many parts as groups that all differ."""
    if parts == 1:
        return groups
    minute = groups.columns["minute"]
    first = minute.min()
    merged = groups.by(groups.columns | {"minute": minute - first})
    merged.columns["minute"] += first
    return merged


def _by_hour(groups: Groups) -> Groups:
    """Return groups of minutes as groups of hours, each at its first minute here; the same if they are as many."""
    minute = groups.columns["minute"]
    if minute.min() == minute.max():
        return groups
    minutes = np.unique(minute)
    hours, firsts = np.unique(minutes // np.uint64(HOUR // MINUTE), return_index=True)
    if len(hours) == len(minutes):
        return groups
    which = np.searchsorted(hours, minute // np.uint64(HOUR // MINUTE))
    merged = groups.by(groups.columns | {"minute": which})
    merged.columns["minute"] = minutes[firsts][merged.columns["minute"]]
    return merged


def _starts(groups: Groups) -> Array:
    """Return when the groups' minutes begin (ms)."""
    return groups.columns["minute"].astype(np.int64) * MINUTE
