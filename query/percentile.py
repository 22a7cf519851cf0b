"""Percentiles of rates as SQL, as transit is billed: the rate of each step, zero where nothing was received."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from query.expression import Node
from query.planner import Plan
from query.reports import keys_of, limit_of, read, volumes
from query.sql import Parameters, Sql
from query.statistics import Statistic, columns
from settings.errors import ConfigError
from storage.ddl import FLOWS

COLUMNS = ("percentile", "average", "most", "unknown_sampling")
"""What `percentile_report` returns behind what is counted by: bits by second, and flows of unknown sampling."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def whole_steps(since: datetime, until: datetime, step: int) -> tuple[datetime, datetime]:
    """Return the time of the whole steps (s) that lie in a time; ConfigError where there is none."""
    every = timedelta(seconds=step)
    first, end = -(-(since - _EPOCH) // every), (until - _EPOCH) // every
    if end <= first:
        raise ConfigError(f"there is no whole step of {step} s in the time asked for; take a longer time")
    return _EPOCH + first * every, _EPOCH + end * every


def percentile_report(
    by: Sequence[Statistic], percent: float, filter: Node, since: datetime, until: datetime, step: int, n: int,
    source: str | Plan = FLOWS,
) -> Sql:  # fmt: skip
    """Return the query for the `n` groups with the largest percentile of their rates; columns: one for each of `by`,
    and COLUMNS. The time is one of `whole_steps`.

    The percentile is the smallest rate that is not exceeded in `percent` of all steps (nearest rank). Scaled as of
    `query.reports.grouped_report`. ConfigError for a percentage that is none.
    """
    if not 0 < percent <= 100:
        raise ConfigError(f"a percentile is above 0 and at most 100, not {percent:g}")
    parameters = Parameters()
    steps = (until - since) // timedelta(seconds=step)
    rank = min(steps, -int(-(percent * steps) // 100))
    wanted = (*columns(by), "packets", "bytes", "sampling_rate", "time_received")
    named, grouped = keys_of(by)
    every, from_top = parameters.add(step, "UInt32"), parameters.add(steps - rank + 1, "UInt32")
    rates = (
        f"SELECT {named}, intDiv(toUInt32(time_received), {every}) AS step, {volumes(source)} "  # noqa: S608
        f"FROM ({read(wanted, filter, since, until, parameters, source)}) GROUP BY {grouped}, step"
    )
    rate = f"bytes * 8 / {every}"
    return Sql(
        f"SELECT {grouped}, if(length(rates) < {from_top}, 0, arrayReverseSort(rates)[{from_top}]) AS percentile, "  # noqa: S608
        f"arraySum(rates) / {parameters.add(steps, 'UInt32')} AS average, arrayMax(rates) AS most, unknown_sampling "
        f"FROM (SELECT {grouped}, groupArray({rate}) AS rates, sum(unknown_sampling) AS unknown_sampling "
        f"FROM ({rates}) GROUP BY {grouped}) ORDER BY percentile DESC, {grouped} LIMIT {limit_of(n, parameters)}",
        parameters.values,
    )
