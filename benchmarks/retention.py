"""The purge of a large day, and planning over many partitions, on a real ClickHouse."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from retention.apply import Hands, apply
from retention.guard import Allowance
from retention.plan import make_plan
from retention.policy import Policy, load_policy
from retention.stored import look
from settings.config import Embedded
from storage.client import Client
from storage.ddl import wanted
from storage.embedded import Node
from storage.upgrade import upgrade

_POLICY = Path(__file__).parent.parent / "configs" / "retention.yaml"
_ROWS = 50_000_000
_DAYS = 400
_CLASSES = ("basic", "standard", "extended", "fourth", "fifth")
_CALM = 5.0
_AT_ONCE = 20
"""Days of one insert: times the classes, the 100 partitions that ClickHouse takes at once."""


def run() -> Iterator[dict[str, Any]]:
    """Yield how long a purge of 50 M rows takes and what it rewrites, and how long a plan of 2,000 partitions does."""
    policy, now = load_policy(_POLICY, {}), datetime.now(UTC)
    with (
        tempfile.TemporaryDirectory(prefix="flowkeep-bench-") as directory,
        Node(Embedded(mode="embedded"), Path(directory)) as node,
        node.connect("admin") as admin,
    ):
        admin.create_database()
        upgrade(admin, wanted(dict.fromkeys(_CLASSES, 3650)))
        like = policy.classes["basic"]
        classes = {name: like.model_copy(update={"keep_for": _DAYS - 10}) for name in _CLASSES}
        with node.connect("retention") as client:
            yield _purge(admin, client, policy, now)
            yield _plan(admin, client, policy.model_copy(update={"classes": classes}), now)


def _purge(admin: Client, client: Client, policy: Policy, now: datetime) -> dict[str, Any]:
    day = (now - timedelta(days=policy.classes["basic"].keep_for + 2)).date()
    admin.command(
        "INSERT INTO flows (time_received, src_addr, dst_addr, bytes, packets, retention_class) "
        f"SELECT toDateTime64('{day}', 3, 'UTC') + number % 86400, IPv4ToIPv6(toIPv4(rand())), "
        "IPv4ToIPv6(toIPv4(rand(1))), rand(2) % 1500, 1, "
        f"'basic' FROM numbers({_ROWS})"
    )
    _await_merges(admin)  # a day that is due was merged long ago
    # without the change of the tables' expiry, which would take days that `_plan` wants
    plan = replace(make_plan(look(client, (), now), policy, now), expiry=())
    ((since,),) = admin.query("SELECT toString(now64(6))").rows
    began = time.monotonic()
    (done,) = apply(plan, policy, Hands(client, lambda: now), frozenset(Allowance))
    seconds = time.monotonic() - began
    admin.command("SYSTEM FLUSH LOGS")
    ((parts, written),) = admin.query(
        "SELECT countIf(event_type = 'RemovePart'), sumIf(rows, event_type IN ('MergeParts', 'MutatePart')) "
        "FROM system.part_log WHERE table = 'flows' AND event_time_microseconds >= {since:DateTime64(6)}",
        {"since": since},
    ).rows
    return {
        "bench": "purge_day", "value": round(seconds, 3), "unit": "s", "rows": done.rows, "octets": done.bytes,
        "parts_removed": parts, "rows_rewritten": written,
    }  # fmt: skip


def _await_merges(admin: Client) -> None:
    """Wait until nothing has been merged for _CALM seconds: between two merges there may be a moment without one."""
    calm = time.monotonic()
    while time.monotonic() - calm < _CALM:
        if admin.query("SELECT count() FROM system.merges").rows[0][0]:
            calm = time.monotonic()
        time.sleep(0.2)


def _plan(admin: Client, client: Client, policy: Policy, now: datetime) -> dict[str, Any]:
    first = date.fromordinal(now.date().toordinal() - _DAYS)
    classes = "['" + "', '".join(_CLASSES) + "']"
    for begin in range(0, _DAYS, _AT_ONCE):
        admin.command(
            "INSERT INTO flows (time_received, retention_class) "
            f"SELECT toDateTime64('{first}', 3, 'UTC') + toIntervalDay({begin} + number), arrayJoin({classes}) "
            f"FROM numbers({_AT_ONCE})"
        )
    began = time.monotonic()
    database = look(client, (), now)
    observed = time.monotonic()
    plan = make_plan(database, policy, now)
    planned = time.monotonic()
    return {
        "bench": "plan_partitions", "value": round(planned - began, 3), "unit": "s",
        "partitions": len(database.partitions), "steps": len(plan.steps), "looking_seconds": round(observed - began, 3),
    }  # fmt: skip
