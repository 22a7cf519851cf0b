"""`make bench`: every benchmark, one JSON line a result, and a table of them in the end; names choose some."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks import attribution, decode, end_to_end, header, peer_loads, questions, reports, retention, stages, table

Bench = Callable[[], Iterator[dict[str, Any]]]
_PEERS_BEAR = 600_000
"""Flows a second that peers are measured at, at most: they have one rate to show what a flow costs them."""


def rate_of(text: str) -> float:
    """Return a rate such as 200k or 1M; ValueError for any other text."""
    number, scale = (text[:-1], {"k": 1e3, "M": 1e6}[text[-1]]) if text[-1:] in ("k", "M") else (text, 1.0)
    rate = float(number) * scale
    if not rate > 0:
        raise ValueError(f"{text}: a rate is above 0")
    return rate


def rates_of(text: str) -> list[float]:
    """Return rates such as 200k,1M; ValueError for any other text."""
    return [rate_of(one) for one in text.split(",")]


def _count_of(text: str) -> int:
    return int(rate_of(text))


def main() -> None:
    """Run the benchmarks that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="which; without any, all")
    parser.add_argument("--rate", type=rates_of, default="200k,300k,600k,1M", help="of the loads, flows/s: 200k,1M")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each load goes on")
    parser.add_argument("--flows", type=_count_of, default="20M", help="of the questions and reports: 20M, 100M")
    parser.add_argument("--workers", type=int, default=1, help="the configuration's `workers` under load")
    parser.add_argument("--sockets", type=int, default=1, help="the configuration's `sockets_per_port` under load")
    chosen = parser.parse_args()
    benches = _benches(chosen)
    unknown = set(chosen.names) - set(benches)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(benches)}")
    results = []
    for name, bench in benches.items():
        if not chosen.names or name in chosen.names:
            for result in bench():
                results.append(result)
                print(json.dumps(result), flush=True)
    for line in table.lines(results):
        print(line, file=sys.stderr)


def _benches(chosen: argparse.Namespace) -> dict[str, Bench]:
    settings = [f"workers: {chosen.workers}", f"sockets_per_port: {chosen.sockets}"]
    borne = max((rate for rate in chosen.rate if rate <= _PEERS_BEAR), default=_PEERS_BEAR)
    return {
        "decode": decode.run,
        "decode_sflow": decode.run_sflow,
        "decode_interleaved": decode.run_interleaved,
        "decode_one_record": decode.run_one_record,
        "decode_variable": decode.run_variable,
        "header": header.run,
        "attribution": attribution.run,
        "encode": stages.run_encode,
        "insert": stages.run_insert,
        "receive": partial(stages.run_receive, chosen.seconds),
        "end_to_end": partial(end_to_end.run, chosen.rate, chosen.seconds, settings),
        "questions": partial(questions.run, chosen.flows),
        "reports": partial(reports.run, chosen.flows),
        "retention": retention.run,
        "peers": partial(peer_loads.run, [borne], chosen.seconds),
    }


if __name__ == "__main__":
    main()
