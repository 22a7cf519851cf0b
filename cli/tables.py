"""Tables for people, as wide as their content: a number or an address cut short would be a wrong one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

_WIDE = 1000


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under `titles`; numbers stand right, with thousands set apart."""
    table = Table(box=None, header_style="bold", show_header=any(titles), pad_edge=False)
    body = [[_text(value) for value in row] for row in rows]
    numeric = [all(text[1] for text in column) for column in zip(*body, strict=True)] if body else [False] * len(titles)
    for title, right in zip(titles, numeric, strict=True):
        table.add_column(title, justify="right" if right else "left", no_wrap=True)
    for row in body:
        table.add_row(*(text for text, _ in row))
    console = plain_console()
    console.width = max(console.measure(table, options=console.options.update(width=_WIDE)).maximum, 1)
    console.print(table)


def plain_console(stderr: bool = False) -> Console:
    """Return a console that prints text as it is: no markup, no emoji, no guessed colours."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _text(value: object) -> tuple[str, bool]:
    """Return a value's text, and whether it counts something."""
    counts = isinstance(value, int) and not isinstance(value, bool)
    return (f"{value:,}" if counts else str(value)), counts
