"""A collector under load on this machine, sender and ClickHouse included: NetFlow v9 over UDP on loopback."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from demo.collector_process import CollectorProcess
from demo.encode import NetFlow9Exporter, Options
from demo.encode_records import is_v4
from demo.provider import Ports, traffic, write_demo
from demo.story import free_ports
from storage.client import connect

_RECORDS = 24
_TICK = os.sysconf("SC_CLK_TCK")


def _load(port: int, rate: int, seconds: float, sent: Any) -> None:
    """Send `rate` flows a second for `seconds` to loopback, evenly by the hundredth of a second."""
    now = time.time_ns() // 1_000_000
    flows = traffic(np.random.default_rng(3), 300_000, now - 60_000, now)
    flows = flows.take(np.flatnonzero(is_v4(flows))[: 4000 * _RECORDS])
    exporter = NetFlow9Exporter(1, now - 10**7, options=Options(sampler_rates=(1,)))
    announced = exporter.announce(now)
    payloads = [bytearray(payload) for payload in exporter.datagrams(flows, now)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind(("127.0.0.11", 0))
        out.connect(("127.0.0.1", port))
        for payload in announced:
            out.send(payload)
        sequence, done, begun = len(announced), 0, time.monotonic()
        while (elapsed := time.monotonic() - begun) < seconds:
            due = int(elapsed * rate / _RECORDS)
            for number in range(done, due):
                datagram = payloads[number % len(payloads)]
                struct.pack_into(">I", datagram, 12, sequence + number)
                out.send(datagram)
            done = max(done, due)
            time.sleep(0.005)
    sent.put((done + len(announced), sum(_flows(payloads[number % len(payloads)]) for number in range(done))))


def _flows(payload: bytearray) -> int:
    return int(struct.unpack_from(">H", payload, 2)[0])


def _processes(pid: int) -> dict[str, int]:
    """Return the collector's processes by what they are."""
    children = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    names = {child: Path(f"/proc/{child}/cmdline").read_text() for child in children}
    kinds = {child: "receiver" if "collector.receiver" in name else "clickhouse" for child, name in names.items()}
    return {"pipeline": pid} | {kind: child for child, kind in kinds.items()}


def _cpu(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICK


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def load(rate: int, seconds: float) -> dict[str, Any]:
    """Run one load and return what came of it."""
    directory = Path(tempfile.mkdtemp(prefix="flowkeep-bench-"))
    ports: Ports = free_ports()
    config = write_demo(directory, time.time_ns() // 1_000_000, ports)
    text = config.read_text().replace("segment_size: 16MiB", "segment_size: 64MiB").replace("256MiB", "4GiB")
    config.write_text(text)
    try:
        with CollectorProcess(config, directory / "log") as collector:
            time.sleep(2)
            processes = _processes(collector.pid)
            idle = {name: _memory(pid) for name, pid in processes.items()}
            before = {name: _cpu(pid) for name, pid in processes.items()}
            context = multiprocessing.get_context("spawn")
            sent = context.Queue()
            sender = context.Process(target=_load, args=(ports.netflow, rate, seconds, sent))
            sender.start()
            datagrams, flows = sent.get(timeout=seconds + 60)
            ended = time.monotonic()
            sender.join()
            while (books := collector.books())["stored"] < flows and time.monotonic() - ended < 30:
                time.sleep(0.05)
            late = time.monotonic() - ended
            time.sleep(1)
            books = collector.books()
            used = {name: _cpu(pid) - before[name] for name, pid in processes.items()}
            with connect(collector.config.storage, collector.config.data_dir, "retention") as client:
                ((rows, size),) = client.query(
                    "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'flows'"
                ).rows
            return {
                "bench": f"end_to_end_{rate // 1000}k", "value": round(flows / seconds), "unit": "flows/s",
                "seconds": seconds, "sent_flows": flows, "stored_flows": books["stored"], "rows": rows,
                "lost_flows": flows - books["stored"], "lost_datagrams": datagrams - books["received"],
                "kernel_drops": books["kernel_drops"], "stored_after_seconds": round(late, 2),
                "cpu_seconds_per_million_flows": {
                    name: round(value / flows * 1e6, 3) for name, value in used.items()
                },
                "idle_mb": idle, "memory_mb": {name: _memory(pid) for name, pid in processes.items()},
                "bytes_per_flow": round(size / max(rows, 1), 1),
            }  # fmt: skip
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run(seconds: float = 60.0) -> Iterator[dict[str, Any]]:
    """Yield the load that the collector must bear."""
    yield load(300_000, seconds)
