"""Rollups of several blocks are stored together: once, and exact to the flow, wherever a crash comes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from collector import inserts, pipeline, position, rollup_groups
from collector.dropped import FORGOTTEN
from collector.keeper import Keeper
from collector.pipeline import Pipeline
from collector.position import UNKNOWN, JournalError, Position, RollupGroup
from collector.shards import WHOLE, Shard
from collector.workers import part_anew
from decoders import Datagrams, Decoded, Limits, State, decode
from schema.batch import Rows
from schema.rollups import ROLLUPS
from settings.config import Blocks
from storage.embedded import Node
from storage.writer import Writer
from tests.collector.test_journal import append
from tests.collector.test_pipeline import DEFINED, Bench, data

BLOCKS = 4


class CrashError(Exception):
    """The process is killed here."""


class Crashes:
    """Ends a process before or after what it does for the nth time; 0 for never."""

    def __init__(self) -> None:
        self.left = 0

    def around(self, action: Callable[[], None]) -> None:
        """Do something that a crash may come before, or after."""
        self._pass()
        action()
        self._pass()

    def _pass(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise CrashError


class Summed:
    """A bench whose journal gets a block with one flow at a time; what is written may be interrupted."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench, self.crashes, self.blocks = bench, Crashes(), 0
        crashes, replace_file = self.crashes, position.replace_file
        now = time.time_ns() // 1_000_000

        def decoded(datagrams: Datagrams, state: State, limits: Limits) -> Decoded:
            found = decode(datagrams, state, limits)
            found.flows.arrays["time_received"] = np.full(found.flows.rows, now)
            return found

        monkeypatch.setattr(pipeline, "decode", decoded)

        class Interrupted(Writer):
            def write_rows(self, table: str, rows: Rows, token: str) -> None:
                crashes.around(lambda: super(Interrupted, self).write_rows(table, rows, token))

        def replaced(path: Path, content: str | bytes) -> None:
            crashes.around(lambda: replace_file(path, content))

        monkeypatch.setattr(bench, "writer", lambda: Interrupted(bench._client))
        for module in ("position", "journal"):
            monkeypatch.setattr(f"collector.{module}.replace_file", replaced)
        self.waits(60)

    def waits(self, seconds: float) -> None:
        """Have groups stored after so long."""
        self.bench.config = self.bench.config.model_copy(update={"blocks": Blocks(rollup_seconds=seconds)})

    def block(self, pipeline: Pipeline) -> None:
        """Append a block to the journal and have it stored."""
        append(self.bench.directory, 1, [(data(self.blocks) if self.blocks else DEFINED, 0)])
        self.blocks += 1
        assert pipeline.step(flush=True)

    def at(self) -> Position:
        """The position as it is saved."""
        return Position.load(self.bench.directory / "position.json")

    def files(self) -> list[str]:
        """The files with rollups."""
        return sorted(path.name for path in self.bench.directory.glob("rollups*"))

    def flows(self) -> dict[str, int]:
        """How many flows each table has."""
        with self.bench.node.connect("query") as client:
            tables = {"flows": "count()"} | {
                table.name: "sum(flows) / 2" if table.name.startswith("as_") else "sum(flows)" for table in ROLLUPS
            }
            return {
                table: int(client.query(f"SELECT {what} FROM {table}").rows[0][0]) for table, what in tables.items()
            }

    def rows(self) -> int:
        """How many rows the finest table has, in all of its parts."""
        with self.bench.node.connect("query") as client:
            return int(client.query("SELECT count() FROM traffic_1m").rows[0][0])


def all_are(flows: int) -> dict[str, int]:
    return dict.fromkeys(("flows", *(table.name for table in ROLLUPS)), flows)


@pytest.fixture
def summed(tmp_path: Path, database: Node, monkeypatch: pytest.MonkeyPatch) -> Iterator[Summed]:
    bench = Bench(tmp_path, database)
    yield Summed(bench, monkeypatch)
    bench.close()


def test_blocks_are_stored_together_when_their_time_has_come(summed: Summed) -> None:
    summed.waits(0.3)
    worker = summed.bench.pipeline()
    for _ in range(BLOCKS):
        summed.block(worker)
    assert summed.flows() == {**all_are(0), "flows": BLOCKS}
    (group,) = summed.at().rollups
    assert (group.flows, group.token, group.sources) == (BLOCKS, "", "now")
    assert sorted(group.files) == summed.files() == [f"rollups-1-{row}.npz" for row in range(BLOCKS)]
    while summed.at().rollups:
        worker.settle(0.05)
    assert summed.flows() == all_are(BLOCKS)
    assert summed.rows() == 1, "four blocks, one row"
    assert summed.files() == []
    assert summed.bench.metrics.books()["stored_rows"] == {
        "as_1h": 2,
        "as_1m": 2,
        "tenants_1h": 1,
        "traffic_1h": 1,
        "traffic_1m": 1,
    }


def test_what_is_left_is_stored_at_a_clean_stop(summed: Summed) -> None:
    worker = summed.bench.pipeline()
    for _ in range(2):
        summed.block(worker)
    worker.finish()
    assert summed.flows() == all_are(2)
    assert (summed.at().rollups, summed.files()) == ((), [])


