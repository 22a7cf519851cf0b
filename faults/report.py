"""The report of a campaign, docs/fault_suite.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from faults.campaign import Campaign
from faults.kinds import CLOCK, DISK_FULL, KILLS, OTHERS
from faults.rounds import Outcome

_RULES = (
    "A collector under load of NetFlow v9, whose flows carry a number each, and a fault at a random moment of it.",
    "After each round and in the end: every flow is stored once, by count, by different numbers, by their sum and",
    "exclusive or; tables that add flows up say the same; the books account for every datagram. What may be missing",
    "is said below.",
)


def machine() -> str:
    """Return what the figures were taken on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    software = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, {software}"


def page(campaign: Campaign, commit: str) -> str:
    """Return the report in Markdown."""
    return "\n".join([*_head(campaign, commit), *_kinds(campaign), *_findings(campaign)]) + "\n"


def _head(campaign: Campaign, commit: str) -> Iterator[str]:
    yield from ("# Fault suite", "", "<!-- Written by `make test-faults`; do not edit. -->", "", *_RULES, "")
    outcomes = campaign.outcomes
    sent, stored = sum(one.sent for one in outcomes), sum(one.stored for one in outcomes)
    rows: list[tuple[str, object]] = [
        ("commit", commit),
        ("run", f"{datetime.now(UTC):%Y-%m-%d}, seed {campaign.seed}, {campaign.seconds / 60:.0f} minutes"),
        ("machine", machine()),
        ("load", f"{campaign.how.rate:,.0f} flows/s"),
        ("rounds", len(outcomes)),
        ("flows sent, stored", f"{sent:,}, {stored:,}"),
        ("datagrams received, by the books", f"{sum(one.received for one in outcomes):,}"),
        ("longest lag (s)", f"{max((one.lag_seconds for one in outcomes), default=0):.1f}"),
        ("findings", len(campaign.findings)),
    ]
    yield from ("| what | figure |", "| --- | --- |")
    for what, figure in rows:
        yield f"| {what} | {figure} |"


def _kinds(campaign: Campaign) -> Iterator[str]:
    yield ""
    heads = ("fault", "rounds", "flows sent", "flows stored", "datagrams missing", "kernel drops", "longest lag (s)")
    yield f"| {' | '.join(heads)} | may be missing |"
    yield "| --- |" + " ---: |" * (len(heads) - 1) + " --- |"
    for fault in (*KILLS, *OTHERS, DISK_FULL, CLOCK):
        ours = [one for one in campaign.outcomes if one.kind == fault.name]
        if ours:
            cells = (fault.name, *_figures(ours), fault.loss.value)
            yield f"| {' | '.join(cells)} |"


def _figures(outcomes: list[Outcome]) -> Iterator[str]:
    yield f"{len(outcomes)}"
    for name in ("sent", "stored", "missing", "kernel_drops"):
        yield f"{sum(getattr(one, name) for one in outcomes):,}"
    yield f"{max(one.lag_seconds for one in outcomes):.1f}"


def _findings(campaign: Campaign) -> Iterator[str]:
    yield from ("", "## Findings", "")
    if not campaign.findings:
        yield "None."
    for line in campaign.findings:
        yield f"- {line}"
