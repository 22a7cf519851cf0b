"""Volumes over time as SQL: by step, and by the largest values of a statistic."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from query.expression import Node
from query.planner import Plan
from query.reports import key_of, limit_of, read, volumes
from query.sql import Parameters, Sql
from query.statistics import Statistic, columns
from settings.errors import ConfigError
from storage.ddl import FLOWS

COLUMNS = ("time", "key", "is_other", "flows", "packets", "bytes", "unknown_sampling")
"""What `series_report` returns. `is_other` is 1 where `key` stands for all values that are not among the largest."""

_STEPS = (1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 10800, 21600, 43200, 86400)
"""Seconds of the steps that are chosen by themselves."""
_FEW = 120
VOLUMES = ("flows", "packets", "bytes")
_MOST = 10_000
_LINE = ("time", *VOLUMES, "unknown_sampling")
_SUMMED = "is_other, " + ", ".join(f"sum({name}) AS {name}" for name in _LINE[1:])
_STEP = re.compile(r"([0-9]+)([smhd])", re.IGNORECASE)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Point:
    """One step of one series: what was received in it, and the `seconds` of it that lie in the time asked for."""

    time: datetime
    seconds: float
    key: object
    is_other: bool
    flows: int = 0
    packets: int = 0
    bytes: int = 0
    unknown_sampling: int = 0

    @property
    def rates(self) -> dict[str, float]:
        """Flows, packets and bits by second."""
        return {"fps": self.flows / self.seconds, "pps": self.packets / self.seconds,
                "bps": self.bytes * 8 / self.seconds}  # fmt: skip


def step_of(text: str, since: datetime, until: datetime) -> int:
    """Return the seconds of a step such as 30s, 5m, 1h or 1d; where `text` is empty, of one that makes some hundred.

    ConfigError where it says none, or where there would be too many.
    """
    span = (until - since).total_seconds()
    if not text:
        return next((step for step in _STEPS if span / step <= _FEW), _STEPS[-1])
    found = _STEP.fullmatch(text)
    step = int(found[1]) * _UNITS[found[2].lower()] if found else 0
    if not step:
        raise ConfigError(f"--step: expected a time such as 30s, 5m, 1h or 1d, not '{text}'")
    if span / step > _MOST:
        raise ConfigError(f"--step: {text} makes more than {_MOST:,} steps of the time asked for; take a longer one")
    return step


def known_order(order: str) -> None:
    """Refuse to order by rates; ConfigError."""
    if order not in VOLUMES:
        raise ConfigError(f"the largest are those by flows, packets or bytes here, not by '{order}'")


def series_report(
    by: Statistic | None, order: str, filter: Node, since: datetime, until: datetime, step: int, n: int,
    source: str | Plan = FLOWS,
) -> Sql:  # fmt: skip
    """Return the query for the volumes of each `step` (s), by the `n` largest values of a statistic; of all without it.

    Its columns are COLUMNS. Steps begin at whole multiples of `step` since 1970. A flow counts at the time at which it
    was received. `order`, one of flows, packets and bytes, says what the largest are the largest by. Scaled as of
    `query.reports.grouped_report`. Rollups that `source` plans to read have no longer periods than `step`.
    """
    known_order(order)
    parameters = Parameters()
    every = parameters.add(step, "UInt32")
    wanted = (*(columns([by]) if by else ()), "packets", "bytes", "sampling_rate", "time_received")
    found = read(wanted, filter, since, until, parameters, source)
    keyed = f"SELECT *, {key_of(by) if by else repr('')} AS named FROM ({found})"  # noqa: S608
    time = f"toDateTime(intDiv(toUInt32(time_received), {every}) * {every}, 'UTC') AS time"
    shown = "if(is_other, defaultValueOfArgumentType(named), named) AS key"
    grouped = "GROUP BY time, key, is_other ORDER BY time, is_other, key"
    sums, limit = volumes(source), limit_of(n, parameters)
    if not isinstance(source, str) and source.few:
        text = _in_one_pass(f"SELECT {time}, named, {sums} FROM ({keyed}) GROUP BY time, named", order, limit)  # noqa: S608
        return Sql(f"SELECT time, {shown}, {_SUMMED} FROM ({text}) {grouped}", parameters.values)  # noqa: S608
    largest = (
        f"SELECT named FROM (SELECT named, {sums} FROM ({keyed}) GROUP BY named) "  # noqa: S608
        f"ORDER BY {order} DESC, named LIMIT {limit}"
    )
    return Sql(
        f"WITH largest AS ({largest}) SELECT {time}, {shown}, named NOT IN largest AS is_other, "  # noqa: S608
        f"{sums} FROM ({keyed}) {grouped}",
        parameters.values,
    )


def _in_one_pass(lines: str, order: str, limit: str) -> str:
    """Return the query for `lines`, volumes by time and name, and whether a name is not among the largest: `is_other`.

    For what is few by time and name: all of that is in memory at once. What can be many is read twice instead.
    """
    line = "groupArray((time, flows, packets, bytes, unknown_sampling)) AS line"
    ranked = f"row_number() OVER (ORDER BY sum({order}) DESC, named) > {limit} AS is_other"
    parts = ", ".join(f"step.{place} AS {name}" for place, name in enumerate(_LINE, 1))
    return (
        f"SELECT {parts}, named, is_other FROM (SELECT named, {line}, {ranked} FROM ({lines}) GROUP BY named) "  # noqa: S608
        "ARRAY JOIN line AS step"
    )


def points(rows: Sequence[Sequence[Any]], since: datetime, until: datetime, step: int) -> Iterator[Point]:
    """Yield a point for each step and series, in order of time, from the rows of `series_report`.

    Steps in which nothing was received have zeros.
    """
    found = {(row[0], row[1], bool(row[2])): row[3:] for row in rows}
    series = sorted({(key, is_other) for _, key, is_other in found}, key=lambda one: (one[1], str(one[0])))
    begin = _EPOCH + timedelta(seconds=(since - _EPOCH) // timedelta(seconds=step) * step)
    while begin < until and series:
        end = begin + timedelta(seconds=step)
        seconds = (min(end, until) - max(begin, since)).total_seconds()
        for key, is_other in series:
            yield Point(begin, seconds, key, is_other, *found.get((begin, key, is_other), ()))
        begin = end
