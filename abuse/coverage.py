"""Whether the exporters were heard: which of them sent flows, minute by minute, and where one that should was silent.

Silence is told by flows alone: an exporter usually has some in every few minutes, and has none in the time of a report.
Rollups tell it best, for they are kept longer; where there are none, and flows of the time are gone, nothing tells it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address

import numpy as np
import numpy.typing as npt

from query.sql import Parameters, within
from schema.rollups import TRAFFIC_1M
from storage.client import Client
from storage.ddl import FLOWS

_MARGIN = timedelta(hours=12)
"""How far around the reports an exporter's usual flow is taken from."""
_EXPECTED = 8.0
"""Flows that a silence has to lack to be called one: with fewer it is chance (e ** -8 is 1 in 3,000)."""
_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Heard:
    """Flows received from an exporter, by minute from the first of them on; its highest sampling rate, 0 if unknown."""

    flows: npt.NDArray[np.int64]
    rate: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was heard from `start`, in minutes since 1970, on; `is_whole` says whether all of it still is there."""

    start: int
    exporters: Mapping[IPv6Address, Heard]
    is_whole: bool = True

    def silent(self, first: datetime, last: datetime) -> tuple[IPv6Address, ...]:
        """Return the exporters that were silent throughout the time, and would not have been by chance."""
        if not self.is_whole:
            return ()
        low, high = (int(moment.timestamp()) // 60 - self.start for moment in (first, last))
        return tuple(
            exporter for exporter, heard in self.exporters.items() if _is_silent(heard.flows, max(low, 0), high + 1)
        )

    def rate(self, exporters: Collection[IPv6Address] = ()) -> int:
        """Return the highest sampling rate of these exporters, of all where none is named; 0 where one's is unknown."""
        rates = [self.exporters[one].rate for one in exporters or self.exporters if one in self.exporters]
        return max(rates, default=0) if all(rates) else 0


def _is_silent(flows: npt.NDArray[np.int64], low: int, high: int) -> bool:
    if low >= len(flows):  # that is still to come
        return False
    within_, total = int(flows[low:high].sum()), int(flows.sum())
    others = len(flows) - (min(high, len(flows)) - low)
    return within_ == 0 and others > 0 and total / others * (high - low) >= _EXPECTED


def coverage(client: Client, spans: Sequence[tuple[datetime, datetime]], source: str, now: datetime) -> Coverage:
    """Return what was heard around the spans of time, up to `now`, by flows in `source`, a table or view of flows."""
    since, until = min(first for first, _ in spans) - _MARGIN, max(last for _, last in spans) + _MARGIN
    until = max(min(until, now), since)
    start, end = (int(moment.timestamp()) // 60 for moment in (since, until))
    parameters = Parameters()
    times = within(since, until, parameters)
    rollup = TRAFFIC_1M.name
    ((summed,),) = client.query(f"SELECT count() FROM {rollup} WHERE {times}", parameters.values).rows  # noqa: S608
    table, flows_of = (rollup, "sum(flows)") if summed else (source, "count()")
    sql = (
        "SELECT exporter, groupArray(minute), groupArray(number), max(rate) FROM ("  # noqa: S608 - names of our own
        f"SELECT exporter, intDiv(toUnixTimestamp(time_received), 60) AS minute, {flows_of} AS number, "
        f"max(sampling_rate) AS rate FROM {table} WHERE {times} AND exporter != toIPv6('::') "
        "GROUP BY exporter, minute) GROUP BY exporter ORDER BY exporter"  # those without one are a translator's log
    )
    found = {}
    for exporter, minutes, flows, rate in client.query(sql, parameters.values).rows:
        heard = np.zeros(end - start + 1, np.int64)
        heard[np.array(minutes) - start] = flows
        found[exporter] = Heard(heard, rate)
    return Coverage(start, found, bool(summed) or source == FLOWS)
