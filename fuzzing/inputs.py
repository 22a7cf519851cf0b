"""The inputs of a campaign: what each block holds follows from the campaign's seed and the block's number alone."""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from decoders import Datagrams, Limits, Senders
from decoders.stream import TCP_SESSIONS
from fuzzing.anatomy import kind
from fuzzing.built import COSTLY
from fuzzing.drawn import drawn, pick
from fuzzing.messages import NOW
from fuzzing.mutate import MOST_OCTETS, mutate
from fuzzing.seeds import Seed

_LASTING = 1 / 8
"""Share of the blocks that go to the state which a worker keeps from beginning to end."""

FEW = Limits(fields=256, templates=64, specifiers=1024, samplers=64, starts=8, streams=64, name_length=64)
"""The limits of the lasting state, so small that they are reached all the time."""

PLAIN = -1
"""The number of the block of all seeds without a mutation."""

_SENDINGS = 128
_LONGEST = 4
_STREAMING = 3 / 4
"""Share of the blocks in which few exporters send much, by the templates of one seed each."""
_STREAMS, _STREAM = 12, 300
_RARELY = 0.05
_LASTING_EXPORTERS = 8
_STEP = 7_000
"""Milliseconds from block to block."""

SENDERS = Senders(
    np.array([0, 50, 0, 0, 0], np.uint32),
    np.array([0, 0, 9, 0, 0], np.uint32),
    np.array([False, False, True, False, False]),
    np.array([False, False, False, True, False]),
)
"""Of the first nothing is said; an override; a default and trust; scopes by port. The last is for who is not listed."""


class Sending(NamedTuple):
    """Datagrams that one exporter sends, each of which counts as an input; `name` is the seed's."""

    name: str
    datagrams: tuple[bytes, ...]
    exporter: bytes
    port: int
    session: int
    entry: int


class Block(NamedTuple):
    """What is decoded together: `calls` says call by call which (sending, datagram) it takes, in the order of arrival.

    A `lasting` block is for the worker's lasting state; the others begin with an empty one.
    """

    number: int
    lasting: bool
    time: int
    sendings: list[Sending]
    calls: list[list[tuple[int, int]]]

    @property
    def inputs(self) -> int:
        """Number of datagrams."""
        return sum(len(call) for call in self.calls)

    @property
    def limits(self) -> Limits:
        """The limits to decode under."""
        return FEW if self.lasting else Limits()

    def datagrams(self, call: Iterable[tuple[int, int]]) -> Datagrams:
        """Return the datagrams of one call."""
        chosen = [(self.sendings[which], self.sendings[which].datagrams[index]) for which, index in call]
        return gather([(sending, datagram) for sending, datagram in chosen], self.time)


def gather(datagrams: Sequence[tuple[Sending, bytes]], time: int) -> Datagrams:
    """Return datagrams, each with whose sending it is, as a block for `decode`."""
    sendings = [sending for sending, _ in datagrams]
    return Datagrams.gather(
        [datagram for _, datagram in datagrams],
        [sending.exporter for sending in sendings],
        [time] * len(sendings),
        [sending.port for sending in sendings],
        [sending.session for sending in sendings],
        [sending.entry for sending in sendings],
        SENDERS,
    )


