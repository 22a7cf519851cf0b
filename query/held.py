"""Where a question has to look: in the table, or, where some of it was dropped and is held, in the view of both."""

from __future__ import annotations

from datetime import datetime, timedelta

from query.sql import Parameters, Sql
from storage.ddl import FLOWS
from storage.held_tables import held, marked, present, whole


def any_held(table: str = FLOWS) -> Sql:
    """Return the query for the number of held rows, answered from the parts' metadata: mostly there are none."""
    return Sql(f"SELECT count() FROM {held(table)}", {})  # noqa: S608 - a name of ours


def gone_within(since: datetime, until: datetime, table: str = FLOWS) -> Sql:
    """Return the query for the number of partitions that `table` has no longer, and of which rows are held.

    Only of those that may have rows since and until. It looks at every partition's metadata: ask `any_held` before.
    """
    parameters = Parameters()
    days = [
        f"toDate({parameters.add(moment.date().isoformat(), 'Date')})" for moment in (since, until + timedelta(days=1))
    ]
    of = "(retention_class, day)"
    return Sql(
        "SELECT count() FROM (SELECT retention_class, toDate(time_received) AS day, count() AS rows "  # noqa: S608
        f"FROM {held(table)} GROUP BY retention_class, day) WHERE day BETWEEN {days[0]} AND {days[1]} "
        f"AND ({of} IN ({marked(table)}) OR {of} NOT IN ({present(table)}))",
        parameters.values,
    )


def source(gone: int, table: str = FLOWS) -> str:
    """Return what to read rows of `table` from, by the number of `gone_within`."""
    return whole(table) if gone else table
