"""Reports as SQL: the flows that a filter selects, and flows added up, the largest first.

Both always bound `time_received`, since included and until not. Sampling is scaled here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from query.expression import Everything, Node
from query.planner import COUNTED, Plan, summed
from query.sql import Parameters, Sql, condition, within
from query.statistics import RECORD, Statistic, columns, statistic
from query.words import nearest
from schema.columns import BY_NAME
from settings.errors import ConfigError
from storage.ddl import FLOWS

_MS = "greatest(dateDiff('millisecond', first_seen, last_seen), 0)"
ORDERS: Mapping[str, str] = {
    "flows": "flows",
    "packets": "packets",
    "bytes": "bytes",
    "pps": f"if({_MS} = 0, 0, packets * 1000 / {_MS})",
    "bps": f"if({_MS} = 0, 0, bytes * 8000 / {_MS})",
    "bpp": "if(packets = 0, 0, bytes / packets)",
}
"""What the largest are the largest by, as SQL over SUMS; rates are those over the time from the first to the last."""

RATES = ("pps", "bps", "bpp")

SUMS = ("flows", "packets", "bytes", "unknown_sampling", "first_seen", "last_seen")
"""Columns of the reports that add flows up, behind what they are added up by."""

_NEWEST = "time_received DESC, flow_start DESC, exporter, src_addr, dst_addr, src_port, dst_port, proto, bytes"
"""Many flows come at one instant: without more to sort by, another reading would list others of them."""

_STATISTIC = re.compile(r"(.*?)(:p)?(?:/([a-z]*))?")


def parse_statistic(text: str, usual: str = "flows") -> tuple[tuple[Statistic, ...], str]:
    """Split nfdump's `srcip/bytes` into what it counts by and the order, the `usual` one if it names none.

    ConfigError for unknown words.

    `record` counts by connection, and `:p` behind a statistic by protocol too.
    """
    found = _STATISTIC.fullmatch(text.strip().lower())
    word, by_protocol, order = found.groups() if found else (text, None, None)
    if order is not None:
        _known(order, ORDERS, "order")
    by = tuple(map(statistic, RECORD)) if word == "record" else (statistic(word),)
    return (*by, *([statistic("proto")] if by_protocol else [])), order or usual


def parse_order(text: str, usual: str = "bytes") -> tuple[str, str]:
    """Split `srctenant,dsttenant/bytes` into the statistics and the order; a length behind `/` (srcip4/24) is none."""
    words, slash, order = text.strip().lower().rpartition("/")
    if not slash or order.split(",")[0].isdigit():
        return text, usual
    _known(order, ORDERS, "order")
    return words, order


def flows_report(
    filter: Node,
    since: datetime,
    until: datetime,
    limit: int,
    wanted: Sequence[str] = tuple(BY_NAME),
    source: str = FLOWS,
) -> Sql:
    """Return the query for the newest `limit` flows, newest first; its columns are those `wanted`, volumes as exported.

    Which flows of the last instant are among them does not change from one reading to the next.

    `source` is the table of flows, or the view of `query.held`.
    """
    for name in wanted:
        _known(name, BY_NAME, "column")
    parameters = Parameters()
    clauses = (
        f"SELECT {', '.join(wanted)}",
        selected(filter, since, until, parameters, source),
        f"ORDER BY {_NEWEST} LIMIT {limit_of(limit, parameters)}",
    )
    return Sql(" ".join(clauses), parameters.values)


def grouped_report(
    by: Sequence[Statistic], order: str, filter: Node, since: datetime, until: datetime, n: int,
    source: str | Plan = FLOWS,
) -> Sql:  # fmt: skip
    """Return the query for the `n` largest groups of flows by `order`; its columns are one for each of `by`, and SUMS.

    One in `by` may be of either end (`query.statistics`). `source` is as of `flows_report`, or a plan of what to read.
    `packets` and `bytes` are scaled by the sampling rate, `flows` counts records. `unknown_sampling` counts the flows
    whose exporter told no sampling rate: they went in as if unsampled. `first_seen` and `last_seen` are the exporters'
    times, of rollups the hour or minute of reception.
    """
    _known(order, ORDERS, "order")
    parameters = Parameters()
    named, grouped = keys_of(by)
    # The condition stands in a query of its own: beside the sums, `bytes > 1M` would mean the sum named bytes.
    inner = (*columns(by), "packets", "bytes", "sampling_rate", "flow_start", "flow_end")
    clauses = (
        f"SELECT {grouped}, {', '.join(SUMS)} FROM (SELECT {named}, {volumes(source)},",  # noqa: S608
        "min(flow_start) AS first_seen, max(flow_end) AS last_seen",
        f"FROM ({read(inner, filter, since, until, parameters, source)}) GROUP BY {grouped})",
        f"ORDER BY {ORDERS[order]} DESC, {grouped} LIMIT {limit_of(n, parameters)}",
    )
    return Sql(" ".join(clauses), parameters.values)


def rates(packets: int, octets: int, first: datetime, last: datetime) -> dict[str, float]:
    """Return RATES of flows that were added up: by second of the time from the first to the last, and by packet.

    0 for what was seen at one instant only, as nfdump has it.
    """
    seconds = max((last - first).total_seconds(), 0)
    by_second = 1 / seconds if seconds else 0
    found = (packets * by_second, octets * 8 * by_second, octets / packets if packets else 0)
    return dict(zip(RATES, found, strict=True))


def stored_report(since: datetime, until: datetime, source: str = FLOWS) -> Sql:
    """Return the query for how many flows there are from `since` to `until`, how many at all, and from when to when.

    It has one row; without any flow its times are the epoch.
    """
    parameters = Parameters()
    found = selected(Everything(), since, until, parameters, source)
    return Sql(
        f"SELECT (SELECT count() {found}), count(), min(time_received), max(time_received) FROM {source}",  # noqa: S608
        parameters.values,
    )


def key_of(by: Statistic) -> str:
    """Return the SQL of the value that a flow counts by; with either end, of each of them."""
    return by.values[0] if len(by.values) == 1 else f"arrayJoin(arrayDistinct([{', '.join(by.values)}]))"


def keys_of(by: Sequence[Statistic]) -> tuple[str, str]:
    """Return the SQL of the values that a flow counts by, each under a name, and these names."""
    names = [f"key{place}" for place in range(len(by))]
    named = (f"{key_of(each)} AS {name}" for each, name in zip(by, names, strict=True))
    return ", ".join(named), ", ".join(names)


def volumes(source: str | Plan = FLOWS) -> str:
    """Return the SQL of the sums of flows, packets, bytes and flows of unknown sampling, under these names."""
    scaled = (f"sum({name} * greatest(sampling_rate, 1)) AS {name}" for name in ("packets", "bytes"))
    of_flows = "count() AS flows", "countIf(sampling_rate = 0) AS unknown_sampling"
    of_sums = f"sum({COUNTED}) AS flows", f"sumIf({COUNTED}, sampling_rate = 0) AS unknown_sampling"
    flows, unknown = of_flows if isinstance(source, str) else of_sums
    return ", ".join((flows, *scaled, unknown))


def read(
    wanted: Sequence[str], filter: Node, since: datetime, until: datetime, parameters: Parameters, source: str | Plan
) -> str:
    """Return the query for the columns `wanted` of what a filter selects, to be added up by `volumes`."""
    if not isinstance(source, str):
        return summed(wanted, filter, source, parameters)
    return f"SELECT {', '.join(dict.fromkeys(wanted))} {selected(filter, since, until, parameters, source)}"


def selected(filter: Node, since: datetime, until: datetime, parameters: Parameters, source: str) -> str:
    """Return FROM and WHERE of the flows of a time that a filter selects."""
    return f"FROM {source} WHERE {within(since, until, parameters)} AND {condition(filter, parameters)}"


def limit_of(rows: int, parameters: Parameters) -> str:
    """Return the placeholder of a number of rows; ConfigError where it is below 1."""
    if rows < 1:
        raise ConfigError(f"the number of rows must be 1 or more, not {rows}")
    return parameters.add(rows, "UInt64")


def _known(word: str, known: Collection[str], what: str) -> None:
    if word not in known:
        raise ConfigError(f"unknown {what} '{word}'{nearest(word, known) or '; known are ' + ', '.join(known)}")