class Source:
    """Draws blocks from seeds."""

    def __init__(self, seed: int, seeds: Sequence[Seed]) -> None:
        self._seed = seed
        self._seeds = seeds
        self._weights = list(accumulate(_RARELY if seed.name.startswith(COSTLY) else 1.0 for seed in seeds))
        self._by_kind: defaultdict[int, list[bytes]] = defaultdict(list)
        for one in seeds:
            for datagram in one.datagrams:
                self._by_kind[kind(datagram)].append(datagram)
        self._all = [datagram for datagrams in self._by_kind.values() for datagram in datagrams]

    def plain(self) -> Block:
        """Return all seeds as they are, as block `PLAIN`."""
        sendings = [self._sender(index, index, seed.name, seed.datagrams) for index, seed in enumerate(self._seeds)]
        order = [(which, index) for which, sending in enumerate(sendings) for index in range(len(sending.datagrams))]
        return Block(PLAIN, False, NOW, sendings, [order])

    def block(self, number: int) -> Block:
        """Return block `number`, the same whenever it is asked for."""
        rng = random.Random(self._seed << 40 | number)
        lasting = rng.random() < _LASTING
        draw, count = (self._stream, _STREAMS) if rng.random() < _STREAMING else (self._datagrams, _SENDINGS)
        sendings = [self._sending(rng, number, index, lasting, *draw(rng)) for index in range(count)]
        order = [(which, index) for which, sending in enumerate(sendings) for index in range(len(sending.datagrams))]
        if rng.random() < 0.5:
            order.sort(key=lambda at: at[1])  # all first datagrams, then all second ones
        calls, at = [], 0
        while at < len(order):
            size = len(order) if rng.random() < 0.75 else 1 + int(rng.random() * len(order))
            calls.append(order[at : at + size])
            at += size
        return Block(number, lasting, NOW + number * _STEP, sendings, calls)

    def _sending(
        self, rng: random.Random, number: int, index: int, lasting: bool, name: str, datagrams: tuple[bytes, ...]
    ) -> Sending:
        one = self._sender(number, index, name, datagrams)._replace(entry=int(rng.random() * 5))
        if lasting:
            exporter = bytes(10) + b"\xff\xff\xc0\0\2" + bytes([int(rng.random() * _LASTING_EXPORTERS)])
            one = one._replace(exporter=exporter, port=pick(rng, (2055, 2056, 40_000)))
        if rng.random() < 0.15 and all(kind(datagram) == 10 for datagram in datagrams):
            one = one._replace(session=TCP_SESSIONS + (int(rng.random() * 5) if lasting else index))
        return one

    def _sender(self, number: int, index: int, name: str, datagrams: tuple[bytes, ...]) -> Sending:
        """Return datagrams as those of an exporter that sends nothing else in the block; one in four has IPv6."""
        own = struct.pack(">IB", number & 0xFFFFFFFF, index)
        exporter = b"\x3f\xff" + bytes(9) + own if index % 4 == 0 else bytes(10) + b"\xff\xff\x0a" + own[2:]
        return Sending(name, datagrams, exporter, 2055 + index, 0, 0)

    def _datagrams(self, rng: random.Random) -> tuple[str, tuple[bytes, ...]]:
        if rng.random() < 0.15:
            name, datagrams = "drawn", drawn(rng)
        else:
            seed = rng.choices(self._seeds, cum_weights=self._weights)[0]
            name, datagrams = seed.name, list(seed.datagrams)
        if len(datagrams) > _LONGEST:
            datagrams = [datagrams[index] for index in sorted(rng.sample(range(len(datagrams)), _LONGEST))]
        odds = rng.random()
        if odds < 0.03:
            rng.shuffle(datagrams)
        elif odds < 0.06:
            datagrams.append(pick(rng, datagrams))
        elif odds < 0.09:
            datagrams.append(self._donor(rng, datagrams[0]))
        elif odds < 0.11 and len(datagrams) > 1:
            del datagrams[int(rng.random() * len(datagrams))]
        for _ in range(pick(rng, (0, 1, 1, 1, 1, 1, 1, 1, 2, 2))):
            at = int(rng.random() * len(datagrams))
            datagrams[at] = mutate(rng, datagrams[at], self._donor(rng, datagrams[at]))
        return name, tuple(datagram[:MOST_OCTETS] for datagram in datagrams[:_LONGEST])

    def _stream(self, rng: random.Random) -> tuple[str, tuple[bytes, ...]]:
        """Return a seed and after it many mutations of what it ends with."""
        seed = rng.choices(self._seeds, cum_weights=self._weights)[0]
        last = seed.datagrams[-2:]
        mutated = [mutate(rng, one, self._donor(rng, one))[:MOST_OCTETS] for one in rng.choices(last, k=_STREAM)]
        return seed.name, (*seed.datagrams, *mutated)

    def _donor(self, rng: random.Random, datagram: bytes) -> bytes:
        same = self._by_kind.get(kind(datagram))
        return pick(rng, same if same and rng.random() < 0.85 else self._all)
