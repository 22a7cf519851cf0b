"""Which worker a datagram is for: exporters are parted among the workers by their senders' addresses.

All that one address sends goes to one worker, so that templates stay before the data they describe.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class Shard:
    """The exporters of worker `number` of `count`."""

    number: int = 0
    count: int = 1

    @property
    def suffix(self) -> str:
        """What the names of its files in the journal have at their end; nothing where one worker does it all."""
        return f"-{self.number}-of-{self.count}" if self.count > 1 else ""

    def position(self, directory: Path) -> Path:
        """Return the file that says how far this shard is stored."""
        return directory / f"position{self.suffix}.json"

    @classmethod
    def all(cls, count: int) -> list[Shard]:
        """Return the shards of `count` workers."""
        return [cls(number, count) for number in range(count)]


WHOLE = Shard()
"""All exporters."""


def owners(senders: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
    """Return which of `count` workers each sender is for, uint8 (n,), by addresses of uint8 (n, 16).

    Saved with the journal by way of the positions, so it must not change: docs/decisions/0014.
    """
    if count == 1:
        return np.zeros(len(senders), np.uint8)
    words = np.ascontiguousarray(senders).view("<u8")
    mixed = (words[:, 0] * _MIX ^ words[:, 1]) * _MIX
    mixed ^= mixed >> np.uint64(32)
    mixed *= _MIX
    owner: npt.NDArray[np.uint8] = ((mixed >> np.uint64(32)) % np.uint64(count)).astype(np.uint8)
    return owner
