"""The example policy, and partitions in a line each."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from retention.policy import Policy, load_policy
from storage.client import Client
from storage.ddl import wanted
from storage.embedded import Node
from storage.observe import Partition
from storage.upgrade import upgrade

EXAMPLE = Path(__file__).parents[2] / "configs" / "retention.yaml"


@pytest.fixture(scope="session")
def policy() -> Policy:
    """configs/retention.yaml: basic 14 d, standard 30 d, extended 90 d; counters 90 d, discards 7 d, rollups 400 d."""
    return load_policy(EXAMPLE, {})


@pytest.fixture
def enforced(database: Node, policy: Policy) -> Node:
    """A fresh database whose tables expire by the example policy."""
    with database.connect("admin") as admin:
        upgrade(admin, wanted(policy.ttl_days(), policy.category_days()))
    return database


@pytest.fixture(scope="session")
def partition() -> Callable[..., Partition]:
    def partition(retention_class: str, day: str, table: str = "flows") -> Partition:
        return Partition("id", retention_class, date.fromisoformat(day), 7, 700, None, None, table=table)

    return partition


@pytest.fixture
def client(database: Node) -> Iterator[Client]:
    """A client of the retention role."""
    with database.connect("retention") as client:
        yield client
