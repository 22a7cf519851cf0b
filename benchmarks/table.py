"""The results for people: one line each, what matters first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_WIDTH = 118
_HIDDEN = {"bench", "value", "unit"}


def lines(results: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of a table: what was measured, the figure, and below it whatever else was found."""
    rows = list(results)
    width = max((len(row["bench"]) for row in rows), default=0)
    for row in rows:
        value = "-" if row["value"] is None else f"{row['value']:,}"
        yield f"{row['bench']:<{width}}  {value:>14} {row['unit']}"
        yield from _wrapped([f"{key} {_shown(row[key])}" for key in row if key not in _HIDDEN], width + 2)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{key} {_shown(part)}" for key, part in value.items()) + ")"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _wrapped(parts: Iterable[str], indent: int) -> Iterator[str]:
    line = ""
    for part in parts:
        if line and indent + len(line) + len(part) > _WIDTH:
            yield " " * indent + line + ","
            line = ""
        line += f", {part}" if line else part
    if line:
        yield " " * indent + line
