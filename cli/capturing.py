"""`flowkeep decode` and `flowkeep replay`: captures in, flows or datagrams out; neither needs a running collector."""

from __future__ import annotations

import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.options import octets_of, print_json
from collector.captures import Captured, datagrams
from decoders import Datagrams, Decoded, Limits, State, decode
from schema.render import rows
from settings.config import parse_endpoint
from settings.errors import ConfigError, RefusalError

_BLOCK = 4096
Files = Annotated[
    list[Path], typer.Argument(help="pcap, pcapng, or files of one raw datagram each.", show_default=False)
]


class Format(StrEnum):
    """Output forms of `decode`."""

    JSONL = "jsonl"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command(name="decode")(decode_files)
    app.command()(replay)


def decode_files(
    files: Files,
    format: Annotated[Format, typer.Option(help="Form of the flows.")] = Format.JSONL,
    stats: Annotated[bool, typer.Option("--stats", help="Print one JSON object of counts instead of flows.")] = False,
    exporter: Annotated[str, typer.Option(help="Exporter of files that are raw datagrams.")] = "::",
) -> None:
    """Decode captures or raw datagrams, in the order given, with one shared state; one JSON object a flow."""
    totals: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    state = State()
    left_out: Counter[str] = Counter()
    for block in _blocks(files, octets_of(exporter), left_out):
        decoded = decode(block, state, Limits())
        totals.update(_counts(decoded))
        faults.update({fault.value: count for fault, count in decoded.faults.items()})
        if not stats:
            order = np.argsort(decoded.origin, kind="stable")
            sys.stdout.writelines(json.dumps(row) + "\n" for row in rows(decoded.flows.take(order)))
    _tell(left_out)
    if stats:
        print_json({**totals, "faults": dict(sorted(faults.items()))})


def _counts(decoded: Decoded) -> dict[str, int]:
    return {
        "datagrams": decoded.datagrams,
        "flows": decoded.flows.rows,
        "templates": decoded.templates,
        "option_records": decoded.option_records,
        "counter_samples": decoded.counter_samples,
        "sequence_gaps": decoded.sequence_gaps,
    }


def _tell(left_out: Counter[str]) -> None:
    for why, count in left_out.items():
        print(f"flowkeep: left out {count} {why}", file=sys.stderr)


def _blocks(files: list[Path], exporter: bytes, left_out: Counter[str]) -> Iterator[Datagrams]:
    """Yield the files' datagrams in blocks; a raw datagram is received now."""
    now = time.time_ns() // 1_000_000
    waiting: list[Captured] = []
    for captured in chain(chain.from_iterable(datagrams(path, left_out) for path in files), [None]):
        if captured is not None:
            waiting.append(captured)
        if captured is None or len(waiting) == _BLOCK:
            yield Datagrams.gather(
                [each.payload for each in waiting],
                [each.sender or exporter for each in waiting],
                [now if each.time is None else each.time for each in waiting],
            )
            waiting = []


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
