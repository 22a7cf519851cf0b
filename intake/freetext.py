"""Free text as claims: log lines, fail2ban's mails, forms that people filled in.

A claim is made of an address and a time. They stand in one line, or in one paragraph, or the text has but one of
either; where none of this is so, it is not guessed. Lines about one address become one claim.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from intake import folding, kinds, lines
from intake.found import Found, Known
from intake.lines import Role, Sight
from intake.report import Address, When
from intake.times import Calendar
from intake.zones import stated

_LAST_MAIL = timedelta(hours=24)
"""How long before its mail something happened, at most, where the mail names no time."""
_MOST_CONTEXT = 100
"""Lines of a paragraph that are read for ports, protocol and target."""
_MOST_WORDS = 20_000
"""Characters of a text that its kind is told by, where no line and no subject tells it."""


@dataclass(frozen=True, slots=True)
class _Paragraph:
    """Lines with no empty line between them, and what is seen in them."""

    text: tuple[str, ...]
    sights: tuple[Sight, ...]

    def times(self) -> dict[Address, list[Sight]]:
        """Return the times that stand apart from addresses, by the address that they are meant for.

        Where a paragraph begins with an address, a time is that of the address before it, else of the one behind it.
        """
        told = [sight for sight in self.sights if sight.address or sight.when]
        meant: defaultdict[Address, list[Sight]] = defaultdict(list)
        actors = {sight.address for sight in told if sight.address}
        current = actors.pop() if len(actors) == 1 else None
        for sight in told if told and told[0].address else reversed(told):
            current = sight.address or current
            if current and sight.when and not sight.address:
                meant[current].append(sight)
        return meant


def read(text: str, place: str, known: Known, found: Found) -> bool:
    """Read every claim of the text; False where it names no address at all."""
    calendar = Calendar(known.now, stated(text) or known.zone, known.sent)
    paragraphs = _paragraphs(text, place, known, calendar, found)
    sights = [sight for paragraph in paragraphs for sight in paragraph.sights]
    sure = {sight.address for sight in sights if sight.address and sight.role >= Role.TOLD_SOURCE}
    by_address: defaultdict[Address, list[Sight]] = defaultdict(list)
    for sight in sights:
        if sight.address:
            by_address[sight.address].append(sight)
    reader = _Reader(place, known, found, paragraphs, _kind(known.subject, sights, text))
    for address, about in by_address.items():
        if not sure or address in sure:
            reader.claim(address, about)
        elif any(sight.when for sight in about):
            reader.miss(about[0], f"it is not said that {address} did it, as it is of others")
    return bool(by_address)


def _paragraphs(text: str, place: str, known: Known, calendar: Calendar, found: Found) -> list[_Paragraph]:
    """Return the paragraphs, of which the first is the mail's subject."""
    kept = _lines(text, place, known, found)
    suspects = lines.suspects(known.subject).union(*(lines.suspects(line) for _, line in kept))
    subject = lines.look(0, known.subject, calendar, frozenset(suspects))
    if subject and subject.address:
        suspects.add(subject.address)
    named = frozenset(suspects)
    paragraphs = [_Paragraph((known.subject,), (subject,))] if subject else []
    current: list[str] = []
    seen: list[Sight] = []
    for number, line in [*kept, (0, "")]:
        if line.strip(" \t>|*-=_"):
            current.append(line)
            sight = lines.look(number, line, calendar, named)
            if sight:
                seen.append(sight)
        elif current:
            paragraphs.append(_Paragraph(tuple(current), tuple(lines.without_quoted_dates(current, seen))))
            current, seen = [], []
    return paragraphs


def _lines(text: str, place: str, known: Known, found: Found) -> list[tuple[int, str]]:
    """Return the lines with their numbers, as far as they are read."""
    limits = known.limits
    kept: list[tuple[int, str]] = []
    start, number = 0, 0
    while start < len(text):
        number += 1
        if number > limits.lines:
            found.bound(f"{place or 'the text'}: only its first {limits.lines:,} lines are read: split it")
            break
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        found.text += end - start
        if found.text > limits.text:
            found.bound(f"{place or 'the text'}: only {limits.text:,} characters of free text are read: split it")
            break
        if end - start <= limits.line:
            kept.append((number, text[start:end]))
        else:
            found.bound(f"{place or 'the text'}: lines of more than {limits.line:,} characters are not read")
        start = end + 1
    return kept


