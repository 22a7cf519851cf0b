"""A filter's tree as a ClickHouse condition with server-side placeholders.

Nothing the user typed enters the SQL text: values go to `parameters`, the text is made of column names from
`schema.columns`, operators and placeholders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from query.expression import (
    ADDRESSES,
    CALLED,
    DERIVED,
    NAMES,
    NUMBERS,
    TIMES,
    And,
    Called,
    Compare,
    End,
    Everything,
    Family,
    Field,
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
from settings.errors import ConfigError

MAX_PARAMETERS = 900
"""Parameters of one query; ClickHouse reads requests of 1000 fields (http_max_fields). A list of hosts is one."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Address: TypeAlias = IPv4Address | IPv6Address

_FAMILY: dict[int, list[tuple[Address, Address]]] = {
    4: [(IPv4Address(0), IPv4Address(2**32 - 1))],
    6: [
        (IPv6Address(1), IPv6Address("::fffe:ffff:ffff")),
        (IPv6Address("::1:0:0:0"), IPv6Address(2**128 - 1)),
    ],
}
"""The ranges of the addresses of each IP version; all zero is an absent one."""


@dataclass(frozen=True, slots=True)
class Sql:
    """SQL with placeholders such as {p0:UInt16}, and the values of its parameters: int, str, or lists of them."""

    text: str
    parameters: dict[str, object]


