"""The pipeline by itself: when it saves what the decoders know, and what it tells of them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from cli.sources import FileSources
from collector.books import WorkerBooks
from collector.clock import Clock
from collector.decoding import senders_of
from collector.inserts import Inserts
from collector.journal import Journal
from collector.metrics import Metrics
from collector.pipeline import Pipeline
from settings.config import Blocks, Config, load_config
from settings.errors import UnreachableError
from storage.embedded import Node
from storage.writer import Writer
from tests.collector.site import Site
from tests.collector.test_journal import append
from tests.decoders.wire import a_set, ipfix, template, v9

DEFINED = v9(a_set(0, template(256, [(1, 4)])), a_set(256, struct.pack(">I", 1)))
SESSION = 1_795_000_000_123


def data(sequence: int) -> bytes:
    return v9(a_set(256, struct.pack(">I", 5)), sequence=sequence)


class Stepwise(Pipeline):
    """A pipeline of which each step ends when its block is stored, or given up."""

    def step(self, flush: bool) -> bool:
        """Whether a block was stored."""
        begun = super().step(flush)
        self.settle(None)
        return begun and not self._given_up


class Bench:
    """A pipeline over a journal that we write, into a real ClickHouse."""

    def __init__(self, directory: Path, node: Node) -> None:
        config = load_config(Site(directory).config, {})
        self.config: Config = config.model_copy(update={"blocks": Blocks(rollup_seconds=0)})
        self.directory = self.config.data_dir / "journal"
        self.directory.mkdir(parents=True)
        self.closed: list[set[int]] = []
        self.metrics = Metrics()
        self.node = node
        self._client = node.connect("ingest")
        self.stopping = False

    def pipeline(self) -> Pipeline:
        self.journal = Journal(self.directory, senders_of(self.config))
        attribution, _ = FileSources(self.config).load()
        return Stepwise(
            self.config,
            self.journal,
            Inserts(self, lambda: self.stopping),
            lambda name: (name or "now", attribution),
            WorkerBooks("run", self.metrics),
            self.metrics,
            Clock(),
            self.closed.append,
        )

    def lost(self) -> None:
        """ClickHouse did not answer; it is nowhere else."""

    def writer(self) -> Writer:
        """A writer as long as we are not to stop; then ClickHouse is away."""
        if self.stopping:
            raise UnreachableError("ClickHouse is away")
        return Writer(self._client)

    def saved(self) -> tuple[str, int]:
        """The state's file, and the row that is reached."""
        position = json.loads((self.directory / "position.json").read_text())
        return position["state"], position["row"]

    def close(self) -> None:
        self._client.close()


@pytest.fixture
def bench(tmp_path: Path, database: Node) -> Bench:
    return Bench(tmp_path, database)


def test_the_state_is_saved_when_something_was_learnt_and_at_a_clean_stop(bench: Bench) -> None:
    append(bench.directory, 1, [(DEFINED, 0)])
    pipeline = bench.pipeline()
    pipeline.finish()
    assert not (bench.directory / "position.json").exists(), "there is nothing to be saved"
    assert pipeline.step(flush=True)
    assert bench.saved() == ("decoders-1-1.json", 1)
    append(bench.directory, 1, [(data(1), 0), (data(2), 0)])
    assert pipeline.step(flush=True)
    assert bench.saved() == ("decoders-1-1.json", 3)
    assert not bench.pipeline().step(flush=True)
    assert not bench.journal.state_is_current
    pipeline.finish()
    assert bench.saved() == ("decoders-1-3.json", 3)
    bench.pipeline()
    assert bench.journal.state_is_current
    (bench.directory / "decoders-1-3.json").unlink()
    pipeline.finish()
    assert not (bench.directory / "decoders-1-3.json").exists(), "it is saved already"
    bench.close()


def test_the_state_is_saved_every_minute_while_blocks_come(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("collector.pipeline.time.monotonic", lambda: now)
    append(bench.directory, 1, [(DEFINED, 0)])
    pipeline = bench.pipeline()
    pipeline.step(flush=True)
    rows = []
    for now in (1030.0, 1061.0, 1090.0, 1125.0):  # noqa: B007 - the clock reads it
        append(bench.directory, 1, [(data(1), 0)])
        pipeline.step(flush=True)
        rows.append(bench.saved()[0])
    assert rows == ["decoders-1-1.json", "decoders-1-3.json", "decoders-1-3.json", "decoders-1-5.json"]
    bench.close()


def test_a_block_that_is_not_stored_is_not_in_the_saved_state(bench: Bench) -> None:
    pipeline = bench.pipeline()
    for payload in (DEFINED, data(1)):
        append(bench.directory, 1, [(payload, 0)])
        assert pipeline.step(flush=True)
    assert bench.saved() == ("decoders-1-1.json", 2)
    append(bench.directory, 1, [(data(2), 0)])
    bench.stopping = True
    assert not pipeline.step(flush=True)
    pipeline.finish()
    assert bench.saved() == ("decoders-1-1.json", 2)
    bench.close()


def test_sessions_that_broke_the_rules_are_named(bench: Bench) -> None:
    of_four, of_eight = (ipfix(a_set(2, template(256, [(1, octets)]))) for octets in (4, 8))
    append(bench.directory, 1, [(of_four, 0), (of_eight, 0), (of_four, SESSION), (of_four, SESSION + 1)])
    pipeline = bench.pipeline()
    assert pipeline.step(flush=True)
    assert bench.closed == []
    append(bench.directory, 1, [(of_four, SESSION + 1), (of_eight, SESSION), (b"", SESSION)])
    assert pipeline.step(flush=True)
    assert bench.closed == [{SESSION}]
    assert bench.metrics.books()["datagrams_decoded"] == 6, "the end of a session is none"
    bench.close()


def test_blocks_are_larger_while_segments_wait(bench: Bench) -> None:
    """What is behind catches up at less cost to ClickHouse; the last segments are cut as they are while all is well."""
    most = 2 * len(data(0))
    bench.config = bench.config.model_copy(update={"blocks": Blocks(max_size=most)})
    for segment in (1, 2, 3):
        append(bench.directory, segment, [(data(0), 0)] * 6)
    pipeline, cut = bench.pipeline(), []
    while pipeline.step(flush=True):
        cut.append(json.loads((bench.directory / "position.json").read_text())["row"])
    assert cut == [6, 6, 2, 4, 6], "two segments wait, two still did when the first was left, then one"
    bench.close()
