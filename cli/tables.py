"""Tables for people, as wide as their content: a number or an address cut short would be a wrong one."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

_WIDE = 1000
_PAGED = {"LESS": "FRSX"}
"""Of less, unless the environment says otherwise: ends where all fits, keeps colours, cuts no line in two."""


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
    screen = console.size
    console.width = max(console.measure(table, options=console.options.update(width=_WIDE)).maximum, 1)
    if not console.is_terminal or (len(body) + 2 < screen.height and console.width <= screen.width):
        console.print(table)
        return
    with console.capture() as printed:
        console.print(table)
    _page(printed.get())


def _page(text: str) -> None:
    """Show text by the pager that the environment names, or less; where there is none, print it."""
    command = os.environ.get("PAGER", "less")
    try:
        with subprocess.Popen(
            shlex.split(command) or ["cat"], stdin=subprocess.PIPE, text=True, env=_PAGED | os.environ
        ) as pager:
            interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the pager's while it shows
            try:
                pager.communicate(text)
            finally:
                signal.signal(signal.SIGINT, interrupt)
    except (OSError, ValueError):
        print(text, end="")


def plain_console(stderr: bool = False) -> Console:
    """Return a console that prints text as it is: no markup, no emoji, no guessed colours."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _text(value: object) -> tuple[str, bool]:
    """Return a value's text, and whether it counts something."""
    counts = isinstance(value, int) and not isinstance(value, bool)
    return (f"{value:,}" if counts else str(value)), counts
