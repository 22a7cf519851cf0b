"""Loss by sequence numbers: each rule by example, in each protocol's unit."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest

from decoders.block import SequenceNews
from decoders.sequence import Sequences
from decoders.sequence_lanes import HOLES, Tally
from decoders.stream import Stream
from tests.decoders.listener import BOOT, MINUTE, UNITS, VERSIONS, WRAP, Listener, after, numbered
from tests.decoders.wire import EXPORTER, NOW

# --- in order, lost, late and double, in each protocol's unit


@pytest.mark.parametrize("version", VERSIONS)
def test_messages_in_order_tell_nothing(version: int) -> None:
    listener = Listener(version)
    for block in range(3):
        assert listener.hear(*(1000 + (block * 50 + i) * UNITS[version] for i in range(50))) == []
    assert listener.settle() == Tally()


@pytest.mark.parametrize("version", VERSIONS)
def test_lost_messages_are_counted_in_units_and_places_once_it_is_certain(version: int) -> None:
    units = UNITS[version]
    listener = Listener(version)
    listener.hear(*(1000 + i * units for i in (0, 1, 4, 5, 7)))
    assert listener.told == Tally()
    assert listener.settle() == Tally(lost=3 * units, gaps=2)
    assert listener.settle() == Tally(lost=3 * units, gaps=2)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_late_message_is_not_lost(version: int) -> None:
    units = UNITS[version]
    assert after(*(1000 + i * units for i in (0, 3, 2, 4, 1)), version=version) == Tally(reordered=2 * units)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_heard_twice_is_a_duplicate(version: int) -> None:
    units = UNITS[version]
    assert after(*(1000 + i * units for i in (0, 1, 1, 2, 0, 3)), version=version) == Tally(duplicates=2 * units)


def test_a_message_fills_a_part_of_a_hole_and_leaves_two() -> None:
    assert after((100, 10), (150, 10), (120, 10), version=5) == Tally(lost=30, gaps=2, reordered=10)


def test_a_message_can_be_late_and_double_and_go_on() -> None:
    messages = (100, 10), (120, 10), (115, 10), (105, 40)  # 105-144, of which 110-114 are late and 130-144 new
    assert after(*messages, version=10) == Tally(reordered=10, duplicates=5 + 20)
    assert after(*messages, (145, 1), version=10).lost == 0


def test_one_message_fills_several_holes() -> None:
    assert after((100, 5), (110, 5), (120, 5), (103, 20), version=10) == Tally(reordered=10, duplicates=10)


def test_messages_without_units_are_no_news() -> None:
    assert after((100, 0), (100, 0), (100, 5), (105, 0), (110, 0), (103, 0), (107, 0), version=10) == Tally(5, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_numbers_go_round(version: int) -> None:
    units = UNITS[version]
    listener = Listener(version)
    places = [WRAP - 3 * units + i * units for i in (0, 1, 3, 5, 4, 3, 6)]
    assert listener.hear(*places) == []
    assert listener.settle() == Tally(lost=units, gaps=1, reordered=units, duplicates=units)


def test_what_comes_before_the_first_message_heard_is_late_and_not_double() -> None:
    assert after(100, 99, 101, 98) == Tally(reordered=2)


# --- when what is missing is lost


@pytest.mark.parametrize("version", VERSIONS)
def test_a_hole_is_lost_when_64_messages_have_come_since(version: int) -> None:
    units = UNITS[version]
    listener = Listener(version)
    listener.hear(1000, *(1000 + i * units for i in range(2, 66)))
    assert listener.told == Tally()
    listener.hear(1000 + 66 * units)
    assert listener.told == Tally(lost=units, gaps=1)
    listener.hear(1000 + 2 * units)
    assert listener.settle() == Tally(lost=units, gaps=1, duplicates=units)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_64_messages_late_is_in_time(version: int) -> None:
    units = UNITS[version]
    places = [1000, *(1000 + i * units for i in range(2, 66)), 1000 + units, 1000 + units]
    assert after(*places, version=version) == Tally(reordered=units, duplicates=units)


def test_a_late_message_finds_its_place_behind_a_long_hole() -> None:
    assert after(1000, 1002, 1500, 1002, 1001, 1499) == Tally(lost=496, gaps=1, reordered=2, duplicates=1)


@pytest.mark.parametrize("settled", [True, False])
def test_a_hole_is_lost_after_ten_seconds(settled: bool) -> None:
    listener = Listener()
    listener.hear(1, 3)
    listener.hear(4, 6, now=NOW + 5_000)
    listener.hear(7, now=NOW + 10_000)
    assert listener.told == Tally()
    if settled:
        listener.settle(NOW + 10_001)
    else:
        listener.hear(8, now=NOW + 10_001)
    assert listener.told == Tally(lost=1, gaps=1)
    listener.hear(5, now=NOW + 12_000)
    assert listener.settle() == Tally(lost=1, gaps=1, reordered=1)


def test_a_hole_of_a_shared_stream_is_lost_after_ten_seconds_too() -> None:
    listener = Listener(105)
    listener.hear(10, 900_000, 11)
    listener.hear(13, now=NOW + 1_000)
    listener.settle(NOW + 11_001)
    assert listener.told == Tally(lost=1, gaps=1, resets=1)


def test_a_clock_put_back_keeps_no_hole_open() -> None:
    listener = Listener()
    listener.hear(1, 3)
    listener.hear(4, now=NOW - 60 * MINUTE)
    assert listener.told == Tally(lost=1, gaps=1)


def test_messages_that_move_the_numbering_on_are_counted_one_by_one() -> None:
    listener = Listener(5)
    listener.hear((1000, 10), (1020, 10), (1025, 10), (1035, 10), *((1045 + 10 * i, 10) for i in range(61)))
    assert listener.told == Tally(duplicates=5)
    listener.hear((1045 + 610, 10))
    assert listener.told == Tally(lost=10, gaps=1, duplicates=5)


def test_open_holes_are_bounded_and_the_oldest_are_lost() -> None:
    listener = Listener(5)
    listener.hear((1000, 1), (9000, 1))
    listener.hear(*((number, 1) for number in range(2000, 2000 + 4 * HOLES, 2)))
    (lane,) = listener.sequences.numberings[listener.stream].lanes
    assert len(lane.holes) == HOLES
    assert lane.missing == sum(end - start for start, end, *_ in lane.holes)
    assert listener.told == Tally(lost=999 + HOLES, gaps=1 + HOLES, reordered=2 * HOLES)
    listener.hear((9010, 1))
    assert len(lane.holes) == HOLES
    told = listener.settle()
    assert told.lost + told.reordered == 7999 + 9


# --- messages of unknown units


def test_after_a_message_of_unknown_units_any_number_is_right() -> None:
    listener = Listener(10)
    assert listener.hear((100, 5), (105, -1), (140, 5), (145, 5)) == []
    assert listener.hear((150, -1)) == []
    assert listener.hear((151, -1), (200, 5), (210, 5)) == []
    assert listener.settle() == Tally(lost=5, gaps=1)


def test_what_came_late_around_a_message_of_unknown_units_is_neither_lost_nor_double() -> None:
    listener = Listener(10)
    assert listener.hear((100, 5), (110, -1), (140, 5), (105, 5), (130, 5), (120, -1)) == []
    assert listener.settle() == Tally(reordered=10)


def test_a_late_message_of_unknown_units_leaves_no_certain_loss_behind_it() -> None:
    messages = (100, 5), (140, 5), (120, -1), (145, 5)
    assert after(*messages, version=10) == Tally(lost=15, gaps=1)
    assert after(*messages, (130, 5), (140, 5), version=10) == Tally(lost=15, gaps=1, reordered=5, duplicates=5)
    assert after(*messages[:3], (120, 5), version=10) == Tally(lost=15, gaps=1, reordered=5)


def test_late_messages_of_a_stream_whose_units_were_never_known_are_no_reset() -> None:
    assert after(*((1000 + 30 * i, -1) for i in (0, 1, 2, 3, 9, 4, 5, 6, 7, 8, 10)), version=10) == Tally()


# --- many streams, and what is kept


def test_of_too_many_streams_the_one_heard_longest_ago_is_forgotten_and_its_holes_are_lost() -> None:
    sequences = Sequences()
    streams = [Stream(EXPORTER, 0, 9, domain) for domain in range(4)]
    for messages, of in (([1, 3], [0, 0]), ([1, 2], [1, 2]), ([4], [0]), ([1], [3])):
        sequences.follow(streams, numbered([(number, 1, BOOT) for number in messages], of), NOW, 3)
    assert [stream.domain for stream in sequences.numberings] == [2, 0, 3]
    assert sequences.news() == []
    sequences.follow(streams, numbered([(5, 1, BOOT)] * 2, [1, 2]), NOW, 2)
    assert [stream.domain for stream in sequences.numberings] == [1, 2]
    assert sequences.news() == [SequenceNews(EXPORTER, 9, 0, 1, 1, 0, 0, 0, False)]
    sequences.settle()
    assert [news.lost for news in sequences.news()] == [3 - 1 + 0]
    assert sequences.news() == []


def test_restarts_name_the_stream_and_the_message() -> None:
    streams = [Stream(EXPORTER, 0, 9, domain) for domain in range(2)]
    messages = [(7, 1, BOOT), (100, 1, BOOT), (8, 1, BOOT), (0, 1, BOOT), (0, 1, BOOT), (9, 1, BOOT + MINUTE)]
    restarts = Sequences().follow(streams, numbered(messages, [1, 0, 1, 0, 1, 1]), NOW, 9)
    assert sorted(restarts) == [(0, 3), (1, 4), (1, 5)]


@pytest.mark.parametrize("version", VERSIONS)
def test_positions_are_saved_and_restored_but_not_the_news(version: int) -> None:
    units = UNITS[version]
    listener = Listener(version)
    listener.hear(1000, 1000 + 5 * units, 2**31, 1000 + 6 * units, (1000 + 8 * units, -1 if version == 10 else units))
    saved = json.loads(json.dumps(listener.sequences.dump()))
    again = Listener(version)
    again.sequences = Sequences.load(saved)
    assert again.sequences.news() == []
    assert json.loads(json.dumps(again.sequences.dump())) == saved
    more = (1000 + 2 * units, 2**31 + 2 * units, 1000 + 20 * units, 1000 + 7 * units)
    listener.told = Tally()
    assert listener.hear(*more, now=NOW + 1) == again.hear(*more, now=NOW + 1) == []
    assert listener.settle(NOW + 10_001) == again.settle(NOW + 10_001) != Tally()
    assert listener.settle() == again.settle()


def test_a_tally_is_told_if_anything_happened() -> None:
    assert not Tally()
    for field in fields(Tally):
        assert field.name == "gaps" or Tally(**{field.name: True})
