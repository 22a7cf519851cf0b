"""What the notice does not name is in no table of the real ClickHouse, and all the rest is as it would be otherwise."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collector import pipeline
from decoders import Datagrams, Decoded, Limits, State, decode
from schema.disclosure import CATEGORIES, REGISTER
from storage.ddl import NAMES
from storage.embedded import Node
from tests.collector.test_counters_end_to_end import counted, datagram, discarded, machine
from tests.collector.test_journal import append
from tests.collector.test_pipeline import Bench
from tests.decoders.test_firewalls import NSEL, UPDATE, event
from tests.decoders.wire import a_set, options_template9, v9

TABLES = ("flows", "discards", "counters_adaptor", "counters_interface", "traffic_1m", "as_1m", NAMES.name)
SUMS = ("traffic_1m", "as_1m")
CATEGORY = {(one.table, one.name): one.category for one in REGISTER}
NOTHING = (0, "", None, [], IPv6Address("::"))
INTERFACE = a_set(1, options_template9(258, [(2, 2)], [(82, 8)])) + a_set(258, b"\0\x05swp5\0\0\0\0")
PAYLOADS = [
    v9(NSEL, INTERFACE, a_set(263, event(UPDATE, sent=80, received=900, user=b"ALICE"))),
    datagram(1, machine(1), counted(1, 1000), discarded(1, 3)),
]

Row = dict[str, Any]


class Stores:
    """A fresh collector for each of several notices, over the same datagrams."""

    def __init__(self, directory: Path, node: Node) -> None:
        self.directory, self.node = directory, node

    def stored(self, hidden: Collection[str]) -> dict[str, list[Row]]:
        """The rows of each table when all categories but `hidden` are disclosed; the tables are empty afterwards."""
        (directory := self.directory / "-".join(["all but", *hidden])).mkdir()
        bench = Bench(directory, self.node)
        policy = bench.config.retention
        names = ", ".join(name for name in CATEGORIES if name not in hidden)
        before, _, rest = policy.read_text().partition("disclosed:\n")
        policy.write_text(f"{before}disclosed: [{names}]\n{rest.partition(']')[2]}")
        append(bench.directory, 1, [(payload, 0) for payload in PAYLOADS])
        assert bench.pipeline().step(flush=True)
        bench.close()
        with self.node.connect("query") as client, self.node.connect("admin") as admin:
            found = {}
            for table in TABLES:
                columns = [name for of, name in CATEGORY if of == table]
                order = ", ".join(
                    name for name in columns if CATEGORY[table, name] in ("volume", "time", "attribution")
                )
                final = "FINAL" if table in SUMS else ""
                rows = client.query(f"SELECT {', '.join(columns)} FROM {table} {final} ORDER BY {order}").rows
                found[table] = [dict(zip(columns, row, strict=True)) for row in rows]
                admin.command(f"TRUNCATE TABLE {table}")
        return found


@pytest.fixture
def stores(tmp_path: Path, database: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    now = time.time_ns() // 1_000_000

    def decoded(datagrams: Datagrams, state: State, limits: Limits) -> Decoded:
        received = np.full(datagrams.count, now)
        return decode(replace(datagrams, time_received=received), state, limits)

    monkeypatch.setattr(pipeline, "decode", decoded)
    return Stores(tmp_path, database)


def test_columns_that_are_not_disclosed_are_empty_and_all_others_as_ever(stores: Stores) -> None:
    whole = stores.stored(())
    assert {row["user_name"] for row in whole["flows"]} == {"", "ALICE"}
    assert {row["dst_port"] for row in whole["flows"]} == {443, 5000}
    assert [(row["src_port"], row["dst_port"]) for row in whole["discards"]] == [(4000, 53)]
    assert [row["name"] for row in whole["names"]] == ["swp5"]
    assert [row["mac"] for row in whole["counters_adaptor"]] == [0x525400000007]
    hidden = ("ports", "person", "link_layer")
    less = stores.stored(hidden)
    for table in TABLES:
        assert whole[table], table
        assert len(whole[table]) == len(less[table]), table
        for row, other in zip(whole[table], less[table], strict=True):
            expected = {name: value for name, value in row.items() if CATEGORY[table, name] not in hidden}
            assert {name: other[name] for name in expected} == expected
            rest = {name: value for name, value in other.items() if name not in expected}
            assert all(value in NOTHING for value in rest.values()), (table, rest)


def test_a_table_that_cannot_do_without_a_category_is_not_stored_without_it(stores: Stores) -> None:
    whole, less = stores.stored(()), stores.stored(("protocol",))
    assert less["traffic_1m"] == []
    assert less["as_1m"] == whole["as_1m"] != []
    assert {row["proto"] for row in whole["flows"]} == {6}
    assert {row["proto"] for row in less["flows"]} == {0}
