"""Where `flowkeep decode` puts flows: JSON lines, CSV, Parquet or a table, to a file or to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol

from cli.flow_text import TableText, csv_head, csv_lines, json_lines
from schema.batch import Flows
from settings.errors import ConfigError, RefusalError

_LINES = 2048


class Format(StrEnum):
    """Output forms of `decode`."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    TABLE = "table"


class FlowOutput(Protocol):
    """Takes flows, batch by batch, and is closed at the end."""

    def write(self, flows: Flows) -> None:
        """Put the flows out."""

    def close(self) -> None:
        """Finish what was put out."""


class _TextFlows:
    """Flows as the lines of text, UTF-8, that `lines` makes of them."""

    def __init__(self, out: BinaryIO, lines: Callable[[Flows], Iterator[str]], head: str = "") -> None:
        self._out = out
        self._lines = lines
        self._put([head])

    def write(self, flows: Flows) -> None:
        lines = self._lines(flows)
        while chunk := list(islice(lines, _LINES)):
            self._put(chunk)

    def close(self) -> None:
        self._out.flush()

    def _put(self, lines: Iterable[str]) -> None:
        self._out.write("".join(lines).encode(errors="replace"))


@contextmanager
def opened(form: Format, path: Path | None, inputs: Iterable[Path]) -> Iterator[FlowOutput]:
    """Give the output of flows in this form to `path`, to standard output where it is None.

    What was put out before an error is finished and kept. ConfigError where Parquet would go to a terminal, other
    errors as of `destination`.
    """
    if path is None and form is Format.PARQUET and sys.stdout.isatty():
        raise ConfigError("Parquet is not for a terminal: give a file with -o FILE, or a pipe")
    with destination(path, inputs) as out, _closing(_flows(form, out)) as output:
        yield output


@contextmanager
def destination(path: Path | None, inputs: Iterable[Path]) -> Iterator[BinaryIO]:
    """Give the file `path` to write to, standard output where it is None.

    ConfigError where `path` is one of the `inputs`, RefusalError where writing fails, BrokenPipeError where the reader
    has gone.
    """
    if path and path.exists() and any(each.exists() and path.samefile(each) for each in inputs):
        raise ConfigError(f"{path}: is to be read, and would be overwritten; give -o another file")
    try:
        with path.open("wb") if path else nullcontext(sys.stdout.buffer) as out:
            yield out
    except BrokenPipeError:
        raise
    except OSError as error:  # of writing: whoever reads captures tells of it otherwise
        where = path or "standard output"
        raise RefusalError(f"{where}: cannot be written: {error.strerror or error}") from None


def _flows(form: Format, out: BinaryIO) -> FlowOutput:
    match form:
        case Format.JSONL:
            return _TextFlows(out, json_lines)
        case Format.CSV:
            return _TextFlows(out, csv_lines, csv_head())
        case Format.TABLE:
            return _TextFlows(out, TableText().lines)
    from cli.flow_parquet import ParquetFlows  # no other form waits for pyarrow to load

    return ParquetFlows(out)


@contextmanager
def _closing(output: FlowOutput) -> Iterator[FlowOutput]:
    try:
        yield output
    finally:
        output.close()
