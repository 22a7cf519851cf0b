"""`flowkeep interfaces`: what counters tell of each interface, beside how much of it the flows show."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from ipaddress import IPv6Address, ip_network
from typing import Annotated, Any

import typer

from cli.asking import Last, Window
from cli.naming import exporter_name
from cli.options import ConfigOption, JsonOption, configuration, print_json
from cli.tables import print_table
from query import timespan
from query.expression import Everything, Node, Within
from query.interfaces import Interface, Question, Way
from query.interfaces import interfaces as joined
from query.words import nearest
from schema.addresses import shown
from settings.config import Config
from settings.errors import ConfigError
from storage.client import connect

_TITLES = ("exporter", "if", "name", "tenant", "speed", "status", "in bit/s", "out bit/s", "in %", "out %", "in pkt/s",
           "out pkt/s", "in err", "out err", "in disc", "out disc", "flow oct in", "flow oct out",
           "seen in", "seen out")  # fmt: skip
_WORDS = 4
"""The titles of words; status is one, too."""
_STATUS = _TITLES.index("status")
_DEFAULT = "1h"


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(interfaces)


def interfaces(
    exporter: Annotated[
        str | None,
        typer.Argument(
            help="A configured exporter's name, or an address; of sFlow the agent's own.", show_default=False
        ),
    ] = None,
    last: Last = None,
    window: Window = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the load, errors and discards of interfaces by their counters, and how much of it the flows show.

    Of the last hour, unless a time is given.
    """
    loaded = configuration(config)
    span = _span(last, window)
    found = _ask(loaded, Question(_condition(loaded, exporter), span.since, span.until))
    names = {address: exporter_name(loaded, address) for address in {each.exporter for each in found}}
    labels = _labels(names)
    found.sort(key=lambda each: (names[each.exporter], each.exporter, each.index))
    if as_json:
        for each in found:
            print_json(_object(each, labels[each.exporter]))
    elif found:
        _print(found, labels)
    _explain(found, span)


def _span(last: str | None, window: str | None) -> timespan.Timespan:
    now = datetime.now(UTC)
    if last and window:
        raise ConfigError("give --last or --time, not both")
    return timespan.window(window, now) if window else timespan.last(last or _DEFAULT, now)


def _condition(config: Config, exporter: str | None) -> Node:
    """Return the condition that a row is of `exporter`, a name or an address; ConfigError where it is neither."""
    if exporter is None:
        return Everything()
    named = tuple(each.prefix for each in config.exporters if each.name == exporter)
    if named:
        return Within("exporter", named)
    try:
        return Within("exporter", (ip_network(exporter),))
    except ValueError:
        hint = nearest(exporter, {each.name for each in config.exporters})
        raise ConfigError(f"'{exporter}' is neither a configured exporter nor an address{hint}") from None


def _ask(config: Config, question: Question) -> list[Interface]:
    with connect(config.storage, config.data_dir, "query") as client:
        answers = (
            client.query(sql.text, sql.parameters).rows
            for sql in (question.latest(), question.counted(), question.named(), question.seen())
        )
        return joined(*answers)


def _labels(names: dict[IPv6Address, str]) -> dict[IPv6Address, str]:
    """Return what to call the exporters: by name, or by address where there is none, or by both where many share it."""
    sharing = Counter(names.values())
    return {
        address: name if name and sharing[name] == 1 else f"{name} {shown(address)}".strip()
        for address, name in names.items()
    }


def _object(each: Interface, label: str) -> dict[str, Any]:
    way_in, way_out = map(asdict, each.ways)
    return {
        "exporter": label,
        "address": shown(each.exporter),
        "if_index": each.index,
        "name": each.name,
        "tenant": each.tenant,
        "speed": each.speed,
        "admin_up": each.admin_up,
        "oper_up": each.oper_up,
        "seconds": each.seconds,
        "in": way_in,
        "out": way_out,
    }


def _print(found: list[Interface], labels: dict[IPv6Address, str]) -> None:
    columns = list(zip(*(_cells(each, labels[each.exporter]) for each in found), strict=True))
    for place, column in enumerate(columns):
        if place == 1 or (place >= _WORDS and place != _STATUS):
            width = max(len(cell) for cell in (_TITLES[place], *column))
            columns[place] = tuple(cell.rjust(width) for cell in column)
    titles = [title.rjust(len(columns[place][0])) for place, title in enumerate(_TITLES)]
    print_table(titles, zip(*columns, strict=True))


def _cells(each: Interface, label: str) -> Iterator[str]:
    yield from (label, str(each.index), each.name or "-", each.tenant or "-", _scaled(each.speed), _status(each))
    for figure in (
        lambda way: _scaled(way.bits_per_second),
        lambda way: _percent(way.utilisation_percent),
        lambda way: _scaled(way.packets_per_second),
        lambda way: _count(way.errors),
        lambda way: _count(way.discards),
        lambda way: _scaled(way.flow_octets),
        lambda way: _percent(way.seen_percent),
    ):
        yield from map(figure, each.ways)


def _status(each: Interface) -> str:
    if each.admin_up is None:
        return "-"
    return ("up" if each.oper_up else "down") if each.admin_up else "admin down"


def _scaled(figure: float | None) -> str:
    """Return a figure to three digits, with a unit of a power of a thousand."""
    if figure is None:
        return "-"
    for unit in ("", "k", "M", "G", "T"):
        if figure < 999.5:
            return f"{figure:.3g}{unit}"
        figure /= 1000
    return f"{figure:.3g}P"


def _percent(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.1f}%"


def _count(figure: int | None) -> str:
    return "-" if figure is None else f"{figure:,}"


def _explain(found: list[Interface], span: timespan.Timespan) -> None:
    """Say on standard error why figures, or all of them, are wanting."""
    time = f"from {span.since:%Y-%m-%d %H:%M:%S} to {span.until:%Y-%m-%d %H:%M:%S} UTC"
    ways: list[Way] = [way for each in found for way in each.ways]
    unknown = sum(way.unknown_sampling for way in ways)
    if not found:
        said = (
            f"no counter samples and no flows {time}; `flowkeep status` shows what the collector receives. An sFlow "
            "agent goes by the address that it says it has, wherever its datagrams come from"
        )
    elif not any(each.seconds for each in found):
        said = (
            f"counters tell nothing {time}: that takes two counter samples of an interface, which only sFlow agents "
            "send, and a policy with the category 'counters'; `flowkeep status` shows what is received and kept"
        )
    elif unknown:
        said = f"{unknown:,} times a flow in or out came without a sampling rate: how much they show is not known"
    else:
        return
    print(said, file=sys.stderr)
