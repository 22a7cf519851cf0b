"""What the purge's own records and the data say, for the metrics: it runs in a process of its own, not in this one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from collector.clock import Clock
from collector.metrics import Metrics
from collector.retained import Retained
from settings.config import Config
from settings.errors import UserError
from storage.client import connect

_EVERY = 60.0
_PATIENCE = 5.0
_RUNS = "SELECT toUnixTimestamp64Milli(max(time)) / 1000, sum(rows), sum(bytes) FROM purge_runs"


class PurgeWatch:
    """Looks at `purge_runs` and at the oldest rows once a minute."""

    def __init__(self, config: Config, metrics: Metrics, clock: Clock, retained: Callable[[], Retained]) -> None:
        """`retained` asks ClickHouse, and may raise UserError."""
        self._config, self._metrics, self._clock, self._retained = config, metrics, clock, retained
        self._looked_at = -_EVERY
        self._rows = self._bytes = 0

    def look(self) -> None:
        """Bring the metrics up to date, if it is time; without an answer they stay as they are."""
        if time.monotonic() - self._looked_at < _EVERY:
            return
        self._looked_at = time.monotonic()
        with suppress(UserError):
            self._look_at_runs()
            self._look_at_rows(self._retained())

    def _look_at_runs(self) -> None:
        with connect(self._config.storage, self._config.data_dir, "query", _PATIENCE) as client:
            ((last, rows, size),) = client.query(_RUNS).rows
        self._metrics.purged_at.set(last)
        self._metrics.purged_rows.inc(max(rows - self._rows, 0))
        self._metrics.purged_octets.inc(max(size - self._bytes, 0))
        self._rows, self._bytes = rows, size

    def _look_at_rows(self, retained: Retained) -> None:
        now = self._clock.now_ms() / 1000
        for labels, limit in retained.limits.items():
            oldest = retained.oldest.get(labels)
            age = max(now - oldest.timestamp(), 0.0) if oldest else 0.0
            self._metrics.oldest_row_age.labels(*labels).set(age)
            self._metrics.oldest_row_limit.labels(*labels).set(limit)
        self._metrics.holds_active.set(retained.holds)
