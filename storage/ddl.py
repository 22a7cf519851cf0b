"""The tables we want, as data, and the SQL that makes them. Pure.

Layout of `flows`: docs/decisions and the measurements behind it say why the hour, the tenants and then the addresses.
The tables of `schema.tables` are laid out like it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from schema.aliases import aliases
from schema.columns import FLOW_COLUMNS, VERSION, Column
from schema.tables import DISCARDS, STORED_TABLES
from storage.form import Field, Former, Schema, Table, View, literal
from storage.held_tables import COPIES, EVENTS, GONE, HELD_COLUMNS, SEARCHED, held, whole, whole_select

FLOWS = "flows"
DEDUPLICATION_WINDOW = 100_000
"""Block ids remembered per table for insert tokens: one per partition that an insert touches."""


RECALCULATE = (("materialize_ttl_recalculate_only", "1"),)
"""Makes MODIFY TTL give existing parts their new expiry without rewriting them; deleting is left to TTL merges."""


def create_table(table: Table) -> str:
    """Return the CREATE TABLE statement."""
    clauses = {
        "ENGINE =": table.engine,
        "PARTITION BY": table.partition_by,
        "PRIMARY KEY": _tuple(table.primary_key),
        "ORDER BY": _tuple(table.order_by),
        "TTL": table.ttl,
        "SETTINGS": ", ".join(f"{name} = {value}" for name, value in table.settings),
        "COMMENT": table.comment and literal(table.comment),
    }
    body = ", ".join([*(field.sql for field in table.fields), *table.indexes])
    tail = " ".join(f"{word} {text}" for word, text in clauses.items() if text)
    return f"CREATE TABLE IF NOT EXISTS `{table.name}` ({body}) {tail}"


def _tuple(key: str) -> str:
    """Return a key's expressions in the brackets that ClickHouse wants around several, and prints around one."""
    return f"({key})" if ", " in key else key


def create_view(view: View) -> str:
    """Return the CREATE VIEW statement; a plain view takes the place of the one that there is."""
    if not view.target:
        return f"CREATE OR REPLACE VIEW `{view.name}` AS {view.select}"
    return f"CREATE MATERIALIZED VIEW IF NOT EXISTS `{view.name}` TO `{view.target}` AS {view.select}"


def version_comment(version: int) -> str:
    """Return the comment by which the flows table carries the schema's version."""
    return f"flowkeep schema {version}"


def flows_ttl(days: Mapping[str, int]) -> str:
    """Return the flows table's TTL: `days` by retention class. A class it does not name is kept longest of all.

    One unconditional expression and no WHERE: rules with conditions have left rows for ever in some releases.
    """
    branches = ", ".join(f"retention_class = {literal(name)}, {days[name]}" for name in sorted(days))
    return f"time_received + toIntervalDay(multiIf({branches}, {max(days.values())}))"


def category_ttl(days: int) -> str:
    """Return the TTL of a table of a category, whatever the class of its rows; `storage.observe.ttl_days` reads it."""
    return f"time_received + toIntervalDay({days})"


def modify_ttl(table: str, ttl: str) -> str:
    """Return the statement that gives a table another TTL, and its parts with it, done when it returns.

    Never materialize_ttl_after_modify = 0: existing parts would keep their old expiry, so that *lengthening* a TTL
    would still delete on the old schedule. The tables' own setting (RECALCULATE) makes the mutation a cheap one.
    """
    return f"ALTER TABLE `{table}` MODIFY TTL {ttl} SETTINGS materialize_ttl_after_modify = 1, mutations_sync = 2"


def wanted(ttl_days: Mapping[str, int], category_days: Mapping[str, int] = MappingProxyType({})) -> Schema:
    """Return the schema of this version.

    `ttl_days` gives the days that ClickHouse itself keeps each class of flows, `category_days` those of the tables of
    each `schema.tables.Category`. What there is of a category that it does not name goes when it was to go before.
    """
    flows = replace(_FLOWS, ttl=flows_ttl(ttl_days))
    longest = max((*ttl_days.values(), *category_days.values()))
    others = (
        replace(
            _OTHERS[table.name],
            ttl=category_ttl(category_days.get(table.category, longest)),
            keeps_ttl=table.category not in category_days,
        )
        for table in STORED_TABLES
    )
    names = replace(NAMES, ttl=f"seen + toIntervalDay({longest})")
    return Schema(VERSION, (flows, *others, names, *_SMALL, *_HELD), _WHOLE, _FORMERS)


