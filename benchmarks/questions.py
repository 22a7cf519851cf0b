"""What everyday questions take on a week of flows, in an embedded node, as `flowkeep top` and `series` ask them.

nfdump answers the same, where it can, on the same flows.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import questions_nfdump
from query.expression import Everything, Node
from query.filter import parse
from query.planner import Plan, candidates, flows_only, planned
from query.reports import grouped_report
from query.series import series_report
from query.sql import Sql
from query.statistics import Statistic, statistic
from schema.rollups import TENANTS_1H, TRAFFIC_1H, Rollup
from settings.config import Embedded
from storage import embedded
from storage.client import Client
from storage.ddl import FLOWS, wanted
from storage.upgrade import upgrade

_DAYS = 7
_TIMES = 5
_AT_ONCE = 10_000_000
_BUSY, _ORDINARY = "10.0.0.0", "10.0.40.1"
"""Of our 50,000 addresses the one with most flows, 3 % of them, and one in the middle."""

_FLOWS = """
INSERT INTO flows (time_received, flow_start, flow_end, flow_type, exporter, sampling_rate, src_addr, dst_addr,
                   src_port, dst_port, proto, tcp_flags, bytes, packets, in_if, out_if, src_as, dst_as, src_tenant,
                   dst_tenant, direction, retention_class)
WITH sipHash64(number) AS a, sipHash64(number, 1) AS b, sipHash64(number, 2) AS c, a % 2 = 1 AS inward,
     toUInt32(pow(a % 1000003 / 1000003, 4) * 50000) AS own, toUInt32(pow(b % 1000003 / 1000003, 3) * 5000000) AS other,
     IPv4ToIPv6(toIPv4(own + 167772160)) AS ours, IPv4ToIPv6(toIPv4(intHash32(other))) AS theirs,
     intDiv(own, 125) AS place, concat('tenant-', toString(place)) AS tenant, intHash32(other) % 60000 + 1 AS system,
     place % 24 + 1 AS access, system % 4 + 101 AS uplink,
     fromUnixTimestamp64Milli(toInt64({since} + intDiv(number * {span}, {count})), 'UTC') AS at
SELECT at, at - toIntervalMillisecond(c % 60000), at, 'netflow9', IPv4ToIPv6(toIPv4(place % 8 + 3221225985)), 1000,
       if(inward, theirs, ours), if(inward, ours, theirs), if(c % 3 > 0, 443, c % 65536), c % 60000 + 1024,
       if(c % 5 > 0, 6, 17), 24, 64 + c % 1400 * (1 + b % 40), 1 + b % 40, if(inward, uplink, access),
       if(inward, access, uplink), if(inward, system, 64500), if(inward, 64500, system), if(inward, '', tenant),
       if(inward, tenant, ''), if(inward, 'ingress', 'egress'), if(place % 3 > 0, 'standard', 'basic')
