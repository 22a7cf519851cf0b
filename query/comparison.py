"""Flows added up in two periods as SQL: what there is now beside what there was then."""

from __future__ import annotations

from collections.abc import Sequence

from query.expression import Node
from query.planner import COUNTED, Plan, summed
from query.reports import keys_of, limit_of
from query.series import known_order
from query.sql import Parameters, Sql
from query.statistics import Statistic, columns

VOLUMES = ("flows", "packets", "bytes")
COLUMNS = (*VOLUMES, *(f"{name}_before" for name in VOLUMES), "unknown_sampling")
"""What `comparison_report` returns behind what is counted by; `unknown_sampling` is of both periods."""


def comparison_report(by: Sequence[Statistic], order: str, filter: Node, n: int, now: Plan, before: Plan) -> Sql:
    """Return the query for the `n` largest groups by `order` in either of two periods, those that `now` and `before`
    read; its columns are one for each of `by`, and COLUMNS. Scaled as of `query.reports.grouped_report`.
    """
    known_order(order)
    parameters = Parameters()
    wanted = (*columns(by), "packets", "bytes", "sampling_rate")
    named, grouped = keys_of(by)
    scaled = {"flows": COUNTED} | {name: f"{name} * greatest(sampling_rate, 1)" for name in VOLUMES[1:]}
    each = ", ".join(f"{sql} AS one_{name}" for name, sql in scaled.items())
    sums = ", ".join(
        f"sumIf(one_{name}, {is_now}) AS {name}{end}"
        for is_now, end in (("is_now", ""), ("NOT is_now", "_before"))
        for name in VOLUMES
    )
    both = " UNION ALL ".join(
        f"SELECT {named}, {each}, sampling_rate, {is_now} AS is_now "  # noqa: S608
        f"FROM ({summed(wanted, filter, plan, parameters)})"
        for plan, is_now in ((now, "true"), (before, "false"))
    )
    return Sql(
        f"SELECT {grouped}, {', '.join(COLUMNS)} FROM (SELECT {grouped}, {sums}, "  # noqa: S608
        f"sumIf(one_flows, sampling_rate = 0) AS unknown_sampling FROM ({both}) GROUP BY {grouped}) "
        f"ORDER BY greatest({order}, {order}_before) DESC, {grouped} LIMIT {limit_of(n, parameters)}",
        parameters.values,
    )
