"""Who talks to whom, as SQL: volumes by two statistics at once, of the largest of each and all others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from query.expression import Node
from query.planner import Plan
from query.reports import key_of, limit_of, read, volumes
from query.series import known_order
from query.sql import Parameters, Sql
from query.statistics import Statistic, columns
from storage.ddl import FLOWS

COLUMNS = ("row", "row_is_other", "column", "column_is_other", "flows", "packets", "bytes", "unknown_sampling")
"""What `matrix_report` returns. Where `..._is_other` is 1 all values are meant that are not among the largest."""


class Name(NamedTuple):
    """A row or column of a matrix; all others come last."""

    is_other: bool
    value: Any


class Matrix(NamedTuple):
    """Rows and columns, the largest first, and the volume of each pair that has one."""

    rows: tuple[Name, ...]
    columns: tuple[Name, ...]
    cells: dict[tuple[Name, Name], int]


def matrix_report(
    by: tuple[Statistic, Statistic], order: str, filter: Node, since: datetime, until: datetime, n: int,
    source: str | Plan = FLOWS,
) -> Sql:  # fmt: skip
    """Return the query for the volumes by two statistics of one end each, of the `n` largest of each by `order`.

    Its columns are COLUMNS; scaled as of `query.reports.grouped_report`.
    """
    known_order(order)
    parameters = Parameters()
    wanted = (*columns(by), "packets", "bytes", "sampling_rate")
    keys = ", ".join(f"{key_of(each)} AS of_{place}" for each, place in zip(by, ("row", "column"), strict=True))
    keyed = f"SELECT *, {keys} FROM ({read(wanted, filter, since, until, parameters, source)})"  # noqa: S608
    most, sums = limit_of(n, parameters), volumes(source)
    largest = ", ".join(
        f"largest_{place} AS (SELECT of_{place} FROM (SELECT of_{place}, {sums} FROM ({keyed}) GROUP BY of_{place}) "  # noqa: S608
        f"ORDER BY {order} DESC, of_{place} LIMIT {most})"
        for place in ("row", "column")
    )
    names = ", ".join(
        f"if({place}_is_other, defaultValueOfArgumentType(of_{place}), of_{place}) AS {place}, "
        f"of_{place} NOT IN largest_{place} AS {place}_is_other"
        for place in ("row", "column")
    )
    return Sql(
        f"WITH {largest} SELECT {names}, {sums} FROM ({keyed}) "  # noqa: S608
        "GROUP BY row, row_is_other, column, column_is_other",
        parameters.values,
    )


def matrix(rows: Iterable[tuple[Any, ...]], order: str) -> Matrix:
    """Return the rows of `matrix_report` as a matrix of the volumes `order`."""
    cells = {}
    totals: tuple[dict[Name, int], dict[Name, int]] = ({}, {})
    for row, row_is_other, column, column_is_other, *sums in rows:
        names = Name(bool(row_is_other), row), Name(bool(column_is_other), column)
        cells[names] = sums[("flows", "packets", "bytes").index(order)]
        for name, of in zip(names, totals, strict=True):
            of[name] = of.get(name, 0) + cells[names]
    by_row, by_column = (
        tuple(sorted(of, key=lambda name, of=of: (name.is_other, -of[name], str(name.value))))  # type: ignore[misc]
        for of in totals
    )
    return Matrix(by_row, by_column, cells)
