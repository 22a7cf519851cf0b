"""What was decoded, into its tables: one batch, one Native block, one insert."""

from __future__ import annotations

from collections.abc import Sequence

from schema.batch import Flows
from storage.client import Client
from storage.ddl import FLOWS, NAMES
from storage.native import Name, encode, encode_names, present

_NAMES_KNOWN = 100_000


class Writer:
    """Writes batches through a client of the ingest role."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[tuple[bytes, int, str, int], tuple[str, str]] = {}

    def write(self, flows: Flows, token: str) -> None:
        """Store the batch once, however often it is written with this `token`; errors as of `Client.insert`.

        ValueError for a batch without reception times or retention classes: its rows would expire at once.
        """
        if not flows.rows:
            return
        if "time_received" not in flows.arrays or "retention_class" not in flows.symbols:
            raise ValueError("a batch to be stored needs the columns time_received and retention_class")
        columns = present(flows)
        self._client.insert(FLOWS, columns, encode(flows, columns), token)

    def write_names(self, names: Sequence[Name]) -> None:
        """Store the names that this writer has not stored yet: exporters say them again every few minutes."""
        last = {name[:4]: name for name in names}
        news = [name for key, name in last.items() if self._known.get(key) != name[4:6]]
        if not news:
            return
        columns = [field.name for field in NAMES.fields]
        self._client.insert(NAMES.name, columns, encode_names(news), token="")
        if len(self._known) > _NAMES_KNOWN:
            self._known.clear()
        self._known |= {name[:4]: name[4:6] for name in news}
