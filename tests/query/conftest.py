"""Random flows, in the flows table of the real ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.ddl import wanted
from storage.embedded import Node
from storage.upgrade import upgrade
from storage.writer import Writer
from tests.query.flow_rows import Ask, Row, as_flows, random_rows


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    return random_rows(400, seed=20261120)


@pytest.fixture(scope="module")
def ask(rows: list[Row], node: Node) -> Iterator[Ask]:
    """Run a query over `rows` as the user that queries."""
    with node.connect("admin") as admin:
        admin.create_database()
        admin.command("DROP DATABASE flowkeep SYNC")
        upgrade(admin, wanted({"short": 16, "long": 92}))
    with node.connect("ingest") as ingest:
        Writer(ingest).write(as_flows(rows), "rows")
    with node.connect("query") as client:
        yield lambda sql: client.query(sql.text, sql.parameters).rows
