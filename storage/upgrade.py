"""Bring a database to the schema we want: observe, plan, and run the plan."""

from __future__ import annotations

from storage.client import Client
from storage.ddl import Schema
from storage.migrate import Step, plan
from storage.observe import observe


def upgrade(client: Client, wanted: Schema) -> list[Step]:
    """Run what is needed with a client of the admin role and return the steps taken; a second call takes none.

    RefusalError where `storage.migrate.plan` refuses; an interrupted upgrade is finished by calling it again.
    """
    client.create_database()
    steps = plan(wanted, observe(client))
    if any("FROM system." in step.sql for step in steps):
        client.command("SYSTEM FLUSH LOGS")  # ClickHouse makes its log tables with their first rows
    for step in steps:
        client.command(step.sql)
    return steps