_SEARCHED = {
    FLOWS: ("src_addr", "dst_addr", "post_nat_src_addr", "post_nat_dst_addr"),
    DISCARDS.name: ("src_addr", "dst_addr"),
}
"""Addresses that people search a day of a table for, and that few of its granules hold."""


_CHEAP = (
    ("min_level_for_wide_part", "1"),  # a part of an insert is one file, not three for each column
    ("ratio_of_defaults_for_sparse_serialization", "1"),
    ("auto_statistics_types", "''"),
    ("merge_selector_base", "12"),  # a row is merged as often as the log of the parts to about this base
)
"""What makes inserts and merges cheap (docs/performance.md); a ClickHouse that does not know one does without it."""


_GRANULE = "32768"
"""Rows between marks of an inserted part of flows, which soon is merged; merges write a mark every 8192 rows."""


def _expiring(
    name: str, columns: Sequence[Column], order_by: Sequence[str], comment: str, sums: Sequence[str] = ()
) -> Table:
    sort = ("toStartOfHour(time_received)", *order_by)
    return Table(
        name,
        (
            *(Field(column.name, column.clickhouse, column.codec, column.doc) for column in columns),
            *(
                Field(alias.name, alias.type, "", alias.doc, alias.expression)
                for alias in aliases([column.name for column in columns])
            ),
        ),
        partition_by="(retention_class, toDate(time_received))",
        # without bare time_received, which would spoil range pruning
        primary_key=", ".join(key for key in sort if key != "time_received"),
        order_by=", ".join(sort),
        engine=f"SummingMergeTree(({', '.join(sums)}))" if sums else "MergeTree",
        indexes=tuple(
            f"INDEX {found}_bloom {found} TYPE bloom_filter(0.01) GRANULARITY 1" for found in _SEARCHED.get(name, ())
        ),
        settings=(
            *_CHEAP,
            *((("index_granularity", _GRANULE),) if name == FLOWS else ()),
            ("ttl_only_drop_parts", "1"),
            ("merge_with_ttl_timeout", "3600"),
            *RECALCULATE,
            ("non_replicated_deduplication_window", str(DEDUPLICATION_WINDOW)),
        ),
        comment=comment,
    )


_FLOWS = replace(
    _expiring(FLOWS, FLOW_COLUMNS, ("src_tenant", "dst_tenant"), version_comment(VERSION)),
    former_order="toStartOfHour(time_received), src_tenant, dst_tenant, src_addr, dst_addr",
)
_OTHERS = {
    table.name: _expiring(table.name, table.columns, table.order_by, table.doc, table.sums) for table in STORED_TABLES
}

_TIME = "DateTime64(3, 'UTC')"

NAMINGS = ("interface", "application", "vrf", "sampler")
"""What a name can be of, in the order of its codes."""

NAMES = Table(
    "names",
    (
        Field("exporter", "IPv6"),
        Field("observation_domain", "UInt32"),
        Field("naming", f"Enum8({', '.join(f'{literal(naming)} = {code}' for code, naming in enumerate(NAMINGS))})"),
        Field("id", "UInt64"),
        Field("name", "String"),
        Field("description", "String"),
        Field("seen", _TIME),
    ),
    engine="ReplacingMergeTree(seen)",
    order_by="exporter, observation_domain, naming, id",
    settings=(("non_replicated_deduplication_window", str(DEDUPLICATION_WINDOW)),),
    comment="What exporters call their interfaces, applications, VRFs and samplers; the row seen last counts",
)

_FORMERS = (
    Former(  # of schema 1
        "interface_names",
        frozenset({"exporter", "observation_domain", "if_index", "name", "description", "seen"}),
        NAMES.name,
        "SELECT exporter, observation_domain, 'interface' AS naming, if_index AS id, name, description, seen "
        "FROM `interface_names`",
    ),
)

