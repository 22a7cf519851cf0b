"""The journal by itself: blocks are cut, repeated after a crash, committed, evicted; what is damaged is set aside."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from collector.journal import Block, Journal
from collector.position import JournalError
from collector.segments import ROW, Segment, numbers, path_of
from decoders import Senders
from settings.errors import RefusalError

SIZE = 2**18
PAYLOAD = b"p" * 100


def write(directory: Path, number: int, datagrams: int, sealed: bool = False) -> None:
    directory.mkdir(exist_ok=True)
    new = not path_of(directory, number).exists()
    segment = Segment.create(directory, number, SIZE) if new else Segment(path_of(directory, number), writable=True)
    for row in range(segment.count, segment.count + datagrams):
        at = row * len(PAYLOAD)
        segment.map[segment.data_at + at : segment.data_at + at + len(PAYLOAD)] = PAYLOAD
        ROW.pack_into(segment.map, segment.index_at + row * ROW.size, 1000 + row, bytes(16), at, len(PAYLOAD), 9, 0, 0)
        segment.count = row + 1
    if sealed:
        segment.seal()


def journal(directory: Path) -> Journal:
    return Journal(directory, Senders.nobody())


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
    assert of.backlog() == 5
    assert of.oldest_waiting() == 1020
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
    assert numbers(tmp_path) == [1]
    write(tmp_path, 2, 2, sealed=True)
    assert store(of) == (2, 0, 2)
    assert numbers(tmp_path) == [2]
    assert cut(of) is None
    assert numbers(tmp_path) == []


def test_the_number_of_a_segment_deleted_right_before_a_crash_does_not_serve_again(tmp_path: Path) -> None:
    write(tmp_path, 1, 3, sealed=True)
    of = journal(tmp_path)
    store(of)
    assert cut(of) is None
    again = journal(tmp_path)  # position.json still says segment 1, row 3
    assert again.segment == 2
    write(tmp_path, again.segment, 4)
    assert store(again) == (2, 0, 4)


def test_the_oldest_unread_segments_go_past_the_bound(tmp_path: Path) -> None:
    for number in range(1, 7):
        write(tmp_path, number, number, sealed=number < 6)
    of = journal(tmp_path)
    assert cut(of)
    each = of.size() // 6
    assert of.evict(6 * each, 0) == 0
    assert of.evict(4 * each, 0) == 2 + 3
    assert of.evict(0, 0) == 4 + 5  # the one being read and the one being written stay
    assert numbers(tmp_path) == [1, 6]
    assert [store(of), store(of)] == [(1, 0, 1), (6, 0, 6)]


def test_unread_segments_go_when_their_newest_datagram_is_too_old(tmp_path: Path) -> None:
    for number in range(1, 6):
        write(tmp_path, number, number, sealed=number < 5)  # received from 1000 on, one a millisecond
    of = journal(tmp_path)
    assert cut(of)
    assert of.evict(10**9, 1001) == 0
    assert of.evict(10**9, 1003) == 2 + 3
    assert numbers(tmp_path) == [1, 4, 5]


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
    again = journal(tmp_path)
    assert again.saved_state() == {"n": 2}
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000000000001.segment", "decoders-1-4.json", "position.json"
    ]  # fmt: skip
    (tmp_path / "decoders-1-4.json").write_text("[")
    assert journal(tmp_path).saved_state() is None


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
    of = journal(tmp_path)
    assert of.backlog() == 3
    assert store(of) == (2, 0, 3)
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
    assert of.backlog() == 5
    of.intend(block)
    assert json.loads((tmp_path / "position.json").read_text())["pending"] == 5
    of.commit(block, {"n": 1})
    assert of.backlog() == 0
