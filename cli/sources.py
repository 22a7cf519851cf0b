"""Ties the files of tenants and policy to the running collector: attribution, and what the database enforces."""

from __future__ import annotations

import os
from pathlib import Path

from retention.policy import Policy, load_policy
from settings.config import Config, Embedded
from settings.errors import ConfigError
from storage.audit import with_audit
from storage.client import connect
from storage.ddl import wanted
from storage.upgrade import upgrade
from tenants.allocations import Allocations, load_allocations
from tenants.attribution import Attribution


class FileSources:
    """The configured files; `collector.daemon.Sources`."""

    worker = "cli.worker"

    def __init__(self, config: Config) -> None:
        self._config = config
        self._policy: Policy | None = None

    def files(self) -> list[Path]:
        """Return the allocations' and the policy's file."""
        return [self._config.tenants, self._config.retention]

    def load(self) -> tuple[Attribution, int]:
        """Read both files and check them against each other."""
        policy, allocations = read(self._config)
        attribution = Attribution(allocations, policy)
        self._policy = policy
        return attribution, len(allocations)

    def enforce(self) -> None:
        """Bring the tables to this version's schema, and the TTL to the policy."""
        if self._policy is not None:
            schema = wanted(self._policy.ttl_days(), self._policy.category_days())
            if isinstance(self._config.storage, Embedded):  # whose own logs end with its process
                schema = with_audit(schema)
            with connect(self._config.storage, self._config.data_dir, "admin") as admin:
                upgrade(admin, schema)


def attribution(tenants: Path, retention: Path) -> Attribution:
    """Return the attribution by these files; ConfigError as of `read`."""
    policy, allocations = _read(tenants, retention)
    return Attribution(allocations, policy)


def read(config: Config) -> tuple[Policy, Allocations]:
    """Return policy and allocations; ConfigError with every fault, also of classes that the policy does not have."""
    return _read(config.tenants, config.retention)


def _read(tenants: Path, retention: Path) -> tuple[Policy, Allocations]:
    try:
        policy = load_policy(retention, os.environ)
    except ConfigError as error:
        try:
            load_allocations(tenants)
        except ConfigError as other:
            raise ConfigError(f"{error}\n{other}") from None
        raise
    allocations = load_allocations(tenants)
    policy.check_classes(allocations)
    return policy, allocations
