"""`make fuzz-reports SECONDS=600`: broken abuse reports by the hundred thousand, and what came of them.

Each is a sample that was changed, or several put into each other, read as a file of one of several names. No exception
may come of it, what is read has to hold (`tests.intake.test_fuzz.check`), and a megabyte may take 20 s of the processor
at most, beyond 250 ms. A number says which report it was: `--replay NUMBER` reads it again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from intake.read import read
from tests.intake.samples import ALL, NOW, zipped
from tests.intake.test_fuzz import PIECES, check

_NAMES = ("report.eml", "report.csv", "report.json", "report.txt", "report.zip", "report", "re\u202eport.gz")
_ONCE, _FOR_A_MEGABYTE = 0.25, 20.0
_WORDS = (b"192.0.2.7", b"2001:db8::7", b"2026-11-20 14:03", b"Nov 20 14:03:11", b"from ", b" to ", b"port 22", b"\t",
          b"{", b"}", b"[", b":", b"=\n", b"\r\n", b"\x00", b"multipart/mixed", b"Subject: ",
          b"charset=utf-16")  # fmt: skip


class Outcome(NamedTuple):
    """What came of a worker's reports: how many, their octets, counts by what was read of them, and findings."""

    reports: int
    octets: int
    counts: Counter[str]
    slowest: tuple[float, int]
    findings: list[str]


def broken(number: int) -> tuple[str, bytes]:
    """Return the name and the octets of one broken report; they follow from its number."""
    rng = random.Random(number)
    samples = [ALL[name] for name in sorted(ALL)]
    octets = bytearray(rng.choice(samples))
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8, 40))):
        _change(rng, octets, samples)
    if rng.random() < 0.05:
        octets = bytearray(zipped({rng.choice(_NAMES): bytes(octets), "b.csv": rng.choice(samples)}))
    return rng.choice(_NAMES), bytes(octets[: 1 << 20])


def _change(rng: random.Random, octets: bytearray, samples: list[bytes]) -> None:
    place = rng.randrange(len(octets) + 1)
    end = place + rng.choice((1, 2, 8, 80, 800))
    match rng.randrange(8):
        case 0:
            octets[place:end] = bytes(rng.randrange(256) for _ in octets[place:end])
        case 1:
            del octets[place:end]
        case 2:
            octets[place:place] = octets[place:end] * rng.choice((1, 2, 50))
        case 3:
            octets[place:place] = rng.choice(PIECES)
        case 4:
            octets[place:place] = b"".join(rng.choice(_WORDS) for _ in range(rng.choice((1, 4, 30))))
        case 5:
            other = rng.choice(samples)
            start = rng.randrange(len(other))
            octets[place:end] = other[start : start + rng.choice((20, 400, 4000))]
        case 6:
            octets[place:place] = rng.choice(_WORDS) * rng.choice((10, 1000, 20_000))
        case _:
            del octets[max(place, 1) :]


def run(first: int, step: int, seconds: float) -> Outcome:
    """Read every `step`th report from the one numbered `first` on, for so long."""
    counts: Counter[str] = Counter()
    findings: list[str] = []
    slowest, octets_read, done, end = (0.0, first), 0, 0, time.monotonic() + seconds
    number = first
    while time.monotonic() < end:
        name, octets = broken(number)
        begun = time.process_time()
        try:
            message = read(octets, name, NOW)
            took = time.process_time() - begun
            check(message)
        except Exception:
            findings.append(f"{number}: {traceback.format_exc(limit=-3)}")
        else:
            counts.update(report.form for report in message.reports)
            counts["unread"] += len(message.unread)
            counts["nothing"] += not message.reports
            share = max(took - _ONCE, 0) / (_FOR_A_MEGABYTE * len(octets) / 2**20 + 1e-9)
            slowest = max(slowest, (share, number))
            if share > 1:
                findings.append(f"{number}: {len(octets):,} octets took {took:.2f} s")
        octets_read, done, number = octets_read + len(octets), done + 1, number + step
    return Outcome(done, octets_read, counts, slowest, findings)


def page(outcomes: list[Outcome], commit: str) -> Iterator[str]:
    """Yield the lines of the report in Markdown."""
    counts = sum((one.counts for one in outcomes), Counter[str]())
    share, number = max(one.slowest for one in outcomes)
    forms = ", ".join(f"{name} {count:,}" for name, count in counts.most_common() if name not in ("unread", "nothing"))
    yield from ("# Fuzzing of abuse reports", "", "<!-- Written by `make fuzz-reports`; do not edit. -->", "")
    yield from ("| what | figure |", "| --- | --- |")
    yield f"| commit, run | {commit}, {datetime.now(UTC):%Y-%m-%d}, Python {sys.version.split()[0]} |"
    reports, octets = sum(one.reports for one in outcomes), sum(one.octets for one in outcomes)
    yield f"| broken reports read | {reports:,}, {octets / 2**20:,.0f} MiB |"
    yield f"| claims in them | {forms} |"
    yield f"| nothing to be read in | {counts['nothing']:,} |"
    yield f"| parts that were listed as unread | {counts['unread']:,} |"
    yield f"| nearest to the bound of time | {share:.2f} of it (report {number}) |"
    yield f"| findings | {sum(len(one.findings) for one in outcomes)} |"


def main() -> int:
    """Run what the command line asks for; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.intake.campaign", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--commit", default="unknown")
    parser.add_argument("--replay", type=int)
    chosen = parser.parse_args()
    if chosen.replay is not None:
        name, octets = broken(chosen.replay)
        check(read(octets, name, NOW))
        return 0
    begins = [chosen.seed * 10**9 + number for number in range(chosen.workers)]
    with ProcessPoolExecutor(chosen.workers) as pool:
        outcomes = [each.result() for each in [pool.submit(run, one, chosen.workers, chosen.seconds) for one in begins]]
    text = "\n".join(page(outcomes, chosen.commit)) + "\n"
    if chosen.report:
        chosen.report.write_text(text)
    else:
        print(text, end="")
    found = [finding for one in outcomes for finding in one.findings]
    print("\n".join(found[:20]), file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
