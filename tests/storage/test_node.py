"""The embedded node lives and dies as it should."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from settings.config import Embedded
from settings.errors import RefusalError, UnreachableError
from storage.client import connect
from storage.ddl import wanted
from storage.embedded import Node, NodeError
from storage.node_files import NodeFiles
from storage.upgrade import upgrade
from storage.writer import Writer
from tests.storage.batches import NOW_MS, at

EMBEDDED = Embedded(mode="embedded")


def gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.02)
    return False


def kill_9(node: Node, seconds: float = 10) -> None:
    assert node.pid is not None
    os.kill(node.pid, signal.SIGKILL)
    deadline = time.monotonic() + seconds
    while node.running and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not node.running


def fill(node: Node, rows: int) -> None:
    with node.connect("admin") as admin, node.connect("ingest") as ingest:
        upgrade(admin, wanted({"basic": 16}))
        Writer(ingest).write(at([NOW_MS] * rows), "t")


def count(node: Node) -> int:
    with node.connect("query") as client:
        return int(client.query("SELECT count() FROM flows").rows[0][0])


def test_rows_survive_kill_9_of_the_node(tmp_path: Path) -> None:
    with Node(EMBEDDED, tmp_path) as node:
        fill(node, 1000)
        first = node.pid
        kill_9(node)
        node.start()
        assert node.pid != first
        assert count(node) == 1000


def test_a_part_that_a_kill_left_without_its_name_is_stored_by_the_repetition(tmp_path: Path) -> None:
    """ClickHouse writes the token first and then renames the part; we do to it what a kill in between does."""
    with Node(EMBEDDED, tmp_path) as node:
        fill(node, 10)
        with node.connect("ingest") as client:
            Writer(client).write(at([NOW_MS] * 20), "another")
        kill_9(node)
        (part,) = (node.files.node / "data/store").glob("*/*/*_2_2_0")
        shutil.rmtree(part)
        node.start()
        assert count(node) == 10
        for _ in range(2):
            with node.connect("ingest") as client:
                Writer(client).write(at([NOW_MS] * 20), "another")
                Writer(client).write(at([NOW_MS] * 10), "t")
            assert count(node) == 30, "what was lost is stored once, and what was not is known"


def test_a_line_of_tokens_that_a_kill_cut_off_is_no_reason_to_forget_the_others(tmp_path: Path) -> None:
    with Node(EMBEDDED, tmp_path) as node:
        fill(node, 10)
        kill_9(node)
        (log,) = (
            path for path in (node.files.node / "data/store").glob("*/*/deduplication_logs/*") if path.stat().st_size
        )
        whole = log.read_bytes()
        log.write_bytes(whole + whole[: len(whole) // 2])
        node.start()
        assert log.read_bytes() == whole
        with node.connect("ingest") as client:
            Writer(client).write(at([NOW_MS] * 10), "t")
        assert count(node) == 10


def test_a_stopped_node_keeps_its_rows_and_passwords(tmp_path: Path) -> None:
    with Node(EMBEDDED, tmp_path) as node:
        fill(node, 10)
    passwords = NodeFiles.of(tmp_path).passwords()
    assert len(set(passwords.values())) == 4
    with Node(EMBEDDED, tmp_path) as node:
        assert count(node) == 10
    assert NodeFiles.of(tmp_path).passwords() == passwords


def test_no_orphan_and_no_lock_after_kill_9_of_the_parent(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from settings.config import Embedded; from storage.embedded import"
        " Node; node = Node(Embedded(mode='embedded'), Path(sys.argv[1])); node.start(); print(node.pid, flush=True);"
        " time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
    assert not gone(child, 0.1)
    parent.kill()
    parent.wait()
    assert gone(child)
    with Node(EMBEDDED, tmp_path) as node:
        assert node.running


def test_a_second_start_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with Node(EMBEDDED, tmp_path) as node:
        second = Node(EMBEDDED, tmp_path)
        with pytest.raises(RefusalError, match="another Flowkeep is running on"):
            second.start()
        second.stop()
        node.connect("query").close()


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(NodeError, match=rf"in use.*127\.0\.0\.1.*{port}.*change 'storage.http_port'"):
            Node(EMBEDDED.model_copy(update={"http_port": port}), tmp_path).start()


def test_a_port_of_another_node_is_named(node: Node, tmp_path: Path) -> None:
    state = node.files.state()
    assert state is not None
    with pytest.raises(NodeError, match=rf"in use.*{state.tcp_port}"):
        Node(EMBEDDED.model_copy(update={"tcp_port": state.tcp_port}), tmp_path).start()
    with pytest.raises(NodeError, match=rf"in use.*{state.http_port}"):
        Node(EMBEDDED.model_copy(update={"http_port": state.http_port}), tmp_path).start()


def test_chosen_ports_are_used(tmp_path: Path) -> None:
    with socket.socket() as http, socket.socket() as tcp:
        http.bind(("127.0.0.1", 0))
        tcp.bind(("127.0.0.1", 0))
        ports = http.getsockname()[1], tcp.getsockname()[1]
    with Node(EMBEDDED.model_copy(update={"http_port": ports[0], "tcp_port": ports[1]}), tmp_path):
        state = NodeFiles.of(tmp_path).state()
        assert state is not None
        assert (state.http_port, state.tcp_port) == ports


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(NodeError, match=r"file/clickhouse: cannot be written: .*'data_dir'"):
        Node(EMBEDDED, place).start()


def test_a_start_that_fails_shows_the_last_line_of_the_log(tmp_path: Path) -> None:
    node_dir = NodeFiles.of(tmp_path).node
    node_dir.mkdir(parents=True)
    (node_dir / "data").write_text("not a directory")
    with pytest.raises(NodeError, match=r"does not start: .*node/data.*\(see .*node\.log\)"):
        Node(EMBEDDED, tmp_path).start()


def test_data_of_a_newer_clickhouse_is_refused(tmp_path: Path) -> None:
    with Node(EMBEDDED, tmp_path):
        pass
    NodeFiles.of(tmp_path).engine.write_text("99.1.0")
    with pytest.raises(RefusalError, match=r"written by ClickHouse 99\.1\.0, and this is"):
        Node(EMBEDDED, tmp_path).start()


def test_secrets_are_for_the_owner_only(tmp_path: Path) -> None:
    with Node(EMBEDDED, tmp_path):
        root = NodeFiles.of(tmp_path).root
        assert stat.S_IMODE((root / "passwords.json").stat().st_mode) == 0o600
        assert stat.S_IMODE((root / "node").stat().st_mode) == 0o700


def test_a_node_that_is_not_up_says_how_to_start_it(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(UnreachableError, match="start it with `flowkeep run`") as error:
            connect(EMBEDDED, tmp_path, "query")
        assert error.value.exit_code == 3
        with Node(EMBEDDED, tmp_path):
            pass


def test_the_memory_limit_is_the_servers(tmp_path: Path) -> None:
    small = EMBEDDED.model_copy(update={"memory_limit": 700 * 2**20})
    with Node(small, tmp_path) as node, node.connect("admin") as admin:
        limit = admin.query("SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'").rows
        assert limit == [(str(700 * 2**20),)]


def test_threads_that_merge_give_way_to_what_comes_in(tmp_path: Path) -> None:
    with Node(EMBEDDED, tmp_path) as node, node.connect("admin") as admin:
        node.merge_last()  # before there are any
        admin.command("CREATE TABLE t (n UInt8) ENGINE = MergeTree ORDER BY n")
        deadline = time.monotonic() + 20
        merging: dict[str, int] = {}
        while not merging and time.monotonic() < deadline:
            admin.command("INSERT INTO t VALUES (1)")
            node.merge_last()
            merging = {name: nice for name, nice in niceness(node) if nice == 19}
        assert merging == {"MergeMutate": 19}
        assert 19 not in {nice for name, nice in niceness(node) if name != "MergeMutate"}


def niceness(node: Node) -> list[tuple[str, int]]:
    """Name and niceness of each of the node's threads."""
    found = []
    for thread in Path("/proc").glob(f"{node.pid}/task/*/stat"):
        with contextlib.suppress(OSError):
            head, _, rest = thread.read_text().rpartition(")")
            found.append((head.partition("(")[2], int(rest.split()[16])))
    return found