FROM numbers({first}, {rows}) SETTINGS max_insert_threads = 2, max_partitions_per_insert_block = 100
"""


def run(flows: int) -> Iterator[dict[str, Any]]:
    """Yield the seconds that each question takes, the median of some, on so many flows of seven days."""
    until = datetime.now(UTC).replace(second=0, microsecond=0)
    since = until - timedelta(days=_DAYS)
    with (
        tempfile.TemporaryDirectory(prefix="flowkeep-bench-") as directory,
        embedded.Node(Embedded(mode="embedded"), Path(directory)) as node,
        node.connect("admin") as admin,
    ):
        admin.create_database()
        upgrade(admin, wanted({"basic": 365, "standard": 365}))
        fill(admin, since, until, flows)
        with node.connect("query") as client:
            for name, ask in _questions(until).items():
                plan, rows, seconds = _asked(client, ask)
                yield {
                    "bench": f"question_{name}", "value": round(seconds, 3), "unit": "s", "flows": flows,
                    "rows": len(rows), "first": [str(value).removeprefix("::ffff:") for value in rows[0]],
                    "read": " ".join(dict.fromkeys(piece.table for piece in plan.pieces)),
                }  # fmt: skip
        yield from questions_nfdump.run(admin, Path(directory), since, _DAYS * 24, _BUSY, _ORDINARY)


def fill(admin: Client, since: datetime, until: datetime, flows: int) -> None:
    """Fill the tables with flows from `since` to `until`, and merge them as those of days that are over."""
    ms = timedelta(milliseconds=1)
    span, begin = (until - since) // ms, int(since.timestamp() * 1000)
    for first in range(0, flows, _AT_ONCE):
        rows = min(_AT_ONCE, flows - first)
        admin.command(_FLOWS.format(since=begin, span=span, count=flows, first=first, rows=rows))
    for rollup in (TENANTS_1H, TRAFFIC_1H):  # of all rollups those that are asked, or could be
        admin.command(_rolled(rollup))
    for table in (FLOWS, TENANTS_1H.name, TRAFFIC_1H.name):
        admin.command(f"OPTIMIZE TABLE {table} FINAL")  # as days that are over are merged
    while admin.query("SELECT count() FROM system.merges").rows[0][0]:
        time.sleep(0.5)


def _rolled(rollup: Rollup) -> str:
    """Return the statement that fills a rollup by the hour from all flows."""
    given = {"time_received": "toDateTime64(toStartOfHour(time_received), 3, 'UTC')", "retention_class": "'rollups'"}
    keys = ", ".join(f"{given.get(name, f'flows.{name}')} AS {name}" for name in rollup.dimensions)
    return (
        f"INSERT INTO {rollup.name} ({', '.join(rollup.dimensions)}, flows, bytes, packets) SELECT {keys}, count(), "
        f"sum(flows.bytes), sum(flows.packets) FROM flows GROUP BY {', '.join(rollup.dimensions)} "
        "SETTINGS max_partitions_per_insert_block = 100, prefer_column_name_to_alias = 0"
    )


Question = Callable[[Client], tuple[Plan, Sql]]


def _questions(until: datetime) -> dict[str, Question]:
    hour, day, week = (until - timedelta(hours=hours) for hours in (1, 24, 24 * _DAYS))
    return {
        "talkers_1h": _top("srcip", Everything(), hour, until),
        "talkers_24h": _top("srcip", Everything(), day, until),
        "busiest_address_7d": _top("proto", parse(f"ip {_BUSY}"), week, until),
        "address_7d": _top("proto", parse(f"ip {_ORDINARY}"), week, until),
        "tenants_7d_by_hour": _series("srctenant", week, until),
        "tenants_7d": _top("srctenant", Everything(), week, until),
    }


def _top(word: str, filter: Node, since: datetime, until: datetime) -> Question:
    by = (statistic(word),)

    def ask(client: Client) -> tuple[Plan, Sql]:
        plan = _plan(client, filter, by, since, until, 3600)
        source = plan if plan.from_rollups else FLOWS
        return plan, grouped_report(by, "bytes", filter, since, until, 10, source)

    return ask


def _series(word: str, since: datetime, until: datetime) -> Question:
    by = statistic(word)

    def ask(client: Client) -> tuple[Plan, Sql]:
        plan = _plan(client, Everything(), (by,), since, until, 3600)
        return plan, series_report(by, "bytes", Everything(), since, until, 3600, 5, plan)

    return ask


def _plan(client: Client, filter: Node, by: tuple[Statistic, ...], since: datetime, until: datetime, step: int) -> Plan:
    found, now = candidates(filter, by, since, until, step), datetime.now(UTC)
    if isinstance(found, str):
        return flows_only(since, until, FLOWS, found)
    return planned(found, since, until, now, FLOWS, lambda sql: client.query(sql.text, sql.parameters).rows)


def _asked(client: Client, ask: Question) -> tuple[Plan, list[tuple[Any, ...]], float]:
    """Return what was read, the rows, and the median of the seconds that it took, planning included."""
    took = []
    for _ in range(_TIMES):
        begun = time.perf_counter()
        plan, sql = ask(client)
        rows = client.query(sql.text, sql.parameters).rows
        took.append(time.perf_counter() - begun)
    return plan, rows, sorted(took)[_TIMES // 2]
