"""The example policy, and partitions in a line each."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from retention.policy import Policy, load_policy
from storage.observe import Partition

EXAMPLE = Path(__file__).parents[2] / "configs" / "retention.yaml"


@pytest.fixture(scope="session")
def policy() -> Policy:
    """configs/retention.yaml: basic 14 d, standard 30 d, extended 90 d."""
    return load_policy(EXAMPLE, {})


@pytest.fixture(scope="session")
def partition() -> Callable[[str, str], Partition]:
    def partition(retention_class: str, day: str) -> Partition:
        return Partition("id", retention_class, date.fromisoformat(day), 7, 700, None, None)

    return partition
