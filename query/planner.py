"""Whether a question is answered from flows or from rollups of them, and for which hours from which. Pure.

Rollups answer for whole hours of days of which they have every flow (`covered` asks that); what is before, behind and
between is read from flows. Both are scaled alike, so the sums are those of the flows, whatever is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from query.expression import Node
from query.reads import columns_read
from query.sql import Parameters, Sql, condition, instant, within
from query.statistics import Statistic, columns
from schema.rollups import AS_1H, AS_1M, SIDES, SUMS, TENANTS_1H, TRAFFIC_1H, TRAFFIC_1M, Rollup
from storage.ddl import FLOWS

COUNTED = "counted"
"""The column with how many flows a row is of."""

Ask: TypeAlias = Callable[[Sql], Iterable[Sequence[Any]]]
"""Asks the database, and returns the rows."""

_HOUR = timedelta(hours=1)
_FEWEST = 2 * _HOUR
_FOR_FLOWS = {"time_received", "retention_class", "side"}
"""Dimensions that say nothing of the flows themselves."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is read for the time from `since` on and before `until`: flows of a table or view, or a `rollup` of them.

    `side` is the one to read of a rollup that has two.
    """

    since: datetime
    until: datetime
    table: str = FLOWS
    rollup: Rollup | None = None
    side: str = ""

    @property
    def shown(self) -> str:
        """Itself in words."""
        return f"{self.since:%Y-%m-%dT%H:%M:%SZ} to {self.until:%Y-%m-%dT%H:%M:%SZ} from {self.table}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read, in order of time, and why.

    `outlived` counts the days of which rollups tell more than the flows that are left, `lacking` those of which they
    tell less.
    """

    pieces: tuple[Piece, ...]
    reason: str
    outlived: int = 0
    lacking: int = 0

    @property
    def from_rollups(self) -> bool:
        """Whether a rollup is read."""
        return any(piece.rollup for piece in self.pieces)

    @property
    def few(self) -> bool:
        """Whether what is counted by is few: the tenants, interfaces and the like of a rollup without systems."""
        return any(piece.rollup in (TENANTS_1H, TRAFFIC_1H, TRAFFIC_1M) for piece in self.pieces)

    @property
    def summed(self) -> timedelta:
        """How much of the time rollups are read for."""
        return sum((piece.until - piece.since for piece in self.pieces if piece.rollup), timedelta())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rollup that can answer, for whole hours of the time from `since` to `until`; its flows lie in `table`."""

    rollup: Rollup
    side: str
    since: datetime
    until: datetime


class Covered(NamedTuple):
    """A day, up to when it was looked at, and how many flows of it the table of flows has, and how many the rollup."""

    day: date
    up_to: datetime
    here: int
    there: int


def candidates(
    filter: Node, by: Sequence[Statistic], since: datetime, until: datetime, step: int = 3600
) -> tuple[Candidate, ...] | str:
    """Return the rollups that may answer a question by steps of so many seconds, the smallest first.

    Where there is none, return why.
    """
    asked = columns_read(filter) | set(columns(by))
    first, end = _whole_hour(since), _whole_hour(until)
    first += _HOUR if first < since else timedelta()
    if end - first < _FEWEST:
        return "the time has few whole hours"
    if step % 60:
        return "the steps are no whole minutes"
    found = tuple(
        Candidate(rollup, side, first, end)
        for rollup, side, known in _known(by_minute=step % 3600 > 0)
        if asked <= known
    )
    if found:
        return found
    lacking = asked - set().union(*(known for _, _, known in _known(by_minute=False)))
    return f"no rollup has {', '.join(sorted(lacking))}" if lacking else "no rollup has all of this together"


def _known(*, by_minute: bool) -> Iterator[tuple[Rollup, str, set[str]]]:
    """Yield the rollups of a period, each with its side and what it tells of flows."""
    if not by_minute:
        yield TENANTS_1H, "", set(TENANTS_1H.dimensions) - _FOR_FLOWS
    yield TRAFFIC_1M if by_minute else TRAFFIC_1H, "", set(TRAFFIC_1H.dimensions) - _FOR_FLOWS
    for side, others in zip(
        SIDES, ({"dst_as", "out_if", "out_if_form"}, {"src_as", "in_if", "in_if_form"}), strict=True
    ):
        yield AS_1M if by_minute else AS_1H, side, set(AS_1H.dimensions) - _FOR_FLOWS - others


def planned(
    found: Sequence[Candidate], since: datetime, until: datetime, now: datetime, table: str, ask: Ask,
    stored: bool = False,
) -> Plan:  # fmt: skip
    """Return what to read: of the first of `found` that lacks no day, or of the one that tells most of the time.

    `ask` returns the rows of a query; the rest is as of `plan`.
    """
    plans = []
    for of in found:
        plans.append(plan(of, covered(of, now, ask), since, until, now, table, stored))
        if not plans[-1].lacking:
            break
    return max(plans, key=lambda one: one.summed)


def covered(of: Candidate, now: datetime, ask: Ask) -> list[Covered]:
    """Return how many flows of each day are there, and how many in the rollup; `ask` returns the rows of a query.

    Days before that of `now` are looked at whole, which ClickHouse knows without reading. Today is looked at up to the
    last whole hour, and only where that differs up to the one before it: rollups of the last seconds are still to come.
    """
    parameters = Parameters()
    today, last = _midnight(now), min(of.until, _whole_hour(now))
    looks = list(_looks(of, of.since.date(), _whole_days(of, now), parameters))
    if last > today:
        looks += _looks_of_today(of, today, last, parameters)
    found = [Covered(*row) for row in ask(_looked(looks, parameters))]
    differs = any(one.day == today.date() and one.here != one.there for one in found)
    if differs and last - _HOUR > today:
        parameters = Parameters()
        looks = list(_looks_of_today(of, today, last - _HOUR, parameters))
        found += [Covered(*row) for row in ask(_looked(looks, parameters))]
    return found


def _looked(looks: Sequence[str], parameters: Parameters) -> Sql:
    return Sql(
        f"SELECT day, up_to, sum(here), sum(there) FROM ({' UNION ALL '.join(looks)}) "  # noqa: S608
        "GROUP BY day, up_to ORDER BY day, up_to",
        parameters.values,
    )


def plan(
    of: Candidate, known: Iterable[Covered], since: datetime, until: datetime, now: datetime, table: str,
    stored: bool = False,
) -> Plan:  # fmt: skip
    """Return what to read for the time from `since` to `until`; flows lie in `table`, or the view of `query.held`.

    A day counts as covered where the rollup has as many flows as there are, or more: some may be deleted by now. With
    `stored` the question is about those that are left.
    """
    lacking, outlived, today, up_to = set(), set(), _midnight(now), _midnight(now)
    for day, looked_at, here, there in known:
        covers = there == here or (there > here and not stored)
        outlived |= {day} if there > here and covers else set()
        if day < today.date():
            lacking |= set() if covers else {day}
        elif covers:
            up_to = max(up_to, looked_at.replace(tzinfo=UTC))
    runs: list[tuple[datetime, datetime]] = []
    for number in range((of.until - of.since).days + 2):
        midnight = _midnight(of.since) + timedelta(days=number)
        begin, end = max(midnight, of.since), min(midnight + timedelta(days=1), of.until)
        end = min(end, up_to) if midnight >= today else end
        if begin >= end or midnight.date() in lacking:
            continue
        if runs and runs[-1][1] == begin:
            begin = runs.pop()[0]
        runs.append((begin, end))
    if sum((end - begin for begin, end in runs), timedelta()) < _FEWEST:
        return flows_only(since, until, table, f"{of.rollup.name} lacks flows of that time", len(lacking))
    pieces, at = [], since
    for begin, end in runs:
        pieces += [Piece(at, begin, table)] if at < begin else []
        pieces.append(Piece(begin, end, of.rollup.name, of.rollup, of.side))
        at = end
    pieces += [Piece(at, until, table)] if at < until else []
    reason = f"{of.rollup.name} has all that is asked for, and every flow of these hours"
    return Plan(tuple(pieces), reason, len(outlived), len(lacking))


def flows_only(since: datetime, until: datetime, table: str, reason: str, lacking: int = 0) -> Plan:
    """Return the plan that reads nothing but flows."""
    return Plan((Piece(since, until, table),), reason, lacking=lacking)


def summed(wanted: Sequence[str], filter: Node, plan: Plan, parameters: Parameters) -> str:
    """Return the query for the columns `wanted` of what a filter selects, and COUNTED of each row.

    Rows of rollups have the start of their hour or minute as `time_received` and `flow_start`, its end as `flow_end`.
    """
    return " UNION ALL ".join(_piece(wanted, filter, piece, parameters) for piece in plan.pieces)


def _piece(wanted: Sequence[str], filter: Node, piece: Piece, parameters: Parameters) -> str:
    held, side = dict.fromkeys(wanted), ""
    named = {name: name for name in held}
    if piece.rollup:
        ends = f"time_received + toIntervalMillisecond({piece.rollup.period})"
        named |= {
            name: f"{sql} AS {name}"
            for name, sql in (("flow_start", "time_received"), ("flow_end", ends))
            if name in held
        }
        side = f" AND side = {parameters.add(piece.side, 'String')}" if piece.side else ""
    return (
        f"SELECT {', '.join(named.values())}, {'flows' if piece.rollup else 'toUInt64(1)'} AS {COUNTED} "  # noqa: S608
        f"FROM {piece.table} WHERE {within(piece.since, piece.until, parameters)}{side} "
        f"AND {condition(filter, parameters)}"
    )


def _looks(of: Candidate, first: date, end: date, parameters: Parameters) -> Iterator[str]:
    bounds = [f"toDate({parameters.add(one.isoformat(), 'String')})" for one in (first, end)]
    for counted, table, side in _counted(of, parameters):
        # Of flows ClickHouse knows it without reading; of sums it reads the sums alone, where it takes the day's name.
        day = "toDate(time_received)" if table == FLOWS else "_partition_value.2"
        yield (
            f"SELECT {day} AS day, {instant(0, parameters)} AS up_to, {counted} "  # noqa: S608
            f"FROM {table} WHERE {day} >= {bounds[0]} AND {day} < {bounds[1]}{side} GROUP BY day"
        )


def _looks_of_today(of: Candidate, today: datetime, up_to: datetime, parameters: Parameters) -> Iterator[str]:
    day = f"toDate({parameters.add(today.date().isoformat(), 'String')})"
    seconds = [parameters.add(int(moment.timestamp()), "Int64") for moment in (today, up_to)]
    hour = "toStartOfHour(time_received)"  # by this both tables are sorted first
    where = f"{hour} >= toDateTime({seconds[0]}, 'UTC') AND {hour} < toDateTime({seconds[1]}, 'UTC')"
    for counted, table, side in _counted(of, parameters):
        yield (
            f"SELECT {day} AS day, fromUnixTimestamp64Milli({seconds[1]} * 1000, 'UTC') AS up_to, {counted} "  # noqa: S608
            f"FROM {table} WHERE {where}{side}"
        )


def _counted(of: Candidate, parameters: Parameters) -> Iterator[tuple[str, str, str]]:
    """Yield what to count in the flows, and in the rollup, their tables, and what to add to the condition."""
    yield "count() AS here, toUInt64(0) AS there", FLOWS, ""
    side = f" AND side = {parameters.add(of.side, 'String')}" if of.side else ""
    yield f"toUInt64(0) AS here, sum({SUMS[0]}) AS there", of.rollup.name, side


def _whole_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _midnight(moment: datetime) -> datetime:
    return _whole_hour(moment).replace(hour=0)


def _whole_days(of: Candidate, now: datetime) -> date:
    """Return the first day that is not looked at whole."""
    last = (of.until - timedelta(milliseconds=1)).date()
    return min(last + timedelta(days=1), _midnight(now).date())
