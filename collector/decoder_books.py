"""Enters into the metrics what decoding told: of a block, of the exporters' numbering, and of what the decoders keep.

Exporters go by the names of the configuration, never by what a packet says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from collector.allow_list import NOT_LISTED, AllowList
from collector.dropped import NO_CATEGORY
from collector.journal import Block
from collector.metrics import Metrics
from decoders import Decoded, SequenceNews, State
from schema.batch import Flows
from schema.columns import FLOW_TYPES, SAMPLING_SOURCES
from settings.config import Config

_KNOWN_SENDERS = 65536
_SHARED_STREAMS = 65536


class _Numbering(NamedTuple):
    protocol: str
    unit: str


_NUMBERINGS = {
    5: _Numbering("netflow5", "flows"),
    9: _Numbering("netflow9", "packets"),
    10: _Numbering("ipfix", "records"),
    105: _Numbering("sflow", "datagrams"),
}
"""What sequence numbers count, by `SequenceNews.version`."""


class DecoderBooks:
    """Counts of one collector's decoding."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        self._metrics = metrics
        self._names = [exporter.name for exporter in config.exporters] + ["unlisted"]
        self._entries = AllowList([str(exporter.prefix) for exporter in config.exporters], unlisted=True)
        self._known: dict[bytes, str] = {}
        self._shared: set[tuple[bytes, int, int]] = set()
        self._shared_streams: Counter[str] = Counter()
        self._aged: set[str] = set()

    def exporter(self, sender: bytes) -> str:
        """Return the configured name of the exporter that sends from an address (16 octets), "unlisted" for others."""
        name = self._known.get(sender)
        if name is None:
            if len(self._known) >= _KNOWN_SENDERS:
                self._known.clear()
            entry = self._entries.entry(sender)
            name = self._known[sender] = self._names[-1 if entry is None or entry == NOT_LISTED else entry]
        return name

    def book(self, block: Block, decoded: Decoded, dropped: str | None) -> None:
        """Count a block; `dropped` says why its flows are not stored, None where they are."""
        metrics, flows = self._metrics, decoded.flows
        metrics.datagrams_decoded.inc(decoded.datagrams - decoded.datagrams_bad)
        metrics.count_faults(decoded.faults)
        for kind, octets in decoded.octets.items():
            metrics.octets_decoded.labels(kind.value).inc(octets)
        entries = np.bincount(np.minimum(block.entries, len(self._names) - 1), minlength=len(self._names))
        for name, count in zip(self._names, entries.tolist(), strict=True):
            if count:
                metrics.exporter_datagrams.labels(name).inc(count)
        for name, count in _counts(flows, "flow_type", FLOW_TYPES):
            metrics.records_decoded.labels(name).inc(count)
        for name, count in _counts(flows, "sampling_source", SAMPLING_SOURCES):
            metrics.sampling_sources.labels(name).inc(count)
        if dropped is None:
            metrics.records_stored.inc(flows.rows)
        elif flows.rows:
            metrics.records_dropped.labels(dropped).inc(flows.rows)
        metrics.sampling_unknown.inc(int(np.count_nonzero(flows.column("sampling_rate") == 0)))
        metrics.templates_received.inc(decoded.templates)
        metrics.option_records.inc(decoded.option_records)
        metrics.counter_samples.inc(decoded.counter_samples)
        for (of, _, _), count in decoded.passed_over.items():
            metrics.passed_over.labels(of).inc(count)
        for sender, count in decoded.agent_drops.items():
            metrics.agent_drops.labels(self.exporter(sender)).inc(count)
        self.book_sequence(decoded.sequence)

    def book_rows(self, counts: Mapping[str, int], dropped: Mapping[str, str]) -> None:
        """Count rows of tables other than flows; `dropped` says by table why they are not stored."""
        metrics = self._metrics
        for table, count in counts.items():
            metrics.rows_decoded.labels(table).inc(count)
            if table not in dropped:
                metrics.rows_stored.labels(table).inc(count)
            else:
                metrics.rows_dropped.labels(table, dropped[table]).inc(count)

    def book_unkept(self, counts: Mapping[str, int]) -> None:
        """Count rows that are not stored, because the policy does not name their category or disclose them."""
        self.book_rows(counts, dict.fromkeys(counts, NO_CATEGORY))

    def book_sequence(self, news: Sequence[SequenceNews]) -> None:
        """Count what the exporters' numbering told."""
        metrics = self._metrics
        for one in news:
            exporter = self.exporter(one.exporter)
            protocol, unit = _NUMBERINGS[one.version]
            metrics.sequence_lost.labels(exporter, protocol, unit).inc(one.lost)
            for counter, count in (
                (metrics.sequence_gaps, one.gaps),
                (metrics.sequence_reordered, one.reordered),
                (metrics.sequence_duplicates, one.duplicates),
                (metrics.sequence_resets, one.resets),
            ):
                counter.labels(exporter, protocol).inc(count)
            self._share((one.exporter, one.version, one.domain), exporter, one.shared)

    def _share(self, stream: tuple[bytes, int, int], exporter: str, shared: bool) -> None:
        """Keep which streams have several exporters; an exporter is shared as long as one of its streams is."""
        if shared == (stream in self._shared) or (shared and len(self._shared) >= _SHARED_STREAMS):
            return
        self._shared ^= {stream}
        self._shared_streams[exporter] += 1 if shared else -1
        self._metrics.sequence_shared.labels(exporter).set(self._shared_streams[exporter] > 0)

    def book_state(self, state: State, now_ms: int) -> None:
        """Say what the decoders keep; `now_ms` by the clock that `time_received` goes by."""
        metrics = self._metrics
        metrics.templates.set(len(state.templates.by_key))
        metrics.waiting_sets.set(state.waiting.sets)
        metrics.waiting_octets.set(state.waiting.octets)
        seen: dict[str, int] = {}
        for sender, at in state.templates.oldest().items():
            name = self.exporter(sender)
            seen[name] = min(at, seen.get(name, at))
        for name, at in seen.items():
            metrics.template_age.labels(name).set(max(now_ms - at, 0) / 1000)
        for name in self._aged - seen.keys():
            metrics.template_age.remove(name)
        self._aged = set(seen)


def _counts(flows: Flows, column: str, names: Sequence[str]) -> list[tuple[str, int]]:
    """Return how many flows have each value of a column that counts through `names`, where there are any."""
    values = flows.column(column)
    counts = [int(np.count_nonzero(values == code)) for code in range(len(names))]  # a tenth of what bincount takes
    return [(name, count) for name, count in zip(names, counts, strict=True) if count]
