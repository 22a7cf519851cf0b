"""What the flows make of a report: one word, its reasons, who began, and how likely flows would be seen. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from abuse.claims import Claim
from abuse.facts import Facts
from schema.render import time_text

_SURE = 0.999
"""With this probability or more of being seen, flows that are not there contradict the report."""
_SAMPLES = (1, 10, 100, 1000)
_FAR_LESS = 10
"""Times fewer packets than reported are worth a word: sampling alone does not make that of many."""
_LEAD = 1000
"""Milliseconds by which the first flow of one end has to be earlier to say that it began."""
_ZONES = tuple(
    timedelta(minutes=minutes)
    for minutes in sorted({*range(-720, 841, 60), -570, -210, 210, 270, 330, 345, 390, 525, 570, 630, 765})
)
"""The offsets from UTC that any place on Earth goes by."""


class Word(StrEnum):
    """What a report is worth by the flows."""

    CORROBORATED = "corroborated"
    CONSISTENT = "consistent"
    NOT_SEEN = "not seen"
    CONTRADICTED = "contradicted"
    OUTSIDE_RETENTION = "outside retention"
    NOT_COVERED = "not covered"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What has to be known beside the flows of a claim.

    `expired` says until when flows of the time were kept, None while they are; with `partly` only some are gone. Of the
    exporters that would see the address, `silent` names those not heard during the time, and `exporters` counts all.
    `rate` is the highest sampling rate of these, 0 where that of any is not known.
    """

    expired: datetime | None = None
    partly: bool = False
    silent: tuple[str, ...] = ()
    exporters: int = 0
    rate: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The word and its reasons. `began` is which end opened the exchange: "address", "target" or "" for not known.

    `probability` is that of seeing at least one packet of what the report claims, None where that cannot be said;
    `hints` are for the person who decides; `zones` the offsets from UTC (minutes) in which a time without a zone fits.
    """

    word: Word
    reasons: tuple[str, ...]
    began: str = ""
    probability: float | None = None
    hints: tuple[str, ...] = ()
    zones: tuple[int, ...] = ()


def seen(packets: int, rate: int) -> float:
    """Return the probability that at least one of so many packets is sampled, 1 in `rate` by chance."""
    return float(1 - (1 - 1 / rate) ** packets)


def judge(claim: Claim, facts: Facts, around: Circumstances) -> Verdict:
    """Return the verdict on a claim."""
    word, reasons = _word(claim, facts, around)
    rate = around.rate or facts.rate
    claimed = seen(claim.packets, rate) if claim.packets and rate else None
    zones = tuple(_zones(claim, facts)) if claim.local else ()
    return Verdict(
        word, (*reasons, *_of_zone(claim, zones)), _began(facts), claimed, tuple(_hints(facts, around)),
        tuple(int(zone.total_seconds()) // 60 for zone in zones),
    )  # fmt: skip


def _word(claim: Claim, facts: Facts, around: Circumstances) -> tuple[Word, list[str]]:
    between = f"{claim.address} and {claim.target}" if claim.target else f"{claim.address} and others"
    if facts.pair_sent:
        return _of_pair(claim, facts, between)
    if facts.other_ports:
        reason = (
            f"{facts.other_ports:,} flows between {between}, but with other ports or another protocol than reported"
        )
        return Word.CONSISTENT, [reason]
    if facts.other_times:
        when = datetime.fromtimestamp(facts.nearest / 1000, UTC)
        off = min(abs(when - claim.first), abs(when - claim.last))
        reason = (
            f"{facts.other_times:,} flows as reported, but not at the time: the nearest began at "
            f"{time_text(facts.nearest)}, {_minutes(off)} off; the reporter's clock may be wrong"
        )
        return Word.CONSISTENT, [reason]
    if claim.target is None and facts.to_service:
        what = f"to port {claim.target_port}" if claim.target_port else "to anybody"
        reason = f"{facts.to_service:,} flows from {claim.address} {what} ({facts.service_peers:,} far ends)"
        return Word.CONSISTENT, [reason, "the report names no far end, so that these need not be what it is about"]
    return _of_nothing(claim, facts, around, between)


def _of_pair(claim: Claim, facts: Facts, between: str) -> tuple[Word, list[str]]:
    first, last = time_text(facts.first_sent), time_text(facts.last_sent)
    reasons = [
        f"{facts.pair_sent:,} flows from {claim.address}, {first} to {last}: about {facts.packets_sent:,} packets, "
        f"{facts.octets_sent:,} octets"
    ]
    if facts.pair_received:
        reasons.append(f"{facts.pair_received:,} flows back, about {facts.packets_received:,} packets")
    if claim.packets and not facts.rate_unknown and facts.packets_sent * _FAR_LESS < claim.packets:
        reasons.append(f"the report says {claim.packets:,} packets, far more than that")
    if _began(facts) == "target" and facts.rate == 1 and not facts.rate_unknown:
        return Word.CONTRADICTED, [*reasons, f"{claim.target} opened what there is between {between}; it was answered"]
    return Word.CORROBORATED, reasons


def _of_nothing(claim: Claim, facts: Facts, around: Circumstances, between: str) -> tuple[Word, list[str]]:
    """No flow fits: say what that is worth."""
    none = f"no flow between {between} from {claim.first:%Y-%m-%d %H:%M:%S}Z to {claim.last:%Y-%m-%d %H:%M:%S}Z"
    if facts.pair_received:
        none = f"{claim.target} sent to {claim.address} ({facts.pair_received:,} flows), and nothing went back"
    if around.expired is not None:
        until = f"{around.expired:%Y-%m-%d %H:%M}Z"
        if not around.partly:
            return Word.OUTSIDE_RETENTION, [f"flows of that time were kept until {until} only"]
        return Word.NOT_SEEN, [none, f"flows of a part of that time were kept until {until} only"]
    if around.silent and len(around.silent) >= around.exporters:
        return Word.NOT_COVERED, [f"no exporter that would see it was heard at the time: {', '.join(around.silent)}"]
    others = f"{claim.address} sent {facts.sent:,} other flows then" if facts.sent else f"{claim.address} sent nothing"
    rate = around.rate or facts.rate
    if not rate or facts.rate_unknown:
        return Word.NOT_SEEN, [none, others, "how packets were sampled is not known, nor how likely this is"]
    if around.silent:
        return Word.NOT_SEEN, [none, others, f"not all exporters were heard: {', '.join(around.silent)} were silent"]
    if rate == 1:
        return Word.CONTRADICTED, [none, others, "every packet is counted, and all exporters were heard"]
    if claim.packets:
        chance = seen(claim.packets, rate)
        reason = f"of {claim.packets:,} packets at least one is sampled, 1 in {rate:,}, with p = {_chance(chance)}"
        return (Word.CONTRADICTED if chance >= _SURE else Word.NOT_SEEN), [none, others, reason]
    chances = ", ".join(f"{packets:,}: p = {_chance(seen(packets, rate))}" for packets in _SAMPLES)
    return Word.NOT_SEEN, [
        none,
        others,
        f"1 packet in {rate:,} is sampled; so many packets would be seen with {chances}",
    ]


def _began(facts: Facts) -> str:
    """Return which end began, by who opened connections, else by who was first, else by whose port is a service's."""
    if facts.opened != facts.was_opened and not (facts.opened and facts.was_opened):
        return "address" if facts.opened else "target"
    if facts.pair_sent and facts.pair_received:
        lead = facts.first_received - facts.first_sent
        if abs(lead) >= _LEAD and facts.rate == 1:
            return "address" if lead > 0 else "target"
    if facts.pair_sent:
        if facts.from_service == facts.pair_sent:
            return "target"
        return "address" if not facts.from_service else ""
    return ""


