"""Every metric of the collector, an attribute of one object; the books of `flowkeep status` are read from it.

Names follow prometheus.io/docs/practices/naming. Label values come from configuration and closed lists, never from a
packet.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from decoders.faults import Fault
from schema.tables import DISCARDS

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside every counter, which nobody asks for
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counters and gauges in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._lag = 0.0
        self._count_flows()
        self._count_rows()
        self._count_numbering()
        self._watch_storage()
        self._watch_ourselves()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"flowkeep_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"flowkeep_{name}", text, labels, registry=self.registry)

    def _count_flows(self) -> None:
        self.datagrams_received = self._counter(
            "datagrams_received_total", "Datagrams received, or found in the journal at start."
        )
        self.datagrams_replayed = self._counter("datagrams_replayed_total", "Datagrams found in the journal at start.")
        self.datagrams_decoded = self._counter("datagrams_decoded_total", "Datagrams whose protocol header was sound.")
        self.octets_received = self._counter("datagram_octets_received_total", "Octets of the datagrams received.")
        self.exporter_datagrams = self._counter(
            "exporter_datagrams_total", "Datagrams by exporter, as configured.", "exporter"
        )
        self.datagrams_rejected = self._counter(
            "datagrams_rejected_total", "Datagrams that gave nothing, by why: faults of the unit datagram.", "reason"
        )
        self.faults = self._counter("faults_total", "Smaller faults, each reason in its own unit.", "reason", "unit")
        self.records_decoded = self._counter("records_decoded_total", "Flows decoded.", "flow_type")
        self.records_stored = self._counter("records_stored_total", "Flows that ClickHouse acknowledged.")
        self.records_dropped = self._counter("records_dropped_total", "Flows decoded but not stored.", "reason")
        self.sampling_unknown = self._counter(
            "sampling_unknown_records_total", "Flows whose sampling rate is not known."
        )
        self.sampling_sources = self._counter(
            "records_by_sampling_source_total", "Flows by what said their sampling rate.", "source"
        )
        self.octets_decoded = self._counter(
            "decoded_octets_total", "Octets of datagrams by what became of them.", "kind"
        )
        self.templates_received = self._counter("templates_received_total", "Template definitions received.")
        self.option_records = self._counter("option_records_total", "Options data records received.")
        self.counter_samples = self._counter("sflow_polled_samples_total", "sFlow counter samples received.")
        self.templates = self._gauge("templates", "Templates in force.")
        self.template_age = self._gauge(
            "template_age_seconds", "Age of the template that the exporter has not sent again for longest.", "exporter"
        )
        self.waiting_sets = self._gauge("waiting_sets", "Data sets that wait for their template.")
        self.waiting_octets = self._gauge("waiting_octets", "Octets of the data sets that wait for their template.")

    def _count_rows(self) -> None:
        self.rows_decoded = self._counter(
            "rows_decoded_total", "Rows decoded for tables other than flows: counters, discarded packets.", "table"
        )
        self.rows_stored = self._counter("rows_stored_total", "Those rows that ClickHouse acknowledged.", "table")
        self.rows_dropped = self._counter(
            "rows_dropped_total",
            "Those rows that are not stored: the policy names no such category, or ClickHouse refused them.",
            "table",
            "reason",
        )
        self.rollup_flows_waiting = self._gauge(
            "rollup_waiting_flows", "Flows that are stored and whose rollups are not yet."
        )
        self.passed_over = self._counter(
            "sflow_records_passed_over_total", "sFlow records, and samples, of structures that are not stored.", "kind"
        )
        self.agent_drops = self._counter(
            "sflow_agent_drops_total", "Packets that sFlow agents failed to sample for want of resources.", "exporter"
        )

    def _count_numbering(self) -> None:
        self.sequence_lost = self._counter(
            "sequence_lost_units_total",
            "What exporters numbered and never came, in the unit of the protocol.",
            "exporter",
            "protocol",
            "unit",
        )
        self.sequence_gaps = self._counter(
            "sequence_gaps_total", "Places where an exporter's numbering skipped ahead.", "exporter", "protocol"
        )
        self.sequence_reordered = self._counter(
            "sequence_reordered_total",
            "What came after later numbers, in the unit of the protocol.",
            "exporter",
            "protocol",
        )
        self.sequence_duplicates = self._counter(
            "sequence_duplicates_total", "What came twice, in the unit of the protocol.", "exporter", "protocol"
        )
        self.sequence_resets = self._counter(
            "sequence_resets_total", "Times that an exporter's numbering began anew.", "exporter", "protocol"
        )
        self.sequence_shared = self._gauge(
            "sequence_shared", "1 while several exporters number as if they were one: 'separate_ports'.", "exporter"
        )

    def _watch_storage(self) -> None:
        self.insert_seconds = Histogram(
            "flowkeep_clickhouse_insert_seconds", "Time of one insert.", buckets=_SECONDS, registry=self.registry
        )
        self.insert_retries = self._counter("clickhouse_insert_retries_total", "Inserts that had to be tried again.")
        self.journal_octets = self._gauge("journal_bytes", "Octets of the journal on disk.")
        self.journal_backlog = self._gauge(
            "journal_backlog_datagrams", "Datagrams in the journal that are not stored yet."
        )
        self._lag_seconds = self._gauge("lag_seconds", "Age of the oldest datagram that is not stored yet.")
        self.socket_drops = self._counter(
            "socket_drops_total", "Datagrams the kernel dropped for want of buffer.", "listener"
        )

    def _watch_ourselves(self) -> None:
        self.tcp_sessions = self._gauge("tcp_sessions", "TCP sessions that are open.")
        self.tcp_opened = self._counter("tcp_sessions_opened_total", "TCP sessions that were accepted.")
        self.tcp_refused = self._counter(
            "tcp_sessions_refused_total", "TCP connections that were not accepted.", "reason"
        )
        self.tcp_closed = self._counter("tcp_sessions_closed_total", "TCP sessions that we ended, by why.", "reason")
        self.allocations = self._gauge("allocations", "Allocations in force.")
        self.reloads = self._counter("reloads_total", "Reloads of allocations and policy.", "result")
        self.reload_failed = self._gauge(
            "reload_failed", "1 while the files on disk are not valid and older ones are in force."
        )
        self.purged_rows = self._counter("purge_rows_total", "Rows that purges have dropped, as their records say.")
        self.purged_octets = self._counter("purge_octets_total", "Octets on disk of the rows that purges have dropped.")
        self.oldest_row_age = self._gauge(
            "oldest_row_age_seconds", "How long ago the oldest row was received; 0 without rows.", "category", "class"
        )
        self.oldest_row_limit = self._gauge(
            "oldest_row_limit_seconds",
            "How old it may get by the policy, its day's width included.",
            "category",
            "class",
        )
        self.holds_active = self._gauge("holds_active", "Holds that are in force.")
        self.purged_at = self._gauge("purge_last_success_timestamp_seconds", "When a purge last came to its end.")
        self.ready = self._gauge("ready", "1 while what is received is stored.")
        self.restarts = self._counter(
            "process_restarts_total", "Processes of ours that ended and were started again.", "process"
        )

    def count_faults(self, faults: Mapping[Fault, int]) -> None:
        """Add counts of faults."""
        for fault, count in faults.items():
            if fault.unit == "datagram":
                self.datagrams_rejected.labels(fault.value).inc(count)
            else:
                self.faults.labels(fault.value, fault.unit).inc(count)

    def set_lag(self, seconds: float) -> None:
        """Say how old the oldest datagram is that is not stored yet."""
        self._lag = seconds
        self._lag_seconds.set(seconds)

    def books(self) -> dict[str, Any]:
        """Return the account of every datagram and every flow since `flowkeep run` began.

        `received` = `datagrams_decoded` + faults of the unit datagram + `waiting`; `decoded` = `stored` + `dropped`.
        These are flows. Of other tables, `decoded_rows` = `stored_rows` + `dropped_rows`; `discards` are among them.
        """
        rejected = _by_label(self.datagrams_rejected)
        return {
            "received": _value(self.datagrams_received),
            "replayed": _value(self.datagrams_replayed),
            "datagrams_decoded": _value(self.datagrams_decoded),
            "datagrams_faulty": sum(rejected.values()),
            "waiting": _value(self.journal_backlog),
            "decoded": sum(_by_label(self.records_decoded).values()),
            "flow_types": _by_label(self.records_decoded),
            "stored": _value(self.records_stored),
            "dropped": _by_label(self.records_dropped),
            **self._rows(),
            "faults": rejected | _by_label(self.faults),
            "kernel_drops": sum(_by_label(self.socket_drops).values()),
            "journal_bytes": _value(self.journal_octets),
            "lag_seconds": round(self._lag, 3),
            "sequence": self._sequence(),
            "tcp_sessions": {
                "open": _value(self.tcp_sessions),
                "opened": _value(self.tcp_opened),
                "refused": sum(_by_label(self.tcp_refused).values()),
                "closed": sum(_by_label(self.tcp_closed).values()),
            },
        }

    def _rows(self) -> dict[str, Any]:
        """Return what became of counters and discarded packets, and what their agents said of themselves."""
        decoded, dropped = _by_label(self.rows_decoded), collections.Counter[str]()
        for labels, count in _samples(self.rows_dropped):
            dropped[labels["reason"]] += count
        return {
            "counter_samples": _value(self.counter_samples),
            "discards": decoded.get(DISCARDS.name, 0),
            "decoded_rows": decoded,
            "stored_rows": _by_label(self.rows_stored),
            "dropped_rows": dict(dropped),
            "rollups_waiting": _value(self.rollup_flows_waiting),
            "passed_over": _by_label(self.passed_over),
            "agent_drops": _by_label(self.agent_drops),
        }

    def _sequence(self) -> dict[str, dict[str, Any]]:
        """Return by exporter what its numbering told; `lost` by unit, for protocols do not number the same things."""
        told: dict[str, dict[str, Any]] = {}

        def of(exporter: str) -> dict[str, Any]:
            return told.setdefault(
                exporter, {"lost": {}, "gaps": 0, "reordered": 0, "duplicates": 0, "resets": 0, "shared": False}
            )

        for labels, lost in _samples(self.sequence_lost):
            of(labels["exporter"])["lost"][labels["unit"]] = lost
        for name, counter in (
            ("gaps", self.sequence_gaps),
            ("reordered", self.sequence_reordered),
            ("duplicates", self.sequence_duplicates),
            ("resets", self.sequence_resets),
        ):
            for labels, count in _samples(counter):
                of(labels["exporter"])[name] += count
        for labels, shared in _samples(self.sequence_shared):
            of(labels["exporter"])["shared"] = bool(shared)
        return told


def _samples(metric: Counter | Gauge) -> list[tuple[dict[str, str], int]]:
    """Return a metric's labels and values."""
    return [(sample.labels, int(sample.value)) for family in metric.collect() for sample in family.samples]


def _by_label(metric: Counter | Gauge) -> dict[str, int]:
    """Return a metric's values by its one label (or its first), those that are not zero."""
    return {next(iter(labels.values()), ""): value for labels, value in _samples(metric) if value}


def _value(metric: Counter | Gauge) -> int:
    return _by_label(metric).get("", 0)