def _kind(subject: str, sights: Iterable[Sight], text: str) -> str:
    """Return the kind of addresses whose lines tell none: by the subject, by all other lines, by any word."""
    by_subject = kinds.by_words(subject)
    told = {kind for sight in sights if (kind := kinds.by_words(sight.text))}
    if by_subject or len(told) > 1:
        return by_subject
    return told.pop() if told else kinds.by_words(text[:_MOST_WORDS])


class _Reader:
    """Makes the claims of one text."""

    def __init__(self, place: str, known: Known, found: Found, paragraphs: list[_Paragraph], kind: str) -> None:
        self._place, self._known, self._found, self._kind = place, known, found, kind
        apart = [sight for paragraph in paragraphs for sight in paragraph.sights if sight.when and not sight.address]
        self._apart = [sight for sight in apart if not sight.is_day] or apart
        self._is_timeless = not any(sight.when or sight.fault for paragraph in paragraphs for sight in paragraph.sights)
        self._paragraphs: defaultdict[Address, list[_Paragraph]] = defaultdict(list)
        self._times: defaultdict[Address, list[Sight]] = defaultdict(list)
        for paragraph in paragraphs:
            for address in {sight.address: None for sight in paragraph.sights if sight.address}:
                self._paragraphs[address].append(paragraph)
            for address, times in paragraph.times().items():
                self._times[address] += times
        self._kept = 0
        self._is_alone = len(self._paragraphs) == 1

    def claim(self, address: Address, about: list[Sight]) -> None:
        """Make the claims about an address, of the lines that name it."""
        for sight in about:
            if sight.fault:
                self.miss(sight, sight.fault)
        dated = [sight for sight in about if sight.when]
        if dated:
            own = Counter(kind for sight in about if (kind := kinds.by_words(sight.text)))
            common = own.most_common(1)
            for group in folding.groups(dated, common[0][0] if common else self._kind):
                self._keep(address, group, folding.whole(group.sights))
        elif not any(sight.fault for sight in about):
            when = self._time_of(address)
            if when:
                self._keep(address, self._group(address, about), when)
            else:
                self.miss(about[0], f"no time is told for {address}, or several, and not which is its own")

    def _keep(self, address: Address, group: folding.Group, when: When | None) -> None:
        most = self._known.limits.text_claims
        if self._kept == most:
            self._found.bound(f"{self._place or 'the text'}: only its first {most:,} claims are read: split it")
        elif when and self._found.claim(folding.claim(address, group, when, self._known)):
            self._kept += 1

    def _group(self, address: Address, about: list[Sight]) -> folding.Group:
        """Return the lines about an address: with all others of its paragraph, if no other address did it there."""
        near = self._paragraphs[address][-1]
        if {sight.address for sight in near.sights} - {None} == {address}:
            return folding.paragraph(about, near.sights, near.text[:_MOST_CONTEXT], self._kind)
        return folding.paragraph(about, about, [sight.text for sight in about], self._kind)

    def miss(self, sight: Sight, why: str) -> None:
        """Note a line that no claim can be made of."""
        where = f"{self._place} line {sight.number}" if sight.number else "the subject"
        self._found.miss(where.strip(), why, sight.text)

    def _time_of(self, address: Address) -> When | None:
        """Return when something was done by an address whose lines have no time; None where it is not told."""
        times = self._times.get(address, [])
        times = [sight for sight in times if not sight.is_day] or times
        if not times and (self._is_alone or len({sight.when for sight in self._apart}) == 1):
            times = self._apart
        if times:
            return folding.whole(times)
        sent = self._known.sent
        if self._is_timeless and sent:
            return When(sent - _LAST_MAIL, sent, f"no time; the mail is of {sent:%Y-%m-%d %H:%M:%S} UTC")
        return None
