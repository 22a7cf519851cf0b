"""Several workers on one journal: each has its exporters, all keep their own position, and their number may change."""

from __future__ import annotations

import json
import struct
from ipaddress import ip_address
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.books import SumOfBooks, WorkerBooks
from collector.journal import Journal, read_state
from collector.keeper import Bounds, Keeper
from collector.metrics import Metrics
from collector.position import Position
from collector.segments import ROW, Segment, numbers, path_of
from collector.shards import Shard, owners
from collector.workers import count_of, part_anew
from decoders import Datagrams, Limits, Senders, State, decode
from decoders.sharing import part
from schema.addresses import packed
from tests.decoders.wire import a_set, template, v9

SIZE = 2**18
NOW = 1_795_000_000_000
DEFINED = a_set(0, template(256, [(1, 4)]))


def sender(number: int) -> bytes:
    return packed(ip_address(f"192.0.2.{number}"))


def owner(address: bytes, count: int) -> int:
    return int(owners(np.frombuffer(address, np.uint8).reshape(1, 16), count)[0])


def write(directory: Path, number: int, senders: list[int], sealed: bool = False) -> None:
    """A segment with a datagram of 100 octets of each sender."""
    segment = Segment.create(directory, number, SIZE)
    for row, one in enumerate(senders):
        at = segment.index_at + row * ROW.size
        ROW.pack_into(segment.map, at, 1000 + row, sender(one), row * 100, 100, 9, 0, 0, 0, 0)
    segment.count = len(senders)
    if sealed:
        segment.seal()


def read(directory: Path, shard: Shard) -> list[tuple[int, list[int]]]:
    """All blocks of a shard, stored: segment and the last octets of the senders."""
    journal = Journal(directory, Senders.nobody(), shard)
    found = []
    while block := journal.next_block(500, lambda _: True):
        journal.intend(block)
        journal.commit(block, None)
        found.append((block.segment, block.datagrams.exporters[:, 15].tolist()))
    return found


@given(st.lists(st.integers(1, 250), max_size=60), st.integers(1, 6))
def test_each_datagram_goes_to_one_shard_and_all_of_a_sender_to_the_same(senders: list[int], count: int) -> None:
    addresses = np.frombuffer(b"".join(map(sender, senders)), np.uint8).reshape(-1, 16)
    of = owners(addresses, count)
    assert of.tolist() == [owner(sender(one), count) for one in senders]
    assert not len(of) or of.max() < count


def test_shards_share_a_journal_and_a_segment_goes_when_all_have_stored_it(tmp_path: Path) -> None:
    senders = list(range(1, 40))
    write(tmp_path, 1, senders, sealed=True)
    write(tmp_path, 2, senders, sealed=True)
    shards = Shard.all(3)
    keeper = Keeper(tmp_path, shards)
    assert keeper.backlog() == 2 * len(senders)
    stored: list[int] = []
    for shard in shards:
        assert numbers(tmp_path) == [1, 2]
        assert keeper.oldest_waiting() == 1000 + min(
            row for row, one in enumerate(senders) if owner(sender(one), 3) >= shard.number
        )
        blocks = read(tmp_path, shard)
        mine = [one for _, block in blocks for one in block]
        assert mine == 2 * [one for one in senders if owner(sender(one), 3) == shard.number]
        stored += mine
        keeper.look()
        assert keeper.backlog() == 2 * len(senders) - len(stored)
        keeper.delete_stored()
    assert sorted(stored) == sorted(2 * senders)
    assert numbers(tmp_path) == []
    assert keeper.end() == 3


def test_what_is_evicted_counts_for_those_who_had_not_stored_it(tmp_path: Path) -> None:
    senders = list(range(1, 40))
    for number in (1, 2, 3, 4):
        write(tmp_path, number, senders, sealed=True)
    fast, slow = Shard.all(2)
    read(tmp_path, fast)
    keeper = Keeper(tmp_path, [fast, slow])
    theirs = sum(owner(sender(one), 2) == 1 for one in senders)
    assert keeper.evict(Bounds(0, 0, 0)) == 2 * theirs  # 1 is being read, 4 is the last
    assert numbers(tmp_path) == [1, 4]
    assert [segment for segment, _ in read(tmp_path, slow)][-1] == 4


