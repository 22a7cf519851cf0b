"""`make bench`: every benchmark, one JSON line a result; names choose some, --seconds shortens the load."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks import attribution, decode, end_to_end, header


def main() -> None:
    """Run the benchmarks that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="which; without any, all")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the end-to-end load goes on")
    chosen = parser.parse_args()
    benches: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "decode": decode.run,
        "decode_sflow": decode.run_sflow,
        "decode_interleaved": decode.run_interleaved,
        "decode_one_record": decode.run_one_record,
        "decode_variable": decode.run_variable,
        "header": header.run,
        "attribution": attribution.run,
        "end_to_end": partial(end_to_end.run, chosen.seconds),
    }
    unknown = set(chosen.names) - set(benches)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(benches)}")
    for name, bench in benches.items():
        if not chosen.names or name in chosen.names:
            for result in bench():
                print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
