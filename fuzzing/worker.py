"""A worker: draws blocks of broken datagrams, decodes them and checks what comes of it.

Datagrams of many exporters are decoded together, for ten million have to go through. What a block does not show is
sought datagram by datagram in some: in every eightieth, and in the slowest.
"""

from __future__ import annotations

import gc
import json
import math
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from decoders import State, decode
from fuzzing import findings
from fuzzing.checks import check, check_rendering, check_state, footprint, outcome, require
from fuzzing.findings import SLOW, Finding, broken, reason_of, smaller
from fuzzing.inputs import PLAIN, Block, Sending, Source, gather
from fuzzing.pace import Pace
from fuzzing.seeds import load
from fuzzing.tally import Memory, Slowness, Tally, resident

LASTING_OCTETS = 8 * 2**20
"""What the lasting state may take: its limits and its few exporters bound it, however long it lasts."""

_EVERY = 80
"""One block in so many is decoded once more, datagram by datagram, and compared and timed."""

_LOADED = 4
"""One block in so many has its state loaded again from its saved form; all have it saved."""

_WARM, _SAMPLED, _WALKED = 50, 25, 200
"""Blocks until a worker counts as warm, from one sample of its memory to the next, and of its lasting state's."""

_SHARE = 0.15
"""Most of its time that a worker spends on timing datagrams, the seeds aside."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: `inputs` datagrams by `workers` processes; `clock` says whether time is measured too.

    Findings become files in `folder`. After so many `seconds` it ends, however far it has come. Only seeds with `among`
    in their names are mutated.
    """

    seed: int
    inputs: int
    workers: int
    clock: bool
    folder: Path
    seconds: float = math.inf
    among: str = ""


