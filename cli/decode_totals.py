"""What `flowkeep decode --stats` tells: the counts of all blocks, added up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from decoders import Datagrams, Decoded
from decoders.block import Octets, SequenceNews
from schema.render import address_text

_STRUCTURES = 4096
"""Structures passed over that are told apart; later ones are counted as 0:0."""


class Totals:
    """Adds up blocks as they are decoded."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._octets: Counter[str] = Counter()
        self._discards = 0
        self._counter_rows: Counter[str] = Counter()
        self._passed_over: Counter[tuple[str, int, int]] = Counter()
        self._agent_drops: Counter[bytes] = Counter()
        self._received = 0
        self._sequence: dict[tuple[bytes, int, int], SequenceNews] = {}

    def received(self, block: Datagrams) -> None:
        """Count the octets of a block that is to be decoded."""
        self._received += int(block.lengths.sum())

    def add(self, decoded: Decoded) -> None:
        """Count what a block, or the end of the input, gave."""
        self._counts.update(
            datagrams=decoded.datagrams,
            flows=decoded.flows.rows,
            templates=decoded.templates,
            option_records=decoded.option_records,
            counter_samples=decoded.counter_samples,
            names=len(decoded.names),
            sequence_gaps=decoded.sequence_gaps,
        )
        self._faults.update({fault.value: count for fault, count in decoded.faults.items()})
        self._octets.update({kind.value: count for kind, count in decoded.octets.items()})
        self._discards += decoded.discards.rows
        self._counter_rows.update({table: rows.rows for table, rows in decoded.counters.items()})
        for which, count in decoded.passed_over.items():
            has_room = which in self._passed_over or len(self._passed_over) < _STRUCTURES
            self._passed_over[which if has_room else (which[0], 0, 0)] += count
        self._agent_drops.update(decoded.agent_drops)
        for news in decoded.sequence:
            key = (news.exporter, news.version, news.domain)
            known = self._sequence.get(key)
            self._sequence[key] = _joined(known, news) if known else news

    def shown(self) -> dict[str, Any]:
        """Return all counts, ready for JSON; those of octets and of faults by kind, of numbering by stream.

        Rows of counters are told by table, what was passed over by structure, what agents dropped by their senders.
        """
        return {
            **self._counts,
            "octets": {"received": self._received, **{kind.value: self._octets[kind.value] for kind in Octets}},
            "sequence": [
                {**news._asdict(), "exporter": address_text(news.exporter)} for news in self._sequence.values()
            ],
            "faults": dict(sorted(self._faults.items())),
            "discards": self._discards,
            "counter_rows": dict(sorted(self._counter_rows.items())),
            "passed_over": {
                f"{kind} {enterprise}:{format_}": count
                for (kind, enterprise, format_), count in sorted(self._passed_over.items())
            },
            "agent_drops": {address_text(sender): count for sender, count in sorted(self._agent_drops.items())},
        }


def _joined(known: SequenceNews, news: SequenceNews) -> SequenceNews:
    return SequenceNews(
        *known[:3],
        lost=known.lost + news.lost,
        gaps=known.gaps + news.gaps,
        reordered=known.reordered + news.reordered,
        duplicates=known.duplicates + news.duplicates,
        resets=known.resets + news.resets,
        shared=known.shared or news.shared,
    )
