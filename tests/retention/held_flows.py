"""Flows to be held, on a real ClickHouse, and what tests of holds ask of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from retention.holds import Clock, Hold, Kind
from retention.scope import Scope, parse_network
from schema.addresses import packed
from schema.batch import Flows, Symbols
from storage.client import Client
from storage.embedded import Node
from storage.held_tables import HELD_COLUMNS, row_hash
from storage.observe import Partition, partitions
from storage.writer import Writer

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
ACME = Scope(tenants=("acme",))


def store(node: Node, rows: list[Mapping[str, Any]], days_ago: int = 1, block: str = "t") -> None:
    """Write flows of a day, `rows` by column; what a row does not say is zero, and its tenant nobody."""
    count = len(rows)
    batch = Flows(count)
    batch.arrays["time_received"] = np.full(count, int((NOW - days_ago * DAY).timestamp() * 1000), np.int64)
    batch.arrays["observation_domain"] = np.array([row.get("observation_domain", 0) for row in rows], "u4")
    for name in ("src_addr", "dst_addr", "post_nat_src_addr", "post_nat_dst_addr", "tunnel_src_addr"):
        octets = b"".join(packed(parse_network(row.get(name, "::"))[0]) for row in rows)
        batch.arrays[name] = np.frombuffer(octets, "u1").reshape(count, 16)
    for name in ("src_port", "dst_port", "post_nat_src_port"):
        batch.arrays[name] = np.array([row.get(name, 0) for row in rows], "u2")
    batch.arrays["proto"] = np.array([row.get("proto", 6) for row in rows], "u1")
    for name, usual in (("src_tenant", "unassigned"), ("dst_tenant", "unassigned"), ("retention_class", "basic")):
        texts = [row.get(name, usual) for row in rows]
        names = sorted(set(texts))
        batch.symbols[name] = Symbols(np.array([names.index(text) for text in texts], np.int32), names)
    with node.connect("ingest") as client:
        Writer(client).write(batch, f"{block} {days_ago}")


def numbered(tenants: Iterable[str], first: int = 0) -> list[Mapping[str, Any]]:
    return [{"src_tenant": tenant, "observation_domain": number} for number, tenant in enumerate(tenants, first)]


def hold(name: str, scope: Scope = ACME, **changes: Any) -> Hold:
    usual = Hold(name, Kind.LEGAL, Clock.CASE, scope, NOW, "ann", "order", "case 7", NOW + 30 * DAY, None, 30)
    return replace(usual, **changes)


def flows_of(client: Client, days_ago: int = 1) -> Partition:
    (found,) = (each for each in partitions(client) if each.day == (NOW - days_ago * DAY).date())
    return found


def drop(client: Client, partition: Partition) -> None:
    day = f"('{partition.retention_class}', '{partition.day}')"
    client.command(f"ALTER TABLE {partition.table} DROP PARTITION {day} SETTINGS max_partition_size_to_drop = 0")


def totals(client: Client, table: str, of: str, condition: str = "1") -> tuple[Any, ...]:
    hashed = row_hash(HELD_COLUMNS[of])
    sql = f"SELECT count(), sumWithOverflow({hashed}), groupBitXor({hashed}) FROM {table} WHERE {condition}"
    return client.query(sql).rows[0]


def domains(client: Client, table: str = "held_flows") -> list[int]:
    return [number for (number,) in client.query(f"SELECT observation_domain FROM {table} ORDER BY 1").rows]
