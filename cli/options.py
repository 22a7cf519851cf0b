"""Options that many commands share, and what they resolve to."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from ledger.book import Ledger
from schema.addresses import packed
from settings.config import Config, load_config
from settings.errors import ConfigError, UnreachableError
from storage.client import Client, connect

ConfigOption = Annotated[
    Path | None,
    typer.Option("-c", "--config", help="The configuration file.", envvar="FLOWKEEP_CONFIG", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_ANSWER_SECONDS = 5


def configuration(path: Path | None) -> Config:
    """Load the configuration that was named; ConfigError where none was."""
    if path is None:
        raise ConfigError("no configuration: give it with -c FILE, or set FLOWKEEP_CONFIG")
    return load_config(path, os.environ)


def client(path: Path | None, role: str) -> Client:
    """Return a client of the configured ClickHouse."""
    config = configuration(path)
    return connect(config.storage, config.data_dir, role)


def ledger_of(config: Config) -> Ledger:
    """Return the ledger of the configured data directory."""
    return Ledger(config.data_dir / "ledger")


def octets_of(address: str) -> bytes:
    """Return an address as the stored columns have it: 16 octets, IPv4 mapped; ConfigError where it is none."""
    try:
        return packed(ip_address(address))
    except ValueError:
        raise ConfigError(f"'{address}' is not an IP address") from None


def zone_named(name: str | None) -> ZoneInfo | None:
    """Return the zone of a --zone, None where none is given; ConfigError where there is no such zone."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"--zone: there is no zone '{name}'; write one such as Europe/Berlin or UTC") from None


def ask_collector(config: Config, page: str) -> dict[str, Any]:
    """Return a page of the running collector's HTTP endpoint; UnreachableError where it does not answer."""
    url = f"http://{config.metrics}{page}"
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:
            return dict(json.load(answer))
    except (urllib.error.URLError, OSError, ValueError):
        raise UnreachableError(f"no collector answers at {url}; start it with `flowkeep run`") from None


def print_json(value: object) -> None:
    """Print one JSON value on a line."""
    json.dump(value, sys.stdout, default=str)
    sys.stdout.write("\n")
