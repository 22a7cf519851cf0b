"""The real ClickHouse that tests use: one embedded node for the whole run, and a fresh database for whoever asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from settings.config import Embedded
from storage.audit import with_audit
from storage.ddl import wanted
from storage.embedded import Node
from storage.upgrade import upgrade

LONGEST = (
    "storage/test_migration", "decoders/test_fuzzing", "retention/test_machine", "collector/test_restart",
    "faults/test_faults", "cli/test_demo_and_questions", "retention/test_runs", "exporters/test_stored",
    "collector/test_reload", "query/test_filter_semantics", "retention/test_held_copies",
)  # fmt: skip
"""Files that take longest, begun first: one at the end would leave the other cores without work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the files of LONGEST first; their order is otherwise as it was."""
    places = {name: place for place, name in enumerate(LONGEST)}

    def place(item: pytest.Item) -> int:
        path = item.path.with_suffix("")
        return places.get(f"{path.parent.name}/{path.name}", len(places))

    items.sort(key=place)


TTL_DAYS = {"basic": 16, "standard": 32, "extended": 92}


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A running node; `node.connect(role)` gives clients."""
    with Node(Embedded(mode="embedded"), tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture
def database(node: Node) -> Node:
    """The node, with our tables fresh and empty."""
    with node.connect("admin") as admin:
        admin.create_database()  # every request names it, so it has to be there to be dropped
        admin.command("DROP DATABASE flowkeep SYNC")
        upgrade(admin, with_audit(wanted(TTL_DAYS)))
    return node
