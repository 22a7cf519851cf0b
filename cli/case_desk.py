"""The abuse desk for one command: configuration, cases, ClickHouse as two of its roles, policy and ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from abuse.desk import Desk
from abuse.store import Store
from cli.holding import person
from cli.options import configuration, ledger_of
from cli.sources import read
from retention.runs import Files
from storage.client import connect

_PATIENCE = 3600
"""Seconds for which a copy of held rows may take."""


@contextmanager
def abuse_desk(config: Path | None) -> Iterator[Desk]:
    """Open the desk; errors as of the configuration and of ClickHouse."""
    loaded = configuration(config)
    policy, _ = read(loaded)
    with (
        connect(loaded.storage, loaded.data_dir, "query") as query,
        connect(loaded.storage, loaded.data_dir, "retention", _PATIENCE) as retention,
        Store.of(loaded.data_dir) as store,
    ):
        yield Desk(
            person(), datetime.now(UTC), store, query, retention, policy, Files.of(loaded.data_dir), ledger_of(loaded)
        )
