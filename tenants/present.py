"""What a source says of allocations now, merged with what is known: changes get their times, and history is kept.

A source that has no times of its own, or not all of them, is taken to speak of the present: what is new there begins
when it is learnt, and what is gone there has ended. What it does date is dated so. For each prefix what it tells is
first made into claims, spans of time, and these then take the place of what is known from the present on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from settings.errors import RefusalError
from tenants.allocations import MAX_FAULTS, Allocation
from tenants.cells import ALWAYS, FOREVER
from tenants.changes import Change, changes
from tenants.spans import Holding, Network, Span, allocation_of, outside, span_of

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Present:
    """An allocation as a source tells it; `origin` says where in the source it stands.

    `valid_from`, ms, is None where the source does not say since when. `valid_to` is None where it does not say until
    when, and `FOREVER` where it says that there is no end. `untold` are the fields of `holding` of which it says
    nothing: they stay as they are known of the tenant there.
    """

    prefix: Network
    holding: Holding
    valid_from: int | None
    valid_to: int | None
    origin: str
    untold: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Merge:
    """What is to be known from now on: `rows` in order of prefix and time, and what `changes` that makes.

    Of the prefixes that were held until now, `held` of them, the source tells `gone` no more.
    """

    rows: tuple[Allocation, ...]
    changes: tuple[Change, ...]
    told: int
    held: int
    gone: int

    def guard(self, most_gone: float) -> None:
        """Raise RefusalError where more than the share `most_gone` of what is held would end, or nothing is told."""
        if not self.told:
            fault = "it tells no allocation at all"
        elif self.gone > most_gone * self.held:
            fault = f"{self.gone:,} of {self.held:,} prefixes that are held would end at once"
        else:
            return
        raise RefusalError(
            f"the source seems to be at fault: {fault}; the allocations stay as they are. If it is right, "
            "`flowkeep tenants fetch --force` believes it"
        )


def merge(known: Iterable[Allocation], present: Sequence[Present], now: int) -> Merge:
    """Return what is known after a source told `present` at `now`, ms; the order of either does not matter.

    What has ended is never touched, and what is known to begin later stays, unless the source itself tells of a later
    time for the prefix. RefusalError where the source says two things of a prefix and time, with each of them.
    """
    before = _by_prefix((row.prefix, span_of(row)) for row in known)
    told = _by_prefix((one.prefix, one) for one in present)
    faults: list[str] = []
    rows: list[Allocation] = []
    changed: list[Change] = []
    held = gone = 0
    for prefix in sorted({*before, *told}, key=_place):
        old = sorted(before.get(prefix, ()), key=_start)
        live = next((span for span in old if span.covers(now)), None)
        try:
            claims = _claims(told.get(prefix, ()), old, now, is_first=not before)
        except ValueError as error:
            faults.append(f"{prefix} {error}")
            continue
        spans = _merged(old, live, claims, now)
        rows += (allocation_of(prefix, span) for span in spans)
        changed += changes(prefix, old, spans)
        held += live is not None
        gone += live is not None and not any(span.covers(now) for span in spans)
    if faults:
        more = [f"and {len(faults) - MAX_FAULTS} more"] if len(faults) > MAX_FAULTS else []
        raise RefusalError("\n".join(("the source contradicts itself:", *faults[:MAX_FAULTS], *more)))
    return Merge(tuple(rows), tuple(changed), len(present), held, gone)


def _by_prefix(pairs: Iterable[tuple[Network, _T]]) -> dict[Network, list[_T]]:
    found = defaultdict[Network, list[_T]](list)
    for prefix, one in pairs:
        found[prefix].append(one)
    return found


def _place(prefix: Network) -> tuple[int, int, int]:
    return prefix.version, int(prefix.network_address), prefix.prefixlen


def _start(span: Span) -> int:
    return span.start


def _claims(told: Sequence[Present], old: Sequence[Span], now: int, is_first: bool) -> list[Span]:
    """Return what is told of a prefix as spans in order of time; ValueError where two of them overlap.

    What has no end gives way to what is told to begin later.
    """
    claims: list[Span] = []
    origin = ""
    lasting = [span for span in old if span.end > now]
    found = [(_claim(one, lasting, now, is_first), one.origin) for one in told]
    for claim, found_at in sorted(found, key=lambda pair: pair[0][:2]):
        if claims and claims[-1].meets(claim):
            last = claims[-1]
            if last == claim:
                continue
            if last.end < FOREVER or claim.start <= max(now, last.start):
                who = f"'{last.holding.tenant}' ({origin}) and '{claim.holding.tenant}' ({found_at})"
                raise ValueError(f"is held by {who} at the same time")
            claims[-1] = last._replace(end=claim.start)
        claims.append(claim)
        origin = found_at
    return claims


def _claim(one: Present, lasting: Sequence[Span], now: int, is_first: bool) -> Span:
    """Return one allocation as a span: its own times where it has them, else those of what it continues, else now."""
    start, end = one.valid_from, one.valid_to
    holding = _filled(one, lasting, now if start is None else max(start, now))
    live = next((span for span in lasting if span.covers(now)), None)
    continued = live if live and live.holding == holding and (end is None or end > live.start) else None
    if start is None and continued:
        start = continued.start
    elif start is None:
        start = ALWAYS if is_first or (end is not None and end <= now) else now
    if end is None:
        end = continued.end if continued and start <= now else FOREVER
    return Span(start, end, holding)


def _filled(one: Present, lasting: Sequence[Span], time: int) -> Holding:
    """Return what is held, with labels that are not told as they are known of the tenant, best of all at `time`."""
    same = [span for span in lasting if span.holding.tenant == one.holding.tenant]
    if not same:
        return one.holding
    known = next((span for span in same if span.covers(time)), same[0]).holding
    return one.holding._replace(**{name: getattr(known, name) for name in one.untold})


def _merged(old: Sequence[Span], live: Span | None, claims: Sequence[Span], now: int) -> list[Span]:
    """Return a prefix's spans from now on: the claims, wherever nothing that is kept stands against them."""
    knows_later = any(claim.start > now for claim in claims)
    kept = [span for span in old if span.end <= now or (span.start > now and not knows_later)]
    if live and not any(claim.holding == live.holding and claim.start <= now and claim.meets(live) for claim in claims):
        end = min(live.end, _succession(live, claims, now))
        if live.start < end:  # else it began in this very millisecond
            kept.append(live._replace(end=end))
    kept.sort(key=_start)
    pieces = [piece for claim in claims for piece in outside(claim, kept)]
    return sorted([*kept, *pieces], key=_start)


def _succession(live: Span, claims: Sequence[Span], now: int) -> int:
    """Return when what is valid now ends: where the source has another begin, if it says so, else now."""
    for claim in claims:
        if claim.end > now:
            return claim.start if claim.start > live.start else now
    return now
