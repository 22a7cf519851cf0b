"""`flowkeep help TOPIC`: what is more than the options of a command."""

from __future__ import annotations

import textwrap
from enum import StrEnum
from typing import Annotated

import typer

from cli.tables import print_table
from query.guide import ENTRIES, INTRODUCTION
from query.words import ABSENT

_WIDTH = 100


class Topic(StrEnum):
    """What there is help for."""

    FILTER = "filter"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="help")(show)


def show(topic: Annotated[Topic, typer.Argument(help="What about.", show_default=False)]) -> None:
    """Explain a topic: the language of filters."""
    _filter()


def _filter() -> None:
    print(f"{textwrap.fill(INTRODUCTION.replace('`', ''), _WIDTH)}\n")
    print_table(
        ("filter", "selects"),
        [
            (example, entry.meaning if not place else "")
            for entry in ENTRIES
            for place, example in enumerate(entry.examples)
        ],
    )
    print("\nWhat nfdump's language has and this one has not:\n")
    print_table(("word", "why"), ABSENT.items())
