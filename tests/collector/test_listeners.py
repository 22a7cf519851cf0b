"""The sockets: how a port is shared, who is refused one, and what the kernel dropped."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from collector import listeners
from collector.listeners import Drops, Listeners, bind
from settings.config import Config, load_config
from settings.errors import RefusalError
from tests.collector.site import Site


@pytest.fixture
def config(site: Site) -> Config:
    return load_config(site.config, {})


@contextmanager
def bound(config: Config, **more: object) -> Iterator[Listeners]:
    listeners = bind(config.model_copy(update=more))
    try:
        yield listeners
    finally:
        listeners.close()


def heard(one: socket.socket) -> list[tuple[bytes, int]]:
    got = []
    while True:
        try:
            payload, (_, port) = one.recvfrom(100)
        except BlockingIOError:
            return got
        got.append((payload, port))


def test_a_port_is_shared_by_its_sockets_and_each_sender_stays_with_one(config: Config) -> None:
    with bound(config, sockets_per_port=3) as listeners:
        assert listeners.endpoints == [0, 0, 0, 1, 1, 1]
        ports = [one.getsockname()[1] for one in listeners.udp]
        assert len(set(ports[:3])) == len(set(ports[3:])) == 1
        with ExitStack() as stack:  # all open at a time: a port that is free again may serve two senders
            for _ in range(60):
                out = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                for number in range(5):
                    out.sendto(bytes((number,)), ("127.0.0.1", ports[0]))
        each = [heard(one) for one in listeners.udp]
        assert sum(map(len, each)) == 300
        assert all(each[:3]), "one of them hears nothing"
        assert [len(some) for some in each[3:]] == [0, 0, 0]
        for some in each:
            for port in {port for _, port in some}:
                assert [payload for payload, sender in some if sender == port] == [bytes((n,)) for n in range(5)]


@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 3), (3, 1), (3, 3)])
def test_a_port_that_another_collector_has_is_refused(config: Config, first: int, second: int) -> None:
    with (
        bound(config, sockets_per_port=first),
        pytest.raises(RefusalError, match="in use by another program; `ss -lunp` shows which"),
        bound(config, sockets_per_port=second),
    ):
        pass
    with bound(config, sockets_per_port=second):
        pass


def test_drops_are_told_for_each_endpoint_over_all_its_sockets(config: Config) -> None:
    with bound(config, sockets_per_port=2, receive_buffer=4096) as listeners:
        drops = Drops(listeners)
        assert drops.take() == [0, 0]
        port = listeners.udp[2].getsockname()[1]
        sent = 0
        for _ in range(30):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                for _ in range(20):
                    out.sendto(bytes(1000), ("127.0.0.1", port))
                    sent += 1
        got = [len(heard(one)) for one in listeners.udp]
        assert got[2] > 0
        assert got[3] > 0
        assert drops.take() == [0, sent - sum(got)]
        assert drops.take() == [0, sent - sum(got)]
        assert sent > sum(got)


def test_drops_go_on_where_the_kernel_begins_again(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    with bound(config, sockets_per_port=2) as some:
        drops = Drops(some)
        counts = dict.fromkeys((one.fileno() for one in some.udp), 0)
        monkeypatch.setattr(listeners, "_drops_of", lambda one: counts[one.fileno()])
        counts[some.udp[0].fileno()] = 2**32 - 5
        assert drops.take() == [2**32 - 5, 0]
        counts[some.udp[0].fileno()], counts[some.udp[1].fileno()] = 3, 10
        assert drops.take() == [2**32 + 3 + 10, 0]
