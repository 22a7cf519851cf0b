"""The words of the filter language: which kind each is, and how a fault in a filter is shown to its writer."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address, ip_network

from lark import Token
from lark.lark import PostLex
from lark.lexer import PatternRE, TerminalDef

from query.expression import CODES, NUMBERS, PROTOCOLS
from settings.errors import ConfigError

MAX_NESTING = 32
"""Brackets and nots that may be open at once."""

COMPARATORS = {"eq": "=", "==": "=", "=": "=", "lt": "<", "<": "<", "gt": ">", ">": ">"}
COMPARATORS |= {"le": "<=", "<=": "<=", "ge": ">=", ">=": ">="}

KEYWORDS = {
    "and": "_AND",
    "or": "_OR",
    "not": "_NOT",
    "any": "_ANY",
    "ipv4": "FAMILY",
    "ipv6": "FAMILY",
    "inet": "FAMILY",
    "inet6": "FAMILY",
    "src": "_SRC",
    "dst": "_DST",
    "in": "_IN",
    "out": "_OUT",
    "ip": "IP",
    "host": "IP",
    "net": "NET",
    "nat ip": "IP",
    "nat host": "IP",
    "nat net": "NET",
    "nat port": "PORT",
    "tun ip": "IP",
    "tun host": "IP",
    "tun net": "NET",
    "next ip": "NEXT",
    "next host": "NEXT",
    "exporter": "_EXPORTER",
    "router ip": "_EXPORTER",
    "first seen": "SEEN",
    "last seen": "SEEN",
    "icmp-type": "ICMP",
    "icmp-code": "ICMP",
    "asa user": "USER",
}
"""The language's words by kind. The parts of one that has blanks in it are no words by themselves."""

KEYWORDS |= {
    word: word.upper()
    for word in (
        "proto", "port", "as", "vlan", "mask", "mac", "if", "tos", "bytes", "packets", "flags", "tenant", "class",
        "direction", "type", "tunnel", "interface", "app",
    )
}  # fmt: skip
KEYWORDS |= dict.fromkeys(PROTOCOLS, "PROTOCOL")
KEYWORDS |= dict.fromkeys(CODES, "CODED")
KEYWORDS |= {word: "COUNTED" for word in NUMBERS if word not in KEYWORDS}

_ONE_WAY = "a flow has one way here, and what went the other way is a flow of its own"
_LABELS_ALONE = "only the labels are stored"
ABSENT = {
    "bgpnext ip": "BGP next hops are not stored; 'next ip' is the router that the packets went to",
    "client latency": "latencies are not stored",
    "count": "records have no numbers here",
    "country": "no database of places is read",
    "egress acl": "access lists are not stored",
    "ethertype": "types of frames are not stored",
    "geo": "no database of places is read",
    "ident": "sources have no such names here; write 'exporter NAME'",
    "ingress acl": "access lists are not stored",
    "max ttl": "TTLs are not stored",
    "min ttl": "TTLs are not stored",
    "mpls eos": _LABELS_ALONE,
    **{f"mpls exp{place}": _LABELS_ALONE for place in range(1, 11)},
    "observation point id": "observation points are not stored",
    "out bytes": _ONE_WAY,
    "out packets": _ONE_WAY,
    "payload": "payloads are not stored",
    "pf": "events of pf are not stored",
    "server latency": "latencies are not stored",
    "sysid": "exporters have no such numbers here; write 'exporter NAME'",
    "tun proto": "its number is not stored; write 'tunnel gre', 'tunnel ipip' and the like",
}
"""What nfdump's language has and this has not, and why."""
KEYWORDS |= dict.fromkeys(ABSENT, "ABSENT")

_OLD = {"xip": "nat ip", "nip": "nat ip", "xnet": "nat net", "xport": "nat port", "nport": "nat port",
        "tunip": "tun ip"}  # fmt: skip
"""What nfdump 1.7.1 says for words that its later versions have."""

SYNONYMS = {
    "nat pblock start": "pblock start",
    "nat pblock end": "pblock end",
    "odid": "observation domain id",
    "flow": "flows",
    **_OLD,
}
KEYWORDS |= {word: KEYWORDS[other] for word, other in SYNONYMS.items()}
SYNONYMS |= {"host": "ip", "net": "ip", "nat host": "nat ip", "nat net": "nat ip", "xnet": "nat ip"}
SYNONYMS |= {"tun host": "tun ip", "tun net": "tun ip"}
"""Words by the name of the field that they stand for, where it is another."""

_SYMBOLS = {"&&": "_AND", "||": "_OR", "!": "_NOT"}
_NUMBER = re.compile(r"[0-9]{1,20}[kmgt]?|0x[0-9a-f]{1,16}", re.IGNORECASE)
_SHOWN = {
    "NUMBER": "a number",
    "ADDRESS": "an address",
    "PREFIX": "a prefix",
    "NAME": "a name",
    "PROTOCOL": "a protocol",
    "COMPARATOR": "a comparison",
    "LPAR": "'('",
    "RPAR": "')'",
    "LSQB": "'['",
    "RSQB": "']'",
    "COMMA": "','",
    "$END": "the end",
}
_WIDTH = 100


