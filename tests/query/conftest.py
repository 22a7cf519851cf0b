"""Random flows, in the flows table of the real ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from rollups.rollups import Rollups
from storage.ddl import wanted
from storage.embedded import Node
from storage.upgrade import upgrade
from storage.writer import Writer
from tests.query.days import LACKING, NOW, spread
from tests.query.flow_rows import SINCE, UNTIL, Ask, Row, as_flows, name_of, random_rows

NAMED = (
    ("interface", "interface", "in_if"),
    ("interface", "interface", "out_if"),
    ("app", "application", "application"),
)


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
        for seen, prefix in ((UNTIL, ""), (SINCE, "once ")):  # the name that was told last holds
            lines = [
                f"('{row['exporter']}', {row['observation_domain']}, '{naming}', {row[column]}, '{prefix}{name}', "
                f"'{seen:%Y-%m-%d %H:%M:%S}')"
                for row in rows
                for word, naming, column in NAMED
                if (name := name_of(row, word, row[column]))
            ]
            admin.command(
                f"INSERT INTO names (exporter, observation_domain, naming, id, name, seen) VALUES {','.join(lines)}"
            )
    with node.connect("ingest") as ingest:
        Writer(ingest).write(as_flows(rows), "rows")
    with node.connect("query") as client:
        yield lambda sql: client.query(sql.text, sql.parameters).rows


@pytest.fixture(scope="session")
def days() -> list[Row]:
    return spread(3000)


@pytest.fixture(scope="module")
def ask_days(days: list[Row], node: Node) -> Iterator[Ask]:
    """Flows of five days; the rollups lack an hour of the second, and what came in the last half hour."""
    with node.connect("admin") as admin:
        admin.create_database()
        admin.command("DROP DATABASE flowkeep SYNC")
        upgrade(admin, wanted({"short": 16, "long": 92}))
    rollups = Rollups()
    rollups.add(as_flows([row for row in days if not LACKING <= row["time_received"] < LACKING + timedelta(hours=1)
                          and row["time_received"] < NOW - timedelta(minutes=30)]))  # fmt: skip
    with node.connect("ingest") as ingest:
        Writer(ingest).write(as_flows(days), "rows")
        for table, found in rollups.rows().items():
            Writer(ingest).write_rows(table, found, "rows")
    with node.connect("query") as client:
        yield lambda sql: client.query(sql.text, sql.parameters).rows
