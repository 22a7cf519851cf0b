"""Data sets whose template has not come yet (RFC 3954 section 9, RFC 7011 section 9): kept for it, within bounds.

Each is kept with its message's header, as a message of its own, so that it is decoded like any other once it can be.
"""

from __future__ import annotations

import base64
import struct
from collections import Counter, deque
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from decoders.limits import Limits
from decoders.stream import Stream
from decoders.templates import Key

_LENGTH = struct.Struct(">H")
_OVERHEAD = 160
"""What keeping a set takes in memory beside its octets."""


class Kept(NamedTuple):
    """A message with one data set, and what is known of the datagram it came in (see `decoders.block.Datagrams`)."""

    payload: bytes
    time_received: int
    port: int
    session: int
    entry: int


class Waiting:
    """The sets that wait, by what they wait for, and the `octets` they take; `revision` grows with every change."""

    def __init__(self) -> None:
        self.by_key: dict[Key, deque[Kept]] = {}
        self.per_exporter: Counter[bytes] = Counter()
        self.octets = 0
        self.sets = 0
        self.revision = 0

    def room_for(self, exporter: bytes, octets: int, limits: Limits) -> bool:
        """Return whether so many octets more of an exporter may wait."""
        return (
            self.per_exporter[exporter] + octets + _OVERHEAD <= limits.waiting_octets
            and self.octets + octets + _OVERHEAD <= limits.all_waiting_octets
        )

    def keep(self, key: Key, header: bytes, body: bytes, *told: int) -> None:
        """Keep a set, given as its message's header and itself; `told` are the other fields of `Kept`."""
        if key.stream.version == 10:
            header = header[:2] + _LENGTH.pack(len(header) + len(body)) + header[4:]
        self._add(key, Kept(header + body, *told))

    def _add(self, key: Key, kept: Kept) -> None:
        self.by_key.setdefault(key, deque()).append(kept)
        self._count(key, kept, 1)

    def take(self, key: Key) -> list[Kept]:
        """Return what waits for `key`, in the order it came; it waits no longer."""
        return list(self._drop(key))

    def expire(self, before: int) -> Iterator[tuple[Key, Kept]]:
        """Give up what was received before a moment, ms; yield it."""
        for key in list(self.by_key):
            while (kept := self.by_key.get(key)) and kept[0].time_received < before:
                yield key, self._pop(key)

    def forget(self, streams: Collection[Stream]) -> Iterator[tuple[Key, Kept]]:
        """Give up what waits for streams that have ended; yield it."""
        for key in [key for key in self.by_key if key.stream in streams] if streams else ():
            for kept in self._drop(key):
                yield key, kept

    def _drop(self, key: Key) -> Iterator[Kept]:
        while key in self.by_key:
            yield self._pop(key)

    def _pop(self, key: Key) -> Kept:
        waiting = self.by_key[key]
        kept = waiting.popleft()
        if not waiting:
            del self.by_key[key]
        self._count(key, kept, -1)
        return kept

    def _count(self, key: Key, kept: Kept, sign: int) -> None:
        octets = sign * (len(kept.payload) + _OVERHEAD)
        self.octets += octets
        self.sets += sign
        self.revision += 1
        self.per_exporter[key.stream.exporter] += octets
        if not self.per_exporter[key.stream.exporter]:
            del self.per_exporter[key.stream.exporter]

    def dump(self) -> list[list[Any]]:
        """Return what waits as a JSON-ready value."""
        return [
            [*key.stream.saved, key.id, base64.b64encode(kept.payload).decode(), *kept[1:]]
            for key, waiting in self.by_key.items()
            for kept in waiting
        ]

    def load(self, rows: list[list[Any]]) -> None:
        """Keep what `dump` gave."""
        for row in rows:
            id_, payload, *rest = row[4:]
            self._add(Key(Stream.load(row[:4]), id_), Kept(base64.b64decode(payload), *rest))
