"""The filter language that nfdump's users type, parsed to a tree of `query.expression`.

`bytes` and `packets` are compared as exported, before any scaling by the sampling rate; K, M, G and T are powers of a
thousand as in nfdump. ICMP flows have no ports here, where nfdump keeps their type and code in the destination port.
`nat port` also finds the record that gives a subscriber a block of ports with this one in it; nfdump's does not.
`tun ip` is the other IP header of a packet inside another, `ip` the one that `decoding.addresses` chose. Without `src`
or `dst`, `ip` searches the addresses after translation too, which nfdump does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, reduce
from ipaddress import ip_network
from operator import or_
from types import MappingProxyType

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args
from lark.exceptions import VisitError

from query.expression import (
    ADDRESSES,
    CHOICES,
    CODES,
    NUMBERS,
    PROTOCOLS,
    TCP_FLAGS,
    And,
    Called,
    Compare,
    End,
    Everything,
    Family,
    Flags,
    Listed,
    Named,
    Network,
    Node,
    Not,
    Or,
    Seen,
    Within,
)
from query.timespan import moment
from query.words import COMPARATORS, Kinds, Mistake, enumerated, field_of, nearest, phrases, unexpected
from settings.errors import ConfigError

MAX_LENGTH = 49152
"""Characters of a filter; a list this long is a parameter that ClickHouse still reads (http_max_field_value_size)."""

_MAC = re.compile(r"[0-9a-f]{1,2}(:[0-9a-f]{2}){5}|[0-9a-f]{2}(-[0-9a-f]{2}){5}|[0-9a-f]{4}(\.[0-9a-f]{4}){2}", re.I)
_INCLUDE = re.compile(r"""("[^"\n]*"|'[^'\n]*'|\#[^\n]*)|@include\s+("[^"\n]+"|'[^'\n]+'|[^\s()]+)""")
_INCLUDED = 8
"""Files that may be included from within each other."""
_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}

Relation = tuple[str, tuple[Token, ...]]
Exporters = Mapping[str, Sequence[Network]]


@cache
def _parser() -> Lark:
    return Lark.open(
        "filter.lark", rel_to=__file__, parser="lalr", lexer="basic", postlex=Kinds(), edit_terminals=phrases
    )


def parse(text: str, exporters: Exporters = MappingProxyType({})) -> Node:
    """Return what the filter `text` says; `exporters` are the prefixes that each exporter name stands for.

    ConfigError shows the text with a caret under the fault, what was expected and the nearest word.
    """
    if len(text) > MAX_LENGTH:
        raise ConfigError(f"filter: is {len(text)} characters long; at most {MAX_LENGTH} are read")
    try:
        node: Node = _Build(exporters).transform(_parser().parse(text))
    except UnexpectedToken as error:
        start = len(text.rstrip()) if error.token.type == "$END" else error.token.start_pos or 0
        problem = unexpected(error.token, error.accepts or error.expected)
        raise Mistake(problem, start, start + len(error.token)).shown(text) from None
    except UnexpectedCharacters as error:
        start = error.pos_in_stream or 0
        raise Mistake(_stray(text[start]), start, start + 1).shown(text) from None
    except Mistake as mistake:
        raise mistake.shown(text) from None
    except VisitError as error:
        if isinstance(error.orig_exc, Mistake):
            raise error.orig_exc.shown(text) from None
        raise
    return node


def expanded(text: str, read: Callable[[str], str], depth: int = 0) -> str:
    """Return the filter `text` with the text of each file that it includes (`@include FILE`), which `read` gives.

    ConfigError where files include each other too deeply.
    """
    if depth > _INCLUDED:
        raise ConfigError(f"filter: files include each other more than {_INCLUDED} deep")

    def included(found: re.Match[str]) -> str:
        kept, name = found.groups()
        return kept if kept else expanded(read(name.strip("\"'")), read, depth + 1)

    return _INCLUDE.sub(included, text)


def _stray(char: str) -> str:
    if char in "\"'":
        return "this quote is not closed in its line"
    return f"{char!r} has no meaning here; a name that holds it needs quotes"


def _number(token: Token, maximum: int) -> int:
    text = token.lower()
    value = int(text, 16) if text.startswith("0x") else int(text.rstrip("kmgt")) * _UNITS.get(text[-1], 1)
    if value > maximum:
        raise Mistake.at(token, f"{token} is more than {maximum}, the most that can be here")
    return value


def _unquoted(token: Token) -> str:
    return token[1:-1] if token.type == "QUOTED" else str(token)


