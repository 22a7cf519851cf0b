"""The two first reports, as SQL: the flows that a filter selects, and the top talkers of a statistic.

Both always bound `time_received`, since included and until not. Sampling is scaled here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from query.expression import Node
from query.sql import Parameters, Sql, condition, instant
from query.words import nearest
from schema.columns import BY_NAME
from settings.errors import ConfigError
from storage.ddl import FLOWS

STATISTICS: Mapping[str, tuple[str, ...]] = {
    "srcip": ("src_addr",),
    "dstip": ("dst_addr",),
    "ip": ("src_addr", "dst_addr"),
    "srcport": ("src_port",),
    "dstport": ("dst_port",),
    "port": ("src_port", "dst_port"),
    "proto": ("proto",),
    "srcas": ("src_as",),
    "dstas": ("dst_as",),
    "as": ("src_as", "dst_as"),
    "inif": ("in_if",),
    "outif": ("out_if",),
    "exporter": ("exporter",),
    "srctenant": ("src_tenant",),
    "dsttenant": ("dst_tenant",),
    "tenant": ("src_tenant", "dst_tenant"),
    "direction": ("direction",),
}
"""The columns that each statistic counts by; with two, a flow counts once for each value at its ends."""

ORDERS = ("flows", "packets", "bytes")
TOP_COLUMNS = ("key", *ORDERS, "unknown_sampling")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_statistic(text: str) -> tuple[str, str]:
    """Split nfdump's `srcip/bytes` into statistic and order (default flows); ConfigError for unknown words."""
    statistic, slash, order = text.strip().lower().partition("/")
    _known(statistic, STATISTICS, "statistic")
    if slash:
        _known(order, ORDERS, "order")
    return statistic, order or "flows"


def flows_report(
    filter: Node,
    since: datetime,
    until: datetime,
    limit: int,
    columns: Sequence[str] = tuple(BY_NAME),
    source: str = FLOWS,
) -> Sql:
    """Return the query for the newest `limit` flows, newest first; its columns are `columns`, volumes as exported.

    `source` is the table of flows, or the view of `query.held`.
    """
    for name in columns:
        _known(name, BY_NAME, "column")
    parameters = Parameters()
    clauses = (
        f"SELECT {', '.join(columns)}",
        _selected(filter, since, until, parameters, source),
        f"ORDER BY time_received DESC LIMIT {_limit(limit, parameters)}",
    )
    return Sql(" ".join(clauses), parameters.values)


def top_report(
    statistic: str, order: str, filter: Node, since: datetime, until: datetime, n: int, source: str = FLOWS
) -> Sql:
    """Return the query for the `n` largest values of `statistic` by `order`; its columns are TOP_COLUMNS.

    `source` is as of `flows_report`.
    `packets` and `bytes` are scaled by the sampling rate, `flows` counts records. `unknown_sampling` counts the flows
    whose exporter told no sampling rate: they went in as if unsampled.
    """
    _known(statistic, STATISTICS, "statistic")
    _known(order, ORDERS, "order")
    parameters = Parameters()
    columns = STATISTICS[statistic]
    key = columns[0] if len(columns) == 1 else f"arrayJoin(arrayDistinct([{', '.join(columns)}]))"
    # The condition stands in a query of its own: beside the sums, `bytes > 1M` would mean the sum named bytes.
    inner = f"SELECT {', '.join(columns)}, packets, bytes, sampling_rate"
    clauses = (
        f"SELECT {key} AS key, count() AS flows, {_scaled('packets')}, {_scaled('bytes')},",
        "countIf(sampling_rate = 0) AS unknown_sampling",
        f"FROM ({inner} {_selected(filter, since, until, parameters, source)})",
        f"GROUP BY key ORDER BY {order} DESC, key LIMIT {_limit(n, parameters)}",
    )
    return Sql(" ".join(clauses), parameters.values)


def _scaled(column: str) -> str:
    return f"sum({column} * greatest(sampling_rate, 1)) AS {column}"


def _selected(filter: Node, since: datetime, until: datetime, parameters: Parameters, source: str) -> str:
    bounds = (
        f"time_received >= {_moment(since, parameters)}",
        f"time_received < {_moment(until, parameters)}",
        condition(filter, parameters),
    )
    return f"FROM {source} WHERE {' AND '.join(bounds)}"


def _moment(moment: datetime, parameters: Parameters) -> str:
    return instant((moment - _EPOCH) // timedelta(milliseconds=1), parameters)


def _limit(rows: int, parameters: Parameters) -> str:
    if rows < 1:
        raise ConfigError(f"the number of rows must be 1 or more, not {rows}")
    return parameters.add(rows, "UInt64")


def _known(word: str, known: Collection[str], what: str) -> None:
    if word not in known:
        raise ConfigError(f"unknown {what} '{word}'{nearest(word, known) or '; known are ' + ', '.join(known)}")
