"""What became of the allocations of a prefix, in words: what was added, what ended, what moved to another tenant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tenants.cells import ALWAYS, FOREVER
from tenants.spans import Holding, Network, Span, time_text

_LABELS = ("resource", "service", "region", "class")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a prefix: `words` tell it whole.

    `tenant` holds the prefix afterwards, or did until it ended; `former` is who held it until it moved, else empty.
    `at`, ms, is when it takes effect, `ALWAYS` for what always was so.
    """

    kind: Literal["added", "ended", "moved", "changed"]
    prefix: Network
    tenant: str
    former: str
    at: int
    words: str


def changes(prefix: Network, before: Sequence[Span], after: Sequence[Span]) -> Iterator[Change]:
    """Yield what is different `after` for a prefix; both are in order of time."""
    if before == after:
        return
    gone = [span for span in before if span not in after]
    for span in after:
        if span not in before:
            yield from _change(prefix, span, gone, after)
    for span in gone:
        if not any(span.meets(one) and one.holding == span.holding for one in after):
            words = f"{prefix} of '{span.holding.tenant}', {_times(span)}, is withdrawn"
            yield Change("ended", prefix, span.holding.tenant, "", span.start, words)


def _change(prefix: Network, span: Span, gone: Sequence[Span], after: Sequence[Span]) -> Iterator[Change]:
    """Yield what the new span means; none where the one that follows it tells that."""
    tenant = span.holding.tenant
    was = next((old for old in gone if old.holding == span.holding and old.meets(span)), None)
    if was and was.start == span.start and span.end < was.end:
        if not any(other.start == span.end for other in after):
            yield Change(
                "ended", prefix, tenant, "", span.end, f"{prefix} of '{tenant}' ended at {time_text(span.end)}"
            )
        return
    begins = was is None or was.start != span.start
    earlier = next((one for one in after if one.end == span.start and one.holding != span.holding), None)
    if begins and earlier:
        yield _moved(prefix, span, earlier.holding)
    elif was:
        yield Change("changed", prefix, tenant, "", span.start, f"{prefix} of '{tenant}' is held {_times(span)}")
    else:
        yield Change("added", prefix, tenant, "", span.start, f"{prefix} added to '{tenant}', {_times(span)}")


def _moved(prefix: Network, span: Span, former: Holding) -> Change:
    tenant, when = span.holding.tenant, time_text(span.start)
    if former.tenant != tenant:
        words = f"{prefix} moved from '{former.tenant}' to '{tenant}' at {when}"
        return Change("moved", prefix, tenant, former.tenant, span.start, words)
    labels = zip(_LABELS, former[1:], span.holding[1:], strict=True)
    told = ", ".join(f"{name} {_quoted(old)} to {_quoted(new)}" for name, old, new in labels if old != new)
    return Change("changed", prefix, tenant, "", span.start, f"{prefix} of '{tenant}' changed at {when}: {told}")


def _quoted(label: str | None) -> str:
    return f"'{label}'" if label else "none"


def _times(span: Span) -> str:
    start = "always" if span.start == ALWAYS else f"from {time_text(span.start)}"
    return start if span.end == FOREVER else f"{start} to {time_text(span.end)}"