@v_args(inline=True)
class _Build(Transformer[Token, Node]):
    """One method for each kind of condition in filter.lark."""

    def __init__(self, exporters: Exporters) -> None:
        super().__init__()
        self._exporters = exporters

    def everything(self) -> Node:
        return Everything()

    def disjunction(self, *operands: Node) -> Node:
        return Or(operands)

    def conjunction(self, *operands: Node) -> Node:
        return And(operands)

    def negated(self, operand: Node) -> Node:
        return Not(operand)

    def family(self, word: Token) -> Node:
        return Family(6 if word.endswith("6") else 4)

    def protocol(self, *words: Token) -> Node:
        return Compare("proto", "=", PROTOCOLS[words[-1].lower()])

    def compared(self, comparator: Token | None, number: Token) -> Relation:
        return COMPARATORS[(comparator or "=").lower()], (number,)

    def listed(self, *numbers: Token) -> Relation:
        return "in", numbers

    def number(self, end: End | None, word: Token, relation: Relation) -> Node:
        field, (comparator, tokens) = field_of(word), relation
        values = tuple(_number(token, NUMBERS[field].maximum) for token in tokens)
        if comparator == "in":
            return Listed(field, values, end or End.EITHER)
        return Compare(field, comparator, values[0], end or End.EITHER)

    def single(self, word: Token, relation: Relation) -> Node:
        return self.number(None, word, relation)

    def coded(self, word: Token, name: Token) -> Node:
        field = field_of(word)
        codes = CODES[field]
        if name.lower() not in codes:
            problem = f"expected {enumerated(('a number', *codes))}, found '{name}'"
            raise Mistake.at(name, problem + nearest(name, codes))
        return Compare(field, "=", codes[name.lower()])

    def flags(self, _: Token, word: Token) -> Node:
        letters = word.upper()
        if not set(letters) <= set(TCP_FLAGS):
            raise Mistake.at(word, f"expected a number or TCP flags out of {''.join(TCP_FLAGS)}, found '{word}'")
        return Flags(reduce(or_, (TCP_FLAGS[letter] for letter in letters)))

    def place(self, *words: Token) -> tuple[Network, ...]:
        return tuple(ip_network(word, strict=False) for word in words)

    def addresses(self, end: End | None, word: Token, networks: tuple[Network, ...]) -> Node:
        field = field_of(word)
        return Within(field, networks, end or (End.ANYWHERE if ADDRESSES[field].beside else End.EITHER))

    def masked(self, end: End | None, word: Token, address: Token, mask: Token) -> Node:
        try:
            network = ip_network(f"{address}/{mask}", strict=False)
        except ValueError:
            problem = f"'{mask}' is not a mask for {address}; write the prefix as address/length"
            raise Mistake.at(mask, problem) from None
        return self.addresses(end, word, (network,))

    def next_hop(self, _: Token, networks: tuple[Network, ...]) -> Node:
        return Within("next ip", networks)

    def exporter(self, networks: tuple[Network, ...]) -> Node:
        return Within("exporter", networks)

    def exporter_name(self, word: Token) -> Node:
        name = _unquoted(word)
        networks = self._exporters.get(name)
        if not networks:
            hint = nearest(name, self._exporters) or "; the configuration names them under 'exporters'"
            raise Mistake.at(word, f"no exporter is named '{name}'{hint}")
        return Within("exporter", tuple(networks))

    def named(self, end: End | None, field: Token, word: Token) -> Node:
        return Named(field.lower(), _unquoted(word), end or End.EITHER)

    def named_single(self, field: Token, word: Token) -> Node:
        known, name = CHOICES.get(field_of(field)), _unquoted(word)
        if known and name.lower() not in known:
            problem = f"expected {enumerated(known)}, found '{name}'"
            raise Mistake.at(word, problem + nearest(name, known))
        return Named(field_of(field), name.lower() if known else name)

    def mac(self, end: End | None, word: Token, name: Token) -> Node:
        text = _unquoted(name)
        if not _MAC.fullmatch(text):
            raise Mistake.at(name, f"expected a MAC address such as 00:1b:54:0a:0b:0c, found '{text}'")
        return Compare(field_of(word), "=", int(re.sub("[^0-9a-fA-F]", "", text), 16), end or End.EITHER)

    def seen(self, word: Token, comparator: Token | None, name: Token) -> Node:
        try:
            found = moment(_unquoted(name))
        except ConfigError as error:
            raise Mistake.at(name, str(error)) from None
        return Seen(word.lower(), COMPARATORS[(comparator or "=").lower()], round(found.timestamp() * 1000))

    def called(self, end: End | None, word: Token, name: Token) -> Node:
        return Called(word.lower(), _unquoted(name), end or End.EITHER)

    def application(self, word: Token, name: Token) -> Node:
        return Called(word.lower(), _unquoted(name))

    def source(self) -> End:
        return End.SOURCE

    def destination(self) -> End:
        return End.DESTINATION

    def either(self) -> End:
        return End.EITHER

    def both(self) -> End:
        return End.BOTH
