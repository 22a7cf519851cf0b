"""What shells offer at TAB: the words of filters, statistics, and tenants and exporters as they are configured.

`flowkeep --install-completion` sets it up for bash, zsh and fish.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import typer

from query.expression import CHOICES, CODES, PROTOCOLS
from query.statistics import STATISTICS
from query.words import KEYWORDS
from settings.config import load_config
from settings.errors import UserError

_JOINING = ("and", "or", "not")
_ORDERS = ("flows", "packets", "bytes")


def filter_words(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return what may stand in a filter behind the words that are there, beginning with what is typed."""
    given = [word for part in ctx.params.get("filter") or () for word in str(part).split()]
    return _beginning(incomplete, _following(given[-1].lower() if given else "", ctx))


def statistics(incomplete: str) -> list[str]:
    """Return statistics, and orders behind a slash, for an option that takes several."""
    before, comma, last = incomplete.rpartition(",")
    word, slash, order = last.partition("/")
    if slash:
        return [f"{before}{comma}{word}/{one}" for one in _beginning(order, _ORDERS)]
    return [before + comma + one for one in _beginning(last, (*STATISTICS, "record"))]


def _following(word: str, ctx: typer.Context) -> Iterable[str]:
    if word in ("tenant", "exporter"):
        return _configured(word, ctx)
    if word in CHOICES:
        return CHOICES[word]
    if word == "proto":
        return PROTOCOLS
    seconds = [rest for first, _, rest in (key.partition(" ") for key in KEYWORDS) if first == word and rest]
    if seconds:
        return (*seconds, *CODES.get(f"{word} event", ()))
    return dict.fromkeys((*_JOINING, *(key.partition(" ")[0] for key in KEYWORDS), *PROTOCOLS))


def _configured(what: str, ctx: typer.Context) -> Iterable[str]:
    path = ctx.params.get("config") or os.environ.get("FLOWKEEP_CONFIG")
    with suppress(UserError):  # there is nobody to tell
        if path:
            config = load_config(Path(path), os.environ)
            if what == "exporter":
                return [exporter.name for exporter in config.exporters]
            from cli.sources import read  # at TAB alone: with it comes the model of policies

            return read(config)[1].tenants.names
    return []


def _beginning(typed: str, words: Iterable[str]) -> list[str]:
    return [word for word in words if word.startswith(typed.lower())]
