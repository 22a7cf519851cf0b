"""What is kept, as the metrics tell it: how old the oldest row is, how old it may get, and what holds keep. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Retained:
    """By category and class: when the oldest row was received (None without rows), and after how many seconds the
    oldest is to have gone. `holds` is how many are active.
    """

    oldest: Mapping[tuple[str, str], datetime | None]
    limits: Mapping[tuple[str, str], float]
    holds: int