class Worker:
    """Takes every `workers`-th block, and keeps one state from beginning to end."""

    def __init__(self, plan: Plan, index: int) -> None:
        self._plan, self._index = plan, index
        self.source = Source(plan.seed, [seed for seed in load() if plan.among in seed.name])
        self._lasting = State()
        self._pace = Pace()
        self._odd = 0.0
        """The slowness that about one block in twenty-five exceeds; it follows what is seen."""
        self._begun = time.perf_counter()
        self._measuring = 0.0
        self.tally = Tally(fixed=self._pace.fixed)

    def run(self, progress: Callable[[int, int], None]) -> Tally:
        """Run this worker's share of the plan; `progress` is told the block that is next, and the inputs so far."""
        number, memory = self._index, Memory(0, 0, 0, 0)
        if not self._index:
            self.run_block(self.source.plain(), closely=True)
        while self.tally.inputs < self._plan.inputs // self._plan.workers and self._has_time():
            progress(number, self.tally.inputs)
            self.run_block(self.source.block(number), closely=self.tally.blocks % _EVERY == 0)
            if self.tally.blocks % _SAMPLED == 0:
                memory = self._remember(memory)
            number += self._plan.workers
        self.tally.seconds = time.perf_counter() - self._begun
        self.tally.memory = [self._remember(memory, last=True)]
        return self.tally

    def _has_time(self) -> bool:
        return time.perf_counter() - self._begun < self._plan.seconds

    def _remember(self, memory: Memory, last: bool = False) -> Memory:
        lasting = memory.lasting
        if last or self.tally.blocks % _WALKED == 0:
            gc.collect()
            lasting = max(lasting, footprint(self._lasting))
        now = resident()
        start = now if self.tally.blocks <= _WARM or not memory.start else memory.start
        return Memory(start, max(memory.peak, now), now, lasting)

    def run_block(self, block: Block, closely: bool, lasting: State | None = None) -> None:
        """Decode a block and check it; what does not hold is narrowed down to a sending where that is possible.

        A lasting block goes to `lasting`, or else to the worker's own lasting state.
        """
        self.tally.blocks += 1
        state = lasting or self._lasting if block.lasting else State()
        before = state.dump() if block.lasting else None
        try:
            seconds = self._decode(block, state)
            if closely or not block.lasting:
                check_state(state, again=closely or self.tally.blocks % _LOADED == 0)
            if closely and not block.lasting:
                self._compare(block)
        except Exception as error:
            self._narrow(block, reason_of(error), before)
            if block.lasting:
                self._lasting = State()
            return
        if self._plan.clock and (self._is_odd(block, seconds) or closely):
            begun = time.thread_time()
            if self._measuring <= _SHARE * begun:
                self._measure(block, before)
                self._measuring += time.thread_time() - begun if block.number != PLAIN else 0.0

    def _decode(self, block: Block, state: State) -> float:
        """Decode and check call by call; return the seconds that decoding took."""
        rng, seconds = random.Random(block.number), 0.0
        for call in block.calls:
            datagrams = block.datagrams(call)
            begun = time.thread_time()
            decoded = decode(datagrams, state, block.limits)
            seconds += time.thread_time() - begun
            check(datagrams, decoded)
            check_rendering(decoded.flows, rng)
            self.tally.count(decoded, int(datagrams.lengths.sum()))
        return seconds

    def _compare(self, block: Block) -> None:
        """Check that each exporter's datagrams give by themselves what they gave among all others."""
        together, apart, state = Counter[str](), Counter[str](), State()
        for call in block.calls:
            together += outcome(decode(block.datagrams(call), state, block.limits))
        for which, sending in enumerate(block.sendings):
            state = State()
            for call in block.calls:
                own = [(sending, sending.datagrams[index]) for owner, index in call if owner == which]
                if own:
                    apart += outcome(decode(gather(own, block.time), state, block.limits))
            state = State()
            for datagram in sending.datagrams:
                alone = gather([(sending, datagram)], block.time)
                check(alone, decode(alone, state, block.limits))
        self.tally.compared += block.inputs
        for found in (together, apart):  # agents are named by what they say: two exporters may tell of the same one
            found.update({key: 1 - count for key, count in found.items() if key.startswith("Name(")})
        differing = sorted((together - apart) + (apart - together))
        what = "rows" if differing and differing[0][0] == "{" else "".join(differing[:1])
        require(not differing, f"decoded together it gives other {what}")

    def _is_odd(self, block: Block, seconds: float) -> bool:
        """Return whether a block is among the slowest for its size."""
        allowed = sum(self._pace.allowed(datagram) for one in block.sendings for datagram in one.datagrams)
        slowness = seconds / allowed
        odd = slowness > self._odd
        self._odd = (self._odd or slowness) * (1.25 if odd else 0.99)
        return odd

    def _measure(self, block: Block, before: dict[str, Any] | None) -> None:
        """Time the datagrams of a block, a lasting block's on its state as it was before the block."""

        def begin() -> State:
            return State() if before is None else State.load(json.loads(json.dumps(before)))

        self.tally.timed += block.inputs
        for sending, index, ratio in self._pace.measure(block, begin, exactly=block.number == PLAIN):
            self.tally.time(Slowness(ratio, sending.name, len(sending.datagrams[index])))
            if ratio > 1:
                up_to = sending._replace(datagrams=sending.datagrams[: index + 1])
                self._keep(replace(self._found(SLOW, up_to, block, before), ratio=round(ratio, 2)))

    def _narrow(self, block: Block, reason: str, before: dict[str, Any] | None) -> None:
        """Find the sendings that break by themselves; if none does, the whole block is the finding."""
        alone = False
        for sending in block.sendings:
            found = self._found(reason, sending, block, before)
            cause = broken(found)
            if cause is not None:
                alone = True
                named = replace(found, reason=cause)
                first = all(cause != reason for reason, _ in self.tally.findings)
                self._keep(smaller(named) if first else named)
        if not alone:
            every = tuple(block.sendings[which].datagrams[index] for call in block.calls for which, index in call)
            whole = block.sendings[0]._replace(name="whole block", datagrams=every)
            self._keep(replace(self._found(reason, whole, block, before), alone=False))

    def _found(self, reason: str, sending: Sending, block: Block, before: dict[str, Any] | None) -> Finding:
        return findings.of(reason, sending, block, self._plan.seed, before)

    def _keep(self, found: Finding) -> None:
        if self.tally.find(found):
            found.keep(self._plan.folder)
