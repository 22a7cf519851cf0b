"""The faults: what is done to a collector under load, and what may be lost by it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from random import Random
from typing import NamedTuple

from benchmarks import processes
from benchmarks.site import rollups
from faults.rig import Rig
from settings.errors import RefusalError
from storage.ddl import FLOWS

HOUR = 3600
_SHARE = 0.6
"""Of a round's load, in which the fault falls; the rest comes after it."""
_STRIKES = 2
"""Times in a round that a process is killed which the supervisor starts again."""
_MOMENT = 3.0
"""Seconds for which a moment is waited for."""
_NEXT = 0.02
_FILLING = 60.0
"""Seconds in which the journal is to fill."""


class Loss(Enum):
    """What may be missing after a round, beside what the kernel dropped for want of buffer."""

    NOTHING = "nothing"
    DOWNTIME = "one run of each exporter's datagrams: what came while nobody had the socket"
    BOUND = "what the journal had no room for, as many as the books say"


@dataclass(slots=True)
class Round:
    """What a fault is given: the rig, what to draw from, the seconds of load; `strikes` counts what it did."""

    rig: Rig
    rng: Random
    seconds: float
    away: float
    strikes: int = 0

    def pause(self, share: float = _SHARE) -> str:
        """Wait for a moment in the first `share` of the load; return which.

        Any moment, or one of those in which most can go wrong: something is written, or is and nobody knows it yet.
        """
        time.sleep(self.rng.uniform(0.1, self.seconds * share))
        table, written = self.rng.choice([FLOWS, *rollups()]), self.rng.random() < 0.7
        if self.rng.random() < 0.3 and self.rig.await_token(table, _MOMENT):
            return f"as an insert into {table} was remembered"
        delay = self.rng.choice((0.0, 0.001, 0.003, 0.01))
        if self.rng.random() < 0.25 or not self.rig.await_part(table, written, _MOMENT):
            return "at any moment"
        time.sleep(delay)
        return f"{delay * 1000:.0f} ms after a part of {table} was {'written' if written else 'begun'}"


class Fault(NamedTuple):
    """One kind; `act` does it while the load goes on, and returns what it did."""

    name: str
    loss: Loss
    act: Callable[[Round], str]


def _kill(kind: str) -> Callable[[Round], str]:
    def act(given: Round) -> str:
        moments = []
        while given.strikes < _STRIKES:
            pid = given.rng.choice(given.rig.pids(kind))
            moments.append(given.pause(_SHARE / _STRIKES))
            given.strikes += 1
            if pid == given.rig.collector.pid:
                given.rig.end(signal.SIGKILL)
                given.rig.start()
                instead = "" if kind == processes.SUPERVISOR else f", as there is no {kind}"
                return f"kill -9 of the supervisor{instead}, {moments[-1]}"
            given.rig.kill(pid)
            given.rig.await_another(kind, pid)
        return f"kill -9 of a {kind}, {'; '.join(moments)}"

    return act


def _kill_children(given: Round) -> str:
    children = [pid for pid in processes.of(given.rig.collector.pid) if pid != given.rig.collector.pid]
    moment = given.pause()
    given.strikes += 1
    for pid in children:
        given.rig.kill(pid)
    return f"kill -9 of {len(children)} processes at once, {moment}"


def _stop_clickhouse(given: Round) -> str:
    moment = given.pause()
    (pid,) = given.rig.pids(processes.CLICKHOUSE)
    lasting = given.rng.uniform(given.away / 3, given.away)
    given.rig.kill(pid, signal.SIGSTOP)
    time.sleep(lasting)
    given.rig.kill(pid, signal.SIGCONT)
    return f"SIGSTOP of ClickHouse for {lasting:.1f} s, {moment}"


def _clickhouse_away(given: Round) -> str:
    given.pause()
    until, kills = time.monotonic() + given.away, 0
    while time.monotonic() < until:
        for pid in given.rig.pids(processes.CLICKHOUSE):
            given.rig.kill(pid)
            kills += 1
        time.sleep(_NEXT)
    return f"ClickHouse away for {given.away:.0f} s, killed {kills} times as it came up"


def _terminate(given: Round) -> str:
    moment = given.pause()
    status = given.rig.end(signal.SIGTERM)
    if status:
        raise RefusalError(f"after SIGTERM the collector exits with {status}, not 0")
    given.rig.start()
    return f"SIGTERM, and started again, {moment}"


def _fill_journal(given: Round) -> str:
    (pid,) = given.rig.pids(processes.CLICKHOUSE)
    given.rig.kill(pid, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        while not (full := given.rig.books()["faults"].get("journal_full", 0)):
            if time.monotonic() - begun > _FILLING:
                raise RefusalError(f"the journal did not fill within {_FILLING:.0f} s")
            time.sleep(0.1)
        time.sleep(given.seconds / 4)
    finally:
        given.rig.kill(pid, signal.SIGCONT)
    return f"the journal's disk full after {time.monotonic() - begun:.1f} s, {full} datagrams refused by then"


def _move_clock(given: Round) -> str:
    for offset in (HOUR, -HOUR, 0):
        time.sleep(given.seconds / 4)
        given.rig.set_clock(offset)
    return "the clock an hour forth, two back, one forth"


RECEIVER = Fault("receiver", Loss.NOTHING, _kill(processes.RECEIVER))
WORKER = Fault("worker", Loss.NOTHING, _kill(processes.WORKER))
CLICKHOUSE = Fault("clickhouse", Loss.NOTHING, _kill(processes.CLICKHOUSE))
SUPERVISOR = Fault("supervisor", Loss.DOWNTIME, _kill(processes.SUPERVISOR))
CHILDREN = Fault("all children", Loss.NOTHING, _kill_children)
KILLS = (RECEIVER, WORKER, CLICKHOUSE, SUPERVISOR, CHILDREN)
OTHERS = (
    Fault("clickhouse stopped", Loss.NOTHING, _stop_clickhouse),
    Fault("clickhouse away", Loss.NOTHING, _clickhouse_away),
    Fault("SIGTERM", Loss.DOWNTIME, _terminate),
)
DISK_FULL = Fault("journal full", Loss.BOUND, _fill_journal)
CLOCK = Fault("clock", Loss.NOTHING, _move_clock)
