"""IPFIX over TCP from the connection to the query: stored exactly once, whatever peers do and whoever is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.sessions import MOST
from demo.collector_process import CollectorProcess
from storage.node_files import NodeFiles
from tests.collector.site import Site, wait_for
from tests.collector.test_end_to_end import balanced
from tests.collector.test_reload import metric
from tests.collector.test_restart import journaled, numbered
from tests.decoders.wire import a_set, ipfix, template

FIELDS = [(8, 4), (12, 4), (1, 4)]
RECORDS = 10


def messages(count: int, first: int = 1) -> list[bytes]:
    """Messages whose records are numbered in `bytes` from `first` on; the template is in the first message only."""
    made = [ipfix(a_set(2, template(256, FIELDS)))]
    for number in range(count):
        records = b"".join(
            struct.pack(">4B4BI", 192, 0, 2, 1, 198, 51, 100, 1, first + number * RECORDS + index)
            for index in range(RECORDS)
        )
        made.append(ipfix(a_set(256, records), sequence=number * RECORDS))
    return made


def stored(site: Site, flow_type: str = "ipfix") -> tuple[int, int, int]:
    """Rows, distinct numbers, and the largest."""
    return site.rows(f"SELECT count(), uniqExact(bytes), max(bytes) FROM flows WHERE flow_type = '{flow_type}'")[0]


def once(records: int) -> tuple[int, int, int]:
    return records, records, records


def hung_up(peer: socket.socket) -> bool:
    try:
        return peer.recv(1) == b""
    except ConnectionResetError:
        return True


def receiver_of(collector: CollectorProcess) -> int:
    children = Path(f"/proc/{collector.pid}/task/{collector.pid}/children").read_text().split()
    (pid,) = [pid for pid in children if b"collector.receiver" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return int(pid)


def send_in_pieces(peer: socket.socket, stream: bytes, rng: random.Random) -> None:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    at = 0
    while at < len(stream):
        piece = rng.choice((1, 2, 7, 16, 137, 1500, 9000, 40_000))
        peer.sendall(stream[at : at + piece])
        at += piece


def test_tcp_and_udp_at_once_are_stored_as_sent_and_the_books_balance(site: Site) -> None:
    stream, datagrams = messages(800), numbered(500)
    with site.collector() as collector, site.connect() as peer:
        sender = threading.Thread(target=site.send, args=(datagrams,), kwargs={"pause": 0.001})
        sender.start()
        send_in_pieces(peer, b"".join(stream), random.Random(3))
        sender.join()
        wait_for(lambda: collector.books()["tcp_sessions"]["open"] == 1)
        peer.close()
        wait_for(lambda: collector.books()["tcp_sessions"]["open"] == 0)
        books = collector.settle(len(stream) + len(datagrams))
        assert stored(site) == once(8000)
        assert stored(site, "netflow9") == once(10_000)
        assert books["received"] == len(stream) + len(datagrams)
        assert balanced(books)
        assert books["faults"] == {}
        assert books["tcp_sessions"] == {"open": 0, "opened": 1, "refused": 0, "closed": 0}
        status = json.loads(site.flowkeep("status", "--json").stdout)
        assert status["tcp_sessions"] == books["tcp_sessions"]
        assert "tcp sessions" in site.flowkeep("status").stdout
        wait_for(lambda: metric(site, "flowkeep_templates ") == 1)  # the session's is gone with it, UDP's is not


def test_each_session_has_its_own_templates(site: Site) -> None:
    other = [(12, 4), (8, 4), (2, 4), (1, 4)]
    record = struct.pack(">4B4BII", 198, 51, 100, 1, 192, 0, 2, 1, 7, 99_999)
    with site.collector() as collector, site.connect() as one, site.connect() as two:
        first, second = messages(1), [ipfix(a_set(2, template(256, other))), ipfix(a_set(256, record))]
        for of_one, of_two in zip(first, second, strict=True):
            one.sendall(of_one)
            two.sendall(of_two)
            time.sleep(0.05)
        collector.settle(4)
        assert stored(site) == (RECORDS + 1, RECORDS + 1, 99_999)
        assert site.rows("SELECT packets FROM flows WHERE bytes = 99999") == [(7,)]


def test_a_peer_that_sends_garbage_is_cut_off_and_another_is_served(site: Site) -> None:
    with site.collector() as collector, site.connect() as bad, site.connect() as good:
        bad.sendall(b"".join(messages(1)) + b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500))
        assert hung_up(bad)
        good.sendall(b"".join(messages(2, first=11)))
        books = collector.settle(5)
        assert stored(site) == once(30)
        assert balanced(books)
        assert metric(site, 'flowkeep_tcp_sessions_closed_total{reason="no_ipfix_message"}') == 1
    assert "sent what is no IPFIX message" in site.log.read_text()


def test_a_peer_that_stalls_in_a_message_delays_nobody_and_may_go_on(site: Site) -> None:
    stream = b"".join(messages(2))
    with site.collector() as collector, site.connect() as peer:
        peer.sendall(stream[:-30])
        for number, datagram in enumerate(numbered(20)):
            site.send([datagram])
            sent = time.monotonic()
            wait_for(lambda due=number + 1 + 2: collector.books()["received"] == due)
            assert time.monotonic() - sent < 1.5
        collector.settle(21 + 2)
        assert stored(site, "netflow9") == once(400)
        assert stored(site) == once(10)
        peer.sendall(stream[-30:])
        collector.settle(21 + 3)
        assert stored(site) == once(20)


def test_a_peer_that_sends_without_pause_does_not_keep_datagrams_waiting(site: Site) -> None:
    tiny = ipfix() * 4096
    done = threading.Event()

    def flood(peer: socket.socket) -> None:
        while not done.is_set():
            peer.sendall(tiny)

    with site.collector() as collector, site.connect() as one, site.connect() as two:
        floods = [threading.Thread(target=flood, args=(peer,)) for peer in (one, two)]
        for each in floods:
            each.start()
        time.sleep(0.5)
        sent = site.send(numbered(300), pause=0.002)
        time.sleep(0.3)
        done.set()
        for each in floods:
            each.join()
        books = collector.settle(sent + 10_000)
        wait_for(lambda: stored(site, "netflow9") == once(300 * 20))
        assert books["kernel_drops"] == 0
        assert balanced(collector.settle())


def test_too_many_connections_are_refused_and_room_is_made_by_leaving(site: Site) -> None:
    with site.collector() as collector:
        peers = [site.connect() for _ in range(MOST + 3)]
        assert all(hung_up(peer) for peer in peers[MOST:])
        wait_for(lambda: collector.books()["tcp_sessions"] == {"open": MOST, "opened": MOST, "refused": 3, "closed": 0})
        assert metric(site, 'flowkeep_tcp_sessions_refused_total{reason="too_many"}') == 3
        peers[0].close()
        wait_for(lambda: collector.books()["tcp_sessions"]["open"] == MOST - 1)
        peers.append(site.connect())
        for number, peer in enumerate(peers[1:MOST]):
            peer.sendall(b"".join(messages(1, first=1 + number * RECORDS)))
        peers[-1].sendall(b"".join(messages(1, first=1 + (MOST - 1) * RECORDS)))
        collector.settle(2 * MOST)
        assert stored(site) == once(MOST * RECORDS)
        for peer in peers:
            peer.close()
        wait_for(lambda: collector.books()["tcp_sessions"]["open"] == 0)
        assert balanced(collector.settle(2 * MOST))


def test_a_stranger_is_refused_over_tcp(tmp_path: Path) -> None:
    site = Site(tmp_path, exporters="127.0.0.1/32")
    with site.collector() as collector, site.connect("127.0.0.66") as stranger, site.connect() as peer:
        assert hung_up(stranger)
        peer.sendall(b"".join(messages(1)))
        books = collector.settle(2)
        assert stored(site) == once(RECORDS)
        assert books["tcp_sessions"]["refused"] == 1
        assert metric(site, 'flowkeep_tcp_sessions_refused_total{reason="exporter_not_allowed"}') == 1


def test_a_peer_that_redefines_a_template_is_cut_off(site: Site) -> None:
    with site.collector() as collector, site.connect() as peer:
        peer.sendall(b"".join(messages(1)))
        collector.settle(2)
        peer.sendall(ipfix(a_set(2, template(256, [*FIELDS, (2, 4)]))))
        assert hung_up(peer)
        wait_for(lambda: collector.books()["tcp_sessions"] == {"open": 0, "opened": 1, "refused": 0, "closed": 1})
        assert metric(site, 'flowkeep_tcp_sessions_closed_total{reason="template_redefined"}') == 1
        assert balanced(collector.settle(3))
        with site.connect() as again:
            again.sendall(b"".join(messages(1, first=11)))
            collector.settle(5)
        assert stored(site) == once(20)


def test_sigterm_in_the_middle_of_a_message_stores_the_whole_ones(site: Site) -> None:
    stream = messages(500)
    collector = site.collector()
    collector.start()
    with site.connect() as peer:
        peer.sendall(b"".join(stream) + stream[-1][:-1])
        assert collector.stop() == 0
        assert hung_up(peer)
    collector = site.collector()
    collector.start()
    books = collector.settle()
    assert books["replayed"] == 0
    assert stored(site) == once(5000)
    collector.stop()
    assert "Traceback" not in site.log.read_text()


def held_back(collector: CollectorProcess) -> Callable[[], None]:
    """Stop ClickHouse, so that all that comes stays in the journal; return what lets it go on."""
    state = NodeFiles.of(collector.config.data_dir).state()
    assert state
    os.kill(state.pid, signal.SIGSTOP)
    return lambda: os.kill(state.pid, signal.SIGCONT)


@pytest.mark.parametrize("victim", ["receiver", "flowkeep run"])
def test_messages_in_the_journal_are_stored_once_whoever_is_killed(site: Site, victim: str) -> None:
    stream = messages(300)
    collector = site.collector()
    collector.start()
    with site.connect() as peer:
        peer.sendall(b"".join(stream[:100]))
        collector.settle(100)
        go_on = held_back(collector)
        peer.sendall(b"".join(stream[100:]) + stream[-1][:40])
        wait_for(lambda: collector.books()["received"] == len(stream))
        if victim == "receiver":
            os.kill(receiver_of(collector), signal.SIGKILL)
        else:
            assert journaled(site) > 0
            collector.kill()
        assert hung_up(peer)
    if victim == "receiver":
        go_on()
    else:
        collector = site.collector()
        collector.start()
        assert collector.books()["replayed"] > 0
    with site.connect() as peer:
        peer.sendall(b"".join(messages(1, first=3001)))
        wait_for(lambda: stored(site) == once(3010))
    books = collector.settle()
    assert balanced(books)
    assert books["faults"] == {}
    wait_for(lambda: metric(site, "flowkeep_templates ") == 0)  # it is known that both sessions have ended
    assert collector.stop() == 0


def test_the_exporters_wait_for_the_receiver_that_is_started_again(site: Site) -> None:
    with site.collector() as collector:
        pid = receiver_of(collector)
        os.kill(pid, signal.SIGSTOP)
        with site.connect() as peer:  # the listening socket is the daemon's
            peer.sendall(b"".join(messages(5)))
            os.kill(pid, signal.SIGKILL)
            collector.settle(6)
        assert stored(site) == once(50)
        wait_for(lambda: metric(site, 'flowkeep_process_restarts_total{process="receiver"}') == 1)