def test_wherever_a_crash_comes_each_flow_is_counted_once(summed: Summed) -> None:
    """Every write of a file and every insert, before it and after it, until a run comes to its end without a crash."""
    step = crashed = 0
    while crashed == step:
        step += 1
        summed.crashes.left = step
        try:
            worker = summed.bench.pipeline()
            for _ in range(2):
                summed.block(worker)
            worker.finish()
        except CrashError:
            crashed += 1
        summed.crashes.left = 0
        again = summed.bench.pipeline()
        while again.step(flush=True):
            pass
        again.finish()
        Keeper(summed.bench.directory, [WHOLE]).sweep()
        assert summed.flows() == all_are(summed.blocks), f"after a crash at step {step}"
        assert (summed.at().rollups, summed.files()) == ((), [])
    assert step > 20


def test_what_is_attributed_by_other_sources_or_is_too_much_is_stored_by_itself(
    summed: Summed, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = summed.bench.pipeline()
    _, attribution = worker._attribution(None)
    summed.block(worker)
    monkeypatch.setattr(worker, "_attribution", lambda name: (name or "later", attribution))
    summed.block(worker)
    assert [(group.sources, group.flows) for group in summed.at().rollups] == [("later", 1)]
    assert summed.flows() == {**all_are(1), "flows": 2}
    monkeypatch.setattr(rollup_groups, "MOST", 8)
    for _ in range(2):
        summed.block(worker)
    assert [group.size for group in summed.at().rollups] == [3]
    assert summed.flows() == {**all_are(3), "flows": 4}
    worker.finish()
    assert summed.flows() == all_are(4)


def test_a_damaged_file_costs_its_own_block_alone(summed: Summed, caplog: pytest.LogCaptureFixture) -> None:
    worker = summed.bench.pipeline()
    for _ in range(3):
        summed.block(worker)
    (summed.bench.directory / "rollups-1-0.npz").write_bytes(b"nothing")
    (summed.bench.directory / "rollups-1-1.npz").unlink()
    worker.finish()
    assert summed.flows() == {**all_are(1), "flows": 3}
    assert [line.split(":")[0] for line in caplog.messages] == ["rollups-1-0.npz", "rollups-1-1.npz"]


def test_a_full_disk_is_waited_for(summed: Summed, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, failures = summed.bench.pipeline(), 6
    replace_file = position.replace_file

    def full(path: Path, content: str | bytes) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0 and failures % 2:
            raise JournalError("there is no room")
        replace_file(path, content)

    for module in ("position", "journal"):
        monkeypatch.setattr(f"collector.{module}.replace_file", full)
    summed.block(worker)
    worker.finish()
    assert failures < 0
    assert summed.flows() == all_are(1)


def test_rollups_that_were_begun_too_long_ago_are_dropped_and_counted(
    summed: Summed, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = summed.bench.pipeline()
    summed.block(worker)
    summed.crashes.left = 3  # the position names the token, and the first table has no rows yet
    with pytest.raises(CrashError):
        worker.finish()
    (group,) = summed.at().rollups
    assert group.token
    assert group.mark != UNKNOWN
    monkeypatch.setattr(inserts, "DEDUPLICATION_WINDOW", 0)
    monkeypatch.setattr(inserts, "_SLACK", 0)
    summed.bench.pipeline().finish()
    assert summed.at().rollups == ()
    assert summed.flows() == {**all_are(0), "flows": 1}
    assert summed.bench.metrics.books()["dropped_rows"] == {FORGOTTEN: 7}


def test_a_clickhouse_that_is_away_at_the_stop_has_them_stored_at_the_next_start(
    summed: Summed, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = summed.bench.pipeline()
    summed.block(worker)
    summed.bench.stopping = True
    monkeypatch.setattr(summed.bench, "writer", Bench.writer.__get__(summed.bench))  # away as long as we are to stop
    worker.finish()
    assert summed.at().rollups[0].token
    summed.bench.stopping = False
    summed.bench.pipeline().finish()
    assert summed.flows() == all_are(1)


def test_rollups_that_are_left_go_over_to_other_workers(tmp_path: Path) -> None:
    groups = (RollupGroup(("rollups-1-0.npz",), 3, 1, "now", "abc", 7), RollupGroup(("rollups-1-9.npz",), 3, 1))
    Position("abc", 2, 0, rollups=groups).save(tmp_path / "position.json")
    for group in groups:
        (tmp_path / group.files[0]).touch()
    (tmp_path / "rollups-1-5.npz").touch()
    shards = Shard.all(2)
    part_anew(tmp_path, [WHOLE], shards, 2, "run")
    first, second = (Position.load(shard.position(tmp_path)) for shard in shards)
    assert (first.rollups, second.rollups) == (groups, ())
    Keeper(tmp_path, shards).sweep()
    assert sorted(path.name for path in tmp_path.glob("rollups*")) == ["rollups-1-0.npz", "rollups-1-9.npz"]


def test_a_position_of_a_version_without_groups_is_read(tmp_path: Path) -> None:
    path = tmp_path / "position.json"
    Position("abc", 2, 5).save(path)
    saved = json.loads(path.read_text())
    del saved["rollups"]
    path.write_text(json.dumps(saved))
    assert Position.load(path) == Position("abc", 2, 5)
