"""The receiver as a process: what it is told on its standard input, and that it goes on when nobody tells any more."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

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


def test_it_goes_on_when_its_standard_input_ends(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally", fresh=True)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
    ):
        udp.bind(("127.0.0.1", 0))
        for each in (udp, tcp):
            each.setblocking(False)
        orders = {
            "parent": os.getpid(), "directory": str(tmp_path), "tally": str(tmp_path / "tally"),
            "sockets": [udp.fileno()], "tcp_sockets": [tcp.fileno()], "segment_size": 2**20, "max_size": 2**30,
            "after_segment": 0, "clock_shift_ms": 0, "allow": ["127.0.0.0/8"], "allow_unlisted": False,
        }  # fmt: skip
        command = [sys.executable, "-P", "-m", "collector.receiver"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, pass_fds=[udp.fileno(), tcp.fileno()]) as receiver:
            assert receiver.stdin
            assert receiver.stdout
            receiver.stdin.write(json.dumps(orders).encode() + b"\n")
            receiver.stdin.flush()
            assert receiver.stdout.readline() == b"ready\n"
            receiver.stdin.write(b"close\nclose x\n\nwhatever 5\nclose 99999999999999999999\nclose 7")
            receiver.stdin.close()
            time.sleep(0.5)
            out.sendto(b"datagram", udp.getsockname())
            with socket.create_connection(tcp.getsockname()) as peer:
                peer.sendall(message(20) + message(20)[:9])
                wait_for(lambda: tally[Count.RECEIVED] == 2)
                receiver.terminate()
                assert receiver.wait(10) == 0
                assert hung_up(peer)
    rows = journaled(tmp_path)
    assert sorted((row.payload, row.session > 0) for row in rows) == [
        (b"", True), (message(20), True), (b"datagram", False)
    ]  # fmt: skip
    assert [row.listener for row in rows if row.session] == [1, 1]
