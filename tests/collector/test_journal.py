"""The journal by itself: blocks are cut, repeated after a crash, committed, evicted; what is damaged is set aside."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from collector.journal import Block, Journal
from collector.keeper import Bounds, Keeper
from collector.position import JournalError
from collector.segments import ROW, Segment, numbers, path_of
from collector.shards import WHOLE, Shard
from decoders import Senders
from settings.errors import RefusalError

SIZE = 2**18
PAYLOAD = b"p" * 100


def write(directory: Path, number: int, datagrams: int, sealed: bool = False) -> None:
    append(directory, number, [(PAYLOAD, 0)] * datagrams, sealed)


def append(directory: Path, number: int, rows: Sequence[tuple[bytes, int]], sealed: bool = False) -> None:
    """Append payloads of sessions to a segment, received at 1000 + row."""
    directory.mkdir(exist_ok=True)
    new = not path_of(directory, number).exists()
    segment = Segment.create(directory, number, SIZE) if new else Segment(path_of(directory, number), writable=True)
    for payload, session in rows:
        row, at = segment.count, 0
        if row:
            before = ROW.unpack_from(segment.map, segment.index_at + (row - 1) * ROW.size)
            at = before[2] + before[3]
        segment.map[segment.data_at + at : segment.data_at + at + len(payload)] = payload
        where = segment.index_at + row * ROW.size
        low, high = session & 0xFFFF, session >> 16
        ROW.pack_into(segment.map, where, 1000 + row, bytes(16), at, len(payload), 9, 0, 0, low, high)
        segment.count = row + 1
    if sealed:
        segment.seal()


def journal(directory: Path) -> Journal:
    return Journal(directory, Senders.nobody())


def keeper(directory: Path, shards: Sequence[Shard] = (WHOLE,)) -> Keeper:
    of = Keeper(directory, list(shards))
    of.sweep()
    return of


def evict(directory: Path, most: int, before: int = 0) -> int:
    return keeper(directory).evict(Bounds(most, before, 0))


def cut(of: Journal, whole: bool = True, most: int = 10**6) -> Block | None:
    return of.next_block(most, lambda *_: whole)


def store(of: Journal, most: int = 10**6) -> tuple[int, int, int]:
    block = cut(of, most=most)
    assert block
    of.intend(block)
    of.commit(block, None)
    return block.segment, block.start, block.end


def test_blocks_are_cut_by_size_or_when_due(tmp_path: Path) -> None:
    write(tmp_path, 1, 25)
    of = journal(tmp_path)
    assert cut(of, whole=False) is None
    assert [store(of, 1000), store(of, 1000)] == [(1, 0, 10), (1, 10, 20)]
    assert cut(of, whole=False, most=1000) is None
    assert keeper(tmp_path).backlog() == 5
    assert keeper(tmp_path).oldest_waiting() == 1020
    assert store(of, 1) == (1, 20, 21)


def test_a_block_that_was_begun_is_the_same_after_a_crash_whatever_came_since(tmp_path: Path) -> None:
    write(tmp_path, 1, 5)
    first = journal(tmp_path)
    block = cut(first)
    assert block
    first.intend(block)
    write(tmp_path, 1, 7)
    again = journal(tmp_path)
    repeated = cut(again, whole=False, most=1)
    assert repeated
    assert again.token(repeated) == first.token(block)
    again.commit(repeated, None)
    assert store(again) == (1, 5, 12)


def test_a_segment_is_deleted_when_it_is_stored_and_sealed_or_has_a_successor(tmp_path: Path) -> None:
    write(tmp_path, 1, 3)
    of = journal(tmp_path)
    store(of)
    assert cut(of) is None
    assert stored_segments_gone(tmp_path) == [1]
    write(tmp_path, 2, 2, sealed=True)
    assert store(of) == (2, 0, 2)
    assert stored_segments_gone(tmp_path) == [2]
    assert cut(of) is None
    assert stored_segments_gone(tmp_path) == []


def stored_segments_gone(directory: Path) -> list[int]:
    keeper(directory).delete_stored()
    return numbers(directory)


def test_the_number_of_a_segment_deleted_right_before_a_crash_does_not_serve_again(tmp_path: Path) -> None:
    write(tmp_path, 1, 3, sealed=True)
    of = journal(tmp_path)
    block = cut(of)
    assert block
    of.intend(block)
    of.commit(block, None)  # position.json says segment 1, row 3
    path_of(tmp_path, 1).unlink()
    again = journal(tmp_path)
    assert again.segment == 2
    write(tmp_path, again.segment, 4)
    assert store(again) == (2, 0, 4)


def test_the_oldest_unread_segments_go_past_the_bound(tmp_path: Path) -> None:
    for number in range(1, 7):
        write(tmp_path, number, number, sealed=number < 6)
    of = journal(tmp_path)
    each = keeper(tmp_path).size() // 6
    assert evict(tmp_path, 6 * each) == 0
    assert evict(tmp_path, 4 * each) == 2 + 3
    assert evict(tmp_path, 0) == 4 + 5  # the one being read and the one being written stay
    assert numbers(tmp_path) == [1, 6]
    assert [store(of), store(of)] == [(1, 0, 1), (6, 0, 6)]


def test_unread_segments_go_when_their_newest_datagram_is_too_old(tmp_path: Path) -> None:
    for number in range(1, 6):
        write(tmp_path, number, number, sealed=number < 5)  # received from 1000 on, one a millisecond
    assert evict(tmp_path, 10**9, 1001) == 0
    assert evict(tmp_path, 10**9, 1003) == 2 + 3
    assert numbers(tmp_path) == [1, 4, 5]


def test_unread_segments_go_when_the_disk_has_too_little_room(tmp_path: Path) -> None:
    for number in range(1, 6):
        write(tmp_path, number, number, sealed=number < 5)
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    assert keeper(tmp_path).evict(Bounds(10**9, 0, free // 2)) == 0
    assert keeper(tmp_path).evict(Bounds(10**9, 0, free * 2)) == 2 + 3 + 4
    assert numbers(tmp_path) == [1, 5]


def test_state_is_saved_with_its_position_and_leftovers_of_a_crash_go(tmp_path: Path) -> None:
    write(tmp_path, 1, 5)
    of = journal(tmp_path)
    assert of.saved_state() is None
    for number in (1, 2):
        block = cut(of, most=200)
        assert block
        of.commit(block, {"n": number})
    (tmp_path / "decoders-9-9.json").write_text("{}")  # written, but the position did not follow
    (tmp_path / "000000000002.new").write_text("")
    keeper(tmp_path)
    again = journal(tmp_path)
    assert again.saved_state() == {"n": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000000000001.segment", "decoders-1-4.json", "position.json"
    ]  # fmt: skip
    (tmp_path / "decoders-1-4.json").write_text("[")
    assert journal(tmp_path).saved_state() is None


def test_sessions_come_out_as_they_went_in_and_zeros_are_udp(tmp_path: Path) -> None:
    sessions = [0, 1 << 16, 1_795_000_000_123, (1 << 48) - 1, 0, 1_795_000_000_123]
    append(tmp_path, 1, [(PAYLOAD, session) for session in sessions])
    segment = Segment(path_of(tmp_path, 1), writable=False)
    of_udp = segment.map[segment.index_at : segment.index_at + ROW.size]
    assert of_udp == struct.pack("=q16sQIHHHxxxxxx", 1000, bytes(16), 0, 100, 9, 0, 0), "as before there was TCP"
    block = cut(journal(tmp_path))
    assert block
    assert block.datagrams.sessions.tolist() == sessions
    assert block.datagrams.sessions.dtype == np.int64
    assert block.datagrams.ports.tolist() == [9] * 6


def test_ends_of_sessions_are_in_the_block_but_count_as_no_datagrams(tmp_path: Path) -> None:
    one, other = 1_795_000_000_123, 1_795_000_000_124
    append(tmp_path, 1, [(b"", one), (PAYLOAD, 0), (b"", 0), (b"", other), (PAYLOAD, one)], sealed=True)
    append(tmp_path, 2, [(PAYLOAD, one), (b"", one)], sealed=True)
    append(tmp_path, 3, [(b"", other)])
    of, kept = journal(tmp_path), keeper(tmp_path)
    assert kept.backlog() == 3 + 1 + 0  # the empty datagram of UDP is one
    assert store(of, 1) == (1, 0, 1)
    kept.look()
    assert kept.backlog() == 3 + 1
    block = cut(of)
    assert block
    assert block.datagrams.count == 4
    assert len(block.entries) == 3
    of.commit(block, None)
    kept.look()
    assert kept.backlog() == 1
    append(tmp_path, 3, [(PAYLOAD, 0), (b"", one), (PAYLOAD, 0)])
    assert kept.backlog() == 1 + 2
    assert keeper(tmp_path).backlog() == 1 + 2
    assert store(of) == (2, 0, 2)
    kept.look()
    assert kept.evict(Bounds(0, 0, 0)) == 0  # 1 and 2 are stored, 3 is being written
    assert store(of) == (3, 0, 4)
    kept.look()
    assert kept.backlog() == 0


def test_evicted_datagrams_are_counted_without_ends_of_sessions(tmp_path: Path) -> None:
    for number in range(1, 4):
        append(tmp_path, number, [(PAYLOAD, 0), (b"", 1 << 20), (PAYLOAD, 1 << 20)], sealed=True)
    assert evict(tmp_path, 0) == 2


def test_a_block_of_nothing_but_ends_can_be_cut(tmp_path: Path) -> None:
    append(tmp_path, 1, [(b"", 1 << 20), (b"", 1 << 21)])
    block = cut(journal(tmp_path))
    assert block
    assert block.datagrams.lengths.tolist() == [0, 0]
    assert len(block.datagrams.data) == 0


def test_a_state_saved_between_blocks_is_of_where_it_was_saved(tmp_path: Path) -> None:
    write(tmp_path, 1, 5)
    of = journal(tmp_path)
    of.save_state({"n": 0})
    assert (journal(tmp_path).saved_state(), journal(tmp_path).state_is_current) == ({"n": 0}, True)
    assert store(of, 200) == (1, 0, 2)
    again = journal(tmp_path)
    assert (again.saved_state(), again.state_is_current) == ({"n": 0}, False)
    of.save_state({"n": 2})
    again = journal(tmp_path)
    assert (again.saved_state(), again.state_is_current) == ({"n": 2}, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000000000001.segment", "decoders-1-2.json", "position.json"
    ]  # fmt: skip


def test_a_state_saved_at_a_segments_end_is_current_when_the_segment_is_gone(tmp_path: Path) -> None:
    write(tmp_path, 1, 5, sealed=True)
    of = journal(tmp_path)
    block = cut(of)
    assert block
    of.commit(block, {"n": 5})
    assert cut(of) is None
    assert stored_segments_gone(tmp_path) == []
    again = journal(tmp_path)
    assert (again.segment, again.state_is_current) == (2, False), "it is of the end of the one before"
    of.save_state({"n": 6})  # at a clean stop: of the beginning of the next segment
    again = journal(tmp_path)
    assert (again.segment, again.state_is_current, again.saved_state()) == (2, True, {"n": 6})
    write(tmp_path, 2, 1)
    assert store(again) == (2, 0, 1)
    assert not journal(tmp_path).state_is_current


@pytest.mark.parametrize("damage", ["empty", "short", "foreign", "count", "index"])
def test_a_damaged_segment_is_set_aside_and_the_others_are_read(tmp_path: Path, damage: str) -> None:
    write(tmp_path, 1, 5, sealed=True)
    write(tmp_path, 2, 3)
    path = path_of(tmp_path, 1)
    segment = Segment(path, writable=True)
    match damage:
        case "empty":
            os.truncate(path, 0)
        case "short":
            os.truncate(path, 8192)
        case "foreign":
            segment.map[:8] = b"whatever"
        case "count":
            segment.count = segment.rows + 1
        case "index":
            segment.map[segment.index_at : segment.index_at + 4 * ROW.size] = bytes(4 * ROW.size)
    assert keeper(tmp_path).backlog() == 3
    assert store(journal(tmp_path)) == (2, 0, 3)
    assert path.with_suffix(".damaged").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"identity": "x", "more": 1}', "\0\0"])
def test_a_position_that_is_not_readable_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "position.json").write_text(text)
    with pytest.raises(RefusalError, match="move it away"):
        journal(tmp_path)


def test_a_position_that_cannot_be_written_leaves_all_as_it_was(tmp_path: Path) -> None:
    write(tmp_path, 1, 5)
    of = journal(tmp_path)
    block = cut(of)
    assert block
    (tmp_path / "position.new").mkdir()  # in the way, as a full disk would be
    for attempt in (lambda: of.intend(block), lambda: of.commit(block, {"n": 1})):
        with pytest.raises(JournalError, match="cannot be written"):
            attempt()
    (tmp_path / "position.new").rmdir()
    assert keeper(tmp_path).backlog() == 5
    of.intend(block, "abc", 7)
    assert json.loads((tmp_path / "position.json").read_text())["pending"] == [[1, 0, 5, "abc", 7]]
    of.commit(block, {"n": 1})
    assert keeper(tmp_path).backlog() == 0
