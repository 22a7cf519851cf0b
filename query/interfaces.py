"""What counters tell of interfaces, beside what the flows tell: the questions as SQL, and their answers joined.

How much of an interface's traffic the flows show is the honest figure of completeness. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address
from typing import Any

from query.counters import steps, totals
from query.expression import Node
from query.sql import Parameters, Sql, condition, within
from schema.tables import STORED_TABLES
from storage.ddl import FLOWS, NAMES

TABLE = next(table for table in STORED_TABLES if table.name == "counters_interface")
_INTERFACE = 0
"""Class of the sFlow data sources that are interfaces."""
FRAMING = 18
"""Octets of a packet that interfaces count and flows do not: the Ethernet header and the frame check sequence."""

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Counters:
    """The columns of one direction."""

    octets: str
    packets: tuple[str, ...]
    errors: str
    discards: str


_KINDS = ("ucast", "multicast", "broadcast")
WAYS = tuple(
    Counters(
        f"if_{way}_octets", tuple(f"if_{way}_{kind}_pkts" for kind in _KINDS), f"if_{way}_errors", f"if_{way}_discards"
    )
    for way in ("in", "out")
)
"""In and out, in this order."""
COLUMNS = tuple(name for way in WAYS for name in (way.octets, *way.packets, way.errors, way.discards))


@dataclass(frozen=True, slots=True)
class Question:
    """Which exporters' interfaces (a condition on `exporter` alone), from `since` on and before `until`."""

    exporters: Node
    since: datetime
    until: datetime

    def latest(self) -> Sql:
        """Return the query for what the samples said last: exporter, index, name, tenant, speed, status."""
        newest = ("argMaxIf(name, time_received, name != '')", "argMaxIf(tenant, time_received, tenant != '')",
                  "argMax(if_speed, time_received)", "argMax(if_status, time_received)")  # fmt: skip
        parameters = Parameters()
        samples = f"FROM {TABLE.name} WHERE {self._samples(parameters)}"
        text = f"SELECT exporter, source_index, {', '.join(newest)}\n{samples}\nGROUP BY exporter, source_index"
        return Sql(text, parameters.values)

    def counted(self) -> Sql:
        """Return the query for what the counters counted: the columns of `query.counters.totals` for COLUMNS."""
        parameters = Parameters()
        return Sql(totals(TABLE, COLUMNS, self._of_one_agent(parameters)), parameters.values)

    def named(self) -> Sql:
        """Return the query for the names that options data gives: exporter, index, name."""
        parameters = Parameters()
        return Sql(
            f"SELECT exporter, id, argMax(name, seen)\nFROM {NAMES.name}\n"
            f"WHERE naming = 'interface' AND name != '' AND {condition(self.exporters, parameters)}\n"
            "GROUP BY exporter, id",
            parameters.values,
        )

    def seen(self) -> Sql:
        """Return the query for the flows: exporter, index, way, own, compared, octets, flows, unknown.

        `way` is a place in WAYS. `own` are sFlow samples that the interface itself took, `compared` is what was
        received in steps of which it is known what the counters of octets counted. `octets` are what the interface
        would count, of all packets that the sampled ones stand for; `unknown` are flows without a sampling rate.
        """
        parameters = Parameters()
        runs = self._runs(parameters)
        frames = f"if(frame_length > 0, frame_length * greatest(packets, 1), bytes + {FRAMING} * packets)"
        flows = "\n".join(
            (
                "SELECT exporter, time_received, way, interface, data_source = interface AS own,",
                f"{frames} * greatest(sampling_rate, 1) AS octets, sampling_rate",
                f"FROM {FLOWS} ARRAY JOIN [0, 1] AS way, [in_if, out_if] AS interface",
                f"WHERE {self._asked(parameters)} AND interface > 0",
            )
        )
        return Sql(
            "\n".join(
                (
                    "SELECT flow.exporter, flow.interface, flow.way, own, time_received <= ended AS compared,",
                    "sum(octets), count(), countIf(sampling_rate = 0)",
                    f"FROM ({flows}) AS flow",
                    f"ASOF LEFT JOIN ({runs}) AS run",
                    "ON flow.exporter = run.exporter AND flow.interface = run.interface AND flow.way = run.way",
                    "AND flow.time_received > run.began",
                    "GROUP BY flow.exporter, flow.interface, flow.way, own, compared",
                )
            ),
            parameters.values,
        )

    def _asked(self, parameters: Parameters) -> str:
        return f"{within(self.since, self.until, parameters)} AND {condition(self.exporters, parameters)}"

    def _samples(self, parameters: Parameters) -> str:
        return f"source_class = {_INTERFACE} AND {self._asked(parameters)}"

    def _of_one_agent(self, parameters: Parameters) -> str:
        """Return the condition of samples, of the sub-agent that told most where several tell of one interface."""
        samples = f"FROM {TABLE.name} WHERE {self._samples(parameters)}"
        agents = "exporter, source_index, observation_domain"
        return "\n".join(
            (
                f"{self._samples(parameters)} AND ({agents}) IN (",
                "SELECT exporter, source_index, argMax(observation_domain, (samples, observation_domain))",
                f"FROM (SELECT {agents}, count() AS samples {samples} GROUP BY {agents})",
                "GROUP BY exporter, source_index)",
            )
        )

    def _runs(self, parameters: Parameters) -> str:
        """Return the query for the times of which it is known what was counted: neighbouring steps are joined."""
        octets = [way.octets for way in WAYS]
        told = ", ".join(f"{name} IS NOT NULL" for name in octets)
        return "\n".join(
            (
                "SELECT exporter, source_index AS interface, way, run[1].1 AS began, run[-1].2 AS ended",
                "FROM (SELECT exporter, source_index, way, arraySort(groupArray((began, ended))) AS known",
                f"FROM ({steps(TABLE, octets, self._of_one_agent(parameters))})",
                f"ARRAY JOIN [0, 1] AS way, [{told}] AS told WHERE told",
                "GROUP BY exporter, source_index, way)",
                "ARRAY JOIN arraySplit((this, before) -> this.1 != before.2, known,",
                "arrayPushFront(arrayPopBack(known), known[1])) AS run",
            )
        )