@dataclass(slots=True)
class Parameters:
    """The parameters of one query as it is built; each is named once, by its turn."""

    values: dict[str, object] = field(default_factory=dict)

    def add(self, value: object, clickhouse: str) -> str:
        """Keep `value` and return its placeholder, typed as `clickhouse`."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{clickhouse}}}"


def condition(node: Node, parameters: Parameters) -> str:
    """Return the condition that `node` is, adding its values to `parameters`; ConfigError where they get too many."""
    text = _condition(node, parameters, negated=False)
    if len(parameters.values) > MAX_PARAMETERS:
        raise ConfigError("filter: has too many conditions; put hosts and ports in lists, such as 'port in [80 443]', "
                          "and join neighbouring prefixes")  # fmt: skip
    return text


def _condition(node: Node, parameters: Parameters, *, negated: bool) -> str:
    match node:
        case Everything():
            return "1"
        case Not(operand):
            return f"NOT ({_condition(operand, parameters, negated=not negated)})"
        case And(operands):
            return _joined(" AND ", (_condition(operand, parameters, negated=negated) for operand in operands))
        case Or(operands):
            return _joined(" OR ", (_condition(operand, parameters, negated=negated) for operand in operands))
        case Flags(mask):
            bits = parameters.add(mask, NUMBERS["flags"].clickhouse)
            test = "> 0" if negated else f"= {bits}"
            return _ended(NUMBERS["flags"], End.EITHER, lambda column: f"bitAnd({column}, {bits}) {test}")
        case Family(version):
            return _ended(
                ADDRESSES["ip"], End.EITHER, _any_of(_between(*bounds, parameters) for bounds in _FAMILY[version])
            )
        case Within(name, networks, end):
            return _within(ADDRESSES[name], networks, end, parameters)
        case Compare(name, comparator, value, end):
            placeholder = parameters.add(value, NUMBERS[name].clickhouse)
            block = _in_block(NUMBERS[name], comparator, placeholder)
            return _ended(NUMBERS[name], end, _any_of([f"{comparator} {placeholder}"]), block)
        case Listed(name, values, end):
            placeholder = parameters.add(list(values), f"Array({NUMBERS[name].clickhouse})")
            block = _in_block(NUMBERS[name], "in", placeholder)
            return _ended(NUMBERS[name], end, _any_of([f"IN {placeholder}"]), block)
        case Named(name, value, end):
            return _ended(NAMES[name], end, _any_of([f"= {parameters.add(value, 'String')}"]))
        case Seen(name, comparator, moment):
            return f"{TIMES[name]} {comparator} {instant(moment, parameters)}"
        case Called(name, value, end):
            return _called(name, value, end, parameters)


def instant(moment: int, parameters: Parameters) -> str:
    """Return a moment, in ms since 1970, as the columns of times hold it."""
    return f"fromUnixTimestamp64Milli({parameters.add(moment, 'Int64')}, 'UTC')"


def within(since: datetime, until: datetime, parameters: Parameters) -> str:
    """Return the condition that a row was received from `since` on and before `until`."""
    first, end = ((moment - _EPOCH) // timedelta(milliseconds=1) for moment in (since, until))
    return f"time_received >= {instant(first, parameters)} AND time_received < {instant(end, parameters)}"


def _within(of: Field, networks: tuple[Network, ...], end: End, parameters: Parameters) -> str:
    comparisons = list(_places(networks, parameters))
    text = _ended(of, end, _any_of(comparisons))
    known = tuple(network for network in networks if IPv6Address(0) not in network)
    if end is not End.ANYWHERE or not known:
        return text
    if known != networks:
        comparisons = list(_places(known, parameters))
    return _joined(" OR ", (text, *map(_any_of(comparisons), of.beside)))


def _called(name: str, value: str, end: End, parameters: Parameters) -> str:
    """Return that the number in the columns of the `end` is one that its exporter has called so."""
    columns, naming = CALLED[name], {"app": "application"}.get(name, name)
    names = (
        f"(SELECT exporter, observation_domain, id FROM names FINAL WHERE naming = '{naming}' "  # noqa: S608
        f"AND name = {parameters.add(value, 'String')})"
    )
    kept = {End.SOURCE: columns[:1], End.DESTINATION: columns[1:]}.get(end, columns)
    return _joined(
        " OR ", (f"(exporter, observation_domain, toUInt64({column})) IN {names}" for column in dict.fromkeys(kept))
    )


def _joined(operator: str, conditions: Iterable[str]) -> str:
    parts = list(conditions)
    return parts[0] if len(parts) == 1 else f"({operator.join(parts)})"


def _any_of(comparisons: Iterable[str]) -> Callable[[str], str]:
    """Return the test of a column that one of `comparisons`, each an operator with its right side, holds."""
    kept = list(comparisons)
    return lambda column: _joined(" OR ", (f"{column} {comparison}" for comparison in kept))


def _ended(of: Field, end: End, test: Callable[[str], str], block: str = "") -> str:
    """Return `test` on the columns of the field's `end`, and that the protocol is one that has the field.

    Where there is a test of the `block` it may hold instead of the source's.
    """
    tests = [test(DERIVED[column].sql if column in DERIVED else column) for column in of.columns]
    if block:
        tests[0] = _joined(" OR ", (tests[0], block))
    kept = {End.SOURCE: tests[:1], End.DESTINATION: tests[-1:]}.get(end, tests)
    text = _joined(" AND " if end is End.BOTH else " OR ", kept)
    if not of.protocols:
        return text
    return f"({_joined(' OR ', (f'proto = {number}' for number in of.protocols))} AND {text})"


def _in_block(of: Field, comparator: str, placeholder: str) -> str:
    """Return the test that some value of the field's block stands in this relation; empty where it has no block."""
    if not of.block:
        return ""
    first, last = of.block
    test = {
        "=": f"{first} <= {placeholder} AND {last} >= {placeholder}",
        "in": f"arrayExists(value -> value BETWEEN {first} AND {last}, {placeholder})",
        "<": f"{first} < {placeholder}",
        "<=": f"{first} <= {placeholder}",
        ">": f"{last} > {placeholder}",
        ">=": f"{last} >= {placeholder}",
    }[comparator]
    return f"({last} > 0 AND {test})"


def _places(networks: tuple[Network, ...], parameters: Parameters) -> Iterator[str]:
    """Yield a comparison for the hosts among `networks`, by equality, which bloom filters serve, and one a prefix."""
    hosts = [_mapped(network[0]) for network in networks if network.num_addresses == 1]
    if len(hosts) == 1:
        yield f"= {parameters.add(hosts[0], 'IPv6')}"
    elif hosts:
        yield f"IN {parameters.add(hosts, 'Array(IPv6)')}"
    for network in networks:
        if network.num_addresses > 1:
            yield _between(network[0], network[-1], parameters)


def _between(low: Address, high: Address, parameters: Parameters) -> str:
    return f"BETWEEN {parameters.add(_mapped(low), 'IPv6')} AND {parameters.add(_mapped(high), 'IPv6')}"


def _mapped(address: Address) -> str:
    """Return the address as the columns hold it, IPv4 mapped into IPv6 (RFC 4291 section 2.5.5.2)."""
    return f"::ffff:{address}" if isinstance(address, IPv4Address) else str(address)
