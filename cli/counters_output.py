"""Where `flowkeep decode` puts counters and discarded packets: JSON lines, to a file or to standard output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from cli.flow_output import destination
from decoders import Decoded
from schema.batch import Rows
from schema.render import rows_of
from schema.tables import DISCARDS, STORED_TABLES

_LINES = 2048
Put: TypeAlias = Callable[[Decoded], None]
"""Puts out what a block held."""


class Kept(StrEnum):
    """What of a block, beside its flows, `decode` puts out."""

    COUNTERS = "counters"
    DISCARDS = "discards"


def lines(kept: Kept, decoded: Decoded) -> Iterator[str]:
    """Yield each row as a JSON object on a line; that of a counter sample says first which `table` it is of."""
    if kept is Kept.DISCARDS:
        discards = Rows(decoded.discards.rows, {**decoded.discards.arrays, **decoded.discards.symbols})
        for row in rows_of(DISCARDS, discards):
            yield json.dumps(row) + "\n"
        return
    for table in STORED_TABLES:
        if table.name in decoded.counters:
            for row in rows_of(table, decoded.counters[table.name]):
                yield json.dumps({"table": table.name, **row}) + "\n"


@contextmanager
def opened_rows(kept: Kept, path: Path | None, inputs: Iterable[Path]) -> Iterator[Put]:
    """Give what puts `kept` out to `path`, to standard output where it is None; errors as of `destination`."""
    with destination(path, inputs) as out:

        def put(decoded: Decoded) -> None:
            rows = lines(kept, decoded)
            while chunk := "".join(islice(rows, _LINES)):
                out.write(chunk.encode(errors="replace"))

        yield put
        out.flush()
