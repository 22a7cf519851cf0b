"""The stages of the way, each alone: receiving into the journal, encoding a block, and ClickHouse's taking it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import processes, site
from benchmarks.pool import Pool, pools, wire
from benchmarks.sender import Sender, source_of
from cli.sources import FileSources
from collector.clock import Clock
from collector.heap import KEPT_OCTETS, keep_freed
from collector.keeper import Bounds, Keeper
from collector.listeners import Drops, bind
from collector.lock import take
from collector.receiver_process import ReceiverProcess
from collector.shards import WHOLE
from collector.tally import Count
from decoders import Datagrams, Limits, State, decode
from demo.traffic import mapped
from schema.batch import Flows
from settings.config import Config, Embedded, load_config
from storage.client import Client
from storage.embedded import Node
from storage.native import encode, present
from storage.writer import Writer

_EXPORTERS = 8
_FLOWS = 500_000
_ROUNDS = 7
_INSERTS = 12
_RECEIVED_RATE = 600_000
_KEPT = 256 * 2**20
"""Octets of journal that are left to lie while the receiver is measured, as if the rest were stored."""
_JOURNAL = "journal: {max_size: 4GiB, segment_size: 64MiB}"


@contextmanager
def _configured() -> Iterator[tuple[Config, int]]:
    """Give a configuration of a directory of its own, and its UDP port."""
    with tempfile.TemporaryDirectory(prefix="flowkeep-bench-") as folder:
        path, port = site.write(Path(folder), _EXPORTERS, (_JOURNAL,))
        yield load_config(path, {}), port


def _blocks(config: Config, count: int) -> Iterator[Flows]:
    """Yield blocks of about _FLOWS flows as they are before they are stored: decoded and attributed, a second apart."""
    now = time.time_ns() // 1_000_000 - count * 1000
    state, (attribution, _) = State(), FileSources(config).load()
    senders = pools(_EXPORTERS, 2_000_000, now)
    decode(_datagrams([(number, one) for number, pool in enumerate(senders) for one in pool.announcement(now)], now),
           state, Limits())  # fmt: skip
    for number in range(count):
        moment = now + number * 1000
        yield attribution.attribute(decode(_datagrams(_sent(senders, moment), moment), state, Limits()).flows)


def _sent(senders: list[Pool], now: int) -> list[tuple[int, bytes]]:
    each = _FLOWS // 24 // len(senders)
    return [(number, one) for number, pool in enumerate(senders) for one in wire(pool, each, now)]


def _datagrams(sent: list[tuple[int, bytes]], now: int) -> Datagrams:
    return Datagrams.gather(
        [payload for _, payload in sent],
        [mapped(source_of(number)).tobytes() for number, _ in sent],
        [now] * len(sent),
    )


def run_encode() -> Iterator[dict[str, Any]]:
    """Yield how long a block takes to become ClickHouse's Native format."""
    keep_freed(KEPT_OCTETS)
    with _configured() as (config, _):
        flows = next(_blocks(config, 1))
    columns, times, size = present(flows), [], 0
    for _ in range(_ROUNDS):
        begun = time.process_time()
        size = len(encode(flows, columns))
        times.append(time.process_time() - begun)
    yield {
        "bench": "encode_native", "value": round(float(np.median(times)) / flows.rows * 1e6, 4),
        "unit": "CPU-s/M flows", "rows": flows.rows, "columns": len(columns),
        "bytes_per_row": round(size / flows.rows, 1),
    }  # fmt: skip


def run_insert() -> Iterator[dict[str, Any]]:
    """Yield what ClickHouse takes for blocks one after the other, and for its merges of them."""
    with _configured() as (config, _):
        blocks = list(_blocks(config, _INSERTS))
        if not isinstance(config.storage, Embedded):
            raise TypeError("the configuration of the benchmarks has an embedded node")
        with Node(config.storage, config.data_dir) as node:
            sources = FileSources(config)
            sources.load()
            sources.enforce()
            with node.connect("ingest") as ingest, node.connect("retention") as ours:
                yield _inserted(node.pid or 0, ingest, ours, blocks)


def _inserted(pid: int, ingest: Client, ours: Client, blocks: list[Flows]) -> dict[str, Any]:
    writer = Writer(ingest)
    begun, used, mine = time.monotonic(), processes.cpu_seconds(pid), time.process_time()
    for number, flows in enumerate(blocks):
        writer.write(flows, f"block {number}")
    took, inserting = time.monotonic() - begun, processes.cpu_seconds(pid) - used
    mine = time.process_time() - mine
    _, settled = site.settle_merges(ours, 10)
    disk = site.stored(ours)
    return {
        "bench": "insert_flows", "value": round(disk.rows / took), "unit": "rows/s", "rows_a_block": blocks[0].rows,
        "clickhouse_cpu_seconds_per_million": round(inserting / disk.rows * 1e6, 3),
        "with_merges": round((processes.cpu_seconds(pid) - used) / disk.rows * 1e6, 3), "merges_done": settled,
        "client_cpu_seconds_per_million": round(mine / disk.rows * 1e6, 3),
        "bytes_per_row": round(disk.octets / disk.rows, 2),
    }  # fmt: skip


def run_receive(seconds: float) -> Iterator[dict[str, Any]]:
    """Yield what the receiver takes for a datagram, nobody reading its journal."""
    with _configured() as (config, port):
        config.data_dir.mkdir()
        listeners, lock = bind(config), take(config.data_dir)
        keeper = Keeper(config.data_dir / "journal", [WHOLE])
        receiver = ReceiverProcess(config, listeners, lock, keeper, Clock())
        drops = Drops(listeners)
        receiver.start()
        try:
            with Sender(port, _EXPORTERS) as sender:
                (pid,) = [pid for pid, kind in processes.of(os.getpid()).items() if kind == processes.RECEIVER]
                before = processes.cpu_seconds(pid)
                sender.begin(_RECEIVED_RATE, seconds)
                until = time.monotonic() + seconds
                while time.monotonic() < until:
                    keeper.evict(Bounds(_KEPT, 0, 0))
                    time.sleep(0.2)
                sent = sender.end()
                time.sleep(1)
                used, received = processes.cpu_seconds(pid) - before, receiver.tally[Count.RECEIVED]
        finally:
            receiver.stop()
            lost = sum(drops.take())
            listeners.close()
            os.close(lock)
    yield {
        "bench": "receive", "value": round(used / received * 1e6, 2), "unit": "CPU-s/M datagrams",
        "flows_per_second": round(sent.flows / sent.seconds), "received_datagrams": received, "kernel_drops": lost,
        "cpu_seconds_per_million_flows": round(used / sent.flows * 1e6, 3),
        "lost_datagrams": sent.datagrams + sent.announced - received,
    }  # fmt: skip
