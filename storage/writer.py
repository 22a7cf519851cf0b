"""What was decoded, into its tables: one batch, one Native block, one insert."""

from __future__ import annotations

from collections.abc import Sequence

from schema.batch import Flows, Rows
from schema.tables import STORED_TABLES
from storage.client import Client
from storage.ddl import FLOWS, NAMES
from storage.native import Name, encode, encode_names, encode_rows, present
from storage.order import parted

_NAMES_KNOWN = 100_000
_DAY = 86_400_000
_PARTS = """
    SELECT max(max_block_number) FROM system.parts WHERE database = {database:String} AND table = {table:String}"""
_TABLES = {table.name: table for table in STORED_TABLES}


class Writer:
    """Writes batches through a client of the ingest role."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[tuple[bytes, int, str, int], tuple[str, str, int]] = {}

    def write(self, flows: Flows, token: str) -> None:
        """Store the batch once, however often it is written with this `token`; errors as of `Client.insert`.

        Each partition's rows are an insert of their own, so after an error some may be in; under the same token they
        stay what they are. ValueError for a batch without reception times or classes: its rows would expire at once.
        """
        if not flows.rows:
            return
        columns = present(flows)
        _check(columns)
        for partition, part in parted(flows):
            self._client.insert(FLOWS, columns, encode(part, columns), f"{token} {partition}")

    def write_rows(self, table: str, rows: Rows, token: str) -> None:
        """Store rows of one of `schema.tables.STORED_TABLES` once, however often they are written with this `token`.

        Tables do not share tokens: one that a block goes by may be given for all of them. ValueError as of `write`;
        KeyError for a table of no such name.
        """
        if not rows.rows:
            return
        columns, block = encode_rows(_TABLES[table], rows)
        _check(columns)
        self._client.insert(table, columns, block, f"{table} {token}")

    def parts_written(self) -> int:
        """Return how many parts the table of flows has been given so far; an insert gives it one for each partition."""
        ((highest,),) = self._client.query(_PARTS, {"database": self._client.database, "table": FLOWS}).rows
        return int(highest)

    def write_names(self, names: Sequence[Name]) -> None:
        """Store the names that this writer has not stored today: exporters say them again every few minutes.

        Those that nobody says any more expire: `storage.ddl.NAMES`.
        """
        last = {name[:4]: name for name in names}
        news = [name for key, name in last.items() if self._known.get(key) != _told(name)]
        if not news:
            return
        columns = [field.name for field in NAMES.fields]
        self._client.insert(NAMES.name, columns, encode_names(news), token="")
        if len(self._known) > _NAMES_KNOWN:
            self._known.clear()
        self._known |= {name[:4]: _told(name) for name in news}


def _check(columns: Sequence[str]) -> None:
    if "time_received" not in columns or "retention_class" not in columns:
        raise ValueError("a batch to be stored needs the columns time_received and retention_class")


def _told(name: Name) -> tuple[str, str, int]:
    """Return name, description, and the day on which they were told."""
    return name[4], name[5], name[6] // _DAY
