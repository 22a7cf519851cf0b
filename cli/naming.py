"""What the keys of a report are called: protocols, services, interfaces, exporters, countries, systems and hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from ipaddress import IPv6Address
from typing import Annotated, Any, TypeAlias

import typer

from cli.answer_data import Data
from cli.asking import Answers, Question
from enrichment.hosts import hosts
from enrichment.places import Places, places
from enrichment.services import service
from query.expression import PROTOCOLS, Everything
from query.interfaces import Question as Interfaces
from settings.config import Config

Row: TypeAlias = dict[str, Any]
Names = Annotated[
    bool | None,
    typer.Option(
        "--names/--no-names",
        help="What numbers are called; a table has it unless told otherwise, data only if told.",
        show_default=False,
    ),
]
Dns = Annotated[bool, typer.Option("--dns", help="Ask the resolver for the names of addresses.")]

_DNS_SECONDS = 5.0
_PROTOCOLS = {number: name for name, number in PROTOCOLS.items()}
_PORTS = frozenset({"srcport", "dstport", "port"})
_ADDRESSES = frozenset({"srcip", "dstip", "ip", "nhip", "xsrcip", "xdstip"})
_SYSTEMS = frozenset({"srcas", "dstas", "as", "prevas", "nextas"})
_INTERFACES = frozenset({"inif", "outif", "if"})


def add_names(
    rows: Sequence[Row],
    keys: Sequence[str],
    asked: Question,
    ask: Answers,
    form: Data | None,
    told: bool | None,
    dns: bool,
) -> tuple[str, ...]:
    """Add to the rows what their keys are called; return the names of keys and of what was added, in turn.

    Tables have it unless `told` otherwise, and of it what has something to say; data only if told, and then all of it.
    """
    if not (form is None if told is None else told):
        return tuple(keys)
    with ExitStack() as stack:
        files = asked.config.enrichment
        here = stack.enter_context(places(files.systems, files.countries))
        columns: list[str] = []
        for key in keys:
            columns.append(key)
            for added, value in _naming(key, keys, rows, asked, ask, here, dns).items():
                for row in rows:
                    row[added] = value(row)
                if form or any(row[added] for row in rows):
                    columns.append(added)
    return tuple(columns)


def _naming(
    key: str, keys: Sequence[str], rows: Sequence[Row], asked: Question, ask: Answers, here: Places, dns: bool
) -> Mapping[str, Callable[[Row], str]]:
    """Return by column what the values of a key are called."""
    if key == "proto":
        return {"proto_name": lambda row: _PROTOCOLS.get(row[key], "")}
    if key in _PORTS:
        return {f"{key}_name": lambda row: service(row[key], row.get("proto"))}
    if key == "exporter":
        return {"exporter_name": lambda row: exporter_name(asked.config, row[key])}
    if key in _SYSTEMS:
        systems = here.systems(row[key] for row in rows)
        return {f"{key}_name": lambda row: systems.get(row[key], "")} if here.knows_systems else {}
    if key in _INTERFACES and "exporter" in keys:
        interfaces = _interfaces(asked, ask) if rows else {}
        return {f"{key}_name": lambda row: interfaces.get((row["exporter"], row[key]), "")}
    return _of_address(key, rows, here, dns) if key in _ADDRESSES else {}


def _of_address(key: str, rows: Sequence[Row], here: Places, dns: bool) -> Mapping[str, Callable[[Row], str]]:
    found = here.of(row[key] for row in rows)
    naming: dict[str, Callable[[Row], str]] = {}
    if here.knows_countries:
        naming[f"{key}_country"] = lambda row: found[row[key]].country
    if here.knows_systems:
        naming[f"{key}_as"] = lambda row: _system(found[row[key]].system, found[row[key]].system_name)
    if dns:
        names = hosts((row[key] for row in rows), _DNS_SECONDS)
        naming[f"{key}_name"] = lambda row: names.get(row[key], "")
    return naming


def _system(number: int, name: str) -> str:
    return f"AS{number} {name}".strip() if number else ""


def exporter_name(config: Config, exporter: IPv6Address) -> str:
    """Return what the longest of the configured prefixes with this address is called; empty where none has it."""
    address = exporter.ipv4_mapped or exporter
    matches = [(each.prefix.prefixlen, each.name) for each in config.exporters if address in each.prefix]
    return max(matches)[1] if matches else ""


def _interfaces(asked: Question, ask: Answers) -> dict[tuple[IPv6Address, int], str]:
    """Return names of interfaces by exporter and index, as options data, counter samples or SNMP gave them."""
    question = Interfaces(Everything(), asked.since, asked.until)
    named: Iterable[tuple[Any, ...]] = [*ask.raw(question.named()), *(row[:3] for row in ask.raw(question.latest()))]
    return {(exporter, index): name for exporter, index, name in named if name}
