"""Who held an address, one after another: changes of holder, gaps, and what to beware of near a moment. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise

from schema.render import time_text
from tenants.allocations import Allocation
from tenants.cells import ALWAYS, FOREVER, UNASSIGNED

_NEAR = timedelta(hours=1)
"""A change of holder this near to the moment asked about is worth a warning: clocks differ, and so do zones."""
_RECENT = timedelta(days=7)
"""An address that came to its holder less than this before may still get complaints about the one before."""
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Holding:
    """From `start` (inclusive) to `end` (exclusive), ms, `allocation` held the address; None: nobody did."""

    start: int
    end: int
    allocation: Allocation | None

    @property
    def tenant(self) -> str:
        """The tenant's name, `unassigned` for none."""
        return self.allocation.tenant if self.allocation else UNASSIGNED

    def as_json(self) -> dict[str, object]:
        """Return the holding as JSON: times in RFC 3339, null where unbounded."""
        held = self.allocation
        return {
            "tenant": self.tenant,
            "prefix": str(held.prefix) if held else None,
            "resource": held.resource if held else None,
            "service": held.service if held else None,
            "region": held.region if held else None,
            "from": None if self.start == ALWAYS else time_text(self.start),
            "to": None if self.end == FOREVER else time_text(self.end),
        }


@dataclass(frozen=True, slots=True)
class Held:
    """Who held an address during a span: `during` are the holdings that it meets, in order of time, at least one.

    `before` and `after` are what came before and after these, None where nothing else is known.
    """

    during: tuple[Holding, ...]
    before: Holding | None
    after: Holding | None

    @property
    def is_clear(self) -> bool:
        """Whether it was the same tenant, or nobody, during the whole span."""
        return len({holding.tenant for holding in self.during}) == 1

    @property
    def tenants(self) -> tuple[str, ...]:
        """The tenants of the span, each once, in order of time."""
        return tuple(dict.fromkeys(holding.tenant for holding in self.during))


def holdings(address: Address, allocations: Iterable[Allocation]) -> tuple[Holding, ...]:
    """Return who held the address from the beginning of time to its end, by those of `allocations` that cover it.

    At every instant the longest prefix that is valid then counts, as in `tenants.attribute`, and of equal ones the
    first. Neighbours differ.
    """
    covering = [one for one in allocations if one.prefix.version == address.version and address in one.prefix]
    bounds = sorted({ALWAYS, FOREVER, *(moment for one in covering for moment in _span(one))})
    found: list[Holding] = []
    for start, end in pairwise(bounds):
        valid = [one for one in covering if _span(one)[0] <= start and end <= _span(one)[1]]
        holder = max(valid, key=lambda one: one.prefix.prefixlen, default=None)
        if found and found[-1].allocation == holder:
            found[-1] = Holding(found[-1].start, end, holder)
        else:
            found.append(Holding(start, end, holder))
    return tuple(found)


def _span(allocation: Allocation) -> tuple[int, int]:
    start, end = allocation.valid_from, allocation.valid_to
    return ALWAYS if start is None else start, FOREVER if end is None else end


def held(timeline: Sequence[Holding], first: datetime, last: datetime) -> Held:
    """Return who held during the span from `first` to `last`, both inclusive and aware."""
    start, end = milliseconds(first), milliseconds(last)
    places = [at for at, one in enumerate(timeline) if one.start <= end and start < one.end]
    before, after = places[0] - 1, places[-1] + 1
    return Held(
        tuple(timeline[at] for at in places),
        timeline[before] if before >= 0 else None,
        timeline[after] if after < len(timeline) else None,
    )


def warnings(found: Held, first: datetime, last: datetime) -> Iterator[str]:
    """Yield what somebody who names a tenant by `found` has to know."""
    if not found.is_clear:
        names = " and ".join(found.tenants)
        yield f"the holder changed within the time that is asked about: {names}"
    start, end, near = milliseconds(first), milliseconds(last), _NEAR // timedelta(milliseconds=1)
    head, tail = found.during[0], found.during[-1]
    if found.before is not None and found.before.tenant != head.tenant and start - head.start < near:
        yield f"{_since(start - head.start)} earlier it was {found.before.tenant}'s: a slow clock would make it theirs"
    elif (
        found.before is not None
        and found.before.allocation is not None
        and start - head.start < _RECENT // timedelta(milliseconds=1)
        and found.before.tenant != head.tenant
    ):
        yield f"{head.tenant} had it for {_since(start - head.start)} only; before, it was {found.before.tenant}'s"
    if found.after is not None and found.after.tenant != tail.tenant and found.after.start - end < near:
        later = _since(found.after.start - end)
        yield f"{later} later it was {found.after.tenant}'s: a fast clock would make it theirs"
    if any(one.allocation is None for one in found.during) and len(found.during) > 1:
        yield "for a part of the time nobody held it"


def milliseconds(moment: datetime) -> int:
    """Return an aware moment in ms since 1970, rounded down."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _since(span: int) -> str:
    """Return how long `span` ms are, in the largest unit that fits."""
    seconds = max(span, 0) // 1000
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length or (unit == "min" and seconds >= length):
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
