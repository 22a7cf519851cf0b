"""Counter samples of interfaces, their table in a real ClickHouse, and what a step between two of them counted.

The evaluator is written as plainly as it can be: it is what the SQL is checked against.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import pairwise
from uuid import uuid4

from query.interfaces import COLUMNS, TABLE
from storage.client import Client
from tests.query.flow_rows import UNTIL

BEGIN_MS = int(UNTIL.timestamp()) * 1000
"""When series of samples begin: an hour without random flows."""
WORD, LONG = 2**32, 2**64
OCTETS = ("if_in_octets", "if_out_octets")


@dataclass(frozen=True)
class Sample:
    """A sample; `ms` after BEGIN_MS, `counters` by column, which lacks what the agent does not have."""

    index: int
    ms: int
    sequence: int
    uptime: int = 0
    speed: int | None = 10**9
    counters: dict[str, int] = field(default_factory=dict)
    exporter: str = "198.51.100.1"
    domain: int = 0
    status: int | None = 3
    name: str = ""
    tenant: str = ""

    @property
    def values(self) -> str:
        """The row of an INSERT."""
        numbers = [self.counters.get(name) for name in COLUMNS]
        figures = ["NULL" if value is None else str(value) for value in (self.speed, self.status, *numbers)]
        when = f"fromUnixTimestamp64Milli({BEGIN_MS + self.ms}, 'UTC')"
        head = f"{when}, '{self.exporter}', {self.domain}, 0, {self.index}, {self.sequence}, {self.uptime}"
        return f"({head}, '{self.name}', '{self.tenant}', 'telemetry', {', '.join(figures)})"


def make_table(admin: Client) -> None:
    """Make the table of interface counters where the schema has not made it."""
    columns = ", ".join(f"`{column.name}` {column.clickhouse}" for column in TABLE.columns)
    order = ", ".join(TABLE.order_by)
    admin.command(f"CREATE TABLE IF NOT EXISTS {TABLE.name} ({columns}) ENGINE = MergeTree ORDER BY ({order})")


def put(admin: Client, samples: list[Sample]) -> None:
    """Insert samples."""
    head = "time_received, exporter, observation_domain, source_class, source_index, sequence, uptime, name, tenant, "
    columns = f"{head} retention_class, if_speed, if_status, {', '.join(COLUMNS)}"
    values = ", ".join(sample.values for sample in samples)
    admin.text(f"INSERT INTO {TABLE.name} ({columns}) {anew()} VALUES {values}")


def anew() -> str:
    """The setting by which ClickHouse does not take an INSERT for one that it has had before."""
    return f"SETTINGS insert_deduplication_token = '{uuid4()}'"


def slowly(samples: list[Sample]) -> list[tuple[int, int, dict[str, int | None]]]:
    """Return the steps of one source: when they began and ended, ms, and what each of COLUMNS counted."""
    kept: list[Sample] = []
    before: Sample | None = None
    for sample in sorted(samples, key=lambda sample: sample.ms):
        others = kept if sample.uptime else [before] * (before is not None)
        if all(_identity(sample) != _identity(other) for other in others):
            kept.append(sample)
        before = sample
    steps, came_late = [], False
    for a, b in pairwise(kept):
        counted = dict.fromkeys(COLUMNS) if came_late or not _continues(a, b) else _counted(a, b)
        steps.append((a.ms, b.ms, counted))
        came_late = _ahead(a.sequence, b.sequence) <= 0 and (a.uptime - b.uptime) % WORD <= 300_000
    return steps


def _identity(sample: Sample) -> tuple[object, ...]:
    return sample.sequence, sample.uptime, *(sample.counters.get(name) for name in OCTETS)


def _ahead(one: int, other: int) -> int:
    """How far a number of 32 bits that wraps is ahead of another; below zero where it is behind."""
    ahead = (other - one) % WORD
    return ahead if ahead < WORD // 2 else ahead - WORD


def _continues(a: Sample, b: Sample) -> bool:
    elapsed = b.ms - a.ms
    if elapsed <= 0 or _ahead(a.sequence, b.sequence) <= 0:
        return False
    if a.uptime == b.uptime == 0:
        return True
    drift = min(abs(_ahead(a.uptime, b.uptime) - elapsed + turn * WORD) for turn in (-1, 0, 1))
    return drift <= 10_000 + elapsed / 10


def _counted(a: Sample, b: Sample) -> dict[str, int | None]:
    speed = b.speed if b.speed is not None else a.speed or 0
    counted: dict[str, int | None] = {}
    for name in COLUMNS:
        before, after = a.counters.get(name), b.counters.get(name)
        if before is None or after is None:
            counted[name] = None
        elif name not in OCTETS:
            counted[name] = (after - before) % WORD
        elif after >= before:
            counted[name] = after - before
        elif before < WORD and 8 * (after + WORD - before) <= speed * (1.1 * (b.ms - a.ms) / 1000 + 1):
            counted[name] = after + WORD - before
        else:
            return dict.fromkeys(COLUMNS)  # reset, and the others with it
    return counted


class Agent:
    """An agent with one interface, to which things happen; it knows what really went through.

    `bits` is what its counters of octets really fill, `clock` how fast its uptime goes, 0 where it tells none.
    """

    def __init__(self, chance: random.Random, index: int) -> None:
        self._chance = chance
        self.index = index
        self.speed = chance.choice((10**7, 10**8, 10**9, 10**10, None))
        self._bits = chance.choice((32, 64, 64))
        self._clock = chance.choice((0, 1, 1, 1.0001, 0.9999))
        self._without = set(chance.sample(COLUMNS, chance.choice((0, 0, 0, 3))))
        self.ms = chance.randrange(20_000)
        self._booted = self.ms - chance.choice((5_000, 3_600_000, WORD - 100_000))
        self._sequence = chance.choice((1, 70, WORD - 5))
        self.resets = self._sequence < 100  # anew after a wrap would look like going on
        self.true = dict.fromkeys(COLUMNS, 0)
        self._base = {name: chance.randrange(2 ** (self._bits if name in OCTETS else 32)) for name in COLUMNS}

    def sample(self) -> Sample:
        """What it would send now."""
        counters = {}
        for name in COLUMNS:
            modulus = 2 ** (self._bits if name in OCTETS else 32)
            if name not in self._without:
                counters[name] = (self._base[name] + self.true[name]) % modulus
        uptime = int((self.ms - self._booted) * self._clock) % WORD
        return Sample(self.index, self.ms, self._sequence, uptime, self.speed, counters)

    def goes_on(self) -> None:
        """Let time and traffic pass to the next sample, and perhaps lose a few before it."""
        steps = self._chance.choice((1, 1, 1, 1, 3))
        elapsed = steps * 20_000 + self._chance.randrange(-500, 500)
        self.ms += elapsed
        self._sequence = (self._sequence + steps) % WORD
        most = min((self.speed or 10**7) // 8 * elapsed // 1000, WORD)  # twice around is not seen
        for name in COLUMNS:
            self.true[name] += self._chance.randrange(most) if name in OCTETS else self._chance.randrange(10**9)

    def begins_anew(self) -> None:
        """Restart: numbers and counters from the beginning, and uptime where it is told."""
        self.ms += 30_000
        self._booted = self.ms - 5_000
        self._resets()

    def is_discontinuous(self) -> None:
        """Reset the interface's counters and numbers, as an agent must (ifCounterDiscontinuityTime), and run on."""
        self.ms += 20_000
        self._resets()

    def _resets(self) -> None:
        self._sequence = 1
        self._base = {name: -value for name, value in self.true.items()}


def random_series(chance: random.Random, index: int) -> tuple[list[Sample], dict[int, dict[str, int]]]:
    """Return the samples of an agent, some twice, and by the ms of each what had really gone through by then."""
    agent = Agent(chance, index)
    samples, truth = [], {}
    for _ in range(chance.randrange(1, 30)):
        sample = agent.sample()
        samples.append(sample)
        truth[sample.ms] = dict(agent.true)
        if chance.random() < 0.15:
            samples.append(replace(sample, ms=sample.ms + chance.choice((1, 40, 25_001))))
        chance.choice((*(agent.goes_on,) * 12, *(agent.begins_anew, agent.is_discontinuous) * agent.resets))()
    return samples, truth
