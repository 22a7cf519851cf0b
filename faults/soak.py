"""`make soak`: a steady load for half an hour after warming up, and whether memory stays flat and the lag short.

What a process keeps is the least of each minute: merges and blocks take more for a moment and give it back. A worker is
between two blocks for a moment only, so that it is looked at twenty times a second. It grows by a line through all
pairs of minutes (Theil and Sen: the median of their slopes); warming up is left out. Memory is anonymous: what files
are behind, as the journal's segments, is the page cache's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks import processes, site
from benchmarks.__main__ import rate_of
from benchmarks.sender import Sender, Sent
from demo.collector_process import CollectorProcess
from faults.report import machine
from settings.errors import RefusalError

_EXPORTERS = 8
_WHOLE_EVERY, _LAG_EVERY, _MEMORY_EVERY = 5.0, 0.5, 0.05
_MINUTE = 60.0
_WARM_UP = 600.0
"""Seconds. ClickHouse keeps merged parts for 480 s (`old_parts_lifetime`), and what it knows of each takes memory."""
_WARM_UP_SHARE = 1 / 4
"""Of a soak too short for all of _WARM_UP."""
_GROWTH, _LAG = 0.05, 3.0
_SETTLE = 60.0
_OF_MEMORY = """\
Memory is anonymous: what files are behind, as the journal, is the page cache's, and only in the last column (PSS). What
is kept is the least of each minute; its growth is by a line through all minutes behind the warm-up (Theil and Sen).
Median and most have what merges and blocks take for a moment. All but the growth in MB.

| process | kept when warm | kept at the end | growth | median | most | most, with files |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |""".splitlines()
_JOURNAL = "journal: {max_size: 4GiB, segment_size: 64MiB}"


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process's anonymous memory, MB: what it keeps when warm and at the end, by a line; the median, the most.

    `proportional` is the most with what files are behind.
    """

    name: str
    warm: float
    end: float
    middle: float
    peak: float
    proportional: float

    @property
    def share(self) -> float:
        """Growth after warming up, as a part of what it was then."""
        return self.end / self.warm - 1


