"""A process that appends: `python -m tests.ledger.appending DIRECTORY ACTOR COUNT`, from the moment its input ends.

It prints each entry's number and hash when `append` has returned; segments are small, and old ones expire as it goes.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from ledger import writing
from ledger.book import Ledger
from ledger.expiry import expire
from tests.ledger.books import START


def main() -> None:
    """Append until COUNT entries are there, or for ever where that is 0."""
    directory, actor, count = sys.argv[1:]
    writing.SEGMENT_SIZE = 1500
    sys.stdin.read()
    ledger, done = Ledger(Path(directory)), 0
    while done < int(count) or count == "0":
        entry = ledger.append("plan", {"n": done}, actor=actor, now=START)
        print(entry.seq, entry.hash, flush=True)
        done += 1
        if count == "0" and done % 7 == 0:
            expire(ledger, START + timedelta(seconds=1), actor=actor, now=START)


if __name__ == "__main__":
    main()
