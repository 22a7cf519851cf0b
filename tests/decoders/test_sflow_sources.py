"""Sample pools of sFlow data sources: effective sampling rates and dropped samples, beside a slow reading of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import Datagrams, Decoded, Limits, State, decode
from tests.decoders.sflow_wire import datagram, flow_sample, sampled_header, switch
from tests.decoders.wire import EXPORTER, NOW

WRAP = 2**32
OTHER = bytes(10) + b"\xff\xff" + bytes((192, 0, 2, 2))

Sample = tuple[int, int, int, int]
"""Source, number, pool, drops."""


class Slow:
    """One source, sample by sample."""

    def __init__(self) -> None:
        self.known = False
        self.rate = self.dropped = 0

    def hear(self, number: int, pool: int, drops: int) -> int:
        """Return the effective rate that this sample has."""
        step = (number - self.last + WRAP // 2) % WRAP - WRAP // 2 if self.known else -WRAP
        if step < -64:
            self.behind = 0
            return self._anew(number, pool, drops)
        self.last, self.behind = number, self.behind - step
        if self.behind >= 0:
            return self.rate
        self.behind = 0
        if (pool - self.pool) % WRAP >= WRAP // 2:
            return self._anew(number, pool, drops)
        grown = (drops - self.drops) % WRAP
        self.dropped += grown if grown < WRAP // 2 else 0
        self.pool, self.drops = pool, drops
        shown = self.rate
        if number // 64 != self.first[0] // 64:
            packets, numbers = ((new - old) % WRAP for new, old in ((pool, self.first[1]), (number, self.first[0])))
            self.rate, self.first = (2 * packets + numbers) // (2 * numbers), (number, pool)
        return shown

    def _anew(self, number: int, pool: int, drops: int) -> int:
        self.known, self.rate, self.first = True, 0, (number, pool)
        self.last, self.pool, self.drops = number, pool, drops
        return 0


def block(samples: Sequence[Sample], exporter: bytes = EXPORTER) -> Datagrams:
    """Seven samples a datagram."""
    made = [
        flow_sample(
            sampled_header(), sequence=number, source=(0, source), pool=pool, drops=drops, expanded=number % 2 > 0
        )
        for source, number, pool, drops in samples
    ]
    payloads = [datagram(*made[at : at + 7], sequence=at) for at in range(0, len(made), 7)]
    return Datagrams.of(payloads, exporter, NOW)


def run(samples: Sequence[Sample], state: State, limits: Limits | None = None) -> tuple[list[int], Decoded]:
    if not samples:
        return [], decode(Datagrams.of([], EXPORTER, NOW), state, limits or Limits())
    found = decode(block(samples), state, limits or Limits())
    return found.flows.column("effective_sampling_rate").tolist(), found


def steady(count: int, start: int = 1, rate: int = 1000, source: int = 1) -> list[Sample]:
    return [(source, number % WRAP, number * rate % WRAP, 0) for number in range(start, start + count)]


def test_the_rate_of_the_last_window_before_the_sample() -> None:
    rates, _ = run(steady(130, rate=1000) + steady(70, 131, 1000), State())
    assert rates == [0] * 64 + [1000] * 136  # the window from 1 ends at 64, and holds from the sample after it on
    slower = [(1, number, 130_000 + (number - 130) * 400, 0) for number in range(131, 261)]
    rates, _ = run(steady(130) + slower, State())
    assert rates[64:] == [1000] * 128 + [419] * 64 + [400] * 4  # 2 * 1000 + 62 * 400 packets for 64 samples


def test_the_stated_rate_stays_beside_it() -> None:
    _, found = run(steady(200, rate=77), State())
    assert found.flows.column("sampling_rate").tolist() == [100] * 200


def test_samples_that_are_lost_make_no_difference() -> None:
    rates, _ = run([one for one in steady(400, rate=512) if one[1] % 5], State())
    assert set(rates[100:]) == {512}


def test_late_samples_change_nothing_and_restarts_begin_anew() -> None:
    late = steady(200)
    late[100:104] = [late[103], late[101], late[102], late[100]]
    late.insert(150, late[120])
    rates, _ = run(late, State())
    assert set(rates[65:]) == {1000}
    rates, _ = run(steady(200) + steady(130, 1, 50), State())
    assert rates[200:] == [0] * 64 + [50] * 66
    pool_only = [(1, number, (number - 200) * 50, 0) for number in range(201, 401)]
    rates, _ = run(steady(200) + pool_only, State())
    assert (rates[199], rates[200], rates[-1]) == (1000, 0, 50)


def split(samples: list[Sample], first: int) -> list[int]:
    """The rates where a block ends after the first so many samples."""
    state = State()
    return run(samples[:first], state)[0] + run(samples[first:], state)[0]


@pytest.mark.parametrize(("back", "rate"), [(1, 1000), (64, 1000), (65, 0)])
def test_how_far_back_a_late_sample_may_be(back: int, rate: int) -> None:
    """It is told from a restart by the sample before it, wherever a block ends."""
    late = [(1, 200 - turn * back, 0, 0) for turn in range(1, 4)]
    after = steady(130, 201) if rate else []
    for first in range(198, 204):
        assert split(steady(200) + late + after, first)[200:] == [rate] * (3 + len(after))


def test_pools_that_move_far() -> None:
    """More than 2**31 packets in a window, but not from one sample to the next: no restart, wherever a block ends."""
    rate = 3 * 2**24
    pools = [number * rate if number >= 114 else number * rate * 7 // 8 for number in range(64, 200)]
    samples = [(1, number, pool % WRAP, 0) for number, pool in enumerate(pools, 64)]
    for first in (0, 1, 2, 20, 40, 50, 63, 64, 65, 100):
        assert split(samples, first) == [0] * 65 + [rate * 72 // 64] * 64 + [rate] * 7


def test_numbers_and_pools_wrap() -> None:
    rates, _ = run(steady(300, WRAP - 150), State())
    assert set(rates[100:]) == {1000}


def test_a_pool_that_stands_still_tells_nothing() -> None:
    _, found = run([(1, number, 0, 0) for number in range(200)], State())
    assert "effective_sampling_rate" not in found.flows.arrays


def test_dropped_samples_are_counted_by_sender() -> None:
    state = State()
    counts = [5, 5, 9, 9, 2, 4, 4]  # begins at 5; a decrease is a restart
    samples = [(1, number, 0, drops) for number, drops in enumerate(counts, 1)]
    assert run(samples, state)[1].agent_drops == {EXPORTER: 6}
    found = decode(block([(1, 8, 0, 7), (2, 1, 0, WRAP - 1), (2, 2, 0, 1)]), state, Limits())
    assert found.agent_drops == {EXPORTER: 5}
    assert decode(block([(1, 9, 0, 50)], OTHER), state, Limits()).agent_drops == {}
    assert decode(block([(1, 10, 0, 60)], OTHER), state, Limits()).agent_drops == {OTHER: 10}


def test_samples_that_are_no_flows_count_too() -> None:
    samples = [
        flow_sample(*[sampled_header()] * (number % 2), switch(1, 2), sequence=number, pool=number * 10)
        for number in range(1, 201)
    ]
    found = decode(Datagrams.of([datagram(*samples)], EXPORTER, NOW), State(), Limits())
    assert found.flows.column("effective_sampling_rate").tolist() == [0] * 32 + [10] * 68


def test_agents_sub_agents_and_sources_are_apart() -> None:
    state = State()
    for turn in range(0, 210, 7):
        payloads = [
            datagram(
                *(flow_sample(sampled_header(), sequence=number, pool=number * rate, source=(kind, 5), expanded=True)
                  for number in range(turn + 1, turn + 8)),
                agent=agent, sub_agent=sub,
            )
            for rate, (agent, sub, kind) in enumerate(WHO, 10)
        ]  # fmt: skip
        found = decode(Datagrams.of(payloads, EXPORTER, NOW), state, Limits())
    assert found.flows.column("effective_sampling_rate").tolist() == [
        rate for rate in (10, 11, 12, 13) for _ in range(7)
    ]
    assert len(state.sources) == 4


WHO = [("192.0.2.1", 0, 0), ("192.0.2.1", 1, 0), ("192.0.2.1", 0, 1), ("2001:db8::1", 0, 0)]


def test_the_sources_heard_last_are_kept() -> None:
    state, limits = State(), Limits(streams=3)
    for source in (1, 2, 3, 1, 4):
        run(steady(70, source=source), state, limits)
    assert len(state.sources) == 3
    for source, rate in ((3, 1000), (1, 1000), (4, 1000), (2, 0)):
        assert run([(source, 71, 71_000, 0)], state, limits)[0] == [rate]
    every = [(source, 1, 1, 0) for source in range(100)]
    assert run(every, state, limits)[1].flows.rows == 100
    assert len(state.sources) == 3


def test_saved_and_loaded() -> None:
    state = State()
    run([(2, 1, 1, 0), *steady(100), (1, 90, 0, 0), (3, 7, 7, 7)], state)
    saved = json.loads(json.dumps(state.dump()))
    for current, rates in ((True, [1000]), (False, [0])):
        loaded = State.load(saved, current)
        assert run([(1, 101, 101_000, 0)], loaded)[0] == rates
    assert State.load(saved).dump()["sources"] == saved["sources"]
    before = {name: value for name, value in saved.items() if name != "sources"} | {"format": 4}
    old = State.load(before)
    assert (len(old.sources), len(old.sequences.numberings)) == (0, 1), "the version before knew no sources"
    assert len(saved["sources"]) == 3


@pytest.mark.parametrize("index", [2**24 - 1, 2**32 - 1])
def test_large_indices(index: int) -> None:
    samples = [
        flow_sample(sampled_header(), sequence=number, pool=number * 9, source=(3, index - number % 2), expanded=True)
        for number in range(1, 201)
    ]
    found = decode(Datagrams.of([datagram(*samples)], EXPORTER, NOW), State(), Limits())
    assert set(found.flows.column("effective_sampling_rate").tolist()[140:]) == {9}
    assert set(found.flows.column("data_source").tolist()) == {3 << 32 | index, 3 << 32 | index - 1}


steps = st.one_of(
    st.integers(1, 3),
    st.integers(1, 90),
    st.integers(-70, 5),
    st.sampled_from((0, -63, -64, -65, -66, 2**31 - 1, 2**31)),
)
moves = st.lists(
    st.tuples(st.integers(0, 3), steps, st.integers(-2, 5000), st.integers(-1, 3), st.integers(1, 60)), max_size=12
)


@settings(max_examples=80, deadline=None)
@given(moves, st.integers(0, WRAP - 1), st.lists(st.integers(1, 200), min_size=1, max_size=6))
def test_any_samples_in_any_blocks_are_read_as_one_by_one(
    moved: list[tuple[int, int, int, int, int]], begin: int, cuts: list[int]
) -> None:
    samples, slow, wanted = [], [Slow() for _ in range(4)], []
    number, pool, drops = [begin] * 4, [begin * 7 % WRAP] * 4, [begin] * 4
    for source, step, packets, dropped, times in moved:
        for turn in range(times):
            number[source] = (number[source] + step) % WRAP
            pool[source] = (pool[source] + step * packets) % WRAP
            drops[source] = (drops[source] + dropped) % WRAP
            samples.append((source, number[source], pool[source], drops[source]))
            source = (source + (turn % 3 == 1)) % 4  # several sources take turns
    for source, *told in samples:
        wanted.append(slow[source].hear(*told))
    state, seen, lost = State(), [], Counter[bytes]()
    at = 0
    while at < len(samples):
        size = cuts[at % len(cuts)]
        rates, found = run(samples[at : at + size], state)
        seen += rates
        lost += found.agent_drops
        if at % 2:
            state = State.load(json.loads(json.dumps(state.dump())))
        at += size
    assert seen == wanted
    assert run(samples, State())[0] == wanted
    assert lost[EXPORTER] == sum(one.dropped for one in slow)
