"""The processes of a running collector, found by their command lines, and what they have used: from /proc."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

SUPERVISOR, RECEIVER, WORKER, CLICKHOUSE = "supervisor", "receiver", "worker", "clickhouse"
_KINDS = {"collector.receiver": RECEIVER, "cli.worker": WORKER, "storage.node_boot": CLICKHOUSE}
_TICK = os.sysconf("SC_CLK_TCK")
_IDLE = (3, 4)
"""Columns of /proc/stat: idle, and idle while a disk is waited for."""


class Memory(NamedTuple):
    """Of one process, in MB: resident now and at most, its part of what is shared, and what no file is behind."""

    resident: float
    peak: float
    proportional: float
    anonymous: float


def of(pid: int) -> dict[int, str]:
    """Return the kinds of the collector's processes by process id; `pid` is the supervisor.

    Today it decodes, too: there is no worker then.
    """
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (words := _stat(int(entry.name))):
            parents[int(entry.name)] = int(words[1])
    kinds = {pid: SUPERVISOR} if pid in parents else {}
    for child, parent in parents.items():
        kind = next((kind for word, kind in _KINDS.items() if word in _command(child)), None)
        if parent == pid and kind:
            kinds[child] = kind
    return kinds


def named(kinds: Mapping[int, str]) -> dict[str, int]:
    """Return process ids by names that are their kinds, with a number where there are several of a kind."""
    several = Counter(kinds.values())
    seen = Counter[str]()
    names = {}
    for pid, kind in sorted(kinds.items()):
        seen[kind] += 1
        names[f"{kind} {seen[kind]}" if several[kind] > 1 else kind] = pid
    return names


def _stat(pid: int) -> list[str]:
    """Return the words behind the process's name in its stat; none for one that has ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if words[0] in "ZX" else words


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def cpu_seconds(pid: int) -> float:
    """Return the seconds of a processor that a process has used; 0 for one that has ended."""
    words = _stat(pid)
    return (int(words[11]) + int(words[12])) / _TICK if words else 0.0


def memory(pid: int) -> Memory | None:
    """Return what memory a process has; None for one that has ended."""
    try:
        status = _fields(Path(f"/proc/{pid}/status").read_text())
        rollup = _fields(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:
        return None
    if "VmRSS" not in status or "Pss" not in rollup:
        return None
    return Memory(status["VmRSS"], status["VmHWM"], rollup["Pss"], rollup["Anonymous"])


def anonymous(pid: int) -> float | None:
    """Return the MB of a process that no file is behind, by the kernel's own count, which costs next to nothing."""
    try:
        return _fields(Path(f"/proc/{pid}/status").read_text()).get("RssAnon")
    except OSError:
        return None


def _fields(text: str) -> dict[str, float]:
    """Return the lines that are in kB, in MB."""
    lines = (line.split() for line in text.splitlines())
    return {words[0].rstrip(":"): int(words[1]) / 1024 for words in lines if words[-1:] == ["kB"]}


def machine() -> tuple[float, float]:
    """Return the seconds that the machine's processors have had, and those in which they were idle."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks) / _TICK, sum(ticks[column] for column in _IDLE) / _TICK
