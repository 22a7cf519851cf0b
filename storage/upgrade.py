"""Bring a database to the schema we want: observe, plan, and run the plan."""

from __future__ import annotations

from dataclasses import replace

from storage.client import Client
from storage.form import Schema
from storage.migrate import Step, plan
from storage.observe import observe


def upgrade(client: Client, wanted: Schema) -> list[Step]:
    """Run what is needed with a client of the admin role and return the steps taken; a second call takes none.

    RefusalError where `storage.migrate.plan` refuses; an interrupted upgrade is finished by calling it again.
    """
    client.create_database()
    steps = plan(_known(client, wanted), observe(client))
    if any("FROM system." in step.sql for step in steps):
        client.command("SYSTEM FLUSH LOGS")  # ClickHouse makes its log tables with their first rows
    for step in steps:
        client.command(step.sql)
    return steps


def _known(client: Client, wanted: Schema) -> Schema:
    """Return the schema without settings that this server, of another version perhaps, does not know."""
    known = {name for (name,) in client.query("SELECT name FROM system.merge_tree_settings").rows}
    tables = (
        replace(table, settings=tuple(one for one in table.settings if one[0] in known)) for table in wanted.tables
    )
    return replace(wanted, tables=tuple(tables))