def _hints(facts: Facts, around: Circumstances) -> Iterator[str]:
    if facts.opened and not facts.pair_received and facts.opened == facts.pair_sent:
        yield "connections were only ever opened, and nothing came back: a scan, a filter, or a forged source"
    strange = sorted(set(facts.entered) - set(facts.usual))
    if strange and facts.usual:
        names = ", ".join(f"interface {number} of {exporter.ipv4_mapped or exporter}" for exporter, number in strange)
        yield f"it came in by {names}, and the address's other flows do not: the source may be forged"
    if _began(facts) == "target" and facts.pair_sent:
        yield "by its ports the address answered: it may be the victim of a reflection, or a server that was used"
    if around.silent and facts.pair_sent:
        yield f"there may be more: {', '.join(around.silent)} were not heard at the time"


def _zones(claim: Claim, facts: Facts) -> Iterator[timedelta]:
    """Yield the zones in which the time that was written is one of the flows'."""
    local = claim.local
    if local is None:
        return
    width = (claim.last - claim.first - (_ZONES[-1] - _ZONES[0])) / 2  # tolerance and half of what was written
    for zone in _ZONES:
        moment = (local - zone).replace(tzinfo=UTC)
        low, high = (int((moment + way * width).timestamp()) // 60 for way in (-1, 1))
        if any(low <= minute <= high for minute in facts.minutes):
            yield zone


def _of_zone(claim: Claim, zones: tuple[timedelta, ...]) -> Iterator[str]:
    if claim.local is None:
        return
    said = f"the time {claim.local:%Y-%m-%d %H:%M} has no zone, so that all were searched"
    if zones:
        names = ", ".join(map(offset_text, zones))
        yield f"{said}; the flows fit a clock at {names}"
    else:
        yield said


def offset_text(zone: timedelta) -> str:
    """Return an offset from UTC as people write it."""
    minutes = int(zone.total_seconds()) // 60
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _chance(probability: float) -> str:
    return f"{probability:.3f}" if probability < 0.9995 else "1.000"


def _minutes(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"
