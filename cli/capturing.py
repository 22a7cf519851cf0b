"""`flowkeep decode` and `flowkeep replay`: captures in, flows or datagrams out; neither needs a running collector."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Annotated, TypeAlias

import numpy as np
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from cli.counters_output import Kept, Put, opened_rows
from cli.decode_totals import Totals
from cli.flow_output import Format, opened
from cli.gathering import MOST, gathered
from cli.options import octets_of, print_json
from collector.captures import Captured, datagrams
from decoders import Datagrams, Decoded, Limits, State, decode, finish
from schema.batch import Flows
from settings.config import parse_endpoint
from settings.errors import ConfigError, RefusalError

_LARGE = 4_000_000
"""Octets of files from which on it is shown how far they are read."""
_READER_GONE = 128 + 13  # as a shell shows a program that SIGPIPE has ended
_SPAN = 1000
"""ms, as captured, that a block spans at most; the collector's blocks span as much."""
Files = Annotated[
    list[Path], typer.Argument(help="pcap, pcapng, or files of one raw datagram each.", show_default=False)
]
Advance: TypeAlias = Callable[[int, int], None]
"""Told how many octets of which file, by its place among them, have been read."""


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(name="decode")(decode_files)
    app.command()(replay)


def decode_files(
    files: Files,
    format: Annotated[
        Format | None, typer.Option(help="Form of the flows: JSON lines, unless said otherwise.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="File for the flows, instead of standard output.")
    ] = None,
    stats: Annotated[
        bool, typer.Option("--stats", help="Print one JSON object of counts; flows then only go to --output.")
    ] = False,
    templates: Annotated[
        bool, typer.Option("--templates", help="Print what each exporter sends, by field; with --format jsonl as JSON.")
    ] = False,
    counters: Annotated[
        bool, typer.Option("--counters", help="Put out sFlow counters as JSON lines, instead of flows.")
    ] = False,
    discards: Annotated[
        bool, typer.Option("--discards", help="Put out discarded packets (sFlow) as JSON lines, instead of flows.")
    ] = False,
    explain: Annotated[
        int | None, typer.Option(help="Print this datagram, counted from 1, octet by octet.", show_default=False)
    ] = None,
    exporter: Annotated[str, typer.Option(help="Exporter of files that are raw datagrams.")] = "::",
) -> None:
    """Decode captures or raw datagrams, in the order given, with one shared state."""
    if sum((stats, templates, explain is not None, counters, discards)) > 1:
        raise ConfigError(
            "--stats, --templates, --explain, --counters and --discards are different answers: ask for one at a time"
        )
    kept = Kept.COUNTERS if counters else Kept.DISCARDS if discards else None
    if kept and format not in (None, Format.JSONL):
        raise ConfigError(f"--{kept} come as JSON lines only: leave --format {format} out")
    if templates or explain is not None:
        from cli.explaining import explain_datagram, show_templates  # the names of all elements take a while to read
    if explain is not None:
        explain_datagram(files, explain, octets_of(exporter))
        return
    totals, state, left_out = Totals(), State(), Counter[str]()
    quiet = (stats or templates) and output is None
    with _progress(files, beside_flows=not quiet and output is None) as advance:
        blocks = _blocks(files, octets_of(exporter), left_out, advance)
        first = list(islice(blocks, 1))  # before a file is made: what cannot be read makes none
        try:
            with nullcontext() if quiet else _opened(kept, format, output, files) as put:
                for decoded in _decoded(chain(first, blocks), state, totals):
                    totals.add(decoded)
                    if put:
                        put(decoded)
        except BrokenPipeError:  # the reader has gone; Python would flush once more at its end, and complain
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(_READER_GONE) from None
    _tell(left_out)
    if stats:
        print_json(totals.shown())
    if templates:
        show_templates(state, as_json=format is Format.JSONL)


@contextmanager
def _opened(kept: Kept | None, format: Format | None, output: Path | None, files: list[Path]) -> Iterator[Put]:
    """Give what puts out the flows of a block, or what of it is to be `kept` instead."""
    if kept:
        with opened_rows(kept, output, files) as put:
            yield put
        return
    with opened(format or Format.JSONL, output, files) as flows_out:
        yield lambda decoded: flows_out.write(_in_order(decoded))


def _decoded(blocks: Iterable[Datagrams], state: State, totals: Totals) -> Iterator[Decoded]:
    for block in blocks:
        totals.received(block)
        yield decode(block, state, Limits())
    yield finish(state)


def _in_order(decoded: Decoded) -> Flows:
    """Return the flows in the order on the wire."""
    origin = decoded.origin
    if (origin[1:] >= origin[:-1]).all():
        return decoded.flows
    return decoded.flows.take(np.argsort(origin, kind="stable"))


def _tell(left_out: Counter[str]) -> None:
    for why, count in left_out.items():
        print(f"flowkeep: left out {count} {why}", file=sys.stderr)


@contextmanager
def _progress(files: list[Path], beside_flows: bool) -> Iterator[Advance]:
    """Show on a terminal how far large files are read; not where flows are printed on the same terminal."""
    console = Console(stderr=True)
    sizes = [path.stat().st_size if path.is_file() else 0 for path in files]
    shown = console.is_terminal and sum(sizes) >= _LARGE and not (beside_flows and sys.stdout.isatty())
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        task = progress.add_task(files[0].name, total=sum(sizes))
        before = [0, *accumulate(sizes)]
        yield lambda place, octets: progress.update(
            task, description=files[place].name, completed=before[place] + octets
        )


def _blocks(files: list[Path], exporter: bytes, left_out: Counter[str], advance: Advance) -> Iterator[Datagrams]:
    """Yield the files' datagrams in blocks; a raw datagram is received now.

    What came before a file that cannot be read (ConfigError) is yielded before that is raised.
    """
    now = time.time_ns() // 1_000_000
    waiting: list[Captured] = []
    failure: ConfigError | None = None
    try:
        for place, path in enumerate(files):
            for captured in datagrams(path, left_out):
                if len(waiting) == MOST or (waiting and _apart(waiting[0], captured)):
                    advance(place, captured.read)
                    yield gathered(waiting, exporter, now)
                    waiting = []
                waiting.append(captured)
    except ConfigError as error:
        failure = error
    if waiting:
        yield gathered(waiting, exporter, now)
    if failure:
        raise failure


def _apart(one: Captured, other: Captured) -> bool:
    """Return whether two datagrams are too far apart for one block: what one tells of the others holds at its time."""
    return one.time is not None and other.time is not None and abs(other.time - one.time) > _SPAN


def replay(
    files: Files,
    to: Annotated[str, typer.Option(help="ADDRESS:PORT to send to.", show_default=False)],
    rate: Annotated[float, typer.Option(help="Datagrams a second; 0 is as fast as they go.")] = 10_000,
) -> None:
    """Send the datagrams of captures to a collector, over UDP, from this host."""
    try:
        host, port = parse_endpoint(to)
    except ValueError as error:
        raise ConfigError(f"--to: {error}") from None
    if rate < 0:
        raise ConfigError(f"--rate: expected 0 or more datagrams a second, not {rate:g}")
    sent = octets = 0
    left_out: Counter[str] = Counter()
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as out, Progress(*columns, console=Console(stderr=True)) as progress:
        begun = time.monotonic()
        for path in files:
            task = progress.add_task(path.name, total=path.stat().st_size if path.exists() else None)
            for captured in datagrams(path, left_out):
                ahead = sent / rate - (time.monotonic() - begun) if rate else 0
                if ahead > 0.002:
                    progress.update(task, completed=captured.read)
                    time.sleep(ahead)
                try:
                    out.sendto(captured.payload, (host, port))
                except OSError as error:
                    raise RefusalError(f"cannot send to {to}: {error.strerror}") from None
                sent, octets = sent + 1, octets + len(captured.payload)
            progress.update(task, completed=progress.tasks[task].total)
    _tell(left_out)
    print(f"sent {sent} datagrams, {octets} octets in {time.monotonic() - begun:.1f} s")