@dataclass(frozen=True, slots=True)
class Way:
    """What is known of one direction; None is what nothing tells. Octets are those of the link layer.

    `octets`, `errors` and `discards` were counted in the seconds that are compared with the flows; `flow_octets` and
    `flows` are of the same seconds, or of all the time where the counters tell of none. `unknown_sampling` are flows
    without a sampling rate, which went in as if unsampled: then `seen_percent` is not known.
    """

    octets: int | None
    bits_per_second: float | None
    utilisation_percent: float | None
    packets_per_second: float | None
    errors: int | None
    discards: int | None
    flow_octets: int
    flows: int
    unknown_sampling: int
    seen_percent: float | None


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of an exporter; `seconds` are those of which the counters of octets tell, at most of one way."""

    exporter: IPv6Address
    index: int
    name: str
    tenant: str
    speed: int | None
    admin_up: bool | None
    oper_up: bool | None
    seconds: float
    ways: tuple[Way, ...]


def interfaces(
    latest: Iterable[Row], counted: Iterable[Row], named: Iterable[Row], seen: Iterable[Row]
) -> list[Interface]:
    """Return the interfaces that counters or flows tell of, from the rows of the queries of `Question`."""
    facts = {row[:2]: row[2:] for row in map(tuple, latest)}
    names = {row[:2]: row[2] for row in map(tuple, named)}
    counts = {(row[0], row[3]): _counts(row[4:]) for row in counted}
    flows: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in map(tuple, seen):
        flows[row[:2]].append(row[2:])
    found = []
    for key in sorted({*facts, *flows}):
        exporter, index = key
        name, tenant, speed, status = facts.get(key, _NOTHING)
        count = counts.get(key, {})
        ways = tuple(_way(place, count, speed, flows.get(key, [])) for place in range(len(WAYS)))
        seconds = max(count.get(way.octets, _UNTOLD)[1] for way in WAYS) / 1000
        admin_up, oper_up = (None if status is None else bool(status & bit) for bit in (1, 2))
        name = name or names.get(key, "")
        found.append(Interface(exporter, index, name, tenant, speed or None, admin_up, oper_up, seconds, ways))
    return found


_NOTHING = ("", "", None, None)
"""What is known of an interface that only flows tell of."""
_UNTOLD = (None, 0)
"""What a counter counted that nobody told, and in how many ms."""


def _counts(figures: Row) -> dict[str, tuple[int | None, int]]:
    """Return by column what was counted and in how many ms."""
    return dict(zip(COLUMNS, zip(figures[::2], figures[1::2], strict=True), strict=True))


def _way(place: int, count: dict[str, tuple[int | None, int]], speed: int | None, flows: list[Row]) -> Way:
    columns = WAYS[place]
    octets, milliseconds = count.get(columns.octets, _UNTOLD)
    bits = None if octets is None else 8000 * octets / milliseconds
    kinds = [count.get(name, _UNTOLD) for name in columns.packets]
    packets = [1000 * total / span for total, span in kinds if total is not None]
    flow_octets, number, unknown = _compared([row[1:] for row in flows if row[0] == place], milliseconds > 0)
    return Way(
        octets,
        _rounded(bits),
        _rounded(100 * bits / speed) if bits is not None and speed else None,
        _rounded(sum(packets)) if kinds[0][0] is not None else None,
        count.get(columns.errors, _UNTOLD)[0],
        count.get(columns.discards, _UNTOLD)[0],
        flow_octets,
        number,
        unknown,
        _rounded(100 * flow_octets / octets) if octets and not unknown else None,
    )


def _compared(rows: list[Row], counted: bool) -> tuple[int, int, int]:
    """Return octets, flows and flows of unknown sampling to set against the counters.

    `rows` are own, compared, octets, flows, unknown. Where the interface samples itself a packet may have been sampled
    where it came from or goes to as well: only its own samples count.
    """
    own = any(row[0] for row in rows)
    kept = [row[2:] for row in rows if row[0] == own and (row[1] or not counted)]
    return sum(row[0] for row in kept), sum(row[1] for row in kept), sum(row[2] for row in kept)


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)
