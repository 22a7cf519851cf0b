"""What the purge's own records say, for the metrics: it runs in a process of its own, and may not be run from here."""

from __future__ import annotations

import time
from contextlib import suppress

from collector.metrics import Metrics
from settings.config import Config
from settings.errors import UserError
from storage.client import connect

_EVERY = 60.0
_PATIENCE = 5.0
_RUNS = "SELECT toUnixTimestamp64Milli(max(time)) / 1000, sum(rows) FROM purge_runs"


class PurgeWatch:
    """Looks at `purge_runs` once a minute."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        self._config, self._metrics = config, metrics
        self._looked_at = -_EVERY
        self._rows = 0

    def look(self) -> None:
        """Bring the purge's metrics up to date, if it is time; without an answer they stay as they are."""
        if time.monotonic() - self._looked_at < _EVERY:
            return
        self._looked_at = time.monotonic()
        with suppress(UserError), connect(self._config.storage, self._config.data_dir, "query", _PATIENCE) as client:
            ((last, rows),) = client.query(_RUNS).rows
            self._metrics.purged_at.set(last)
            self._metrics.purged_rows.inc(max(rows - self._rows, 0))
            self._rows = rows
