"""A worker's counts on their way to the daemon: saved with the journal's position, so they say what is stored, exactly.

A worker that is started again goes on from there; the daemon adds up what all of them have counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client import Counter, Gauge

from collector.metrics import Metrics

Labels = tuple[str, ...]
Sample = tuple[str, Labels, float]
_INSERTS = 256
"""Durations that are kept for the daemon's histogram: what the inserts of some minutes take."""


class WorkerBooks:
    """What one worker of one run of the daemon has counted, in `metrics`, and how long its last inserts took."""

    def __init__(self, run: str, metrics: Metrics) -> None:
        self._run, self._metrics = run, metrics
        self._inserts: list[float] = []
        self._inserted = 0

    def note_insert(self, seconds: float) -> None:
        """Keep how long an insert took."""
        self._inserts = [*self._inserts[1 - _INSERTS :], round(seconds, 6)]
        self._inserted += 1

    def saved(self) -> dict[str, Any]:
        """Return it as a JSON-ready value."""
        samples = [[name, list(labels), value] for name, labels, value in _samples(self._metrics) if value or labels]
        return {"run": self._run, "samples": samples, "inserted": self._inserted, "inserts": self._inserts}

    def restore(self, saved: dict[str, Any] | None) -> None:
        """Go on from what was `saved`, if it is of this run."""
        if saved is None or saved["run"] != self._run:
            return
        self._inserted, self._inserts = saved["inserted"], saved["inserts"]
        for name, labels, value in saved["samples"]:
            if isinstance(getattr(self._metrics, name), Counter):
                _child(getattr(self._metrics, name), tuple(labels)).inc(value)


class SumOfBooks:
    """Brings what the workers of a run have saved into the daemon's `metrics`."""

    def __init__(self, run: str, metrics: Metrics) -> None:
        self._run, self._metrics = run, metrics
        self._counted: dict[tuple[str, Labels], float] = {}
        self._gauged: set[tuple[str, Labels]] = set()
        self._inserted: dict[int, int] = {}

    def take(self, books: Sequence[dict[str, Any] | None]) -> None:
        """Take the books of all workers, in their order; None, or another run's, where one has stored nothing yet."""
        ours = [saved if saved and saved["run"] == self._run else None for saved in books]
        sums: dict[tuple[str, Labels], float] = {}
        for name, labels, value in (sample for saved in ours if saved for sample in _told(saved)):
            so_far = sums.get((name, labels), 0)
            sums[name, labels] = max(so_far, value) if name in _LARGEST else so_far + value
        gauges = set()
        for (name, labels), value in sums.items():
            child = _child(getattr(self._metrics, name), labels)
            if isinstance(child, Gauge):
                gauges.add((name, labels))
                child.set(value)
            else:
                child.inc(value - self._counted.get((name, labels), 0))
                self._counted[name, labels] = value
        for name, labels in self._gauged - gauges:
            if labels:
                getattr(self._metrics, name).remove(*labels)
            else:
                getattr(self._metrics, name).set(0)
        self._gauged = gauges
        for worker, saved in enumerate(ours):
            if saved:
                self._observe(worker, saved)

    def _observe(self, worker: int, saved: dict[str, Any]) -> None:
        before = self._inserted.get(worker, 0)
        news = saved["inserted"] - (before if before <= saved["inserted"] else 0)
        for seconds in saved["inserts"][-news:] if news else ():
            self._metrics.insert_seconds.observe(seconds)
        self._inserted[worker] = saved["inserted"]


def joined(books: Sequence[dict[str, Any] | None], run: str) -> dict[str, Any]:
    """Return the books of several workers as those of one that has counted it all, as far as they are of this `run`."""
    sums: dict[tuple[str, Labels], float] = {}
    for name, labels, value in (sample for saved in books if saved and saved["run"] == run for sample in _told(saved)):
        sums[name, labels] = sums.get((name, labels), 0) + value
    samples = [[name, list(labels), value] for (name, labels), value in sums.items()]
    return {"run": run, "samples": samples, "inserted": 0, "inserts": []}


_LARGEST = frozenset({"template_age", "sequence_shared"})
"""Gauges of which the largest counts, of several workers; all others add up."""


def _told(saved: dict[str, Any]) -> list[Sample]:
    return [(name, tuple(labels), value) for name, labels, value in saved["samples"]]


def _samples(metrics: Metrics) -> Iterable[Sample]:
    for name, metric in vars(metrics).items():
        if isinstance(metric, Counter | Gauge):
            for family in metric.collect():
                yield from ((name, tuple(one.labels.values()), one.value) for one in family.samples)


def _child(metric: Any, labels: Labels) -> Any:
    return metric.labels(*labels) if labels else metric
