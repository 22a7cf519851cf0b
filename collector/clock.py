"""The collector's clock, an argument everywhere: demos and tests receive flows at other times than now."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """The system's clock, moved by `shift_ms` milliseconds."""

    shift_ms: int = 0

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000 + self.shift_ms
