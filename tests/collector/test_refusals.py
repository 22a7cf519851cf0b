"""What cannot work ends in one clear message and the right exit code, or is tried again; never in a traceback."""

from __future__ import annotations

import json
import socket
import struct
import threading
from pathlib import Path

import pytest

from collector.allow_list import AllowList
from collector.segment_writer import SegmentWriter
from collector.tally import Count, Tally
from collector.udp import Datagrams
from storage.embedded import Node
from tests.collector.site import Site, flowkeep, wait_for
from tests.decoders.wire import a_set, template, v9


def test_a_port_in_use_is_named(site: Site) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", site.ports.netflow))
        done = site.flowkeep("run")
    assert done.returncode == 1
    assert f"UDP 127.0.0.1:{site.ports.netflow} is in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_tcp_port_in_use_is_named(site: Site) -> None:
    with socket.create_server(("127.0.0.1", site.tcp_port)):
        done = site.flowkeep("run")
    assert done.returncode == 1
    assert f"TCP 127.0.0.1:{site.tcp_port} is in use by another program; `ss -ltnp` shows which" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_collector_on_one_directory_is_refused(site: Site) -> None:
    with site.collector():
        text = site.config.read_text()
        for port in (*site.ports, site.tcp_port):
            text = text.replace(str(port), str(port % 20000 + 20000))
        second = site.directory / "second.yaml"
        second.write_text(text)
        done = flowkeep("run", "-c", str(second))
    assert done.returncode == 1
    assert "another flowkeep is running on" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("metrics:", "metrix:", "unknown key 'metrix'; did you mean 'metrics'?"),
        ("tenants: tenants.csv", "", "the key 'tenants' is missing"),
        ("mode: embedded", "mode: embeded", "embeded"),
        ("127.0.0.0/8", "127.0.0.1/8", "host bits set"),
        ("tenants.csv", "nowhere.csv", "nowhere.csv"),
    ],
)
def test_a_wrong_configuration_is_named_with_its_line(site: Site, old: str, new: str, complaint: str) -> None:
    site.config.write_text(site.config.read_text().replace(old, new))
    for command in ("check", "run"):
        done = site.flowkeep(command)
        assert done.returncode == 2
        assert complaint in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_wrong_tenants_are_named_with_their_lines(site: Site) -> None:
    site.tenants.write_text("prefix,tenant,class\n192.0.2.1/24,acme,\n10.0.0.0/8,x,gold\n")
    done = site.flowkeep("check")
    assert done.returncode == 2
    assert "tenants.csv:2" in done.stderr
    site.tenants.write_text("prefix,tenant,class\n10.0.0.0/8,x,gold\n")
    done = site.flowkeep("tenants", "check")
    assert done.returncode == 2
    assert "tenants.csv:2" in done.stderr
    assert "gold" in done.stderr


def test_commands_say_that_nothing_runs(site: Site) -> None:
    for command in (["status"], ["sql", "SELECT 1"], ["flows"], ["top"], ["retention", "show"], ["retention", "purge"]):
        done = site.flowkeep(*command)
        assert done.returncode == 3, command
        assert "flowkeep run" in done.stderr
        assert "Traceback" not in done.stderr


def test_no_configuration_is_bad_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWKEEP_CONFIG", raising=False)
    done = flowkeep("status")
    assert done.returncode == 2
    assert "FLOWKEEP_CONFIG" in done.stderr


def test_a_server_that_is_away_is_waited_for_while_datagrams_are_kept(site: Site, node: Node, database: Node) -> None:
    gate = socket.socket()
    gate.bind(("127.0.0.1", 0))
    port = gate.getsockname()[1]
    gate.close()
    passwords = json.dumps(node.files.passwords())
    site.config.write_text(site.config.read_text().replace(
        "{mode: embedded}", f"{{mode: server, url: 'http://127.0.0.1:{port}', passwords: {passwords}}}"
    ))  # fmt: skip
    collector = site.collector()
    state = node.files.state()
    assert state
    forward = _forward(port, state.http_port)

    def send_and_open() -> None:
        wait_for(lambda: site.log.exists() and "waits in the journal" in site.log.read_text())
        site.send([v9(a_set(0, template(256, [(1, 4)])), a_set(256, struct.pack(">I", 5)))])
        forward.open()

    opener = threading.Thread(target=send_and_open)
    opener.start()
    with forward:
        collector.start()  # in this thread: the collector would end with another
        opener.join()
        assert collector.settle(1)["stored"] == 1
        with database.connect("query") as client:
            assert client.query("SELECT bytes FROM flows").rows == [(5,)]
        assert collector.stop() == 0


class _forward:  # noqa: N801 - reads as a verb
    """A TCP port that is, for as long as it is open, another one."""

    def __init__(self, port: int, to: int) -> None:
        self._port, self._to = port, to
        self._open: list[socket.socket] = []

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._open.append(self._listener)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._to))
            self._open += [here, there]
            for source, sink in ((here, there), (there, here)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_a_full_disk_costs_datagrams_but_not_the_receiver(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tally = Tally(tmp_path / "tally")
    writer = SegmentWriter(tmp_path, size=2**55, most=2**60, after=0, clock_shift_ms=0)
    datagrams = Datagrams(writer, AllowList(["127.0.0.0/8"], unlisted=False), tally.words)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out,
    ):
        source.bind(("127.0.0.1", 0))
        source.setblocking(False)
        for _ in range(5):
            out.sendto(b"x" * 40, source.getsockname())
        wait_for(lambda: not datagrams.drain(source, 0) and tally[Count.RECEIVED] == 5)
    assert tally[Count.JOURNAL_FULL] == 5
    assert "no new segment" in capfd.readouterr().err
    assert not list(tmp_path.glob("*.segment"))
    assert not list(tmp_path.glob("*.new"))
