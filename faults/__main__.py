"""`make test-faults`: a campaign of faults against a collector under load, one JSON line a round, and its report."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.__main__ import rate_of
from faults.campaign import Campaign, run
from faults.report import page
from faults.rounds import Intensity, Outcome


def main() -> int:
    """Run what the command line asks for; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="kills at random moments; each other fault comes once")
    parser.add_argument("--rate", type=rate_of, default="200k", help="flows a second")
    parser.add_argument("--seconds", type=float, default=6.0, help="of load in a round")
    parser.add_argument("--away", type=float, default=60.0, help="seconds for which ClickHouse goes away")
    parser.add_argument("--seed", type=int, default=1, help="what order and moments follow from")
    parser.add_argument("--workers", type=int, default=1, help="the configuration's `workers`")
    parser.add_argument("--report", type=Path, help="file for the report; without it, it is printed")
    parser.add_argument("--commit", default="unknown", help="what to name in the report")
    chosen = parser.parse_args()
    how = Intensity(chosen.rate, chosen.seconds, chosen.away)
    campaign = Campaign(chosen.seed, how, [f"workers: {chosen.workers}"])
    run(campaign, chosen.rounds, lambda outcome: _tell(campaign, outcome))
    text = page(campaign, chosen.commit)
    if chosen.report:
        chosen.report.write_text(text)
    else:
        print(text, end="")
    if campaign.findings:
        print(f"{len(campaign.findings)} findings; kept: {', '.join(map(str, campaign.kept))}", file=sys.stderr)
    return int(bool(campaign.findings))


def _tell(campaign: Campaign, outcome: Outcome) -> None:
    number = len(campaign.outcomes)
    print(json.dumps({"round": number, **outcome.as_json()}), flush=True)
    found = "; ".join(outcome.findings) or f"well, {outcome.stored:,} of {outcome.sent:,} flows stored"
    print(f"round {number}: {outcome.did or outcome.kind}: {found}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
