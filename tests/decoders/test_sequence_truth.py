"""Loss by sequence numbers: totals that equal the truth, for any stream, cut into any blocks."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from decoders.sequence import Sequences
from decoders.sequence_lanes import Tally
from decoders.stream import Stream
from tests.decoders.listener import BOOT, MINUTE, VERSIONS, WRAP, Listener, blocks, numbered
from tests.decoders.wire import EXPORTER, NOW


@dataclass
class Sent:
    """A message of the true stream: how it fares on its way, in messages; `delay` None: it never comes."""

    units: int
    delay: int | None
    again: int | None


delays = st.integers(1, 64)


def sent(units: st.SearchStrategy[int]) -> st.SearchStrategy[list[Sent]]:
    fate = st.one_of(st.just(0), st.just(0), st.none(), delays)
    again = st.one_of(st.none(), st.none(), delays)
    return st.lists(st.builds(Sent, units, fate, again), min_size=1, max_size=200)


TRUE_STREAMS = st.one_of(
    st.tuples(st.just(5), sent(st.integers(1, 30))),
    st.tuples(st.just(9), sent(st.just(1))),
    st.tuples(st.just(10), sent(st.integers(0, 60))),
    st.tuples(st.just(10), sent(st.integers(1, 3))),
    st.tuples(st.just(105), sent(st.just(1))),
)


def arrivals(stream: list[Sent]) -> list[int]:
    """The messages in the order of arrival: one delayed by d comes after the one that was sent d later."""
    events: list[tuple[float, int]] = []
    for index, message in enumerate(stream):
        for delay in {message.delay, message.again} - {None} if message.delay is not None else ():
            events.append((index + (delay + 0.5 if delay else 0), index))
    return [index for _, index in sorted(events)]


def truth(stream: list[Sent], order: list[int]) -> Tally:
    told, top, seen = Tally(), 0, set()
    for index in order:
        if index in seen:
            told.duplicates += stream[index].units
        elif index < top:
            told.reordered += stream[index].units
        seen.add(index)
        top = max(top, index)
    missing = [index not in seen for index in range(top)]
    told.lost = sum(stream[index].units for index in range(top) if missing[index])
    told.gaps = sum(missing[index] and not missing[index - 1] for index in range(top))
    return told


SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=8)


@settings(max_examples=300, deadline=None)
@given(TRUE_STREAMS, st.one_of(st.integers(1, 2**31), st.integers(1, 3000).map(lambda back: WRAP - back)), SIZES)
def test_totals_equal_the_truth_in_any_blocks(streams: tuple[int, list[Sent]], start: int, sizes: list[int]) -> None:
    version, stream = streams
    stream[0].delay = 0  # the first message heard is the first
    numbers = [start]
    for message, following in zip(stream, [*stream[1:], stream[0]], strict=True):
        numbers.append(numbers[-1] + message.units)
        if numbers[-1] == WRAP:  # else a long loss up to 0 could not be told from a restart
            message.delay = following.delay = 0
    order = arrivals(stream)
    expected = truth(stream, order)
    listener = Listener(version)
    for block in blocks([(numbers[index], stream[index].units, listener.boot) for index in order], sizes):
        assert listener.hear(*block) == []
    told = listener.settle()
    if not all(message.units for message in stream):
        told.gaps = expected.gaps  # a message without units between two lost ones parts them or not
    assert told == expected


MOVES = st.tuples(
    st.sampled_from(["on", "on", "on", "by", "by", "to"]),
    st.integers(-90, 90),
    st.sampled_from([0, 1, 500, 2**21, WRAP - 5]),
    st.integers(-1, 7),
    st.sampled_from([BOOT, BOOT, BOOT, BOOT + 6_000, BOOT + MINUTE]),
    st.integers(0, 1),
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(VERSIONS), st.lists(MOVES, max_size=150), SIZES)
def test_blocks_cut_otherwise_tell_the_same_of_wild_streams(
    version: int, moves: list[tuple[str, int, int, int, int, int]], sizes: list[int]
) -> None:
    messages, of, following = [], [], [0, 0]
    for kind, step, place, units, boot, stream in moves:
        units = units if version == 10 else max(units, 1) if version == 5 else 1
        number = {"on": following[stream], "by": following[stream] + step, "to": place + step}[kind] % WRAP
        messages.append((number, units, boot if version in (5, 9) else -1))
        of.append(stream)
        following[stream] = number + max(units, 0)
    streams = [Stream(EXPORTER, 0, version, domain) for domain in range(2)]
    results = []
    for cut in ([1000], [1], sizes):
        sequences, restarts, start = Sequences(), [], 0
        for block in blocks(list(zip(messages, of, strict=True)), cut):
            found = sequences.follow(streams, numbered([m for m, _ in block], [s for _, s in block]), NOW, 9)
            restarts += [(stream, start + message) for stream, message in found]
            start += len(block)
        positions = sorted(map(repr, sequences.dump()))
        sequences.settle()
        results.append((positions, sorted(restarts), sorted(sequences.news())))
    assert results[0] == results[1] == results[2]


def by_units(messages: list[tuple[int, int]]) -> Tally:
    """The rules for one numbering, applied unit by unit."""
    told, moved, first = Tally(), 0, messages[0][0]
    expected = first
    missing: dict[int, int] = {}
    for number, units in messages:
        missing.update((unit, moved) for unit in range(expected, number))
        for unit in range(number, number + units):
            if unit in missing or unit < first:
                missing.pop(unit, None)
                told.reordered += 1
            elif unit < expected:
                told.duplicates += 1
        moved += number + units > expected
        expected = max(expected, number + units)
        lose(told, missing, [unit for unit, when in missing.items() if moved - when > 64])
    lose(told, missing, list(missing))
    return told


def lose(told: Tally, missing: dict[int, int], units: list[int]) -> None:
    told.lost += len(units)
    told.gaps += sum(missing.get(unit - 1) != missing[unit] for unit in units)
    for unit in units:
        del missing[unit]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(-30, 12), st.integers(1, 9), st.booleans()), max_size=200), SIZES)
def test_intervals_tell_what_single_units_tell(steps: list[tuple[int, int, bool]], sizes: list[int]) -> None:
    messages = [(2**20, 30)]  # so that 30 * 64 units back are near
    top = 2**20 + 30
    for step, units, on in steps:
        number = top if on else top + step
        messages.append((number, units))
        top = max(top, number + units)
    listener = Listener(5)
    for block in blocks([(*message, BOOT) for message in messages], sizes):
        assert listener.hear(*block) == []
    assert listener.settle() == by_units(messages)
