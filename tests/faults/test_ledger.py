"""The ledger of the fault suite notices what it is there to notice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.pool import BATCH, BATCH_FLOWS, RECORDS
from benchmarks.sender import Sent
from benchmarks.site import rollups
from faults.ledger import Found, Ledger
from faults.soak import fitted
from storage.client import Client
from storage.embedded import Node

SENT = Sent(first=0, end=2, announced=0, seconds=1.0, cpu_seconds=0.0, behind=0.0)
ALL = 2 * BATCH_FLOWS


@pytest.fixture
def client(database: Node) -> Iterator[Client]:
    with database.connect("admin") as client:
        yield client


def store(client: Client, first: int, last: int) -> None:
    """Store flows with the numbers from `first` to `last`, for the second time if they are there already."""
    client.command(
        "INSERT INTO flows (time_received, retention_class, packets, bytes) SETTINGS insert_deduplicate = 0 "
        f"SELECT now64(3), 'basic', 1, {first} + number FROM numbers({last - first + 1})"
    )
    for table in rollups():
        sides = ("source", "destination") if table.startswith("as_") else ("",)
        for side in sides:
            add_up(client, table, side, first, last)


def add_up(client: Client, table: str, side: str, first: int, last: int) -> None:
    """Store the sums of the same flows, as of one side where a table tells them apart."""
    column, value = (", side", f", '{side}'") if side else ("", "")
    client.command(
        f"INSERT INTO {table} (time_received, retention_class, flows, packets, bytes{column}) "
        "SETTINGS insert_deduplicate = 0 "
        f"SELECT now64(3), 'rollups', count(), count(), sum({first} + number){value} FROM numbers({last - first + 1})"
    )


def test_rollups_that_lack_flows_are_noticed(client: Client) -> None:
    store(client, 1, ALL)
    add_up(client, "as_1h", "source", 1, 1)
    assert [wrong.partition(":")[0] for wrong in Ledger().look(client, SENT).wrong] == ["as_1h source"]


def test_all_is_well(client: Client) -> None:
    store(client, 1, ALL)
    ledger = Ledger()
    found = ledger.look(client, SENT)
    assert (found.wrong, len(found.missing), found.stored_flows) == ([], 0, ALL)
    assert ledger.look_at_all(client) == []


def test_a_flow_that_is_there_twice(client: Client) -> None:
    store(client, 1, ALL)
    store(client, 100, 100)
    ledger = Ledger()
    assert any("twice" in wrong for wrong in ledger.look(client, SENT).wrong)
    assert any("twice" in wrong for wrong in ledger.look_at_all(client))


def test_a_datagram_of_which_a_flow_is_missing(client: Client) -> None:
    store(client, 1, ALL - 1)
    assert any("only some flows" in wrong for wrong in Ledger().look(client, SENT).wrong)


def test_datagrams_that_are_missing(client: Client) -> None:
    store(client, 1, 10 * RECORDS)
    store(client, 12 * RECORDS + 1, ALL)
    found = Ledger().look(client, SENT)
    assert found.missing.tolist() == [10, 11]
    assert (found.wrong, found.runs(exporters=2)) == ([], 1)


def test_what_was_well_and_is_not_any_more(client: Client) -> None:
    store(client, 1, ALL)
    ledger = Ledger()
    ledger.look(client, SENT)
    store(client, 1, RECORDS)
    store(client, ALL + 1, 2 * ALL)
    wrong = ledger.look(client, Sent(2, 4, 0, 1.0, 0.0, 0.0)).wrong
    assert any("sum and xor" in one for one in wrong)


@pytest.mark.parametrize(
    ("missing", "runs"),
    [
        (range(BATCH - 1, 2 * BATCH + 1), 1),  # the end of one exporter's batch, all of the other's, and on
        ([0, 1, 5], 2),
        ([BATCH - 1, 2 * BATCH], 1),  # next to each other by the exporter's own order
        ([0, BATCH], 1),  # one of each
        ([], 0),
    ],
)
def test_runs_are_counted_by_exporter(missing: list[int], runs: int) -> None:
    assert Found(np.array(missing, np.int64), 0).runs(exporters=2) == runs


def test_growth_is_not_misled_by_peaks() -> None:
    times = np.arange(0, 1000, 5.0)
    values = 100 + times / 100
    values[::10] += 500
    first, last = fitted(times, values)
    assert first == pytest.approx(100, abs=1)
    assert last == pytest.approx(109.95, abs=1)
