"""Restarts of exporters, and several of them behind one identity, told by their sequence numbers."""

from __future__ import annotations

import pytest

from decoders.sequence_lanes import LANES, Tally
from tests.decoders.listener import BOOT, FAR, MINUTE, UNITS, VERSIONS, WRAP, Listener, after, blocks
from tests.decoders.wire import NOW

# --- restarts


@pytest.mark.parametrize("version", [5, 9])
@pytest.mark.parametrize("step", [10_001, -10_001, 2**31])
def test_another_boot_is_a_restart_even_if_the_numbers_go_on(version: int, step: int) -> None:
    units = UNITS[version]
    boot = (BOOT + step) % WRAP
    listener = Listener(version)
    assert listener.hear(1000, 1000 + units, (1000 + 2 * units, units, boot), (1000 + 3 * units, units, boot)) == [2]
    assert listener.settle() == Tally(resets=1)
    assert not listener.shared


def test_boot_may_tremble_drift_and_go_round() -> None:
    listener = Listener()
    boots = [BOOT, BOOT + 900, BOOT - 50, *range(BOOT, BOOT + 60_000, 10_000), BOOT + 50_000 + WRAP]
    for block in blocks([(number, 1, boot % WRAP) for number, boot in enumerate(boots, 1)], [6, 1]):
        assert listener.hear(*block) == []
    near_the_end = Listener()
    assert near_the_end.hear((1, 1, WRAP - 400), (2, 1, 400), (3, 1, WRAP - 1)) == []
    assert listener.settle() == near_the_end.settle() == Tally()


def test_uptime_that_goes_round_after_49_days_is_no_restart() -> None:
    clock, uptimes = NOW, (WRAP - 1000, WRAP - 1, 999)
    messages = [(i, 1, (clock + uptime - uptimes[0] - uptime % WRAP) % WRAP) for i, uptime in enumerate(uptimes, 1)]
    messages[2] = (3, 1, (clock + 1999 - 999) % WRAP)  # 1,999 ms later the 32 bits hold 999
    assert Listener().hear(*messages) == []


def test_what_continues_the_message_before_belongs_to_it_however_the_blocks_are_cut() -> None:
    for cut in (1, 2, 9):
        listener = Listener()
        for block in blocks([3, 4, WRAP - 2, WRAP - 1, 0, 1], [cut]):
            assert listener.hear(*block) == []
        assert listener.settle() == Tally(reordered=4)
    listener = Listener()
    assert listener.hear(1000, 1500, 1001) == []
    assert listener.hear(now=NOW + 10_001) == listener.hear(1002, now=NOW + 10_002) == []
    assert listener.settle() == Tally(lost=498, gaps=1, reordered=1, duplicates=1)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_number_far_behind_or_far_ahead_is_a_restart_and_no_loss(version: int) -> None:
    units, far = UNITS[version], FAR[version]
    for jump in (-66 * units, -5_000_000, far + 1, 2**31):
        start = 2**30 + units
        listener = Listener(version)
        begin = start + jump
        assert listener.hear(2**30, begin, begin + units, begin + 3 * units) == [1]
        assert listener.settle() == Tally(lost=units, gaps=1, resets=1)
    for step in (far, 64 * units):
        assert after(2**30, 2**30 + units + step, version=version) == Tally(lost=step, gaps=1)


def test_a_loss_does_not_widen_what_is_near() -> None:
    listener = Listener()
    assert listener.hear(2000, 2061) == []
    listener.settle()
    assert listener.hear(2062 - 66) == [0]


def test_far_behind_only_what_is_missing_is_late() -> None:
    for number, restarts in ((1001, []), (1002, [100])):
        listener = Listener()
        assert listener.hear(1000, 1002, 1100, *range(1003, 1100), number) == restarts


@pytest.mark.parametrize("version", VERSIONS)
def test_zero_is_a_restart_unless_expected_missing_or_repeated(version: int) -> None:
    units = UNITS[version]
    assert Listener(version).hear(5 * units, 6 * units, 0, units) == [2]
    assert Listener(version).hear(0, units, 2 * units, 0) == [3]
    assert Listener(version).hear(0, 0, 0, units) == []
    assert Listener(version).hear(WRAP - units, 0, units, 0) == []
    assert Listener(version).hear(WRAP - units, units, 0) == []
    assert Listener(version).hear(WRAP - 2 * units, 0) == []
    assert Listener(version).hear(WRAP - 100 * units, 0) == [1]


def test_what_was_missing_before_a_restart_is_lost() -> None:
    listener = Listener()
    assert listener.hear(1000, 1003, (1, 1, BOOT + MINUTE), (2, 1, BOOT + MINUTE)) == [2]
    assert listener.settle(NOW + 10_001) == Tally(lost=2, gaps=1, resets=1)


