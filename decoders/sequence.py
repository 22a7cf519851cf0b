"""Sequence numbers: gaps in what the exporters number, in each protocol's own unit.

NetFlow v5 counts flows, v9 export packets, IPFIX data records, sFlow datagrams.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from decoders.cursor import Positions
from decoders.stream import Stream

_WRAP = 2**32


class Sequences:
    """The number that each stream is expected to send next; a stream is what its key says."""

    def __init__(self) -> None:
        self.expected: dict[Stream, int] = {}

    def gaps(
        self,
        streams: Sequence[Stream],
        stream_of: Positions,
        sequence: Positions,
        step: Positions,
        countable: npt.NDArray[np.bool_],
        most: int,
    ) -> int:
        """Follow messages in order of arrival and return how many began past the number expected.

        `stream_of` indexes `streams`; a message takes `step` numbers from `sequence` on. After one that is not
        `countable` (records without a template) the stream's next number is unknown. Of more than `most` streams, those
        heard longest ago are forgotten.
        """
        if not len(stream_of):
            return 0
        order = np.argsort(stream_of, kind="stable")
        stream, number, after = stream_of[order], sequence[order], (sequence + step)[order] % _WRAP
        known = countable[order]
        expected = np.empty_like(number)
        expected[1:] = np.where(known[:-1], after[:-1], -1)
        first = np.flatnonzero(np.diff(stream, prepend=-1))
        last = np.append(first[1:], len(stream)) - 1
        expected[first] = [self.expected.get(streams[index], -1) for index in stream[first].tolist()]
        for index, at in zip(stream[last].tolist(), last.tolist(), strict=True):
            self.expected.pop(streams[index], None)  # so that it stands last, as the one heard last
            self.expected[streams[index]] = int(after[at]) if known[at] else -1
        for key in list(islice(self.expected, max(len(self.expected) - most, 0))):
            del self.expected[key]
        ahead = (number - expected) % _WRAP
        return int(np.count_nonzero((expected >= 0) & (ahead > 0) & (ahead < _WRAP // 2)))
