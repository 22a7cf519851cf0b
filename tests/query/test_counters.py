"""What counters counted from sample to sample, on a real ClickHouse: over wraps, resets, restarts, copies and NULLs."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from query.counters import SOURCE, steps, totals
from query.interfaces import COLUMNS, TABLE
from query.sql import Sql
from schema.tables import STORED_TABLES
from storage.embedded import Node
from tests.query.counter_rows import BEGIN_MS, OCTETS, WORD, Sample, make_table, put, random_series, slowly
from tests.query.flow_rows import Ask

IN, OUT = OCTETS
PACKETS = "if_in_ucast_pkts"
Step = tuple[int, int, dict[str, int | None]]
Steps = Callable[[list[Sample]], dict[int, list[Step]]]


@pytest.fixture
def steps_of(ask: Ask, node: Node) -> Iterator[Steps]:
    """Store samples and return the steps by interface."""
    with node.connect("admin") as admin:
        make_table(admin)

        def stored(samples: list[Sample]) -> dict[int, list[Step]]:
            put(admin, samples)
            found = defaultdict(list)
            text = f"SELECT * FROM ({steps(TABLE, COLUMNS, 'source_class = 0')}) ORDER BY source_index, ended"
            for row in ask(Sql(text, {})):
                index, began, ended, elapsed = row[len(SOURCE) - 1 : len(SOURCE) + 3]
                first, last = (round(moment.timestamp() * 1000) - BEGIN_MS for moment in (began, ended))
                assert elapsed == last - first
                found[index].append((first, last, dict(zip(COLUMNS, row[len(SOURCE) + 3 :], strict=True))))
            return found

        yield stored
        admin.command(f"TRUNCATE TABLE {TABLE.name}")


def series(*values: dict[str, int], **more: Any) -> list[Sample]:
    """Samples of interface 1, every 20 s, of an agent that has been running for a day."""
    return [
        replace(Sample(1, 20_000 * place, 100 + place, 86_400_000 + 20_000 * place, counters=value), **more)
        for place, value in enumerate(values)
    ]


def counted(found: dict[int, list[Step]], name: str) -> list[int | None]:
    return [step[2][name] for step in found[1]]


@pytest.mark.parametrize("seed", [1, 2])
def test_random_series_are_what_a_slow_evaluator_and_what_really_passed_say(steps_of: Steps, seed: int) -> None:
    chance = random.Random(seed)
    made = {index: random_series(chance, index) for index in range(1, 201)}
    everything = [sample for samples, _ in made.values() for sample in samples]
    chance.shuffle(everything)
    found = steps_of(everything)
    known = unknown = 0
    for index, (samples, truth) in made.items():
        assert found[index] == slowly(samples), index
        for began, ended, step in found[index]:
            for name, delta in step.items():
                if delta is None:
                    unknown += 1
                elif began in truth and ended in truth:
                    known += 1
                    assert delta == truth[ended][name] - truth[began][name], (index, began, name)
    assert known > 3 * unknown > 0


def test_counters_of_32_bits_wrap(steps_of: Steps) -> None:
    found = steps_of(series({PACKETS: WORD - 10}, {PACKETS: 5}, {PACKETS: 5}, {PACKETS: WORD - 1}))
    assert counted(found, PACKETS) == [15, 0, WORD - 6]


def test_64_bits_beyond_32_and_beyond_63_are_subtracted_exactly(steps_of: Steps) -> None:
    found = steps_of(series({IN: 0}, {IN: 2**40 + 1}, {IN: 2**64 - 2}))
    assert counted(found, IN) == [2**40 + 1, 2**64 - 2 - 2**40 - 1]


def test_a_counter_of_64_bits_that_falls_was_reset_and_the_others_with_it(steps_of: Steps) -> None:
    fallen = ({IN: 2**33, PACKETS: 10}, {IN: 2**33 - 1, PACKETS: 12}, {IN: 2**33, PACKETS: 13})
    assert counted(found := steps_of(series(*fallen)), IN) == [None, 1]
    assert counted(found, PACKETS) == [None, 1]


@pytest.mark.parametrize(
    ("speed", "delta"),
    [(10**9, 2_000_000_000), (10**8, None), (None, None), (0, None)],
    ids=["1G", "100M", "no speed", "zero"],
)
def test_32_bits_in_64_wrap_where_the_interface_is_fast_enough(
    steps_of: Steps, speed: int | None, delta: int | None
) -> None:
    wrapped = ({OUT: WORD - 1_000_000_000}, {OUT: 1_000_000_000})
    assert counted(steps_of(series(*wrapped, speed=speed)), OUT) == [delta]


def test_what_an_interface_can_carry_has_its_limit(steps_of: Steps) -> None:
    most = 10**8 // 8 * 23  # 100 Mbit/s, 20 s, a tenth and a second more
    found = steps_of(
        series({IN: WORD - 1}, {IN: most - 1}, speed=10**8)
        + [replace(sample, index=2) for sample in series({IN: WORD - 1}, {IN: most}, speed=10**8)]
    )
    assert found[1][0][2][IN] == most
    assert found[2][0][2][IN] is None


@pytest.mark.parametrize("numbers", [(100, 100), (100, 99), (5, 1), (7, 7 + WORD // 2)])
def test_a_number_not_after_the_one_before_is_a_new_beginning(steps_of: Steps, numbers: tuple[int, int]) -> None:
    one, other = series({IN: 10}, {IN: 30})
    found = steps_of([replace(one, sequence=numbers[0]), replace(other, sequence=numbers[1])])
    assert counted(found, IN) == [None]


def test_numbers_and_uptime_wrap(steps_of: Steps) -> None:
    one, other = series({IN: 10}, {IN: 30})
    found = steps_of([replace(one, sequence=WORD - 1, uptime=WORD - 4_000), replace(other, sequence=2, uptime=16_000)])
    assert counted(found, IN) == [20]


@pytest.mark.parametrize(
    ("uptimes", "delta"),
    [
        ((0, 0), 20),
        ((1_000_000, 1_020_000), 20),
        ((1_000_000, 1_032_000), 20),
        ((1_000_000, 1_032_001), None),
        ((1_000_000, 1_008_000), 20),
        ((1_000_000, 1_007_999), None),
        ((1_000_000, 15_000), None),
        ((1_000_000, 0), None),
        ((0, 1_000_000), None),
    ],
)
def test_uptime_that_does_not_go_with_the_time_is_a_restart(
    steps_of: Steps, uptimes: tuple[int, int], delta: int | None
) -> None:
    one, other = series({IN: 10}, {IN: 30})
    found = steps_of([replace(one, uptime=uptimes[0]), replace(other, uptime=uptimes[1])])
    assert counted(found, IN) == [delta]


def test_a_restart_costs_its_own_step_only(steps_of: Steps) -> None:
    before, after = series({IN: 500}, {IN: 600}), series({IN: 10}, {IN: 30})
    anew = [
        replace(sample, ms=60_000 + 20_000 * place, sequence=1 + place, uptime=5_000 + 20_000 * place)
        for place, sample in enumerate(after)
    ]
    assert counted(steps_of(before + anew), IN) == [100, None, 20]


def test_copies_are_one_whenever_they_come(steps_of: Steps) -> None:
    samples = series({IN: 10}, {IN: 30}, {IN: 60})
    copies = [replace(sample, ms=sample.ms + delay) for sample in samples for delay in (3, 21_000)]
    found = steps_of(samples + copies)
    assert [(step[0], step[1], step[2][IN]) for step in found[1]] == [(0, 20_000, 20), (20_000, 40_000, 30)]


def test_copies_of_an_agent_without_uptime_are_one_where_they_follow_each_other(steps_of: Steps) -> None:
    one, two, three = (replace(sample, uptime=0) for sample in series({IN: 10}, {IN: 30}, {IN: 60}))
    assert counted(steps_of([one, two, replace(two, ms=20_001), three]), IN) == [20, 30]


def test_numbers_that_come_again_without_uptime_are_no_copies(steps_of: Steps) -> None:
    values = [(1, 0), (2, 900), (1, 0), (3, 1000)]
    samples = [
        Sample(1, 20_000 * place, number, 0, None, {IN: octets}) for place, (number, octets) in enumerate(values)
    ]
    assert counted(steps_of(samples), IN) == [900, None, None]


def test_what_a_late_sample_tells_is_not_counted_twice(steps_of: Steps) -> None:
    one, two, three, four, five = series({IN: 10}, {IN: 30}, {IN: 60}, {IN: 100}, {IN: 150})
    found = steps_of([one, replace(two, ms=45_000), three, four, five])
    assert counted(found, IN) == [50, None, None, 50]


def test_what_an_agent_does_not_have_is_null_and_costs_nothing_else(steps_of: Steps) -> None:
    found = steps_of(series({IN: 10}, {IN: 20, OUT: 1}, {OUT: 3}, {IN: 90, OUT: 6}))
    assert counted(found, IN) == [10, None, None]
    assert counted(found, OUT) == [None, 2, 3]


def test_one_sample_or_two_at_once_give_no_step_that_counts(steps_of: Steps) -> None:
    one, other = series({IN: 10}, {IN: 30})
    found = steps_of([one, replace(other, ms=0), replace(one, index=2)])
    assert counted(found, IN) == [None]
    assert 2 not in found


def test_totals_are_of_the_steps_that_are_known_and_of_their_time(steps_of: Steps, ask: Ask) -> None:
    steps_of(series({IN: 10, OUT: 5}, {IN: 30}, {IN: 60, OUT: 7}, {IN: 100, OUT: 9}))
    ((*source, in_, in_ms, out, out_ms, packets, packets_ms),) = ask(
        Sql(totals(TABLE, (IN, OUT, PACKETS), "source_class = 0"), {})
    )
    assert source[1:] == [0, 0, 1]
    assert (in_, in_ms, out, out_ms, packets, packets_ms) == (90, 60_000, 2, 20_000, None, 0)


def test_a_table_without_a_speed_has_steps_too(ask: Ask, node: Node) -> None:
    table = next(each for each in STORED_TABLES if each.name == "counters_vlan")
    with node.connect("admin") as admin:
        columns = ", ".join(f"`{column.name}` {column.clickhouse}" for column in table.columns)
        admin.command(f"CREATE TABLE IF NOT EXISTS {table.name} ({columns}) ENGINE = MergeTree ORDER BY sequence")
        for place, (octets, packets) in enumerate(((10, WORD - 1), (30, 1), (20, 5))):
            when = f"fromUnixTimestamp64Milli({BEGIN_MS + 20_000 * place}, 'UTC')"
            admin.text(
                f"INSERT INTO {table.name} (time_received, source_class, source_index, sequence, retention_class, "
                f"octets, ucast_pkts) VALUES ({when}, 1, 7, {place + 1}, 'telemetry', {octets}, {packets})"
            )
        ((*_, octets, span, packets, packets_span),) = ask(Sql(totals(table, ("octets", "ucast_pkts"), "1"), {}))
        admin.command(f"TRUNCATE TABLE {table.name}")
    assert (octets, span, packets, packets_span) == (20, 20_000, 2, 20_000)
