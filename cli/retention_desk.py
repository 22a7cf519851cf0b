"""What the commands of retention share: policy, ClickHouse as the retention role, holds, the ledger and its key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.options import client as client_of
from cli.options import configuration
from cli.sources import read
from ledger.book import Ledger
from ledger.keys import SigningKey
from retention.apply import Hands, Purged
from retention.held import covers
from retention.hold_store import load
from retention.plan import Cover, Database, Key, Plan, make_plan
from retention.policy import Policy
from retention.runs import Files
from retention.saved_plan import value
from retention.stored import look
from storage.client import Client, connect
from storage.observe import Partition


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that a command of retention works with."""

    policy: Policy
    client: Client
    files: Files
    ledger: Ledger
    key: SigningKey
    data_dir: Path

    def record(self, action: str, details: Mapping[str, Any]) -> None:
        """Put an action on the ledger, under the name of whoever is logged in."""
        self.ledger.append(action, details, now=now())

    def hands(self, taken: Any = None) -> Hands:
        """Return what carries out a plan; `taken` is told of each step."""
        return Hands(self.client, now, self.record, taken or _untold, self.files.alone)

    def look(self) -> Database:
        """Return the database as it is."""
        return look(self.client, load(self.client), now())

    def plan(self) -> tuple[Plan, dict[str, Any]]:
        """Return what is due, and what it would do as a value with a fingerprint."""
        made = make_plan(self.look(), self.policy, now())
        return made, value(made, self.policy.edition)


def _untold(done: Purged) -> None:
    """Nobody watches."""


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@contextmanager
def desk(config: Path | None) -> Iterator[Desk]:
    """Open the desk for one command; errors as of the configuration, of ClickHouse and of the ledger."""
    loaded = configuration(config)
    policy, _ = read(loaded)
    ledger = loaded.data_dir / "ledger"
    with connect(loaded.storage, loaded.data_dir, "retention") as client:
        yield Desk(policy, client, Files.of(loaded.data_dir), Ledger(ledger), SigningKey.load(ledger), loaded.data_dir)


def held_of(config: Path | None, keys: Sequence[Key]) -> Mapping[Key, Cover]:
    """Return what holds cover of some partitions."""
    at = now()
    with client_of(config, "retention") as client:
        partitions = [Partition("", name, day, 0, 0, None, None, table=table) for table, name, day in keys]
        return covers(client, load(client), partitions, at)
