"""The receiver as a process: what it is told on its standard input, and that it goes on when nobody tells any more."""

from __future__ import annotations

import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import pytest

from collector.clock import Clock
from collector.keeper import Keeper
from collector.listeners import Listeners, bind
from collector.receiver_process import ReceiverProcess
from collector.shards import WHOLE
from collector.tally import Count, Tally
from settings.config import Config, load_config
from tests.collector.site import Site, wait_for
from tests.collector.test_tcp import hung_up, journaled, message


@pytest.fixture
def config(site: Site) -> Config:
    return load_config(site.config, {})


@pytest.fixture
def listeners(config: Config) -> Iterator[Listeners]:
    listeners = bind(config)
    yield listeners
    listeners.close()


def test_sessions_are_closed_by_order_and_orders_to_nobody_do_no_harm(
    site: Site, config: Config, listeners: Listeners
) -> None:
    directory = config.data_dir / "journal"
    keeper = Keeper(directory, [WHOLE])
    process = ReceiverProcess(config, listeners, listeners.udp[0].fileno(), keeper, Clock())
    process.close_sessions({1})
    process.start()
    with site.connect() as one, site.connect() as other:
        one.sendall(message(20))
        wait_for(lambda: process.tally[Count.RECEIVED] == 1)
        session = journaled(directory)[0].session
        process.close_sessions({5, session, session + 1000})
        assert hung_up(one)
        other.sendall(message(30))
        wait_for(lambda: process.tally[Count.RECEIVED] == 2)
        assert (process.tally[Count.TCP_RULES], process.tally[Count.TCP_OPEN]) == (1, 1)
        process.stop()
        assert hung_up(other)
    process.close_sessions({session})
    assert [row.payload for row in journaled(directory)] == [message(20), b"", message(30), b""]
    assert process.tally[Count.TCP_OPEN] == 0


@contextmanager
def receiver(
    directory: Path, udp: list[socket.socket], tcp: list[socket.socket], **more: object
) -> Iterator[Popen[bytes]]:
    """A receiver that is ready, killed at the end if it still runs."""
    for each in (*udp, *tcp):
        each.setblocking(False)
    sockets, tcp_sockets = ([each.fileno() for each in some] for some in (udp, tcp))
    orders = {
        "parent": os.getpid(), "directory": str(directory), "tally": str(directory / "tally"), "sockets": sockets,
        "endpoints": list(range(len(udp))), "tcp_sockets": tcp_sockets, "segment_size": 2**20, "max_size": 2**30,
        "after_segment": -1, "clock_shift_ms": 0, "allow": ["127.0.0.0/8"], "allow_unlisted": False,
    }  # fmt: skip
    command = [sys.executable, "-P", "-m", "collector.receiver"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, pass_fds=[*sockets, *tcp_sockets]) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(orders | more).encode() + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"ready\n"
        try:
            yield process
        finally:
            process.kill()


def test_it_goes_on_when_its_standard_input_ends(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally", fresh=True)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
    ):
        udp.bind(("127.0.0.1", 0))
        with receiver(tmp_path, [udp], [tcp]) as process:
            assert process.stdin
            process.stdin.write(b"close\nclose x\n\nwhatever 5\nclose 99999999999999999999\nclose 7")
            process.stdin.close()
            time.sleep(0.5)
            out.sendto(b"datagram", udp.getsockname())
            with socket.create_connection(tcp.getsockname()) as peer:
                peer.sendall(message(20) + message(20)[:9])
                wait_for(lambda: tally[Count.RECEIVED] == 2)
                process.terminate()
                assert process.wait(10) == 0
                assert hung_up(peer)
    rows = journaled(tmp_path)
    assert sorted((row.payload, row.session > 0) for row in rows) == [
        (b"", True), (message(20), True), (b"datagram", False)
    ]  # fmt: skip
    assert [row.listener for row in rows if row.session] == [1] * 2


def test_a_row_names_the_endpoint_whichever_of_its_sockets_heard(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally", fresh=True)
    with ExitStack() as stack:
        udp = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(4)]
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        out = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for one in udp:
            one.bind(("127.0.0.1", 0))
        process = stack.enter_context(receiver(tmp_path, udp, [tcp], endpoints=[0, 0, 1, 1]))
        for number, one in enumerate(udp):
            out.sendto(bytes((number,)), one.getsockname())
        with socket.create_connection(tcp.getsockname()) as peer:
            peer.sendall(message(20))
            wait_for(lambda: tally[Count.RECEIVED] == 5)
        process.terminate()
        assert process.wait(10) == 0
    heard = {row.payload: row.listener for row in journaled(tmp_path) if row.payload}
    assert heard == {b"\0": 0, b"\1": 0, b"\2": 1, b"\3": 1, message(20): 2}


def waiting(one: socket.socket) -> int:
    """Octets of a socket's buffer that are in use."""
    return int(struct.unpack_from("=I", one.getsockopt(socket.SOL_SOCKET, 55, 36))[0])


def test_kill_9_under_load_again_and_again_costs_no_datagram(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally", fresh=True)
    sent, done = 0, threading.Event()
    rng = random.Random(5)

    def load() -> None:
        nonlocal sent
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not done.is_set():
                for _ in range(60):
                    out.sendto(sent.to_bytes(8, "big") * (1 + sent * 7 % 181), udp.getsockname())
                    sent += 1
                while waiting(udp) > 150_000 and not done.is_set():  # or the kernel may drop some
                    time.sleep(0.001)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        udp.bind(("127.0.0.1", 0))
        sender = threading.Thread(target=load)
        sender.start()
        try:
            for _ in range(12):
                with receiver(tmp_path, [udp], []) as process:
                    time.sleep(rng.random() / 10)
                    process.kill()
        finally:
            done.set()
            sender.join()
        with receiver(tmp_path, [udp], []) as process:
            process.terminate()
            assert process.wait(10) == 0
    payloads = [row.payload for row in journaled(tmp_path)]
    assert [int.from_bytes(payload[:8], "big") for payload in payloads] == list(range(sent))
    assert all(payload == payload[:8] * (1 + number * 7 % 181) for number, payload in enumerate(payloads))
    assert (tally[Count.RECEIVED], tally[Count.OCTETS]) == (sent, sum(map(len, payloads)))
    assert not (tmp_path / "receiver.batch").exists()


def test_where_it_cannot_work_it_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "receiver.batch").mkdir()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        with pytest.raises(AssertionError), receiver(tmp_path, [udp], []):
            pass
    said = capfd.readouterr().err
    assert "the receiver cannot work there: Is a directory" in said
    assert "Traceback" not in said
