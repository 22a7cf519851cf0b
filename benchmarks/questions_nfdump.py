"""The same questions to nfdump, on the same flows: a file of nfcapd's for each hour, made from NetFlow v5.

What NetFlow v5 does not carry (tenants, several exporters in one stream) is not asked for here.
"""

from __future__ import annotations

import csv
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket
from typing import Any

import numpy as np

from benchmarks.peer_loads import compressions
from benchmarks.peers import await_queue
from benchmarks.site import free_port
from storage.client import Client

_HOUR = timedelta(hours=1)
_TIMES = 3
_BURST = 30
"""Datagrams sent at a time: a third of what the default receive buffer takes."""
_RECORDS = 30
_SAMPLED = 1 << 14 | 1000
"""Of the header: one packet in a thousand."""
_BUFFER = 32 * 2**20
_SETTLE = 0.2
"""Seconds in which nfcapd is left alone when it has its port, and when it has read all, or it loses some flows."""
_STORED = {
    "start": ("<i8", "Int64", "toUnixTimestamp64Milli(flow_start)"),
    "end": ("<i8", "Int64", "toUnixTimestamp64Milli(flow_end)"),
    "src": ("S16", "IPv6", "src_addr"),
    "dst": ("S16", "IPv6", "dst_addr"),
    "src_port": ("<u2", "UInt16", "src_port"),
    "dst_port": ("<u2", "UInt16", "dst_port"),
    "proto": ("u1", "UInt8", "proto"),
    "flags": ("u1", "UInt8", "tcp_flags"),
    "octets": ("<u4", "UInt32", "bytes"),
    "packets": ("<u4", "UInt32", "packets"),
    "in_if": ("<u2", "UInt16", "in_if"),
    "out_if": ("<u2", "UInt16", "out_if"),
    "src_as": ("<u2", "UInt16", "src_as"),
    "dst_as": ("<u2", "UInt16", "dst_as"),
}
"""What is asked of ClickHouse: by name its dtype in RowBinary, its ClickHouse type, its SQL."""
_HEADER = np.dtype(
    [("version", ">u2"), ("count", ">u2"), ("uptime", ">u4"), ("seconds", ">u4"), ("nanoseconds", ">u4"),
     ("sequence", ">u4"), ("engine", ">u2"), ("sampling", ">u2")]
)  # fmt: skip
_RECORD = np.dtype(
    [("src", ">u4"), ("dst", ">u4"), ("next", ">u4"), ("in_if", ">u2"), ("out_if", ">u2"), ("packets", ">u4"),
     ("octets", ">u4"), ("start", ">u4"), ("end", ">u4"), ("src_port", ">u2"), ("dst_port", ">u2"), ("pad", "u1"),
     ("flags", "u1"), ("proto", "u1"), ("tos", "u1"), ("src_as", ">u2"), ("dst_as", ">u2"), ("masks", ">u2"),
     ("pad2", ">u2")]
)  # fmt: skip
"""NetFlow v5 as Cisco documents it: 24 octets of header, 48 a record."""


def run(admin: Client, node: Path, since: datetime, hours: int, busiest: str, address: str) -> Iterator[dict[str, Any]]:
    """Yield the seconds that nfdump takes for each question, on the flows of `hours` from `since` on.

    `node` is the directory in which ClickHouse writes files; `busiest` and `address` are asked for.
    """
    if not shutil.which("nfcapd") or not shutil.which("nfdump"):
        yield {"bench": "nfdump_questions", "value": None, "unit": "s", "why": "nfdump is not installed"}
        return
    folder = node / "nfdump"
    folder.mkdir()
    compression, options = compressions()[-1]
    files, sequence = [], 0
    for hour in range(hours):
        begin = since + hour * _HOUR
        rows = _exported(admin, node, begin)
        file = folder / f"nfcapd.{begin:%Y%m%d%H%M}"
        _collect(options, _datagrams(rows, begin, sequence), file)
        sequence += len(rows)
        files.append(file)
    size = sum(file.stat().st_size for file in files)
    told = subprocess.run(["nfdump", "-R", str(folder), "-I"], capture_output=True, text=True, check=True).stdout
    stored = next(int(line.split()[1]) for line in told.splitlines() if line.startswith("Flows: "))
    for name, words in _questions(files, busiest, address).items():
        seconds, first = _asked(words)
        yield {
            "bench": f"nfdump_{name}", "value": round(seconds, 3), "unit": "s", "flows": stored, "first": first,
            "files": compression, "octets_per_flow": round(size / stored, 1),
        }  # fmt: skip


