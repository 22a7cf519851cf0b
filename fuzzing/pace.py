"""How long a datagram may take: a millisecond for each kilobyte begun, beyond what a call of `decode` costs that has
a little of everything.

Time is that of the processor, for `decode` waits for nothing, and what others do on the machine does not count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from decoders import Datagrams, Limits, State, decode
from fuzzing.anatomy import kind
from fuzzing.built_sflow import each_part_once
from fuzzing.inputs import Block, Sending, gather
from fuzzing.messages import (
    FRAMES,
    NOW,
    VARIABLE,
    Field,
    a_set,
    message,
    netflow5,
    options_template,
    template,
    template_set,
)

ALLOWED = 1e-3
"""Seconds for each kilobyte begun."""

_KILOBYTE = 1024
_AGAIN = 5
_TRIALS = 20
_SUSPECTS = 4
"""Most datagrams of one sending that are timed once more, the slowest first: each takes all before it again."""


def _each_part_once(version: int) -> bytes:
    """Return a message of few records that every part of the decoders has to do with: they work on whole blocks, and
    what that takes is the same for one record as for a thousand."""
    flow: list[Field] = [(8, 4), (12, 4), (4, 1), (11, 2), (1, 4), (21, 4), (22, 4), (10, 4), (48, 2), (371, VARIABLE)]
    sampler: list[Field] = [(48, 2), (34, 4), (84, 4)]
    packet = FRAMES[0]
    return message(
        version,
        template_set(version, options_template(version, 300, [(1, 4)], sampler), options=True),
        a_set(300, bytes(4) + b"\0\1" + b"\0\0\0\2" + b"name"),
        template_set(version, template(256, flow) + template(257, [(315, VARIABLE)])),
        a_set(256, bytes(8) + b"\1" + bytes(18) + b"\0\1" + b"\4user"),
        a_set(257, bytes((len(packet),)) + packet),
        a_set(258, bytes(4)),
    )


TRIVIAL = {
    0: b"",
    5: netflow5(1),
    9: _each_part_once(9),
    10: _each_part_once(10),
    105: each_part_once(),
}
"""By version, the datagram whose cost is the fixed one; the empty one for none."""


class Pace:
    """The fixed costs, measured when nothing disturbed, and what else takes, beside them; seconds."""

    def __init__(self) -> None:
        self.fixed = {version: min(_fixed(version) for _ in range(_TRIALS)) for version in TRIVIAL}

    def allowed(self, datagram: bytes) -> float:
        """Return what a datagram may take beyond the fixed cost of its version."""
        return ALLOWED * kilobytes(datagram)

    def ratio(self, datagram: bytes, seconds: float) -> float:
        """Return `seconds` without the fixed cost as a multiple of what the datagram may take."""
        return (seconds - self.fixed[kind(datagram)]) / self.allowed(datagram)

    def measure(self, block: Block, begin: Callable[[], State], exactly: bool) -> Iterator[tuple[Sending, int, float]]:
        """Yield (sending, index, ratio) for the datagrams of a block that were timed alone.

        `begin` gives the state before the block. Unless `exactly`, a sending's datagrams are first timed together, and
        one by one only where they take more than half of what they may. Of those that seem slow then, the slowest are
        timed again, and the others taken to be no slower than these.
        """
        state = begin()
        for sending in block.sendings:
            if not block.lasting:
                state = begin()
            if not exactly and not self._suspect(sending, block, state):
                continue
            state = state if block.lasting else begin()
            ratios = self._one_by_one(sending, block, state)
            slowest = sorted(range(len(ratios)), key=ratios.__getitem__)[-_SUSPECTS:]
            for index in slowest:
                if ratios[index] > 1:
                    ratios[index] = self.again(sending, index, block.time, block.limits, begin)
            bound = max(ratios[index] for index in slowest)  # what was not timed again was not slower than these
            for index, ratio in enumerate(ratios):
                yield sending, index, min(ratio, bound)

    def _one_by_one(self, sending: Sending, block: Block, state: State) -> list[float]:
        _catch_up(sending, block.time, block.limits, state)
        blocks = [gather([(sending, datagram)], block.time) for datagram in sending.datagrams]
        seconds = [timed(alone, state, block.limits) for alone in blocks]
        return [self.ratio(*one) for one in zip(sending.datagrams, seconds, strict=True)]

    def _suspect(self, sending: Sending, block: Block, state: State) -> bool:
        together = gather([(sending, datagram) for datagram in sending.datagrams], block.time)
        net = timed(together, state, block.limits) - self.fixed[kind(sending.datagrams[0])]
        return net > sum(map(self.allowed, sending.datagrams)) / 2

    def again(self, sending: Sending, index: int, at: int, limits: Limits, begin: Callable[[], State]) -> float:
        """Decode a sending up to datagram `index` several times, and return the least ratio of that one.

        The machine is shared: the least time counts, and where the fixed cost, measured in between, is greater than at
        its best, all else is taken to be so too. `begin` gives the state to begin with.
        """
        datagram = sending.datagrams[index]
        version = kind(datagram)
        times = [(_fixed(version), _measure(sending, index, at, limits, begin())) for _ in range(_AGAIN)]
        fixed = min(now for now, _ in times)
        self.fixed[version] = min(self.fixed[version], fixed)
        return self.ratio(datagram, min(taken for _, taken in times) * self.fixed[version] / fixed)


def kilobytes(datagram: bytes) -> int:
    """Return how many kilobytes a datagram begins."""
    return max(-(-len(datagram) // _KILOBYTE), 1)


def _measure(sending: Sending, index: int, time_received: int, limits: Limits, state: State) -> float:
    _catch_up(sending, time_received, limits, state)
    before = [(sending, datagram) for datagram in sending.datagrams[:index]]
    if before:
        decode(gather(before, time_received), state, limits)
    return timed(gather([(sending, sending.datagrams[index])], time_received), state, limits)


def _catch_up(sending: Sending, time_received: int, limits: Limits, state: State) -> None:
    """Have a state give up what is too old at a time: that is the cost of the datagrams which left it there."""
    decode(gather([(sending, b"")], time_received), state, limits)


def timed(block: Datagrams, state: State, limits: Limits) -> float:
    """Return how long `decode` takes with nothing kept from calls before, but for the state."""
    for forget in _caches():
        forget()
    begun = time.thread_time()
    decode(block, state, limits)
    return time.thread_time() - begun


@cache
def _caches() -> list[Callable[[], Any]]:
    """Return what empties each function's cache in `decoders`."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "decoders"]
    cached = {
        id(value): value for module in modules for value in vars(module).values() if hasattr(value, "cache_clear")
    }
    return [value.cache_clear for value in cached.values()]


def _fixed(version: int) -> float:
    return timed(Datagrams.of([TRIVIAL[version]], bytes(16), NOW), State(), Limits())
