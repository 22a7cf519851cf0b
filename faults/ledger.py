"""What was sent against what is stored: every flow carries a number of its own, so that each can be told.

Flow `n`, from 1 on, is the record `(n - 1) % 24` of datagram `(n - 1) // 24`; datagrams go out in batches, which the
exporters send in turn.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmarks.pool import BATCH, BATCH_FLOWS, RECORDS, ids_of
from benchmarks.sender import Sent
from benchmarks.site import rollups
from storage.client import Client

_CHUNK = 5_000_000
"""Numbers that are told apart at once: a million takes ClickHouse some 30 MB."""
_WORD = 2**64
Numbers = npt.NDArray[np.int64]


@dataclass(slots=True)
class Found:
    """What a look at the tables found: the datagrams that are not there, by number, and what is wrong."""

    missing: Numbers
    stored_flows: int
    wrong: list[str] = field(default_factory=list)

    def runs(self, exporters: int) -> int:
        """Return of how many runs, each without a gap, the missing datagrams of the exporter with most are."""
        batch, place = np.divmod(self.missing, BATCH)
        number, order = batch % exporters, batch // exporters * BATCH + place
        parts = [np.sort(order[number == exporter]) for exporter in np.unique(number)]
        return max((1 + int(np.count_nonzero(np.diff(part) > 1)) for part in parts), default=0)


class Ledger:
    """Adds up what is known to be stored: count, sum and exclusive or of the numbers, modulo 2^64."""

    def __init__(self) -> None:
        self._known = (0, 0, 0)
        self._last = 0

    def look(self, client: Client, sent: Sent) -> Found:
        """Return what became of what was sent last, and whether everything from before is as it was."""
        first, end = sent.first * BATCH, sent.end * BATCH
        self._last = max(self._last, sent.end * BATCH_FLOWS)
        rows = _rows(client.text(
            f"SELECT intDiv(bytes - 1, {RECORDS}) AS datagram, count(), uniqExact(bytes) FROM flows "
            f"WHERE bytes BETWEEN {first * RECORDS + 1} AND {end * RECORDS} GROUP BY datagram ORDER BY datagram"
        ))  # fmt: skip
        datagrams, counts, distinct = rows.T
        found = Found(np.setdiff1d(np.arange(first, end), datagrams), int(counts.sum()))
        if twice := int((counts - distinct).sum()):
            found.wrong.append(f"{twice} flows are there twice")
        if parts := int(np.count_nonzero(distinct < RECORDS)):
            found.wrong.append(f"of {parts} datagrams only some flows are there")
        self._add(datagrams)
        self._check_totals(client, found)
        self._check_sums(client, found)
        return found

    def _add(self, datagrams: Numbers) -> None:
        ids = ids_of(datagrams).ravel()
        count, total, xor = self._known
        self._known = (
            count + len(ids),
            (total + int(ids.sum(dtype=np.uint64))) % _WORD,
            xor ^ int(np.bitwise_xor.reduce(ids, initial=0)),
        )

    def _check_totals(self, client: Client, found: Found) -> None:
        (row,) = client.query("SELECT count(), sum(bytes), groupBitXor(bytes) FROM flows").rows
        there = (int(row[0]), int(row[1]), int(row[2]))
        if there != self._known:
            found.wrong.append(f"count, sum and xor of all numbers are {there}, not {self._known}")
            self._known = there  # so that it is said once

    def _check_sums(self, client: Client, found: Found) -> None:
        """Tables that add flows up say the same as the flows themselves."""
        (raw,) = client.query("SELECT count(), sum(bytes), sum(packets) FROM flows").rows
        for table in rollups():
            side = "toString(side)" if table.startswith("as_") else "''"  # each flow is there once on either side
            sums = client.query(f"SELECT {side}, sum(flows), sum(bytes), sum(packets) FROM {table} GROUP BY 1").rows
            for place, *added in sums or [("", 0, 0, 0)]:
                if added != list(raw):
                    found.wrong.append(f"{table} {place}: flows, bytes and packets are {added}, not {list(raw)}")

    def look_at_all(self, client: Client) -> list[str]:
        """Return what is wrong with the numbers of the whole life of the tables: none may be there twice."""
        wrong, total = [], 0
        for first in range(1, self._last + 1, _CHUNK):
            ((count, distinct),) = client.query(
                f"SELECT count(), uniqExact(bytes) FROM flows WHERE bytes BETWEEN {first} AND {first + _CHUNK - 1}"
            ).rows
            total += int(distinct)
            if count != distinct:
                wrong.append(f"{count - distinct} of the numbers {first} to {first + _CHUNK - 1} are there twice")
        if total != self._known[0]:
            wrong.append(f"{total} different numbers are there, not {self._known[0]}")
        return wrong


def _rows(text: str) -> Numbers:
    return np.array(text.split(), np.int64).reshape(-1, 3)