ALLOCATIONS = Table(
    "allocation_history",
    (
        Field("learned", _TIME),
        Field("change", "Enum8('added' = 0, 'withdrawn' = 1)"),
        Field("first", "IPv6"),
        Field("length", "UInt8"),
        *(Field(name, "LowCardinality(String)") for name in ("tenant", "resource", "service", "region", "class")),
        Field("valid_from", "Int64"),
        Field("valid_to", "Int64"),
    ),
    order_by="first, length, valid_from, learned",
    comment="Rows of the allocation file as they were added and withdrawn; what is not withdrawn counts",
)
LOADS = Table(
    "allocation_loads",
    (Field("learned", _TIME), Field("digest", "String"), Field("allocations", "UInt64")),
    order_by="learned",
    comment="When the allocation file was read and had changed, and the digest of what was read",
)

_SMALL = (
    ALLOCATIONS,
    LOADS,
    Table(
        "purges",
        (
            Field("time", _TIME),
            Field("table_name", "String"),
            Field("partition", "String"),
            Field("retention_class", "String"),
            Field("day", "Date"),
            Field("rows", "UInt64"),
            Field("bytes", "UInt64"),
            Field("reason", "String"),
        ),
        order_by="time",
        comment="Partitions that the scheduled purge has dropped",
    ),
    Table(
        "purge_runs",
        (
            Field("time", _TIME),
            Field("partitions", "UInt64"),
            Field("rows", "UInt64"),
            Field("bytes", "UInt64"),
            Field("findings", "UInt64"),
        ),
        order_by="time",
        comment="Purges that came to their end, whether or not anything was due",
    ),
    Table(
        "partitions_seen",
        (
            Field("time", _TIME),
            Field("table_name", "String"),
            Field("retention_class", "String"),
            Field("day", "Date"),
            Field("rows", "UInt64"),
        ),
        engine="ReplacingMergeTree(time)",
        order_by="table_name, retention_class, day",
        ttl="toDateTime(time) + toIntervalDay(400)",
        comment="Partitions as a purge or `retention verify` last saw them: one that is missing was deleted too early",
    ),
    Table(
        EVENTS,
        (
            Field("hold", "String"),
            Field("number", "UInt32"),
            Field("time", _TIME),
            Field("action", "String"),
            Field("person", "String"),
            Field("details", "String"),
        ),
        order_by="hold, number",
        comment="What happened to each hold, in turn; what a hold is follows from it",
    ),
    Table(
        COPIES,
        (
            Field("table_name", "String"),
            Field("retention_class", "String"),
            Field("day", "Date"),
            Field("number", "UInt32"),
            Field("time", _TIME),
            Field("rows", "UInt64"),
            Field("hash_sum", "UInt64"),
            Field("hash_xor", "UInt64"),
            Field("columns", "Array(String)"),
            Field("scopes", "String"),
            Field("holds", "Array(String)"),
        ),
        order_by="table_name, retention_class, day, number",
        comment="Verified copies of held rows; a partition's has the rows and the hash of one of its records",
    ),
    Table(
        GONE,
        (
            Field("table_name", "String"),
            Field("retention_class", "String"),
            Field("day", "Date"),
            Field("number", "UInt32"),
            Field("time", _TIME),
            Field("gone", "UInt8"),
        ),
        order_by="table_name, retention_class, day, number",
        comment="Partitions that were dropped while rows of them are held; the highest number counts",
    ),
)


def _held(table: Table) -> Table:
    """Return the table of a table's held rows: of the same columns, keys and indexes, and without any expiry."""
    expiring = ("ttl_only_drop_parts", "merge_with_ttl_timeout", "materialize_ttl_recalculate_only")
    once = "non_replicated_deduplication_window"  # equal rows are copied as often as they are there
    settings = tuple(one for one in table.settings if one[0] not in (*expiring, once))
    return replace(
        table,
        name=held(table.name),
        former_order="",
        settings=settings,
        comment=f"Rows of {table.name} that a hold covers; never expires, see docs/retention.md",
    )


_HELD = tuple(_held(table) for table in (_FLOWS, *_OTHERS.values()) if table.name in HELD_COLUMNS)
_WHOLE = tuple(View(whole(table), "", whole_select(table), HELD_COLUMNS[table]) for table in SEARCHED)
