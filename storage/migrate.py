"""From the schema a database has to the one we want: ordered steps, each with its SQL and its reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from settings.errors import RefusalError
from storage.ddl import FLOWS, create_table, create_view, modify_ttl
from storage.form import Field, Former, Schema, Table, literal
from storage.observe import Observed


@dataclass(frozen=True, slots=True)
class Step:
    """One statement and why it is needed."""

    sql: str
    reason: str


def plan(wanted: Schema, observed: Observed) -> list[Step]:
    """Return the steps from observed to wanted; none if they agree. Columns and tables of others are left alone.

    RefusalError if the database is newer than this program, or would have to be laid out anew.
    """
    if observed.version is not None and observed.version > wanted.version:
        raise RefusalError(
            f"the database has schema {observed.version}, and this Flowkeep knows schema {wanted.version}; install the "
            "Flowkeep that wrote it, or a newer one"
        )
    if FLOWS in observed.tables and observed.version is None:
        raise RefusalError(
            f"the database has a table '{FLOWS}' that is not Flowkeep's; give 'storage.database' another name"
        )
    steps: list[Step] = []
    for table in wanted.tables:
        has = observed.tables.get(table.name)
        steps += _change(table, has) if has else [Step(create_table(table), f"there is no table {table.name}")]
    for view in wanted.views:
        if view.name not in observed.views:
            steps.append(Step(create_view(view), f"there is no view {view.name}"))
        elif observed.plain.get(view.name, view.columns) != view.columns:
            steps.append(Step(create_view(view), f"{view.name} has other columns"))
    for former in wanted.formers:
        has = observed.tables.get(former.name)
        if has and former.columns <= {field.name for field in has.fields}:
            steps += _carry_over(former)
    # The version goes last: an upgrade that was interrupted is then taken up again.
    return sorted(steps, key=lambda step: " MODIFY COMMENT " in step.sql)


def _carry_over(former: Former) -> Iterator[Step]:
    """Rows first, then the table: what is interrupted between them is done twice, and the heir keeps a row once."""
    yield Step(f"INSERT INTO `{former.heir}` {former.select}", f"{former.heir} takes over what {former.name} held")
    yield Step(f"DROP TABLE IF EXISTS `{former.name}` SYNC", f"{former.name} has given its rows to {former.heir}")


def _change(table: Table, has: Table) -> Iterator[Step]:
    order = table.former_order if table.former_order == has.order_by else table.order_by
    primary = order if table.former_order == order else table.primary_key or order
    for word, want, is_ in (
        ("engine", table.engine, has.engine),
        ("partition key", table.partition_by, has.partition_by),
        ("sort key", order, has.order_by),
        ("primary key", primary, has.primary_key or has.order_by),
    ):
        if want != is_:
            raise RefusalError(
                f"the table {table.name} has the {word} '{is_}', and this version needs '{want}'; ClickHouse cannot "
                "change that in place: rename the table, start again, and copy the rows with INSERT SELECT"
            )
    yield from _change_fields(table, {field.name: field for field in has.fields})
    indexed = {index.split()[1] for index in has.indexes}
    for index in table.indexes:
        name = index.split()[1]
        if name not in indexed:
            # For the parts to come: those that are there get theirs as they merge, and are read whole until then.
            yield Step(f"ALTER TABLE `{table.name}` ADD {index}", f"{table.name} has no index {name}")
    if has.ttl and not table.ttl:
        yield Step(f"ALTER TABLE `{table.name}` REMOVE TTL", f"{table.name} expires by '{has.ttl}', and must not")
    elif table.ttl != has.ttl and not (table.keeps_ttl and has.ttl):
        yield Step(
            modify_ttl(table.name, table.ttl), f"{table.name} expires by '{has.ttl or 'nothing'}', not by '{table.ttl}'"
        )
    missing = [f"{name} = {value}" for name, value in table.settings if name not in dict(has.settings)]
    if missing:  # a setting that somebody has chosen otherwise is theirs
        sql = f"ALTER TABLE `{table.name}` MODIFY SETTING {', '.join(missing)}"
        yield Step(sql, f"{table.name} lacks settings")
    if table.comment != has.comment:
        sql = f"ALTER TABLE `{table.name}` MODIFY COMMENT {literal(table.comment)}"
        yield Step(sql, f"{table.name} says of itself '{has.comment}'")


def _change_fields(table: Table, known: Mapping[str, Field]) -> Iterator[Step]:
    """New columns in one statement, and comments in one: each statement takes as long as the table has columns."""
    added, said, before = {}, {}, ""
    for want in table.fields:
        has = known.get(want.name)
        if has is None:
            added[want.name] = f"ADD COLUMN {want.sql} {f'AFTER `{before}`' if before else 'FIRST'}"
        elif want.kind != has.kind:
            sql = f"ALTER TABLE `{table.name}` MODIFY COLUMN `{want.name}` {want.kind}"
            yield Step(sql, f"{table.name}.{want.name} is {has.kind}")
        if has and want.comment != has.comment:
            said[want.name] = f"COMMENT COLUMN `{want.name}` {literal(want.comment)}"
        before = want.name
    for changes, reason in ((added, "has no column"), (said, "explains otherwise")):
        if changes:
            sql = f"ALTER TABLE `{table.name}` {', '.join(changes.values())}"
            yield Step(sql, f"{table.name} {reason} {', '.join(changes)}")
