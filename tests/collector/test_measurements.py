"""What is decoded beside flows: attributed and stored after them, once, as far as the policy names its category."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from collector import inserts, pipeline
from decoders import Datagrams, Decoded, Limits, State, decode
from schema.addresses import V4_MAPPED
from schema.batch import Flows, Rows
from settings.errors import UnreachableError
from storage.embedded import Node
from storage.writer import Writer
from tests.collector.site import TENANTS
from tests.collector.test_journal import append
from tests.collector.test_pipeline import DEFINED, Bench, data
from tests.tenants.counter_rows import LOGICAL, interfaces, rows_of, symbols

VM = "203.0.113.7/32,umbrella,vm-7,basic,,\n"
SUMMED = {"as_1h": 2, "as_1m": 2, "tenants_1h": 1, "traffic_1h": 1, "traffic_1m": 1}
"""What one flow counts in the tables of rollups: once on either side, where there are sides."""

COUNTED = {"counters_adaptor": 1, "counters_host": 2, "counters_interface": 3, "discards": 2, **SUMMED}


def beside(now: int) -> tuple[dict[str, Rows], Flows]:
    """Counters of two hosts, of a virtual machine's adaptor and of three interfaces; and two discarded packets."""
    counters = {
        "counters_host": rows_of(("", "rack-2"), ("", "nobody"), time=now),
        "counters_adaptor": rows_of(("", "vm-7"), source_class=LOGICAL, if_indexes=[5], time=now),
        "counters_interface": interfaces(4, 5, 6, time=now),
    }
    source, target = (
        np.frombuffer(V4_MAPPED + bytes(octets), np.uint8).reshape(1, 16).repeat(2, axis=0)
        for octets in ((192, 0, 2, 1), (8, 8, 8, 8))
    )
    discards = Flows(
        2,
        {"time_received": np.full(2, now), "src_addr": source, "dst_addr": target,
         "reason_code": np.array([258, 257], np.uint16)},
        {"reason": symbols(["acl", "ttl_exceeded"])},
    )  # fmt: skip
    return counters, discards


