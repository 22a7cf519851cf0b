"""The real ClickHouse that tests use: one embedded node for the whole run, and a fresh database for whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from settings.config import Embedded
from storage.audit import with_audit
from storage.client import Client
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
        admin.create_database()
        forget_used(admin)
        if upgrade(admin, with_audit(wanted(TTL_DAYS))):
            MADE.update((name, text) for name, text, _ in tables(admin))
    return node


MADE: dict[str, str] = {}
"""Our tables and views as they are made, by name."""
KEPT = {"format_version.txt", "detached", "deduplication_logs"}
"""What the directory of a table has that never had a row."""


def tables(admin: Client) -> list[tuple[str, str, list[str]]]:
    """The name of each table and view, the statement that makes it, and its directories."""
    sql = "SELECT name, create_table_query, data_paths FROM system.tables WHERE database = 'flowkeep' ORDER BY name"
    return admin.query(sql).rows


def forget_used(admin: Client) -> None:
    """Drop the tables that have been changed or written to: to make them all anew takes a second."""
    found = tables(admin)
    used = [name for name, text, paths in found if MADE.get(name) != text or any(map(is_used, map(Path, paths)))]
    if len(used) == len(found):
        admin.command("DROP DATABASE flowkeep SYNC")  # every request names it, so it has to be there to be dropped
        return
    for name in used:
        admin.command(f"DROP TABLE `{name}` SYNC SETTINGS check_table_dependencies = 0")


def is_used(directory: Path) -> bool:
    """Whether a table's directory holds a part or a mutation, or remembers an insert's token."""
    if not directory.exists():
        return False
    remembered = [log for log in directory.glob("deduplication_logs/*") if log.stat().st_size]
    return bool({path.name for path in directory.iterdir()} - KEPT or remembered or any(directory.glob("detached/*")))
