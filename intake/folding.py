"""Many lines about one address folded into one claim, with the span of all their times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from intake import kinds, protocols
from intake.found import Known
from intake.lines import Sight, ports
from intake.report import Address, Report, When
from intake.text import printable

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Group:
    """What is one claim: its target and kind, the lines that name its address, and all lines that tell of it."""

    target: Address | None
    kind: str
    sights: Sequence[Sight]
    told_by: Sequence[str]


def groups(sights: Iterable[Sight], kind: str) -> list[Group]:
    """Return the claims of lines about one address; `kind` is that of lines whose words tell none."""
    found: defaultdict[tuple[Address | None, str], list[Sight]] = defaultdict(list)
    for sight in sights:
        found[sight.target.address if sight.target else None, kinds.by_words(sight.text) or kind].append(sight)
    return [Group(target, told, alike, [sight.text for sight in alike]) for (target, told), alike in found.items()]


def paragraph(about: Sequence[Sight], sights: Iterable[Sight], told_by: Sequence[str], kind: str) -> Group:
    """Return the claim of a paragraph that tells of one address, over several lines; `about` are those that name it."""
    targets = {sight.target.address for sight in sights if sight.target}
    target = targets.pop() if len(targets) == 1 else None
    told = next((told for line in told_by if (told := kinds.by_words(line))), kind)
    return Group(target, told, about, told_by)


def claim(address: Address, group: Group, when: When, known: Known) -> Report:
    """Return the claim. Ports and protocols that differ from line to line are none of the claim's."""
    said = [ports(line) for line in group.told_by]
    own = [sight.actor.port for sight in group.sights if sight.actor]
    other = [sight.target.port for sight in group.sights if sight.target]
    return Report(
        address=address,
        when=when,
        form="text",
        port=only([port for port, _ in said] + own),
        target=group.target,
        target_port=only([port for _, port in said] + other),
        protocol=only(protocols.named(line) for line in group.told_by),
        kind=group.kind,
        reporter=known.reporter,
        reference=known.reference,
        excerpt=_excerpt(group.told_by, known.limits.excerpt),
    )


def whole(sights: Iterable[Sight]) -> When | None:
    """Return the time from the first to the last of the sights that have one; None where none has."""
    whens = [sight.when for sight in sights if sight.when]
    if not whens:
        return None
    first = min(whens, key=lambda when: when.earliest)
    last = max(whens, key=lambda when: when.latest)
    if first == last:
        return first
    local = next((when.local for when in (first, last) if when.local), None)
    return When(first.earliest, last.latest, f"{first.text} - {last.text}", local)


def only(values: Iterable[Value | None]) -> Value | None:
    """Return the value that all have that are told; None where they differ."""
    told = {value for value in values if value is not None}
    return told.pop() if len(told) == 1 else None


def _excerpt(told_by: Sequence[str], most: int) -> str:
    """Return the lines, or the first and the last where they are too long together; counted where there are several."""
    if len(told_by) == 1:
        return printable(told_by[0], most)
    count = f"{len(told_by):,} lines: "
    if sum(map(len, told_by)) + 3 * len(told_by) + len(count) <= most:
        return count + printable(" / ".join(told_by), most)
    half = (most - len(count)) // 2 - 3
    return f"{count}{printable(told_by[0], half)} ... {printable(told_by[-1], half)}"
