"""Ties the files of tenants and policy to the running collector: attribution, and what the database enforces."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from pathlib import Path

from abuse.allocation_history import record
from collector.command_schedule import Task
from collector.retained import Retained
from retention.ages import limits, oldest_by_class
from retention.expiry import lasting
from retention.hold_store import load
from retention.policy import Policy, load_policy
from retention.stored import filled, stored
from settings.config import Config, Embedded
from settings.errors import ConfigError
from storage.audit import with_audit
from storage.client import connect
from storage.observe import observe
from storage.upgrade import upgrade
from tenants.allocations import Allocations, load_allocations
from tenants.attribution import Attribution

_PATIENCE = 5.0
"""Seconds for which the daemon waits for an answer about what is kept."""
_NAMES_EVERY = 3600.0


class FileSources:
    """The configured files; `collector.daemon.Sources`."""

    worker = "cli.worker"

    def __init__(self, config: Config, file: Path | None = None) -> None:
        """`file` is where the configuration was read from."""
        self._config = config
        command = (sys.executable, "-P", "-m", "cli.main")
        chosen = ("-c", str(file), "--json")
        self.purge: Sequence[str] = (*command, "retention", "purge", *chosen)
        self.tasks: Sequence[Task] = tuple(_tasks(config, command, chosen))
        self._policy: Policy | None = None
        self._allocations: Allocations | None = None

    def files(self) -> list[Path]:
        """Return the allocations' and the policy's file."""
        return [self._config.tenants, self._config.retention]

    def load(self) -> tuple[Attribution, int]:
        """Read both files and check them against each other."""
        policy, allocations = read(self._config)
        attribution = Attribution(allocations, policy)
        self._policy, self._allocations = policy, allocations
        return attribution, len(allocations)

    def enforce(self) -> None:
        """Bring the tables to this version's schema, and their expiry to the policy where that is longer.

        What shortens it deletes, and is for `flowkeep retention apply`. What has changed of the allocations goes into
        their history.
        """
        if self._policy is not None:
            with connect(self._config.storage, self._config.data_dir, "admin") as admin:
                admin.create_database()
                observed = observe(admin)
                schema = lasting(self._policy, observed, filled(admin, observed))
                if isinstance(self._config.storage, Embedded):  # whose own logs end with its process
                    schema = with_audit(schema, self._policy.log_days)
                upgrade(admin, schema)
                if self._allocations is not None:
                    record(admin, self._allocations, datetime.now(UTC))

    def purge_at(self) -> time | None:
        """Return when the policy wants a purge each day."""
        return self._policy.purge.schedule if self._policy else None

    def retained(self) -> Retained:
        """Return the oldest row of each class and category, how old it may get, and how many holds there are."""
        if self._policy is None:
            return Retained({}, {}, 0)
        now = datetime.now(UTC)
        with connect(self._config.storage, self._config.data_dir, "retention", _PATIENCE) as client:
            oldest = oldest_by_class(stored(client))
            holds = sum(hold.is_active(now) for hold in load(client))
        return Retained(oldest, limits(self._policy), holds)


def _tasks(config: Config, command: Sequence[str], chosen: Sequence[str]) -> Iterator[Task]:
    if any(exporter.snmp for exporter in config.exporters):
        complaint = "not all exporters told the names of their interfaces"
        yield Task((*command, "names", *chosen), _NAMES_EVERY, complaint)
    if config.tenants_source:
        complaint = "the allocations are not brought up to date"
        yield Task((*command, "tenants", "fetch", *chosen), config.tenants_source.every_minutes * 60.0, complaint)


def attribution(tenants: Path, retention: Path) -> Attribution:
    """Return the attribution by these files; ConfigError as of `read`."""
    policy, allocations = _read(tenants, retention)
    return Attribution(allocations, policy)


def read(config: Config) -> tuple[Policy, Allocations]:
    """Return policy and allocations; ConfigError with every fault, also of classes that the policy does not have."""
    return _read(config.tenants, config.retention)


def _read(tenants: Path, retention: Path) -> tuple[Policy, Allocations]:
    try:
        policy = load_policy(retention, os.environ, datetime.now(UTC).date())
    except ConfigError as error:
        try:
            load_allocations(tenants)
        except ConfigError as other:
            raise ConfigError(f"{error}\n{other}") from None
        raise
    allocations = load_allocations(tenants)
    policy.check_classes(allocations)
    return policy, allocations
