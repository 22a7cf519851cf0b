"""`flowkeep help TOPIC`: what is more than the options of a command."""

from __future__ import annotations

import textwrap
from enum import StrEnum
from typing import Annotated

import typer

from cli.flow_formats import FORMATS, TAGS
from cli.tables import print_table
from query.guide import ENTRIES, INTRODUCTION
from query.words import ABSENT

_WIDTH = 100


class Topic(StrEnum):
    """What there is help for."""

    FILTER = "filter"
    OUTPUT = "output"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="help")(show)


def show(topic: Annotated[Topic, typer.Argument(help="What about.", show_default=False)]) -> None:
    """Explain a topic: the language of filters, the formats of flows."""
    {Topic.FILTER: _filter, Topic.OUTPUT: _output}[topic]()


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


def _output() -> None:
    print("`flowkeep flows -o` has nfdump's formats line, long and extended, csv and json with every column, and fmt:")
    print("with tags, as in 'fmt:%ts %sap -> %dap %byt'; a format may name another, as in 'fmt:%long %ra'.\n")
    print_table(("format", "is"), FORMATS.items())
    print()
    print_table(
        ("tag", "shows"), [(f"%{name}", f"{tag.title} ({', '.join(tag.columns)})") for name, tag in TAGS.items()]
    )
