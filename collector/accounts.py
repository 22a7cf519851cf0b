"""Keeps the daemon's books: what receiver, kernel and workers counted, what waits; the journal is bounded."""

from __future__ import annotations

import logging

from collector.books import SumOfBooks
from collector.clock import Clock
from collector.keeper import Bounds, Keeper
from collector.listeners import Drops, Listeners
from collector.metrics import Metrics
from collector.seldom import Seldom
from collector.tally import Count, Tally
from decoders.faults import Fault
from settings.config import Config

log = logging.getLogger("flowkeep")
_HOUR_MS = 3_600_000
_REFUSED = {Count.TCP_NOT_ALLOWED: "exporter_not_allowed", Count.TCP_TOO_MANY: "too_many"}
_CLOSED = {
    Count.TCP_BROKEN: "no_ipfix_message",
    Count.TCP_HALF_SENT: "message_half_sent",
    Count.TCP_IDLE: "idle",
    Count.TCP_RULES: "template_redefined",
}


class Accounts:
    """All counts; `take` them now and then."""

    def __init__(
        self,
        config: Config,
        keeper: Keeper,
        tally: Tally,
        listeners: Listeners,
        metrics: Metrics,
        clock: Clock,
        run: str,
    ) -> None:
        """`run` names the books of this run of the daemon."""
        self._config, self._keeper, self._tally, self._drops = config, keeper, tally, Drops(listeners)
        self._metrics, self._clock = metrics, clock
        self._books = SumOfBooks(run, metrics)
        self._counted: dict[Count, int] = {}
        self._dropped: dict[str, int] = {}
        self._evicted = 0
        self._say_evicted = Seldom()
        replayed = keeper.backlog()
        metrics.datagrams_received.inc(replayed)
        metrics.datagrams_replayed.inc(replayed)

    def take(self) -> None:
        """Bring counters and gauges up to date, and the journal within its bounds."""
        metrics, keeper = self._metrics, self._keeper
        positions = keeper.look()
        metrics.datagrams_received.inc(self._news(Count.RECEIVED))
        metrics.octets_received.inc(self._news(Count.OCTETS))
        self._take_tcp()
        faults = {Fault.EXPORTER_NOT_ALLOWED: Count.REFUSED, Fault.JOURNAL_FULL: Count.JOURNAL_FULL}
        metrics.count_faults({fault: news for fault, count in faults.items() if (news := self._news(count))})
        self._books.take([position.books for position in positions])
        metrics.rollup_flows_waiting.set(sum(group.flows for at in positions for group in at.rollups))
        keeper.delete_stored()
        self._bound_journal()
        oldest = keeper.oldest_waiting()
        metrics.journal_backlog.set(keeper.backlog())
        metrics.journal_octets.set(keeper.size())
        metrics.set_lag(max(self._clock.now_ms() - oldest, 0) / 1000 if oldest is not None else 0.0)
        for name, lost in zip(self._config.listen, self._drops.take(), strict=True):
            metrics.socket_drops.labels(name).inc(lost - self._dropped.get(name, 0))
            self._dropped[name] = lost

    def _take_tcp(self) -> None:
        metrics = self._metrics
        metrics.tcp_sessions.set(self._tally[Count.TCP_OPEN])
        metrics.tcp_opened.inc(self._news(Count.TCP_OPENED))
        for counter, reasons in ((metrics.tcp_refused, _REFUSED), (metrics.tcp_closed, _CLOSED)):
            for count, reason in reasons.items():
                if news := self._news(count):
                    counter.labels(reason).inc(news)

    def _news(self, count: Count) -> int:
        """Return by how much a counter of the receiver's has grown since it was last asked."""
        now = self._tally[count]
        before, self._counted[count] = self._counted.get(count, 0), now
        return now - before

    def _bound_journal(self) -> None:
        bounds = self._config.journal
        since = self._clock.now_ms() - int(bounds.max_age_hours * _HOUR_MS)
        gone = self._keeper.evict(Bounds(bounds.max_size, since, bounds.min_free))
        if gone:
            self._metrics.count_faults({Fault.JOURNAL_FULL: gone})
            self._evicted += gone
            if self._say_evicted():
                log.error(
                    "the journal is at a bound (max_size, max_age_hours, min_free): %d datagrams are gone so far",
                    self._evicted,
                )
