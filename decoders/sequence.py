"""Sequence numbers: what of each exporter's messages was lost, late or double, in the protocol's own unit.

NetFlow v5 counts flows, v9 export packets (RFC 3954 section 5.1), IPFIX data records (RFC 7011 section 3.1), sFlow
datagrams. Messages are joined to runs whose numbers continue; only runs are looked at one by one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from decoders.block import SequenceNews
from decoders.cursor import Positions
from decoders.sequence_lanes import BOOT_STEP, HOLE_AGE, MASK, Numbering, Run, Tally
from decoders.stream import Stream


@dataclass(frozen=True, slots=True)
class Numbered:
    """m messages in the order of arrival, all int64 (m,).

    `stream` indexes the streams. `sequence` is the number in the header, from which on the message takes `units`, -1
    where that is not known (IPFIX without the template). `boot` is the exporter's clock less its uptime, ms mod 2**32,
    -1 where the protocol has no uptime.
    """

    stream: Positions
    sequence: Positions
    units: Positions
    boot: Positions


class Sequences:
    """The numbering of every stream, the one heard last at the end, and what it told since it was asked."""

    def __init__(self) -> None:
        self.numberings: dict[Stream, Numbering] = {}
        self._unsettled: dict[Stream, Numbering] = {}
        self._tallies: dict[Stream, Tally] = {}
        self._settled = self._due = 0

    def follow(self, streams: Sequence[Stream], numbered: Numbered, now: int, most: int) -> list[tuple[int, int]]:
        """Account for a block's messages, and settle what is too old at `now` (ms).

        Return restarts: (index of the stream, index of the message from which on the exporter is another run of
        itself), so that what it told before is discarded. Of more than `most` streams, those heard longest ago are
        forgotten.
        """
        block = _Runs(numbered, len(streams))
        every, beyond, tally = block.all(), block.beyond, Tally()
        restarted: list[int] = []
        for index, runs in block.per_stream():
            stream = streams[index]
            numbering = self.numberings.pop(stream, None) or Numbering(stream.version)
            self.numberings[stream] = numbering  # so that it stands last, as the one heard last
            tally = self._tallies.get(stream) or (Tally() if tally else tally)
            for run in islice(every, runs):
                if numbering.hear(run, now, tally, beyond):
                    restarted.append(run[0])
            self._note(stream, numbering, tally)
        for stream in list(islice(self.numberings, max(len(self.numberings) - most, 0))):
            self._forget(stream)
        self._due = min(self._due, now + HOLE_AGE)
        self.settle(now)
        return block.at(restarted)

    def settle(self, now: int | None = None) -> None:
        """What is missing for too long at `now` (ms) is lost for good; without `now`, all that is missing."""
        if now is not None and self._settled <= now <= self._due:
            return
        for stream, numbering in list(self._unsettled.items()):
            tally = self._tallies.get(stream) or Tally()
            numbering.settle(now, tally)
            self._note(stream, numbering, tally)
        if now is not None:
            self._settled = now
            self._due = min((each.due for each in self._unsettled.values()), default=now + HOLE_AGE)

    def news(self) -> list[SequenceNews]:
        """Return what happened since the last call, for each stream where anything did; then forget it."""
        tallies, self._tallies = self._tallies, {}
        return [
            SequenceNews(
                stream.exporter,
                stream.version,
                stream.domain,
                tally.lost,
                tally.gaps,
                tally.reordered,
                tally.duplicates,
                tally.resets,
                stream in self.numberings and self.numberings[stream].shared,
            )
            for stream, tally in tallies.items()
        ]

    def dump(self) -> list[list[Any]]:
        """Return where all numberings stand, but not the news, as a JSON-ready value."""
        return [[*stream.saved, *numbering.dump()] for stream, numbering in self.numberings.items()]

    @classmethod
    def load(cls, saved: list[list[Any]]) -> Sequences:
        """Return what `dump` gave."""
        sequences = cls()
        for row in saved:
            stream = Stream.load(row[:4])
            sequences.numberings[stream] = Numbering.load(stream.version, row[4:])
            sequences._note(stream, sequences.numberings[stream], Tally())
        return sequences

    def _note(self, stream: Stream, numbering: Numbering, tally: Tally) -> None:
        if tally:
            self._tallies[stream] = tally
        if numbering.unsettled:
            self._unsettled[stream] = numbering
        else:
            self._unsettled.pop(stream, None)

    def _forget(self, stream: Stream) -> None:
        numbering = self.numberings.pop(stream)
        self._unsettled.pop(stream, None)
        tally = self._tallies.get(stream) or Tally()
        numbering.settle(None, tally)
        if tally:
            self._tallies[stream] = tally


class _Runs:
    """The runs of a block's messages by stream; `order`, int64 (m,), is the messages' order by stream and arrival."""

    def __init__(self, numbered: Numbered, streams: int) -> None:
        narrow = numbered.stream.astype(np.min_scalar_type(streams))  # up to 16 bits are sorted in linear time
        self.order = np.argsort(narrow, kind="stable")
        self._stream, number, units, boot = (
            column[self.order] for column in (numbered.stream, numbered.sequence, numbered.units, numbered.boot)
        )
        self._number, self._boot, self._open = number, boot, units < 0
        self._units = np.maximum(units, 0)
        self._first = np.flatnonzero(np.append(True, ~self._continues())[: len(number)])

    def _continues(self) -> npt.NDArray[np.bool_]:
        """Return for each message but the first whether it continues the one before."""
        boot = self._boot
        moved = (np.diff(boot) + BOOT_STEP) & MASK > 2 * BOOT_STEP
        continues: npt.NDArray[np.bool_] = (
            (self._number[1:] == (self._number + self._units)[:-1] & MASK)
            & (np.diff(self._stream) == 0)
            & ~self._open[:-1]
            & ~(moved & (boot[1:] >= 0) & (boot[:-1] >= 0))
        )
        return continues

    def per_stream(self) -> Iterator[tuple[int, int]]:
        """Yield each stream's index and how many runs it has."""
        stream = self._stream[self._first]
        begin = np.flatnonzero(np.diff(stream, prepend=-1))
        return zip(stream[begin].tolist(), np.diff(begin, append=len(stream)).tolist(), strict=True)

    def all(self) -> Iterator[Run]:
        """Yield the runs by stream."""
        first = self._first
        if not len(first):
            return iter(())
        last = np.append(first[1:], len(self._number)) - 1
        columns = (
            first,
            last - first + 1,
            self._number[first],
            self._number[last],
            np.add.reduceat(self._units, first),
            np.maximum.reduceat(self._units, first),
            ~self._open[last],
            self._boot[first],
            self._boot[last],
        )
        return zip(*(column.tolist() for column in columns), strict=True)

    def at(self, places: list[int]) -> list[tuple[int, int]]:
        """Return the index of the stream and of the message for each place in `order`."""
        return list(zip(self._stream[places].tolist(), self.order[places].tolist(), strict=True)) if places else []

    def beyond(self, first: int, messages: int, units: int, distance: int) -> int:
        """Return how many messages of a run begin `distance` units from its start or later, or reach beyond there."""
        if messages == 1:
            return int(units > distance)
        stop = first + messages
        target = self._starts[first] + distance
        at = bisect_left(self._starts, target, first, stop)
        return stop - at + (units > distance and (at == stop or self._starts[at] > target))

    @cached_property
    def _starts(self) -> list[int]:
        """Units before each message, all streams counted on."""
        starts: list[int] = (np.cumsum(self._units) - self._units).tolist()
        return starts