class Side:
    """A bench whose blocks hold one flow each and, in the place of what decoders find, the rows of `beside`."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench = bench
        self.node_away_for = ""
        now = time.time_ns() // 1_000_000

        def decoded(datagrams: Datagrams, state: State, limits: Limits) -> Decoded:
            found = decode(datagrams, state, limits)
            found.flows.arrays["time_received"] = np.full(found.flows.rows, now)
            found.counters, found.discards = beside(now)
            found.counter_samples = 6
            found.passed_over.update({("flow", 0, 2209): 4, ("counter", 8800, 1): 2, ("counter", 8800, 2): 1})
            found.agent_drops[bytes(16)] = 9
            return found

        monkeypatch.setattr(pipeline, "decode", decoded)
        append(bench.directory, 1, [(DEFINED, 0)])

    def writer(self) -> Writer:
        side = self

        class Interrupted(Writer):
            """ClickHouse goes away before a table has its rows, and we are to stop."""

            def write_rows(self, table: str, rows: Rows, token: str) -> None:
                if table == side.node_away_for:
                    side.bench.stopping = True
                    raise UnreachableError("ClickHouse is away")
                super().write_rows(table, rows, token)

        return Interrupted(self.bench._client)

    def stored(self) -> dict[str, int]:
        with self.bench.node.connect("query") as client:
            return {
                table: client.query(f"SELECT {'sum(flows)' if table in SUMMED else 'count()'} FROM {table}").rows[0][0]
                for table in ("flows", *COUNTED)
            }

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.bench.node.connect("query") as client:
            return client.query(sql).rows


@pytest.fixture
def side(tmp_path: Path, database: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[Side]:
    bench = Bench(tmp_path, database)
    bench.config.tenants.write_text(TENANTS + VM)
    side = Side(bench, monkeypatch)
    monkeypatch.setattr(bench, "writer", side.writer)
    yield side
    bench.close()


def test_counters_and_discards_are_stored_whose_they_are_and_counted(side: Side) -> None:
    assert side.bench.pipeline().step(flush=True)
    assert side.stored() == {"flows": 1, **COUNTED}
    assert side.rows("SELECT source_index, tenant, resource, retention_class FROM counters_interface ORDER BY 1") == [
        (4, "", "", "counters"), (5, "umbrella", "vm-7", "counters"), (6, "", "", "counters")
    ]  # fmt: skip
    assert side.rows("SELECT name, tenant FROM counters_host ORDER BY 1") == [("nobody", ""), ("rack-2", "globex")]
    assert side.rows(
        "SELECT src_tenant, dst_tenant, direction, retention_class, reason FROM discards ORDER BY reason"
    ) == [("acme", "unassigned", "egress", "discards", reason) for reason in ("acl", "ttl_exceeded")]
    books = side.bench.metrics.books()
    assert (books["decoded"], books["stored"], books["dropped"]) == (1, 1, {})
    assert (books["discards"], books["counter_samples"]) == (2, 6)
    assert books["decoded_rows"] == books["stored_rows"] == COUNTED
    assert books["dropped_rows"] == {}
    assert books["passed_over"] == {"flow": 4, "counter": 3}
    assert books["agent_drops"] == {"unlisted": 9}


@pytest.mark.parametrize("table", list(COUNTED))
def test_a_block_of_which_a_part_was_stored_is_stored_whole_and_once_after_a_restart(side: Side, table: str) -> None:
    side.node_away_for = table
    stored = side.bench.pipeline().step(flush=True)
    assert stored == (table in SUMMED), "rollups are stored later, by themselves"
    before = side.stored()
    assert before["flows"] == 1
    assert before[table] == 0
    side.node_away_for, side.bench.stopping = "", False
    again = side.bench.pipeline()
    assert again.step(flush=True) != stored
    assert side.stored() == {"flows": 1, **COUNTED}
    assert not again.step(flush=True)
    assert side.bench.metrics.books()["stored_rows"] == COUNTED


def test_a_table_that_clickhouse_refuses_costs_neither_flows_nor_the_other_tables(side: Side) -> None:
    with side.bench.node.connect("admin") as admin:
        admin.command("ALTER TABLE counters_host DROP COLUMN name")
        admin.command("ALTER TABLE counters_host ADD COLUMN name UInt32")
    assert side.bench.pipeline().step(flush=True)
    assert side.stored() == {"flows": 1, **COUNTED, "counters_host": 0}
    books = side.bench.metrics.books()
    assert (books["stored"], books["dropped"]) == (1, {})
    assert books["decoded_rows"] == COUNTED
    assert books["dropped_rows"] == {"refused_by_clickhouse": 2}
    assert "counters_host" not in books["stored_rows"]


def test_a_table_that_stays_broken_holds_the_flows_up_once_and_not_for_ever(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inserts, "_PATIENCE", 0.5)
    worked_off = side.bench.pipeline()
    with side.bench.node.connect("admin") as admin:
        admin.command("RENAME TABLE counters_host TO elsewhere")
        begun = time.monotonic()
        assert worked_off.step(flush=True)
        assert time.monotonic() - begun >= 0.5
        tries = side.bench.metrics.registry.get_sample_value("flowkeep_clickhouse_insert_retries_total")
        append(side.bench.directory, 1, [(data(1), 0)])
        assert worked_off.step(flush=True)
        assert side.bench.metrics.registry.get_sample_value("flowkeep_clickhouse_insert_retries_total") == tries
        admin.command("RENAME TABLE elsewhere TO counters_host")
        append(side.bench.directory, 1, [(data(2), 0)])
        assert worked_off.step(flush=True)
    assert side.stored() == {"flows": 3, **{table: 3 * rows for table, rows in COUNTED.items()}, "counters_host": 2}
    assert side.bench.metrics.books()["dropped_rows"] == {"refused_by_clickhouse": 4}


def test_what_is_of_no_category_of_the_policy_is_not_stored_and_counted(side: Side) -> None:
    policy = side.bench.config.retention
    before, _, rest = policy.read_text().partition("categories:\n")
    policy.write_text(before + "categories:\n" + rest[rest.index("  discards:") :])
    assert side.bench.pipeline().step(flush=True)
    assert side.stored() == {"flows": 1, **dict.fromkeys(COUNTED, 0), "discards": 2, **SUMMED}
    books = side.bench.metrics.books()
    assert books["decoded_rows"] == COUNTED
    assert books["stored_rows"] == {"discards": 2, **SUMMED}
    assert books["dropped_rows"] == {"no_category": 6}
    assert (books["stored"], books["dropped"]) == (1, {})
