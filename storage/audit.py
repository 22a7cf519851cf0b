"""The node's own logs, carried into tables of ours: who asked what, who came in, and which parts went. Pure.

ClickHouse's system database lives in memory in the embedded node, so its logs end with the process; a materialized view
copies each log, as it is flushed, to a table with an age of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from storage.ddl import RECALCULATE
from storage.form import Field, Schema, Table, View

DEFAULT_DAYS = 90
_NAME = "LowCardinality(String)"


@dataclass(frozen=True, slots=True)
class _Log:
    """A system log and what is kept of it: (our column, its type, the log's expression)."""

    source: str
    table: str
    columns: tuple[tuple[str, str, str], ...]
    where: str


# What the collector stores is in part_log; one row for each of its inserts would bury the questions people asked.
_QUERIES = (
    "type != 'QueryStart' AND is_initial_query "
    "AND NOT (user = 'flowkeep_ingest' AND query_kind = 'Insert' AND exception_code = 0)"
)
# Parts of the audit tables would otherwise make rows about themselves, for ever.
_PARTS = "event_type IN ('RemovePart', 'MergeParts', 'MutatePart') AND NOT endsWith(table, '_audit')"

_LOGS = (
    _Log(
        "query_log",
        "query_audit",
        (
            ("user", _NAME, "user"),
            ("address", "IPv6", "address"),
            ("client", _NAME, "if(http_user_agent = '', client_name, http_user_agent)"),
            ("forwarded_for", "String", "forwarded_for"),
            ("log_comment", "String", "log_comment"),
            ("query_id", "String", "query_id"),
            ("query_kind", _NAME, "query_kind"),
            ("query", "String", "query"),
            ("tables", "Array(LowCardinality(String))", "tables"),
            ("duration_ms", "UInt64", "query_duration_ms"),
            ("read_rows", "UInt64", "read_rows"),
            ("result_rows", "UInt64", "result_rows"),
            ("exception_code", "Int32", "exception_code"),
            ("exception", "String", "exception"),
        ),
        _QUERIES,
    ),
    _Log(
        "part_log",
        "part_audit",
        (
            ("event", _NAME, "event_type"),
            ("merge_reason", _NAME, "merge_reason"),
            ("database", _NAME, "database"),
            ("table_name", _NAME, "table"),
            ("partition", "String", "partition"),
            ("part_name", "String", "part_name"),
            ("query_id", "String", "query_id"),
            ("rows", "UInt64", "rows"),
            ("bytes", "UInt64", "size_in_bytes"),
            ("error", "UInt16", "error"),
        ),
        _PARTS,
    ),
    _Log(
        "session_log",
        "session_audit",
        (
            ("event", _NAME, "type"),
            ("user", _NAME, "ifNull(user, '')"),
            ("interface", _NAME, "interface"),
            ("address", "IPv6", "client_address"),
            ("failure_reason", "String", "failure_reason"),
        ),
        # Over HTTP every request logs in and out; the ones that count are in query_audit.
        "type = 'LoginFailure' OR (type = 'LoginSuccess' AND interface != 'HTTP')",
    ),
)


def with_audit(schema: Schema, days: int = DEFAULT_DAYS) -> Schema:
    """Return the schema with the audit tables, whose rows are kept for `days`, and the views that fill them."""
    tables = tuple(_table(log, days) for log in _LOGS)
    views = tuple(_view(log) for log in _LOGS)
    return replace(schema, tables=schema.tables + tables, views=schema.views + views)


def _table(log: _Log, days: int) -> Table:
    return Table(
        log.table,
        (Field("time", "DateTime64(6, 'UTC')"), *(Field(name, kind) for name, kind, _ in log.columns)),
        partition_by="toDate(time)",
        order_by="time",
        ttl=f"toDateTime(time) + toIntervalDay({days})",
        settings=(("ttl_only_drop_parts", "1"), *RECALCULATE),
        comment=f"What system.{log.source} said, kept past restarts",
    )


def _view(log: _Log) -> View:
    columns = ", ".join(f"{expression} AS {name}" for name, _, expression in log.columns)
    select = f"SELECT event_time_microseconds AS time, {columns} FROM system.{log.source} WHERE {log.where}"  # noqa: S608 - no word of it comes from outside
    return View(f"{log.table}_view", log.table, select)
