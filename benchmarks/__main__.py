"""`make bench`: every benchmark, one JSON line a result; names choose some, --seconds shortens the load."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks import attribution, decode, end_to_end, header, peers


def main() -> None:
    """Run the benchmarks that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="decode, header, attribution, nfcapd, end_to_end")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the end-to-end load goes on")
    chosen = parser.parse_args()
    benches: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "decode": decode.run,
        "header": header.run,
        "attribution": attribution.run,
        "nfcapd": lambda: _nfcapd(),
        "end_to_end": partial(end_to_end.run, chosen.seconds),
    }
    unknown = set(chosen.names) - set(benches)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(benches)}")
    for name, bench in benches.items():
        if not chosen.names or name in chosen.names:
            for result in bench():
                print(json.dumps(result), flush=True)


def _nfcapd() -> Iterator[dict[str, Any]]:
    """nfdump's collector in C on our datagrams: what it costs to write its own file."""
    from demo.encode import NetFlow9Exporter, Options

    flows = decode.v4_flows(100_000)
    measured = peers.measure_nfcapd(
        decode.exported(NetFlow9Exporter(1, 1_794_990_000_000, options=Options(sampler_rates=(1,))), flows), flows.rows
    )
    if measured is not None:
        extra = {name: value for name, value in measured.items() if name != "cpu_seconds"}
        yield {"bench": "peer_nfcapd", "value": measured["cpu_seconds"], "unit": "CPU-seconds per 1M flows", **extra}


if __name__ == "__main__":
    main()
