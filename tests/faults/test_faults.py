"""Each fault once, at a rate that any machine bears; `make test-faults` plays many rounds at 200,000 flows/s."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from benchmarks import site
from faults.campaign import small_journal
from faults.kinds import CLOCK, DISK_FULL, KILLS, OTHERS, Fault
from faults.rig import Rig
from faults.rounds import Intensity, play

HOW = Intensity(rate=50_000, seconds=2.0, away=3.0)


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    rig = Rig()
    rig.settle()
    yield rig
    rig.close(keep=False)


@pytest.mark.parametrize("fault", [*KILLS, *OTHERS], ids=lambda fault: fault.name)
def test_nothing_is_lost_and_nothing_is_there_twice(rig: Rig, fault: Fault) -> None:
    outcome = play(rig, fault, HOW, Random(fault.name))
    assert outcome.findings == []
    assert outcome.stored > 0


def test_no_number_is_there_twice_in_the_end(rig: Rig) -> None:
    with site.client(rig.collector.config) as client:
        assert rig.ledger.look_at_all(client) == []


def test_a_full_journal_refuses_what_the_books_say() -> None:
    rig = small_journal(HOW)
    try:
        rig.settle()
        outcome = play(rig, DISK_FULL, HOW, Random(1))
    finally:
        rig.close(keep=False)
    assert outcome.findings == []
    assert outcome.missing == outcome.journal_full > 0


def test_a_clock_that_is_moved() -> None:
    rig = Rig(moved=True)
    try:
        rig.settle()
        outcome = play(rig, CLOCK, HOW, Random(1))
    finally:
        rig.close(keep=False)
    assert outcome.findings == []
    assert outcome.missing == 0