@dataclass(slots=True)
class Samples:
    """What was measured: lags, and of each process (second, MB) of its memory.

    `anonymous` is what no file is behind, `proportional` all, with its part of what is shared.
    """

    lags: list[float] = field(default_factory=list)
    anonymous: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    proportional: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def take_whole(self, second: float, pids: Mapping[str, int]) -> None:
        """Add the memory of processes with what files are behind."""
        for name, pid in pids.items():
            if size := processes.memory(pid):
                self.proportional[name].append((second, size.proportional))

    def take_anonymous(self, second: float, pids: Mapping[str, int]) -> None:
        """Add what no file is behind."""
        for name, pid in pids.items():
            if size := processes.anonymous(pid):
                self.anonymous[name].append((second, size))

    def growths(self, warm_up: float) -> Iterator[Growth]:
        """Yield the growth of each process behind the first `warm_up` seconds."""
        for name in self.proportional:
            second, size = np.array([row for row in self.anonymous[name] if row[0] >= warm_up]).reshape(-1, 2).T
            minutes, begins = np.unique(second // _MINUTE, return_index=True)
            if len(minutes) > 2:
                warm, end = fitted(minutes, np.minimum.reduceat(size, begins))
                most = max(whole for at, whole in self.proportional[name] if at >= warm_up)
                yield Growth(name, warm, end, float(np.median(size)), float(size.max()), most)


def fitted(times: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return the values, at the first and the last of `times`, of the line of Theil and Sen through `values`."""
    one, other = np.triu_indices(len(times), 1)
    slope = float(np.median((values[other] - values[one]) / (times[other] - times[one])))
    base = float(np.median(values - slope * times))
    return base + slope * float(times[0]), base + slope * float(times[-1])


@dataclass(frozen=True, slots=True)
class Soak:
    """What came of it."""

    rate: float
    sent: Sent
    stored: int
    lag: float
    growths: Sequence[Growth]
    findings: Sequence[str]


def run(rate: float, minutes: float, settings: Sequence[str] = ()) -> Soak:
    """Run a collector under a steady load of `rate` flows a second."""
    directory = Path(tempfile.mkdtemp(prefix="flowkeep-soak-"))
    config, port = site.write(directory, _EXPORTERS, (_JOURNAL, *settings))
    try:
        with Sender(port, _EXPORTERS) as sender, CollectorProcess(config, directory / "log") as collector:
            seconds = minutes * 60
            sender.begin(rate, seconds)
            samples = _sample(collector, seconds)
            sent = sender.end()
            stored = _await_stored(collector, sent.flows)
        growths = list(samples.growths(min(_WARM_UP, seconds * _WARM_UP_SHARE)))
        lag = max(samples.lags, default=0.0)
        return Soak(rate, sent, stored, lag, growths, list(_findings(sent, stored, lag, growths)))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _sample(collector: CollectorProcess, seconds: float) -> Samples:
    samples, begun, whole_at, lag_at = Samples(), time.monotonic(), 0.0, 0.0
    pids: dict[str, int] = {}
    while (second := time.monotonic() - begun) < seconds:
        if second >= lag_at:
            lag_at = second + _LAG_EVERY
            with contextlib.suppress(OSError):
                samples.lags.append(collector.books()["lag_seconds"])
        if second >= whole_at:
            whole_at = second + _WHOLE_EVERY
            pids = processes.named(processes.of(collector.pid))
            samples.take_whole(second, pids)
        samples.take_anonymous(second, pids)
        time.sleep(max(_MEMORY_EVERY - (time.monotonic() - begun - second), 0))
    return samples


def _await_stored(collector: CollectorProcess, flows: int) -> int:
    """Return how many flows a query finds in the end."""
    deadline = time.monotonic() + _SETTLE
    with site.client(collector.config) as client:
        while (stored := site.flows(client)) < flows and time.monotonic() < deadline:
            time.sleep(0.5)
    return stored


def _findings(sent: Sent, stored: int, lag: float, growths: Sequence[Growth]) -> Iterator[str]:
    if stored != sent.flows:
        yield f"{sent.flows:,} flows were sent and {stored:,} are stored"
    if lag > _LAG:
        yield f"the lag was {lag:.1f} s at most, more than {_LAG:.0f}"
    for growth in growths:
        if growth.share > _GROWTH:
            yield f"the memory of {growth.name} grew by {growth.share:.1%} after warming up, more than {_GROWTH:.0%}"
    if not growths:
        yield "there were too few samples of memory"


def page(soak: Soak, commit: str) -> str:
    """Return the report in Markdown."""
    lines = ["# Soak", "", "<!-- Written by `make soak`; do not edit. -->", "", "| what | figure |", "| --- | --- |"]
    rows = [
        ("commit", commit),
        ("run", f"{datetime.now(UTC):%Y-%m-%d}, {soak.sent.seconds / 60:.0f} minutes"),
        ("machine", machine()),
        ("load", f"{soak.sent.flows / soak.sent.seconds:,.0f} flows/s"),
        ("flows sent, stored", f"{soak.sent.flows:,}, {soak.stored:,}"),
        ("longest lag (s)", f"{soak.lag:.2f}"),
    ]
    lines += [f"| {what} | {figure} |" for what, figure in rows]
    lines += ["", *_OF_MEMORY]
    for one in soak.growths:
        kept = f"{one.warm:.0f} | {one.end:.0f} | {one.share:+.1%}"
        lines.append(f"| {one.name} | {kept} | {one.middle:.0f} | {one.peak:.0f} | {one.proportional:.0f} |")
    lines += ["", "## Findings", "", *([f"- {finding}" for finding in soak.findings] or ["None."])]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run what the command line asks for; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=40.0, help="how long, the first ten for warming up")
    parser.add_argument("--rate", type=rate_of, default="200k", help="flows a second")
    parser.add_argument("--workers", type=int, default=1, help="the configuration's `workers`")
    parser.add_argument("--report", type=Path, help="file for the report; without it, it is printed")
    parser.add_argument("--commit", default="unknown", help="what to name in the report")
    chosen = parser.parse_args()
    try:
        soak = run(chosen.rate, chosen.minutes, [f"workers: {chosen.workers}"])
    except RefusalError as error:
        print(error, file=sys.stderr)
        return 1
    text = page(soak, chosen.commit)
    if chosen.report:
        chosen.report.write_text(text)
    else:
        print(text, end="")
    growth = {one.name: round(one.share, 4) for one in soak.growths}
    figures = {"flows": soak.sent.flows, "stored": soak.stored, "lag_seconds_max": soak.lag, "growth": growth}
    print(json.dumps({"bench": "soak", **figures, "findings": soak.findings}), file=sys.stderr)
    return int(bool(soak.findings))


if __name__ == "__main__":
    sys.exit(main())