def test_blocks_on_their_way_are_cut_again_one_by_one_after_a_crash(tmp_path: Path) -> None:
    write(tmp_path, 1, list(range(1, 30)), sealed=True)
    write(tmp_path, 2, list(range(1, 30)))
    shard = Shard(1, 2)
    journal = Journal(tmp_path, Senders.nobody(), shard)
    tokens = []
    for number in range(4):
        block = journal.next_block(800, lambda _: True)
        assert block
        journal.intend(block, f"sources {number}", number)
        tokens.append((journal.token(block), f"sources {number}", block.datagrams.exporters.tolist()))
    assert {token.split("-")[1] for token, *_ in tokens} == {"1", "2"}, "they are of two segments"
    again = Journal(tmp_path, Senders.nobody(), shard)
    blocks = []
    for token in tokens:
        block = again.next_block(100, lambda _: False)
        assert block
        assert block.before
        assert (again.token(block), block.before.sources, block.datagrams.exporters.tolist()) == token
        again.intend(block, "others", 99)
        blocks.append(block)
    again.commit(blocks[0], None)
    assert [pending.sources for pending in Position.load(shard.position(tmp_path)).pending] == [
        "sources 1", "sources 2", "sources 3"
    ]  # fmt: skip


def state_of(senders: list[int]) -> State:
    """What decoders keep of senders: a template, a number, and a set that waits for its template."""
    state = State()
    payloads = [v9(DEFINED + a_set(300, struct.pack(">I", one)), sequence=one) for one in senders]
    datagrams = Datagrams.gather(payloads, [sender(one) for one in senders], [NOW] * len(senders))
    decode(datagrams, state, Limits())
    return state


def test_decoders_states_are_parted_by_exporter_and_none_is_lost() -> None:
    first, second = [1, 2, 3, 4, 5], [6, 7, 8, 9]
    parted = part([state_of(first).dump(), state_of(second).dump()], 3, lambda address: owner(address, 3))
    for number, saved in enumerate(parted):
        mine = [one for one in first + second if owner(sender(one), 3) == number]
        expected = state_of(mine).dump()
        loaded = State.load(json.loads(json.dumps(saved))).dump()
        for name in ("templates", "waiting", "sequences", "restarts"):
            assert sorted(map(str, loaded[name])) == sorted(map(str, expected[name])), name


def test_the_number_of_workers_changes_behind_what_is_stored(tmp_path: Path) -> None:
    write(tmp_path, 1, [1, 2, 3], sealed=True)
    old = Journal(tmp_path, Senders.nobody(), Shard(), until=2)
    block = old.next_block(10**6, lambda _: False)
    assert block
    old.intend(block)
    metrics = Metrics()
    books = WorkerBooks("run", metrics)
    metrics.records_stored.inc(7)
    metrics.exporter_datagrams.labels("lab").inc(3)
    old.commit(block, state_of([1, 2, 3]).dump(), books.saved())
    assert old.next_block(10**6, lambda _: True) is None
    shards = Shard.all(2)
    assert count_of(tmp_path) == 1
    part_anew(tmp_path, [Shard()], shards, 2, "run")
    assert count_of(tmp_path) == 2
    assert not (tmp_path / "position.json").exists()
    keeper = Keeper(tmp_path, shards)
    keeper.delete_stored()
    assert (numbers(tmp_path), keeper.end()) == ([], 2)
    total = Metrics()
    SumOfBooks("run", total).take([position.books for position in keeper.positions])
    assert total.books()["stored"] == 7
    states = [read_state(tmp_path, position) for position in keeper.positions]
    assert sum(len(state["templates"]) for state in states if state) == 3
    write(tmp_path, 2, [1, 2, 3], sealed=True)
    assert sorted(one for shard in shards for _, block in read(tmp_path, shard) for one in block) == [1, 2, 3]
    assert path_of(tmp_path, 2).exists()


def test_the_daemons_counts_are_the_workers_whatever_ends_meanwhile() -> None:
    total = Metrics()
    sums = SumOfBooks("run", total)
    workers = [Metrics(), Metrics()]
    books = [WorkerBooks("run", metrics) for metrics in workers]
    for metrics, count in zip(workers, (5, 11), strict=True):
        metrics.records_stored.inc(count)
        metrics.templates.set(count)
        metrics.template_age.labels("lab").set(count)
    books[0].note_insert(0.2)
    sums.take([books[0].saved(), None])
    sums.take([one.saved() for one in books])
    assert total.books()["stored"] == 16
    again = Metrics()  # the first worker died, and goes on from what it saved
    restarted = WorkerBooks("run", again)
    restarted.restore(json.loads(json.dumps(books[0].saved())))
    again.records_stored.inc(1)
    restarted.note_insert(0.3)
    sums.take([restarted.saved(), books[1].saved()])
    sums.take([restarted.saved(), books[1].saved()])
    assert total.books()["stored"] == 17
    value = total.registry.get_sample_value
    assert value("flowkeep_clickhouse_insert_seconds_count") == 2
    assert value("flowkeep_templates") == 11
    assert value("flowkeep_template_age_seconds", {"exporter": "lab"}) == 11
    other = WorkerBooks("another run", Metrics())
    other.restore(books[0].saved())
    assert not any(value for _, _, value in other.saved()["samples"])
