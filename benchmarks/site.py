"""A collector for loads: directory, configuration, tenants and policy, and what its ClickHouse holds."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.pool import allocations_csv
from benchmarks.sender import source_of
from demo.provider import RETENTION
from schema.tables import STORED_TABLES
from settings.config import Config
from storage.client import Client, connect
from storage.ddl import FLOWS

SUMS = ("flows", "bytes", "packets")
"""What a table of flows that were added up has instead of them."""


class Stored(NamedTuple):
    """What ClickHouse has on disk: rows of flows, their octets, and those of the tables that add them up."""

    rows: int
    octets: int
    summed_octets: int


def rollups() -> list[str]:
    """Return the names of the stored tables that hold flows added up: those that have all of SUMS as columns."""
    return [table.name for table in STORED_TABLES if set(SUMS) <= table.by_name.keys()]


def write(directory: Path, exporters: int, settings: Iterable[str] = ()) -> tuple[Path, int]:
    """Write a configuration into `directory`; return its path and the UDP port it listens on.

    `settings` are further lines of it; any free ports of loopback serve.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "tenants.csv").write_text(allocations_csv())
    (directory / "retention.yaml").write_text(RETENTION.read_text(encoding="utf-8"), encoding="utf-8")
    port, metrics = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    lines = [
        "data_dir: data",
        f'listen: ["127.0.0.1:{port}"]',
        "exporters:",
        *(f"  - {{prefix: {source_of(number)}/32, name: edge{number + 1}}}" for number in range(exporters)),
        "tenants: tenants.csv",
        "retention: retention.yaml",
        "storage: {mode: embedded}",
        f'metrics: "127.0.0.1:{metrics}"',
        *settings,
    ]
    path = directory / "flowkeep.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path, port


def free_port(kind: socket.SocketKind) -> int:
    """Return a port of loopback that nobody has."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client(config: Config, role: str = "retention") -> Client:
    """Return a client of the collector's ClickHouse that may see its parts and merges."""
    return connect(config.storage, config.data_dir, role)


def stored(ours: Client) -> Stored:
    """Return what is on disk now."""
    summed = ", ".join(f"'{name}'" for name in rollups()) or "''"
    (row,) = ours.query(
        f"SELECT sumIf(rows, table = '{FLOWS}'), sumIf(bytes_on_disk, table = '{FLOWS}'), "
        f"sumIf(bytes_on_disk, table IN ({summed})) FROM system.parts WHERE active AND database = currentDatabase()"
    ).rows
    return Stored(*map(int, row))


def flows(ours: Client) -> int:
    """Return how many flows a query finds."""
    ((count,),) = ours.query(f"SELECT count() FROM {FLOWS}").rows
    return int(count)


def merging(ours: Client) -> int:
    """Return how many merges are under way."""
    ((count,),) = ours.query("SELECT count() FROM system.merges").rows
    return int(count)


def settle_merges(ours: Client, most: float) -> tuple[float, bool]:
    """Wait until no merge has been under way for a second, at most `most` seconds; return how long, and whether."""
    begun = quiet = time.monotonic()
    while (now := time.monotonic()) - begun < most:
        if merging(ours):
            quiet = now
        elif now - quiet >= 1:
            return now - begun, True
        time.sleep(0.1)
    return time.monotonic() - begun, False


def caught_up(books: dict[str, Any]) -> bool:
    """Whether all that came is worked off, by the collector's books."""
    return not books["waiting"]
