"""Captured datagrams as the blocks that are decoded."""

from __future__ import annotations

from collector.captures import Captured
from decoders import Datagrams

MOST = 4096
"""Datagrams of a block."""


def gathered(waiting: list[Captured], exporter: bytes, now: int) -> Datagrams:
    """Join datagrams; `exporter` (16 octets) and `now` (ms) hold for those of files without either."""
    return Datagrams.gather(
        [each.payload for each in waiting],
        [each.sender or exporter for each in waiting],
        [now if each.time is None else each.time for each in waiting],
        [each.port for each in waiting],
    )
