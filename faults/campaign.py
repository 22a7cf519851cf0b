"""A campaign: many rounds on one rig, and those that need a rig of their own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks import site
from faults.kinds import CLOCK, DISK_FULL, KILLS, OTHERS, Fault
from faults.rig import Rig
from faults.rounds import Intensity, Outcome, play

_OCTETS_A_FLOW = 64
_LEAST = 16
_FULL_AFTER = 5.0
"""Seconds of load that a small journal has room for."""


@dataclass(slots=True)
class Campaign:
    """What was played, and where what is worth a look is kept."""

    seed: int
    how: Intensity
    settings: Sequence[str] = ()
    outcomes: list[Outcome] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def findings(self) -> list[str]:
        """All findings, each with its round."""
        return [
            f"round {number}, {outcome.kind}: {finding}"
            for number, outcome in enumerate(self.outcomes, 1)
            for finding in outcome.findings
        ]


def run(campaign: Campaign, rounds: int, tell: Callable[[Outcome], None]) -> None:
    """Play `rounds` kills in a random order, then each other fault once; `tell` of each."""
    begun = time.monotonic()
    rng = Random(campaign.seed)
    kills = [KILLS[number % len(KILLS)] for number in range(rounds)]
    rng.shuffle(kills)
    for faults, make in (
        ([*kills, *OTHERS], lambda: Rig(campaign.settings)),
        ([DISK_FULL], lambda: small_journal(campaign.how, campaign.settings)),
        ([CLOCK], lambda: Rig(campaign.settings, moved=True)),
    ):
        for outcome in _on_one_rig(campaign, make, faults, rng):
            campaign.outcomes.append(outcome)
            tell(outcome)
    campaign.seconds = time.monotonic() - begun


def small_journal(how: Intensity, settings: Sequence[str] = ()) -> Rig:
    """Return a rig whose journal has room for some seconds of the load."""
    size = int(how.rate * _FULL_AFTER * _OCTETS_A_FLOW)
    return Rig(settings, journal_mb=max(size >> 20, _LEAST))


def _on_one_rig(campaign: Campaign, make: Callable[[], Rig], faults: Sequence[Fault], rng: Random) -> Iterator[Outcome]:
    rig = make()
    found = True  # an exception keeps the directory, too
    try:
        rig.settle()
        found = False
        for number, fault in enumerate(faults, 1):
            outcome = play(rig, fault, campaign.how, rng)
            if number == len(faults):
                with site.client(rig.collector.config) as client:
                    outcome.findings += rig.ledger.look_at_all(client)
            found = found or bool(outcome.findings)
            yield outcome
    finally:
        if found or sys.exc_info()[0]:
            campaign.kept.append(rig.directory)
        rig.close(keep=rig.directory in campaign.kept)
