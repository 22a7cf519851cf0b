"""Processes die: nothing that was received is lost, and nothing is stored twice."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
import time
from pathlib import Path

from collector.batches import SLOTS
from collector.segments import Segment, numbers, path_of
from collector.tally import Count, Tally
from storage.node_files import NodeFiles
from tests.collector.site import Site, wait_for
from tests.decoders.wire import a_set, template, v9

FIELDS = [(8, 4), (12, 4), (1, 4), (2, 4)]
RECORDS = 20


def numbered(datagrams: int) -> list[bytes]:
    """Datagrams whose records are numbered in `bytes`, the template in the first one only."""
    payloads = [v9(a_set(0, template(256, FIELDS)))]
    for number in range(datagrams):
        records = b"".join(
            struct.pack(">4B4BII", 192, 0, 2, 1, 198, 51, 100, 1, 1 + number * RECORDS + index, 1)
            for index in range(RECORDS)
        )
        payloads.append(v9(a_set(256, records), sequence=number + 1))
    return payloads


def tally(site: Site) -> tuple[int, int, int]:
    """Rows, distinct numbers, and their sum."""
    return site.rows("SELECT count(), uniqExact(bytes), sum(bytes) FROM flows")[0]


def expected(datagrams: int) -> tuple[int, int, int]:
    count = datagrams * RECORDS
    return count, count, count * (count + 1) // 2


def journaled(site: Site) -> int:
    directory = site.directory / "data" / "journal"
    return sum(Segment(path_of(directory, number), writable=False).count for number in numbers(directory))


def test_kill_9_in_the_middle_of_a_replay(site: Site) -> None:
    payloads = numbered(6000)
    collector = site.collector()
    collector.start()
    sender = threading.Thread(target=site.send, args=(payloads,), kwargs={"pause": 0.001})
    sender.start()
    received = replayed = kills = 0
    while sender.is_alive():
        time.sleep(0.7)
        collector.kill()
        received += Tally(site.directory / "data" / "journal" / "receiver.tally")[Count.RECEIVED]
        kills += 1
        collector = site.collector()
        collector.start()  # what is sent meanwhile is received by nobody: UDP
        replayed += collector.books()["replayed"]
    books = collector.settle()
    received += books["received"] - books["replayed"]
    rows, distinct, _ = tally(site)
    assert kills >= 2
    assert replayed > 0
    assert rows == distinct
    assert rows % RECORDS == 0
    datagrams = rows // RECORDS + 1  # the first held the template
    # A batch is counted when it is journaled: each kill may fall between the two, once.
    assert received <= datagrams <= received + kills * SLOTS
    assert collector.stop() == 0


def test_what_was_journaled_before_a_kill_is_stored_after_it_exactly_once(site: Site) -> None:
    payloads = numbered(1500)
    collector = site.collector()
    collector.start()
    site.send(payloads[:700])
    os.kill(NodeFiles.of(collector.config.data_dir).state().pid, signal.SIGSTOP)  # type: ignore[union-attr]
    site.send(payloads[700:])
    wait_for(lambda: journaled(site) + collector.books()["datagrams_decoded"] >= len(payloads))
    collector.kill()
    again = site.collector()
    again.start()
    books = again.settle()
    assert books["replayed"] > 0
    assert tally(site) == expected(1500)
    again.stop()


def test_clickhouse_dies_and_the_flows_wait_for_it(site: Site) -> None:
    payloads = numbered(2000)
    with site.collector() as collector:
        site.send(payloads[:500])
        os.kill(NodeFiles.of(collector.config.data_dir).state().pid, signal.SIGKILL)  # type: ignore[union-attr]
        site.send(payloads[500:])
        collector.settle(len(payloads))
        assert tally(site) == expected(2000)
    assert "starting it again" in site.log.read_text()


def test_a_worker_dies_again_and_again_and_the_books_balance(site: Site) -> None:
    payloads = numbered(4000)
    site.config.write_text(site.config.read_text() + "workers: 2\n")
    with site.collector() as collector:
        sender = threading.Thread(target=site.send, args=(payloads,), kwargs={"pause": 0.001})
        sender.start()
        kills = 0
        while sender.is_alive():
            time.sleep(1.2)
            for pid in _children_named(collector.pid, b"cli.worker"):
                os.kill(pid, signal.SIGKILL)
                kills += 1
        books = collector.settle(len(payloads))
        assert kills >= 4
        assert tally(site) == expected(4000)
        assert (books["received"], books["datagrams_decoded"], books["stored"]) == (4001, 4001, 4000 * RECORDS)


def test_the_number_of_workers_changes_from_run_to_run(site: Site) -> None:
    payloads = numbered(900)
    config = site.config.read_text()
    for number, workers in enumerate((1, 3, 2)):
        site.config.write_text(f"{config}workers: {workers}\n")
        with site.collector() as collector:
            site.send(payloads[number * 300 + (number > 0) : (number + 1) * 300 + 1])  # the template but once
            collector.settle(300)
            os.kill(NodeFiles.of(collector.config.data_dir).state().pid, signal.SIGSTOP)  # type: ignore[union-attr]
            collector.kill()
    with site.collector() as collector:
        collector.settle()
        assert tally(site) == expected(900)


def test_a_block_is_attributed_as_it_was_begun_whatever_has_changed_since(site: Site) -> None:
    payloads = numbered(600)
    collector = site.collector()
    collector.start()
    site.send(payloads[:300])
    collector.settle(300)
    os.kill(NodeFiles.of(collector.config.data_dir).state().pid, signal.SIGSTOP)  # type: ignore[union-attr]
    site.send(payloads[300:])
    wait_for(lambda: bool(_pending(site)))
    collector.kill()
    begun = _pending(site)
    site.tenants.write_text(site.tenants.read_text().replace("acme", "umbrella").replace("standard", "extended"))
    with site.collector() as again:
        again.settle()
        assert tally(site) == expected(600)
        assert begun
        ((tenants,),) = site.rows("SELECT groupUniqArray(src_tenant) FROM flows")
        assert "acme" in tenants


def _pending(site: Site) -> list[object]:
    position = site.directory / "data" / "journal" / "position.json"
    return list(json.loads(position.read_text())["pending"]) if position.exists() else []


def test_the_receiver_dies_and_is_started_again(site: Site) -> None:
    payloads = numbered(600)
    with site.collector() as collector:
        site.send(payloads[:300])
        collector.settle(300)
        (child,) = _children_named(collector.pid, b"collector.receiver")
        os.kill(child, signal.SIGKILL)
        site.send(payloads[300:])  # the sockets are the daemon's: their buffers hold
        collector.settle(len(payloads))
        assert tally(site) == expected(600)


def test_sigterm_under_load_stores_everything_received(site: Site) -> None:
    payloads = numbered(3000)
    collector = site.collector()
    collector.start()
    site.send(payloads)
    assert collector.stop() == 0
    collector = site.collector()
    collector.start()
    books = collector.settle()
    assert books["replayed"] == 0
    assert tally(site) == expected(3000)
    collector.stop()


def test_sigterm_ends_it_in_time_while_clickhouse_hangs_and_nothing_is_lost(site: Site) -> None:
    payloads = numbered(300)
    collector = site.collector()
    collector.start()
    site.send(payloads[:100])
    collector.settle(100)
    os.kill(NodeFiles.of(collector.config.data_dir).state().pid, signal.SIGSTOP)  # type: ignore[union-attr]
    site.send(payloads[100:])
    wait_for(lambda: journaled(site) >= len(payloads))
    assert collector.stop() == 0
    log = site.log.read_text()
    assert "waits in the journal" in log
    assert "Traceback" not in log
    with site.collector() as again:
        again.settle()
        assert tally(site) == expected(300)


def test_clickhouse_comes_back_on_other_ports_when_its_own_are_taken(site: Site) -> None:
    payloads = numbered(200)
    with site.collector() as collector, socket.socket() as other:
        site.send(payloads[:100])
        collector.settle(100)
        state = NodeFiles.of(collector.config.data_dir).state()
        assert state
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        os.kill(collector.pid, signal.SIGSTOP)
        os.kill(state.pid, signal.SIGKILL)
        wait_for(lambda: _bound(other, state.http_port))
        os.kill(collector.pid, signal.SIGCONT)
        site.send(payloads[100:])
        collector.settle(len(payloads))
        assert tally(site) == expected(200)


def _bound(other: socket.socket, port: int) -> bool:
    try:
        other.bind(("127.0.0.1", port))
    except OSError:
        return False
    other.listen()
    return True


def test_nothing_is_left_running_after_kill_9(site: Site) -> None:
    collector = site.collector()
    collector.start()
    children = _children(collector.pid)
    assert len(children) == 3
    collector.kill()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))


def _children_named(pid: int, module: bytes) -> list[int]:
    return [child for child in _children(pid) if module in Path(f"/proc/{child}/cmdline").read_bytes()]


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
