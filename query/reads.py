"""Which columns of flows a filter reads. Pure."""

from __future__ import annotations

from query.expression import (
    ADDRESSES,
    CALLED,
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
    Node,
    Not,
    Or,
    Seen,
    Within,
)


def columns_read(node: Node) -> frozenset[str]:
    """Return the columns that a filter's condition reads, figures of a single flow (`query.expression.DERIVED`) too."""
    match node:
        case Everything():
            return frozenset()
        case Not(operand):
            return columns_read(operand)
        case And(operands) | Or(operands):
            return frozenset().union(*map(columns_read, operands))
        case Flags():
            return _of(NUMBERS["flags"], End.EITHER)
        case Family():
            return _of(ADDRESSES["ip"], End.EITHER)
        case Within(name, _, end):
            return _of(ADDRESSES[name], end)
        case Compare(name, _, _, end) | Listed(name, _, end):
            return _of(NUMBERS[name], end)
        case Named(name, _, end):
            return _of(NAMES[name], end)
        case Seen(name):
            return frozenset({TIMES[name]})
        case Called(name, _, end):
            return frozenset({"exporter", "observation_domain", *_ended(CALLED[name], end)})


def _of(field: Field, end: End) -> frozenset[str]:
    found = {column.partition("[")[0] for column in _ended(field.columns, end)}
    found |= {"proto"} if field.protocols else set()
    found |= set(field.block or ()) | (set(field.beside) if end is End.ANYWHERE else set())
    return frozenset(found)


def _ended(columns: tuple[str, ...], end: End) -> tuple[str, ...]:
    return {End.SOURCE: columns[:1], End.DESTINATION: columns[-1:]}.get(end, columns)
