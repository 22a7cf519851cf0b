"""Every metric of the collector, an attribute of one object; the books of `flowkeep status` are read from it.

Names follow prometheus.io/docs/practices/naming. Label values come from configuration and closed lists, never from a
packet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from decoders.faults import Fault

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a series beside every counter, which nobody asks for
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """Counters and gauges in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"flowkeep_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"flowkeep_{name}", text, labels, registry=registry)

        self.datagrams_received = counter(
            "datagrams_received_total", "Datagrams received, or found in the journal at start."
        )
        self.datagrams_replayed = counter("datagrams_replayed_total", "Datagrams found in the journal at start.")
        self.datagrams_decoded = counter("datagrams_decoded_total", "Datagrams whose protocol header was sound.")
        self.octets_received = counter("datagram_octets_received_total", "Octets of the datagrams received.")
        self.exporter_datagrams = counter(
            "exporter_datagrams_total", "Datagrams by exporter, as configured.", "exporter"
        )
        self.datagrams_rejected = counter(
            "datagrams_rejected_total", "Datagrams that gave nothing, by why: faults of the unit datagram.", "reason"
        )
        self.faults = counter("faults_total", "Smaller faults, each reason in its own unit.", "reason", "unit")
        self.records_decoded = counter("records_decoded_total", "Flows decoded.", "flow_type")
        self.records_stored = counter("records_stored_total", "Flows that ClickHouse acknowledged.")
        self.records_dropped = counter("records_dropped_total", "Flows decoded but not stored.", "reason")
        self.sampling_unknown = counter("sampling_unknown_records_total", "Flows whose sampling rate is not known.")
        self.sampling_sources = counter(
            "records_by_sampling_source_total", "Flows by what said their sampling rate.", "source"
        )
        self.sequence_lost = counter(
            "sequence_lost_units_total",
            "What exporters numbered and never came, in the unit of the protocol.",
            "exporter",
            "protocol",
            "unit",
        )
        self.sequence_gaps = counter(
            "sequence_gaps_total", "Places where an exporter's numbering skipped ahead.", "exporter", "protocol"
        )
        self.sequence_reordered = counter(
            "sequence_reordered_total", "Messages that came after later ones.", "exporter", "protocol"
        )
        self.sequence_duplicates = counter(
            "sequence_duplicates_total", "Messages that came twice.", "exporter", "protocol"
        )
        self.sequence_resets = counter(
            "sequence_resets_total", "Times that an exporter's numbering began anew.", "exporter", "protocol"
        )
        self.sequence_shared = gauge(
            "sequence_shared", "1 while several exporters number as if they were one: 'separate_ports'.", "exporter"
        )
        self.octets_decoded = counter("decoded_octets_total", "Octets of datagrams by what became of them.", "kind")
        self.templates_received = counter("templates_received_total", "Template definitions received.")
        self.option_records = counter("option_records_total", "Options data records received.")
        self.counter_samples = counter("sflow_polled_samples_total", "sFlow counter samples received.")
        self.templates = gauge("templates", "Templates in force.")
        self.template_age = gauge(
            "template_age_seconds", "Age of the template that the exporter has not sent again for longest.", "exporter"
        )
        self.waiting_sets = gauge("waiting_sets", "Data sets that wait for their template.")
        self.waiting_octets = gauge("waiting_octets", "Octets of the data sets that wait for their template.")
        self.insert_seconds = Histogram(
            "flowkeep_clickhouse_insert_seconds", "Time of one insert.", buckets=_SECONDS, registry=registry
        )
        self.insert_retries = counter("clickhouse_insert_retries_total", "Inserts that had to be tried again.")
        self.journal_octets = gauge("journal_bytes", "Octets of the journal on disk.")
        self.journal_backlog = gauge("journal_backlog_datagrams", "Datagrams in the journal that are not stored yet.")
        self._lag = 0.0
        self._lag_seconds = gauge("lag_seconds", "Age of the oldest datagram that is not stored yet.")
        self.socket_drops = counter(
            "socket_drops_total", "Datagrams the kernel dropped for want of buffer.", "listener"
        )
        self.tcp_sessions = gauge("tcp_sessions", "TCP sessions that are open.")
        self.tcp_opened = counter("tcp_sessions_opened_total", "TCP sessions that were accepted.")
        self.tcp_refused = counter("tcp_sessions_refused_total", "TCP connections that were not accepted.", "reason")
        self.tcp_closed = counter("tcp_sessions_closed_total", "TCP sessions that we ended, by why.", "reason")
        self.allocations = gauge("allocations", "Allocations in force.")
        self.reloads = counter("reloads_total", "Reloads of allocations and policy.", "result")
        self.reload_failed = gauge(
            "reload_failed", "1 while the files on disk are not valid and older ones are in force."
        )
        self.purged_rows = counter("purge_rows_total", "Rows that purges have dropped, as their records say.")
        self.purged_at = gauge("purge_last_success_timestamp_seconds", "When a purge last came to its end.")
        self.ready = gauge("ready", "1 while what is received is stored.")
        self.restarts = counter(
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
