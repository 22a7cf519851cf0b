"""`python -m cli.worker`: a worker of the collector (`collector.worker`), started by `flowkeep run` alone."""

from __future__ import annotations

import json
import os
import sys

from cli import logs
from cli.sources import attribution
from collector.worker import work


def read_line(source: int) -> bytes:
    """Return the first line of a descriptor, and take no more from it: the next ones are for whoever polls it."""
    line = b""
    while not line.endswith(b"\n") and (octet := os.read(source, 1)):
        line += octet
    return line


def main() -> int:
    """Take the orders from standard input and work."""
    logs.begin()
    line = read_line(sys.stdin.fileno())
    if not line:
        return 0  # who started us ended before it could say what to do
    return work(json.loads(line), lambda files: attribution(*files))


if __name__ == "__main__":
    sys.exit(main())
