"""`make fuzz INPUTS=...`: a campaign, and its report; `python -m fuzzing --replay FILE ...` shows findings again."""

from __future__ import annotations

import argparse
import math
import os
import sys
import warnings
from pathlib import Path

from fuzzing import findings
from fuzzing.campaign import run
from fuzzing.pace import Pace
from fuzzing.report import page
from fuzzing.worker import Plan, Worker

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run what the command line asks for; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__)
    parser.add_argument("--inputs", type=int, default=200_000, help="datagrams to decode")
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so long, however far it has come")
    parser.add_argument("--seed", type=int, default=1, help="what all datagrams follow from")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--findings", type=Path, default=ROOT / "build" / "fuzzing", help="folder for what is found")
    parser.add_argument("--among", default="", help="only seeds with this in their names, such as sflow")
    parser.add_argument("--report", type=Path, help="file for the report; without it, it is printed")
    parser.add_argument("--commit", default="unknown", help="what to name in the report")
    parser.add_argument("--replay", type=Path, nargs="+", help="files of findings to show again")
    chosen = parser.parse_args()
    if chosen.replay:
        return max(_replay(path) for path in chosen.replay)
    plan = Plan(chosen.seed, chosen.inputs, chosen.workers, True, chosen.findings, chosen.seconds, chosen.among)
    tally, died = run(plan, report_every=30.0)
    text = page(plan, tally, died, chosen.commit)
    if chosen.report:
        chosen.report.write_text(text)
    else:
        print(text, end="")
    if tally.findings or died:
        print(f"{len(tally.findings) + len(died)} findings, in {chosen.findings}", file=sys.stderr)
    return int(bool(tally.findings or died))


def _replay(path: Path) -> int:
    """Decode a finding again and say whether it still shows; 1 if so."""
    found = findings.read(path)
    if found.reason == findings.SLOW:
        index = len(found.datagrams) - 1
        ratio = Pace().again(found.sending, index, found.time, found.limits, found.state)
        print(f"{path.name}: {found.name}: {ratio:.2f} ms/KB, {found.ratio} when it was found")
        return int(ratio > 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reason = findings.broken(found) if found.alone else _replay_block(found)
    print(f"{path.name}: {found.name}: {reason or 'holds now'}")
    return int(reason is not None)


def _replay_block(found: findings.Finding) -> str | None:
    """Run the block of a finding that no sending of it shows by itself, and return what does not hold."""
    worker = Worker(Plan(found.campaign, 0, 1, False, ROOT / "build" / "fuzzing"), 0)
    worker.run_block(worker.source.block(found.block), closely=True, lasting=found.state())
    return "; ".join(reason for reason, _ in worker.tally.findings) or None


if __name__ == "__main__":
    sys.exit(main())