def _questions(files: Sequence[Path], busiest: str, address: str) -> Mapping[str, Sequence[str]]:
    def span(few: Sequence[Path]) -> tuple[str, str]:
        return ("-r", str(few[0])) if len(few) == 1 else ("-R", f"{few[0]}:{few[-1].name}")

    return {
        "talkers_1h": (*span(files[-1:]), "-s", "srcip/bytes"),
        "talkers_24h": (*span(files[-24:]), "-s", "srcip/bytes"),
        "busiest_address_7d": (*span(files), "-s", "proto/bytes", f"ip {busiest}"),
        "address_7d": (*span(files), "-s", "proto/bytes", f"ip {address}"),
    }


def _asked(words: Sequence[str]) -> tuple[float, list[str]]:
    """Return the median of the seconds that nfdump takes, and its first value with its octets."""
    took = []
    for _ in range(_TIMES):
        begun = time.perf_counter()
        told = subprocess.run(["nfdump", *words, "-n", "10", "-o", "csv"], capture_output=True, text=True, check=True)
        took.append(time.perf_counter() - begun)
    titles, first = list(csv.reader(told.stdout.splitlines()))[:2]
    row = dict(zip(titles, first, strict=False))
    return sorted(took)[_TIMES // 2], [row["val"], row["byt"]]


def _exported(admin: Client, node: Path, begin: datetime) -> np.ndarray:
    """Return the flows that were received in the hour from `begin` on, as _STORED says."""
    structure = ", ".join(f"{name} {kind}" for name, (_, kind, _) in _STORED.items())
    wanted = ", ".join(f"{sql} AS c_{name}" for name, (_, _, sql) in _STORED.items())
    bounds = [f"fromUnixTimestamp64Milli({int(moment.timestamp() * 1000)})" for moment in (begin, begin + _HOUR)]
    asked = f"SELECT {wanted} FROM flows WHERE time_received >= {bounds[0]} AND time_received < {bounds[1]}"
    admin.command(
        f"INSERT INTO FUNCTION file('hour.bin', RowBinary, '{structure}') {asked} "
        "SETTINGS engine_file_truncate_on_insert = 1"
    )
    (file,) = node.rglob("hour.bin")
    return np.fromfile(file, np.dtype([(name, dtype) for name, (dtype, _, _) in _STORED.items()]))


def _datagrams(rows: np.ndarray, begin: datetime, sequence: int) -> Iterator[memoryview]:
    """Yield NetFlow v5 datagrams of the flows, from an exporter that started an hour before them."""
    started = int((begin - _HOUR).timestamp() * 1000)
    records = np.zeros(len(rows), _RECORD)
    for name in _STORED:
        if name in ("src", "dst"):  # the last four octets of an IPv4-mapped address
            octets = np.ascontiguousarray(rows[name]).view(np.uint8).reshape(-1, 16)
            records[name] = np.ascontiguousarray(octets[:, 12:]).view(">u4")[:, 0]
        else:
            records[name] = rows[name] - started if name in ("start", "end") else rows[name]
    body = memoryview(records.tobytes())
    size = _RECORDS * _RECORD.itemsize
    header = np.zeros(1, _HEADER)
    header["version"], header["sampling"] = 5, _SAMPLED
    header["uptime"], header["seconds"] = 2 * 3_600_000, (begin + _HOUR).timestamp()
    for first in range(0, len(body), size):
        part = body[first : first + size]
        header["count"] = len(part) // _RECORD.itemsize
        header["sequence"] = sequence + first // _RECORD.itemsize
        yield memoryview(header.tobytes() + part)


def _collect(options: Sequence[str], datagrams: Iterator[memoryview], file: Path) -> None:
    """Have nfcapd make `file` of the datagrams."""
    work = file.parent / "work"
    work.mkdir()
    port = free_port(SOCK_DGRAM)
    command = ["nfcapd", "-w", str(work), "-b", "127.0.0.1", "-p", str(port), "-t", "86400", "-C", "none",
               "-B", str(_BUFFER), *options]  # fmt: skip
    with (
        closing(socket(AF_INET, SOCK_DGRAM)) as sender,
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
    ):
        try:
            await_queue(port)
            time.sleep(_SETTLE)
            sender.connect(("127.0.0.1", port))
            for number, datagram in enumerate(datagrams):
                sender.send(datagram)
                if number % _BURST == _BURST - 1:
                    await_queue(port)
            await_queue(port)
            time.sleep(_SETTLE)
        finally:
            process.send_signal(signal.SIGTERM)
    (made,) = work.glob("nfcapd.[0-9]*")
    made.replace(file)
    shutil.rmtree(work)
