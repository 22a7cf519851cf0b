"""What one line of a text says: who did something, to whom, when; and how sure it is that it says so."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import IntEnum

from intake import addresses
from intake.errors import UnreadError
from intake.report import Address, When
from intake.text import armed
from intake.times import Calendar, span
from intake.times import Mention as TimeMention

_BEFORE = 48
"""How many characters before an address can say what it is."""

_TO = re.compile(
    r"(?i:\b(?:dst|dest|destination|daddr|target|victim)(?:[ _-]?(?:ip|host|addr\w{0,4}))?[^\w]{0,4}$|"
    r"\b(?:to|against|towards?|into)[ ]+(?:\w+[ ]+){0,3}[\[(]?$|"
    r"\b(?:on|at)[ ]+(?:(?:the|this|local|own|ip|host|server|machine|address)[ ]+){0,3}[\[(]?$|"
    r"\b(?:our|my)\b(?:(?!\b(?:from|by|your|src|source|attacker)\b)[^:;]){0,40}$|"
    r"\bdst[ ]+\w{1,16}:$|\bladdr=$)"
)
_FROM = re.compile(
    r"(?i:\b(?:from|src|source|saddr|attack(?:er|ing)|offend(?:er|ing)|abus(?:er|ive|ing)|client|rhost|raddr|remote|"
    r"origin(?:ating)?|suspect|infected|compromised|malicious|reported|your|banned)(?![a-z])|"
    r"(?:attack|scann?|prob|perform|caus|initiat|launch|ma)(?:ed|de|ing) by\b)"
)
_SUSPECT = re.compile(
    r"(?i:\byour (?:\w+ ){0,2}(?:ip|address|host|server|network|machine|customer)|\b(?:attack(?:er|ing)|"
    r"offend(?:er|ing)|abus(?:er|ive|ing)|suspect|infected|compromised|malicious|banned)(?![a-z])|"
    r"\b(?:source|src|reported|remote)[ _-]?(?:ip|address)\b)"
)
_BANNED = re.compile(r"(?i:\W{0,4}(?:has just been|has been|was|is|been) (?:just )?(?:banned|blocked|blacklisted))")
_ARROW = re.compile(r"[ \]]{0,8}(?P<port>[0-9]{1,5})?[ ]{0,8}(?:-{1,3}>|={1,2}>|→|>)[ \[]{0,8}", re.ASCII)
_PORT_BEHIND = re.compile(r"[ ]{1,8}(?P<port>[0-9]{1,5})(?![\w.:])", re.ASCII)
_TRACE = re.compile(r"(?i:[ \t>*|]{0,8}received[ ]?:)")
"""The trace of a mail: its lines name hosts of every side."""
_SOURCE_PORT = re.compile(
    r"(?i:\b(?:spt|sport|src[ _-]?port|source[ _-]?port)[ =:\"]{1,4}|<port>)(?P<port>[0-9]{1,5})(?!\w)", re.ASCII
)
_TARGET_PORT = re.compile(
    r"(?i:\b(?:dpt|dport|dst[ _-]?port|dest(?:ination)?[ _-]?port|target[ _-]?port|(?:on|to|at) (?:tcp |udp )?port)"
    r"[ =:\"]{1,4})(?P<port>[0-9]{1,5})(?!\w)",
    re.ASCII,
)
_BETWEEN = re.compile(r"[ \])]{0,3}(?:-|–|to|until|till|and|/|\.\.\.?)[ \[(]{0,3}")
_UNMEANT = re.compile(
    r"(?i:[ \t>*|]{0,8}(?:inetnum|inet6num|netrange|cidr|route6?|nserver|refer|netname|created|last-modified|changed|"
    r"modified|updated|last updated?|registered|regdate|expires|expiry|report (?:generated|created|date|sent)|"
    r"message-id|x-[a-z-]{1,40}|user-agent)[ \t]{0,20}:)"
)
"""Lines of address registries and of headers: their addresses and times are not of what happened."""
_WROTE = re.compile(r"(?i:.{0,300}\b(?:wrote|schrieb|writes)[^:]{0,80}:\s{0,3}$)")
_QUOTED = re.compile(r"(?i:[ \t>*|]{0,8}(?:from|to|cc|subject|sent|date|reply-to)\*?:)")
_QUOTED_DATE = re.compile(r"(?i:[ \t>*|]{0,8}(?:sent|date)\*?:)")
_CLOCK = re.compile(r"(?<![\w:.])[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?![\w:])", re.ASCII)
_OF_A_QUOTED_MAIL = "the date of a quoted mail, not of what happened"


class Role(IntEnum):
    """How sure it is that an address is that of who did it."""

    TOLD_TARGET = 0
    UNTOLD = 1
    TOLD_SOURCE = 2
    SUSPECT = 3


@dataclass(frozen=True, slots=True)
class Sight:
    """A line that names addresses or times. `fault` says why its time is refused; `is_day` that it names no hour."""

    number: int
    text: str
    actor: addresses.Mention | None = None
    role: Role = Role.UNTOLD
    target: addresses.Mention | None = None
    when: When | None = None
    fault: str = ""
    is_day: bool = False

    @property
    def address(self) -> Address | None:
        """The address of who did it."""
        return self.actor.address if self.actor else None


def without_quoted_dates(text: list[str], sights: list[Sight]) -> list[Sight]:
    """Return the sights of a paragraph: if it is the header of a quoted mail, its date is not that of what happened."""
    if sum(bool(_QUOTED.match(line)) for line in text) < 3:
        return sights
    return [
        replace(sight, when=None, fault=_OF_A_QUOTED_MAIL) if _QUOTED_DATE.match(sight.text) else sight
        for sight in sights
    ]


def ports(text: str) -> tuple[int | None, int | None]:
    """Return the ports that words name: the one it came from, and the one it went to."""
    said = _SOURCE_PORT.search(text), _TARGET_PORT.search(text)
    return addresses.port(said[0]["port"]) if said[0] else None, addresses.port(said[1]["port"]) if said[1] else None


def suspects(text: str) -> set[Address]:
    """Return the addresses that a line says did it, whatever else other lines name."""
    if not (_SUSPECT.search(text) or _BANNED.search(text)) or _UNMEANT.match(text):
        return set()
    plain = armed(text)
    pairs = _pairs(addresses.found(plain))
    return {mention.address for mention, before in pairs if role(plain, mention, before) == Role.SUSPECT}


def look(number: int, text: str, calendar: Calendar, suspects: frozenset[Address]) -> Sight | None:
    """Return what the line says; None where it names neither an address nor a time.

    Among addresses of which the line does not say which did it, `suspects` did, for they are known to have.
    """
    if _UNMEANT.match(text):
        return None
    if _WROTE.match(text):
        return Sight(number, text.strip(), fault=_OF_A_QUOTED_MAIL)
    plain = armed(text)
    told = _directed(plain, [(role(plain, *pair), pair[0]) for pair in _pairs(addresses.found(plain))])
    target = next((mention for its, mention in told if its == Role.TOLD_TARGET), None)
    others = [
        (Role.SUSPECT if mention.address in suspects else its, mention)
        for its, mention in told
        if its != Role.TOLD_TARGET
    ]
    its, actor = max(others, key=lambda other: other[0], default=(Role.UNTOLD, None))
    when, fault, is_day = _time(plain, calendar.found(plain))
    if actor is None and target is None and when is None and not fault:
        return None
    return Sight(number, text.strip(), actor, its, target, when, fault, is_day)


def _pairs(mentions: list[addresses.Mention]) -> list[tuple[addresses.Mention, int]]:
    """Return each address with the place where the one before it ends."""
    ends = [0, *(mention.end for mention in mentions)]
    return list(zip(mentions, ends, strict=False))


def role(line: str, mention: addresses.Mention, after: int) -> Role:
    """Return what the words since `after`, the end of the last address, say of an address in the line."""
    if _BANNED.match(line, mention.end):
        return Role.SUSPECT
    words = line[max(after, mention.start - _BEFORE) : mention.start]
    if _TRACE.match(line):
        return Role.UNTOLD
    if _TO.search(words):
        return Role.TOLD_TARGET
    if _SUSPECT.search(words):
        return Role.SUSPECT
    return Role.TOLD_SOURCE if _FROM.search(words) else Role.UNTOLD


def _directed(line: str, roles: list[tuple[Role, addresses.Mention]]) -> list[tuple[Role, addresses.Mention]]:
    """Return the roles with those that an arrow tells: from the address before it to the one behind it.

    Where a port stands between the first address and the arrow, one stands behind the second as well.
    """
    told = list(roles)
    for place in range(len(told) - 1):
        (its, one), (_, other) = told[place], told[place + 1]
        arrow = _ARROW.match(line, one.end)
        if arrow and arrow.end() == other.start:
            behind = _PORT_BEHIND.match(line, other.end) if arrow["port"] else None
            if behind:
                one = replace(one, port=addresses.port(arrow["port"]))
                other = replace(other, port=addresses.port(behind["port"]))
            told[place], told[place + 1] = (max(its, Role.TOLD_SOURCE), one), (Role.TOLD_TARGET, other)
    return told


def _time(line: str, mentions: list[TimeMention]) -> tuple[When | None, str, bool]:
    """Return the line's first time, up to its second where the line names a span; or why it is refused."""
    hours = [mention for mention in mentions if not mention.is_day]
    chosen = hours or mentions
    if not chosen:
        return None, "a time without a date, or in a form that is not read" if _CLOCK.search(line) else "", False
    first = chosen[0]
    if first.when is None:
        return None, first.why, first.is_day
    last = chosen[1].when if len(chosen) > 1 and _BETWEEN.fullmatch(line, first.end, chosen[1].start) else None
    try:
        return span(first.when, last or first.when), "", first.is_day
    except UnreadError as fault:
        return None, str(fault), first.is_day