class Mistake(Exception):  # noqa: N818 - inside the package only; a person sees the ConfigError made of it
    """`problem` with the characters of the filter from `start` up to `end`."""

    def __init__(self, problem: str, start: int, end: int) -> None:
        super().__init__(problem)
        self.problem, self.start, self.end = problem, start, end

    @classmethod
    def at(cls, token: Token, problem: str) -> Mistake:
        """Return the mistake of `token`."""
        return cls(problem, token.start_pos or 0, token.end_pos or 0)

    def shown(self, text: str) -> ConfigError:
        """Return the error for people: the problem, the line of the filter `text` it is in, and a caret under it."""
        begin = text.rfind("\n", 0, self.start) + 1
        line = text[begin:].split("\n", 1)[0]
        column = self.start - begin
        shift = max(0, column - _WIDTH // 2)
        visible = "".join(char if char.isprintable() else " " for char in line[shift : shift + _WIDTH])
        length = max(1, min(self.end, begin + len(line)) - self.start)
        caret = " " * (column - shift) + "^" + "~" * min(length - 1, _WIDTH // 2 - 1)
        return ConfigError(f"filter: {self.problem}\n  {visible}\n  {caret}")


def phrases(terminal: TerminalDef) -> None:
    """Let the terminal PHRASE match the keywords of several words, whatever stands blank between these."""
    if terminal.name == "PHRASE":
        known = "|".join(r"\s+".join(map(re.escape, word.split())) for word in KEYWORDS if " " in word)
        terminal.pattern = PatternRE(rf"(?:{known})(?![\w.:/-])", "i")


class Kinds(PostLex):
    """Gives every word and symbol its kind on its way from the lexer to the parser, and bounds the nesting."""

    always_accept = ("PHRASE", "WORD", "SYMBOL")

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        """Yield the tokens of `stream` by kind; Mistake where brackets and nots nest deeper than MAX_NESTING."""
        depth = nots = 0
        for token in stream:
            kind = _kind(token)
            depth += {"LPAR": 1, "RPAR": -1}.get(kind, 0)
            nots = nots + 1 if kind == "_NOT" else 0
            if depth + nots > MAX_NESTING:
                raise Mistake.at(token, f"brackets and nots are nested more than {MAX_NESTING} deep")
            yield Token.new_borrow_pos(kind, _plain(token), token)


def field_of(word: str) -> str:
    """Return the name of the field that `word`, in whatever case, stands for."""
    return SYNONYMS.get(word.lower(), word.lower())


def _plain(token: Token) -> str:
    """Return the token's text, that of several words with one blank between them."""
    return " ".join(token.split()) if token.type == "PHRASE" else str(token)


def _kind(token: Token) -> str:
    word = _plain(token).lower()
    if token.type == "SYMBOL":
        return _SYMBOLS.get(word, "COMPARATOR")
    if token.type not in ("WORD", "PHRASE"):
        return token.type
    if word in KEYWORDS:
        return KEYWORDS[word]
    if word in COMPARATORS:
        return "COMPARATOR"
    if _NUMBER.fullmatch(word):
        return "NUMBER"
    return _place(word)


def _place(word: str) -> str:
    try:
        ip_network(word, strict=False) if "/" in word else ip_address(word)
    except ValueError:
        return "NAME"
    return "PREFIX" if "/" in word else "ADDRESS"


def unexpected(token: Token, accepted: Iterable[str]) -> str:
    """Return what is wrong with `token` where the parser would have taken the kinds `accepted`."""
    kinds = set(accepted)
    words = sorted(word for word, kind in KEYWORDS.items() if kind in kinds and word not in _OLD)
    found = "the filter ends" if token.type == "$END" else f"found '{shortened(token)}'"
    expected = _expected(kinds, words)
    if token.type == "ABSENT" and "QUOTED" not in kinds:
        return f"'{token}' cannot be asked for: {ABSENT[token.lower()]}"
    if token.lower() in KEYWORDS and "QUOTED" in kinds:
        return f'expected {expected}, {found}; a name that is a word of the language needs quotes: "{token}"'
    begun = [f"'{word}'" for word in words if word.startswith(f"{token.lower()} ")]
    hint = f"; did you mean {enumerated(begun)}?" if begun else nearest(token, words)
    return f"expected {expected}, {found}{hint}"


def _expected(kinds: set[str], words: list[str]) -> str:
    if "_ANY" in kinds:
        return "a condition such as 'src ip 192.0.2.1' or 'dst port 443'"
    parts = [_SHOWN[kind] for kind in _SHOWN if kind in kinds]
    parts = [f"'{word}'" for word in words if KEYWORDS[word] not in _SHOWN] + parts
    return enumerated(parts)


def enumerated(parts: Sequence[str]) -> str:
    """Return one or more parts as in a sentence: a, b or c."""
    return " or ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def shortened(word: str) -> str:
    """Return `word` as a message may show it."""
    return word if len(word) <= _WIDTH // 2 else f"{word[: _WIDTH // 2]}..."


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the hint with which of `known` was perhaps meant by `word`, empty if none comes near."""
    near = difflib.get_close_matches(word.lower(), list(known), 1)
    return f"; did you mean '{near[0]}'?" if near else ""