def test_a_stream_heard_for_the_first_time_is_no_restart() -> None:
    listener = Listener()
    assert listener.hear(123_456) == []
    assert listener.hear() == []
    assert listener.settle() == Tally()


# --- several exporters behind one identity


def test_exporters_behind_one_identity_are_told_apart_by_their_numbers() -> None:
    listener = Listener(105)
    assert listener.hear(10, 900_000, 11, 900_001, 900_002, 12, 13) == [1]
    assert listener.told == Tally(resets=1)
    assert listener.shared
    assert listener.hear(900_003, 15, 900_005, 14, 900_005, 1_000) == []
    assert listener.settle() == Tally(lost=1 + 984, gaps=2, reordered=1, duplicates=1, resets=1)


def test_exporters_behind_one_identity_are_told_apart_by_their_boot() -> None:
    other = BOOT + MINUTE
    listener = Listener(9)
    assert listener.hear(10, (12, 1, other), 11, (13, 1, other), 12, (15, 1, other), 13, (14, 1, other)) == [1]
    assert listener.settle() == Tally(resets=1, reordered=1)
    assert listener.shared


def test_an_exporter_that_restarts_behind_a_shared_identity_is_a_restart() -> None:
    listener = Listener(105)
    assert listener.hear(10, 900_000, 11, 900_001, 0, 12, 900_002, 1) == [1, 4]
    assert listener.settle() == Tally(resets=2)


def test_a_stream_is_told_to_be_shared_even_if_nothing_else_happened() -> None:
    listener = Listener(105)
    assert listener.hear(10, 900_000) == [1]
    assert not listener.shared
    assert listener.hear(11) == []
    assert listener.shared


def test_of_exporters_whose_numbers_are_close_the_nearest_is_meant() -> None:
    listener = Listener(105)
    assert listener.hear(1200, 1000, 1201) == [1]
    assert listener.hear(*range(1001, 1151), 1202, 1153) == []
    assert listener.hear(*range(1154, 1300), *range(1203, 1400)) == []
    assert listener.settle() == Tally(lost=2, gaps=1, resets=1)


@pytest.mark.parametrize("heard_last", [11, 5001])
def test_of_exporters_far_behind_a_number_the_nearest_is_meant(heard_last: int) -> None:
    listener = Listener(105)
    assert listener.hear(5000, 10, 5001, 11) == [1]
    assert listener.hear(heard_last + 1, 6000) == []
    assert listener.settle() == Tally(lost=998 - (heard_last == 5001), gaps=1, resets=1)


def test_in_a_stream_that_is_not_shared_a_number_ahead_is_a_loss_of_the_exporter_heard_last() -> None:
    listener = Listener(105)
    assert listener.hear(10_000, 0, 1, 10_500) == [1]
    assert listener.settle() == Tally(lost=10_498, gaps=1, resets=1)
    assert not listener.shared


def test_more_exporters_than_lanes_begin_anew_each_time() -> None:
    listener = Listener(105)
    crowd = [10 + 1_000_000 * i for i in range(LANES + 1)]
    assert listener.hear(*crowd) == list(range(1, LANES + 1))
    assert listener.hear(*(number + 1 for number in crowd)) == list(range(LANES + 1))
    assert listener.told == Tally(resets=LANES + LANES + 1)


def test_what_an_exporter_misses_that_had_to_give_way_is_lost() -> None:
    listener = Listener(105)
    listener.hear(10, 12, *(1_000_000 * i for i in range(1, LANES)))
    assert listener.told.lost == 0
    listener.hear(1_000_000 * LANES)
    assert listener.told == Tally(lost=1, gaps=1, resets=LANES)


def test_a_restart_alone_does_not_make_a_stream_shared() -> None:
    listener = Listener(105)
    assert listener.hear(900_000, 0, 1, 2, 4) == [1]
    assert listener.settle() == Tally(lost=1, gaps=1, resets=1)
    assert not listener.shared


def test_a_stream_is_no_longer_shared_ten_minutes_after_the_other_was_heard_last() -> None:
    listener = Listener(105)
    listener.hear(10, 900_000, 11, 900_001, now=NOW - 5 * MINUTE)
    listener.hear(12, 900_002, 13)
    listener.settle(NOW + 10 * MINUTE)
    assert listener.shared
    listener.settle(NOW + 10 * MINUTE + 1)
    assert not listener.shared
    assert listener.hear(900_003, now=NOW + 10 * MINUTE + 2) == [0]
    assert listener.told == Tally(resets=2)


def test_a_stream_silent_for_long_goes_on_where_it_stood() -> None:
    listener = Listener(105)
    listener.hear(10, 11)
    listener.settle(NOW + 600 * MINUTE)
    assert listener.hear(13, now=NOW + 601 * MINUTE) == []
    assert listener.settle() == Tally(lost=1, gaps=1)
