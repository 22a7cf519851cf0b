"""Who holds one prefix from when to when, apart from the prefix: what history is compared and merged by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple, TypeAlias

from tenants.allocations import Allocation
from tenants.cells import ALWAYS, FOREVER

Network: TypeAlias = IPv4Network | IPv6Network

_EPOCH = datetime(1970, 1, 1)
_ZONES = (
    (timedelta(0), "Z"),
    (timedelta(hours=23, minutes=59), "+23:59"),
    (timedelta(hours=-23, minutes=-59), "-23:59"),
)


class Holding(NamedTuple):
    """A tenant, and as what it holds a prefix; None is where nothing is said."""

    tenant: str
    resource: str | None = None
    service: str | None = None
    region: str | None = None
    retention_class: str | None = None


class Span(NamedTuple):
    """A holding from `start` (inclusive) to `end` (exclusive), ms; `ALWAYS` and `FOREVER` where unbounded."""

    start: int
    end: int
    holding: Holding

    def covers(self, time: int) -> bool:
        """Return whether it holds at `time`, ms."""
        return self.start <= time < self.end

    def meets(self, other: Span) -> bool:
        """Return whether the two have any moment in common."""
        return self.start < other.end and other.start < self.end


def span_of(row: Allocation) -> Span:
    """Return what an allocation says of its prefix."""
    holding = Holding(row.tenant, row.resource, row.service, row.region, row.retention_class)
    start = ALWAYS if row.valid_from is None else row.valid_from
    return Span(start, FOREVER if row.valid_to is None else row.valid_to, holding)


def allocation_of(prefix: Network, span: Span) -> Allocation:
    """Return the allocation of `prefix` that a span makes; it stands in no line of a file."""
    tenant, resource, service, region, retention_class = span.holding
    start = None if span.start == ALWAYS else span.start
    end = None if span.end == FOREVER else span.end
    return Allocation(prefix, tenant, resource, retention_class, start, end, 0, service, region)


def outside(span: Span, others: Iterable[Span]) -> Iterator[Span]:
    """Yield what of a span is in none of `others`, which are in order of time and do not overlap."""
    start = span.start
    for other in others:
        if other.end <= start:
            continue
        if other.start >= span.end:
            break
        if other.start > start:
            yield span._replace(start=start, end=other.start)
        start = other.end
    if start < span.end:
        yield span._replace(start=start)


def time_text(milliseconds: int) -> str:
    """Return a time as an allocation file has it: RFC 3339, which `tenants.cells.parse_time` reads as the same ms.

    It is UTC, but for times that only have a year of four digits in another zone.
    """
    for offset, zone in _ZONES:
        try:
            moment = _EPOCH + (timedelta(milliseconds=milliseconds) + offset)
        except OverflowError:
            continue
        return moment.isoformat(timespec="milliseconds" if milliseconds % 1000 else "seconds") + zone
    raise ValueError(f"{milliseconds} ms is beyond what an allocation file can say")
