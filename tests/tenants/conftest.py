"""Allocations written in a line each."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tenants.allocations import Allocations, load_allocations


@pytest.fixture
def allocate(tmp_path: Path) -> Callable[..., Allocations]:
    """Load lines of `prefix,tenant,class,valid_from,valid_to`."""

    def allocate(*lines: str) -> Allocations:
        path = tmp_path / "allocations.csv"
        path.write_text("\n".join(("prefix,tenant,class,valid_from,valid_to", *lines)))
        return load_allocations(path)

    return allocate
