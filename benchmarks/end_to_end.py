"""A collector under load on this machine, sender and ClickHouse included: NetFlow v9 over UDP on loopback."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import processes, site
from benchmarks.sender import Sender, Sent
from demo.collector_process import CollectorProcess
from storage.client import Client

EXPORTERS = 8
_SAMPLED = 0.5
_SETTLING = 10.0
_LATEST = 180.0
"""Seconds after the end for which the last flow is waited for."""
_JOURNAL = "journal: {max_size: 4GiB, segment_size: 64MiB}"


class Watch:
    """Asks the collector for its books twice a second; holds the greatest lag, and the memory at its most."""

    def __init__(self, collector: CollectorProcess) -> None:
        self._collector = collector
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.lag = 0.0
        self.backlog = 0

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLED):
            with contextlib.suppress(OSError):  # it may be stopping, or too busy to answer
                books = self._collector.books()
                self.lag, self.backlog = max(self.lag, books["lag_seconds"]), max(self.backlog, books["waiting"])

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def load(rate: float, seconds: float, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Run one load and return what came of it; `settings` are further lines of the configuration."""
    directory = Path(tempfile.mkdtemp(prefix="flowkeep-bench-"))
    config, port = site.write(directory, EXPORTERS, (_JOURNAL, *settings))
    try:
        with Sender(port, EXPORTERS) as sender, CollectorProcess(config, directory / "log") as collector:
            time.sleep(1)
            with site.client(collector.config) as ours:
                return _measured(collector, sender, ours, rate, seconds)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _measured(collector: CollectorProcess, sender: Sender, ours: Client, rate: float, seconds: float) -> dict[str, Any]:
    kinds = processes.of(collector.pid)
    idle = _memory(kinds)
    before = {pid: processes.cpu_seconds(pid) for pid in kinds}
    spent, slept = processes.machine()
    with Watch(collector) as watch:
        sender.begin(rate, seconds)
        sent = sender.end()
        ended = time.monotonic()
        spent_end, slept_end = processes.machine()
        late, found = _await_last(collector, ours, sent.flows, ended)
    settling, settled = site.settle_merges(ours, _SETTLING)
    used: dict[str, float] = defaultdict(float)
    for pid, kind in kinds.items():
        used[kind] += processes.cpu_seconds(pid) - before[pid]
    used["sender"] = sent.cpu_seconds
    books, disk = collector.books(), site.stored(ours)
    return {
        "bench": f"end_to_end_{rate / 1000:g}k", "value": round(sent.flows / sent.seconds), "unit": "flows/s",
        "seconds": round(sent.seconds, 2), **_losses(sent, books, found),
        "lag_seconds_max": watch.lag, "backlog_max": watch.backlog, "queryable_after_seconds": round(late, 2),
        "sender_behind_seconds": round(sent.behind, 3),
        "idle_share": round((slept_end - slept) / (spent_end - spent), 3),
        "cpu_seconds_per_million_flows": {kind: _per_million(value, sent) for kind, value in used.items()},
        "cpu_counted_to": "the end of merges" if settled else f"{_SETTLING:.0f} s after the last flow, still merging",
        "settling_seconds": round(settling, 1), "idle_mb": idle, "memory_mb": _memory(kinds), "peak_mb": _peak(kinds),
        "bytes_per_flow": round(disk.octets / max(disk.rows, 1), 2),
        "rollup_bytes_per_flow": round(disk.summed_octets / max(disk.rows, 1), 2),
    }  # fmt: skip


def _losses(sent: Sent, books: dict[str, Any], found: int) -> dict[str, Any]:
    """Return where flows were lost, from the sender to the query."""
    return {
        "sent_flows": sent.flows, "received_datagrams": books["received"], "stored_flows": books["stored"],
        "queried_flows": found, "lost_flows": sent.flows - found,
        "lost_datagrams": sent.datagrams + sent.announced - books["received"], "kernel_drops": books["kernel_drops"],
        "rejected_datagrams": books["datagrams_faulty"],
    }  # fmt: skip


def _await_last(collector: CollectorProcess, ours: Client, flows: int, ended: float) -> tuple[float, int]:
    """Return how many seconds after `ended` a query found the last flow that it ever did, and how many it found."""
    last, found = ended, -1
    while found < flows and time.monotonic() - ended < _LATEST:
        count = site.flows(ours)
        if count > found:
            last, found = time.monotonic(), count
        elif time.monotonic() - last > 3 and site.caught_up(collector.books()):
            break
        time.sleep(0.05)
    return last - ended, found


def _per_million(seconds: float, sent: Sent) -> float:
    return round(seconds / sent.flows * 1e6, 3)


def _memory(kinds: dict[int, str]) -> dict[str, int]:
    """Return each process's part of the memory, MB: resident pages that others share are shared out among them."""
    sizes = {name: processes.memory(pid) for name, pid in processes.named(kinds).items()}
    return {name: round(size.proportional) for name, size in sizes.items() if size}


def _peak(kinds: dict[int, str]) -> dict[str, int]:
    """Return what was resident of each process at most, MB, pages of the journal included."""
    sizes = {name: processes.memory(pid) for name, pid in processes.named(kinds).items()}
    return {name: round(size.peak) for name, size in sizes.items() if size}


def run(rates: Sequence[float], seconds: float, settings: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield the result of each rate, flows a second."""
    for rate in rates:
        yield load(rate, seconds, settings)
