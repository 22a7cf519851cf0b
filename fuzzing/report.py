"""The report of a campaign, as a page for docs/."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from decoders.faults import Fault
from fuzzing.checks import COUNTS_OCTETS
from fuzzing.findings import SLOW, Finding
from fuzzing.inputs import PLAIN
from fuzzing.seeds import CAPTURES
from fuzzing.tally import Tally
from fuzzing.worker import Plan

_SHOWN = 30
_RULES = (
    "Mutated datagrams, decoded in blocks of many exporters, under an empty state or one that lasts. No exception and",
    "no warning may come of them; columns have as many values as there are rows, rows can be shown, a state can be",
    "saved and loaded, octets add up to those received. A datagram may take 1 ms of the processor for each KB begun,",
    "beyond what a call with one record takes. The same seed and number of workers give the same datagrams again.",
)
_VERSIONS = {0: "none", 5: "NetFlow v5", 9: "NetFlow v9", 10: "IPFIX", 105: "sFlow"}


def page(plan: Plan, tally: Tally, died: list[str], commit: str) -> str:
    """Return the report in Markdown."""
    return "\n".join([*_head(plan, tally, commit), *_speed(tally), *_faults(tally), *_findings(tally, died)]) + "\n"


def _head(plan: Plan, tally: Tally, commit: str) -> Iterator[str]:
    yield "# Fuzzing"
    yield ""
    yield "<!-- Written by `make fuzz`; do not edit. -->"
    yield ""
    yield from _RULES
    yield ""
    yield "| what | figure |"
    yield "| --- | --- |"
    rows: list[tuple[str, object]] = [
        ("commit", commit),
        ("run", f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, NumPy {np.__version__}"),
        ("seed, workers", f"{plan.seed}, {plan.workers}"),
        ("only seeds with this in their names", plan.among or "all"),
        ("captures of vendors among the seeds", "yes" if CAPTURES.is_dir() else "no: they were not there"),
        ("datagrams", f"{tally.inputs:,} in {tally.blocks:,} blocks, {tally.octets / 1e9:.2f} GB"),
        ("seconds", f"{tally.seconds:,.0f}, {tally.inputs / max(tally.seconds, 1e-9):,.0f} datagrams/s"),
        ("flows, templates, options records, names",
         f"{tally.rows:,}, {tally.templates:,}, {tally.option_records:,}, {tally.names:,}"),
        ("counter samples, rows of counters, discarded packets",
         f"{tally.counter_samples:,}, {tally.counter_rows:,}, {tally.discards:,}"),
        ("octets accounted for", _accounted(tally) if COUNTS_OCTETS else "not checked: the decoders do not count them"),
        ("decoded together and apart, and compared", f"{tally.compared:,} datagrams"),
        ("workers' memory when warm, at most, in the end (MB)", "; ".join(
            f"{memory.start >> 20}, {memory.peak >> 20}, {memory.end >> 20}" for memory in tally.memory)),
        ("lasting states, at most (kB)", "; ".join(f"{memory.lasting >> 10}" for memory in tally.memory)),
    ]  # fmt: skip
    for what, figure in rows:
        yield f"| {what} | {figure} |"


def _accounted(tally: Tally) -> str:
    return ", ".join(f"{kind} {count / tally.octets:.1%}" for kind, count in tally.kinds.most_common())


def _speed(tally: Tally) -> Iterator[str]:
    yield ""
    yield "## Time"
    yield ""
    fixed = ", ".join(f"{_VERSIONS[version]} {seconds * 1e3:.2f}" for version, seconds in tally.fixed.items())
    yield f"{tally.timed:,} datagrams were timed sending by sending: all seeds as they are, and the slowest blocks."
    yield f"{tally.measured:,} of them were timed alone; {tally.slow:,} took longer than they may, five times in a row."
    yield f"A call with one record takes, in ms: {fixed}."
    yield ""
    yield "| ms/KB | octets | mutated from |"
    yield "| ---: | ---: | --- |"
    for slowness in tally.slowest:
        yield f"| {slowness.ratio:.2f} | {slowness.octets:,} | {slowness.name} |"


def _faults(tally: Tally) -> Iterator[str]:
    yield ""
    yield "## Faults"
    yield ""
    yield "| reason | times |"
    yield "| --- | ---: |"
    for fault in Fault:
        if tally.faults[fault]:
            yield f"| `{fault}` | {tally.faults[fault]:,} |"
    if tally.unseen:
        yield ""
        yield f"Not seen: {', '.join(f'`{fault}`' for fault in tally.unseen)}."


def _findings(tally: Tally, died: list[str]) -> Iterator[str]:
    yield ""
    yield "## Findings"
    yield ""
    found = sorted(tally.findings.values(), key=lambda one: (one.reason == SLOW, -one.ratio, -one.times))
    if not found and not died:
        yield "None."
        return
    for line in died:
        yield f"- {line}"
    for one in found[:_SHOWN]:
        yield f"- {_line(one)}"
    if len(found) > _SHOWN:
        yield f"- {len(found) - _SHOWN} more, in the folder of findings"


def _line(found: Finding) -> str:
    octets = sum(len(datagram) for datagram in found.datagrams) // 2
    what = f"slow, {found.ratio} times what is allowed" if found.reason == SLOW else found.reason
    size = f"{len(found.datagrams)} datagrams, {octets} octets" if found.alone else "only as a whole block"
    where = "as it is" if found.block == PLAIN else f"block {found.block} of seed {found.campaign}"
    return f"{what}: {found.times} times, {found.name}; {where}, {size}"
