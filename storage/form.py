"""What a table is, as data: its columns, keys, expiry and settings, and what a database of ours has. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Field:
    """One column as ClickHouse describes it; `codec` and `comment` may be empty. One with an `alias` is computed."""

    name: str
    type: str
    codec: str = ""
    comment: str = ""
    alias: str = ""

    @property
    def sql(self) -> str:
        """The column's definition."""
        comment = f" COMMENT {literal(self.comment)}" if self.comment else ""
        return f"`{self.name}` {self.kind}{comment}"

    @property
    def kind(self) -> str:
        """The type, and how values are packed or computed."""
        codec = f" CODEC({self.codec})" if self.codec else ""
        alias = f" ALIAS {self.alias}" if self.alias else ""
        return f"{self.type}{alias}{codec}"


@dataclass(frozen=True, slots=True)
class Table:
    """One table; expressions are as ClickHouse prints them, so that wanted and observed ones compare as text.

    `keeps_ttl` says that a TTL which such a table has already stays as it is. `former_order` is the key of an earlier
    version, which a table keeps: ClickHouse cannot sort one anew in place, and a slower one is better than none.
    """

    name: str
    fields: tuple[Field, ...]
    order_by: str
    partition_by: str = ""
    primary_key: str = ""
    engine: str = "MergeTree"
    ttl: str = ""
    indexes: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    comment: str = ""
    keeps_ttl: bool = field(default=False, compare=False)
    former_order: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class View:
    """A materialized view that carries rows on into a table; or, without one, a plain view of these `columns`."""

    name: str
    target: str
    select: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Former:
    """A table of an earlier version with these `columns`; `select` makes rows of the table `heir` from it."""

    name: str
    columns: frozenset[str]
    heir: str
    select: str


@dataclass(frozen=True, slots=True)
class Schema:
    """All that a database of ours holds, its version, and the tables that it no longer has."""

    version: int
    tables: tuple[Table, ...]
    views: tuple[View, ...] = ()
    formers: tuple[Former, ...] = ()


def literal(text: str) -> str:
    """Return `text` as an SQL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
