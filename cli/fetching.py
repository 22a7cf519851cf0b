"""`flowkeep names`: what exporters call their interfaces, asked by SNMP and stored for those who do not tell it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, NamedTuple

import typer

from cli.options import ConfigOption, JsonOption, configuration, print_json
from cli.tables import print_table
from enrichment.snmp import Agent, SnmpError, interfaces
from schema.addresses import packed
from settings.config import Config, Exporter
from settings.errors import FINDING, ConfigError
from storage.client import Client, connect
from storage.native import Name
from storage.writer import Writer

_AT_ONCE = 16
_STANDS = timedelta(hours=25)
"""For how long a name stands that the exporter told by itself: exporters tell theirs every few minutes."""
_DAY = timedelta(days=1)
_DOMAINS = """
    SELECT DISTINCT observation_domain FROM flows
    WHERE time_received > fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND exporter = toIPv6({exporter:String})"""
_TOLD = """
    SELECT observation_domain, id, argMax(name, seen), max(seen) FROM names
    WHERE naming = 'interface' AND exporter = toIPv6({exporter:String}) GROUP BY observation_domain, id"""


class Asked(NamedTuple):
    """What came of asking an exporter: its interfaces by index, or why there are none."""

    name: str
    address: str
    found: dict[int, tuple[str, str]]
    problem: str


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(names)


def names(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Ask exporters by SNMP what their interfaces are called, and store it; `flowkeep run` does it every hour.

    Names that an exporter tells by itself, in options data or counter samples, stand.
    """
    loaded = configuration(config)
    agents = [(exporter, agent) for exporter in loaded.exporters if (agent := _agent(exporter))]
    if not agents:
        raise ConfigError("no exporter has 'snmp' in the configuration; docs/configuration.md says how")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = list(pool.map(lambda pair: _ask(*pair), agents))
    stored = _store(loaded, [each for each in asked if each.found])
    for each in asked:
        if each.problem:
            print(f"{each.name} ({each.address}): {each.problem}", file=sys.stderr)
    rows = [(each.name, each.address, len(each.found), stored.get(each.address, 0)) for each in asked]
    if as_json:
        for row in rows:
            print_json(dict(zip(("exporter", "address", "interfaces", "stored"), row, strict=True)))
    else:
        print_table(("exporter", "address", "interfaces", "stored"), rows)
    if any(each.problem for each in asked):
        raise typer.Exit(FINDING)


def _agent(exporter: Exporter) -> Agent | None:
    told = exporter.snmp
    if told is None:
        return None
    return Agent(
        str(told.address or exporter.prefix.network_address),
        told.port,
        told.community,
        told.user,
        told.authentication,
        told.authentication_key,
        told.privacy_key,
    )


def _ask(exporter: Exporter, agent: Agent) -> Asked:
    address = str(exporter.prefix.network_address)
    try:
        return Asked(exporter.name, address, interfaces(agent), "")
    except SnmpError as error:
        return Asked(exporter.name, address, {}, f"SNMP at {agent.address} port {agent.port}: {error}")


def _store(config: Config, asked: Iterable[Asked]) -> dict[str, int]:
    """Store names for each observation domain of the last day, as which flows know interfaces; return how many."""
    counts, now = {}, datetime.now(UTC)
    with (
        connect(config.storage, config.data_dir, "query") as query,
        connect(config.storage, config.data_dir, "ingest") as ingest,
    ):
        writer = Writer(ingest)
        for each in asked:
            new = list(_news(query, each, now))
            writer.write_names(new)
            counts[each.address] = len(new)
    return counts


def _news(query: Client, asked: Asked, now: datetime) -> Iterator[Name]:
    exporter: dict[str, Any] = {"exporter": asked.address}
    since = int((now - _DAY).timestamp() * 1000)
    domains = [row[0] for row in query.query(_DOMAINS, exporter | {"since": since}).rows] or [0]
    told = {(domain, index): (name, seen) for domain, index, name, seen in query.query(_TOLD, exporter).rows}
    octets, seen_ms = packed(ip_address(asked.address)), int(now.timestamp() * 1000)
    for domain in domains:
        for index, (name, alias) in asked.found.items():
            other, seen = told.get((domain, index), (name, now))
            if other == name or now - seen > _STANDS:
                yield (octets, domain, "interface", index, name, alias, seen_ms)
