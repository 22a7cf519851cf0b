"""What a night's abuse reports cost: one CSV of many against many flows, from the file to the last verdict.

As `flowkeep case take`: read, holders found, cases opened, flows held, every report judged. Nine in ten tell of flows
that are there, the tenth of none.
"""

from __future__ import annotations

import csv
import io
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from abuse.allocation_history import record
from abuse.desk import Desk
from abuse.store import Store
from abuse.taking import messages, take
from benchmarks import questions
from ledger.book import Ledger
from retention.policy import load_policy
from retention.runs import Files
from settings.config import Embedded
from storage import embedded
from storage.client import Client
from storage.ddl import wanted
from storage.upgrade import upgrade
from tenants.allocations import load_allocations

_DAYS = 7
_POLICY = Path(__file__).parents[1] / "configs" / "retention.yaml"
_SAMPLE = """
    SELECT src_addr, src_port, dst_addr, dst_port, proto, flow_start FROM flows
    WHERE src_tenant != '' AND cityHash64(src_addr, dst_addr, flow_start) % {every:UInt64} = 0 LIMIT {count:UInt64}"""
_TITLES = ("timestamp", "src_ip", "src_port", "dst_ip", "dst_port", "protocol", "type")


def run(flows: int, reports: int = 10_000) -> Iterator[dict[str, Any]]:
    """Yield how long reports take against so many flows of a week, and what came of them."""
    until = datetime.now(UTC).replace(second=0, microsecond=0)
    with (
        tempfile.TemporaryDirectory(prefix="flowkeep-bench-") as directory,
        embedded.Node(Embedded(mode="embedded"), Path(directory)) as node,
        node.connect("admin") as admin,
    ):
        admin.create_database()
        upgrade(admin, wanted({"basic": 365, "standard": 365}))
        questions.fill(admin, until - timedelta(days=_DAYS), until, flows)
        yield from taken(Path(directory), admin, node.connect, flows, reports)


def taken(directory: Path, admin: Client, connect: Any, flows: int, reports: int) -> Iterator[dict[str, Any]]:
    """Yield the same of a node that is filled; `connect` gives clients by role."""
    sheet, tenants = directory / "reports.csv", directory / "tenants.csv"
    sheet.write_text(_sheet(admin, flows, reports))
    tenants.write_text("prefix,tenant\n" + "".join(f"10.0.{number}.0/24,tenant-{number}\n" for number in range(256)))
    now = datetime.now(UTC)
    record(admin, load_allocations(tenants), now - timedelta(days=_DAYS + 1))
    with connect("query") as query, connect("retention") as retention, Store.of(directory) as store:
        policy, files = load_policy(_POLICY, {}), Files.of(directory)
        desk = Desk("bench", now, store, query, retention, policy, files, Ledger(directory / "ledger"))
        began = time.perf_counter()
        found = take(desk, messages([sheet]))
        seconds = time.perf_counter() - began
        verdicts: dict[str, int] = {}
        for one in store.reports(case.id for case in store.cases()):
            verdicts[one.verdict["verdict"]] = verdicts.get(one.verdict["verdict"], 0) + 1
    yield {
        "bench": "abuse_reports", "value": round(seconds, 1), "unit": "s", "reports": found.reports, "flows": flows,
        "cases": len(found.opened), "addresses": len({case.address for case in found.opened}), "verdicts": verdicts,
    }  # fmt: skip


def _sheet(admin: Client, flows: int, reports: int) -> str:
    """Return a CSV of reports: of flows of tenants, all over the week, each tenth with a far end that nobody saw."""
    every = max(flows // (reports * 3), 1)  # half of the flows are of tenants
    rows = admin.query(_SAMPLE, {"every": every, "count": reports}).rows
    text = io.StringIO()
    sheet = csv.writer(text)
    sheet.writerow(_TITLES)
    for number, (source, port, target, target_port, proto, began) in enumerate(rows):
        far = "203.0.113.9" if number % 10 == 0 else target.ipv4_mapped
        sheet.writerow((began.isoformat(), source.ipv4_mapped, port, far, target_port, proto, "port_scan"))
    return text.getvalue()
