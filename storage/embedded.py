"""A ClickHouse server of our own: starts it as a child process, watches over it, and stops it.

The engine is the one in the `chdb` package. It listens on loopback only, keeps its data in our data directory and
dies with the process that started it. ClickHouse writes to its log while it starts and when it fails, so a log begins
with each start, and the one before is kept.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

from settings.config import Embedded
from settings.errors import RefusalError, UserError
from settings.lock import hold
from storage.client import Client, connect
from storage.insert_tokens import forget_lost
from storage.node_files import NodeFiles, State
from storage.users import LOOPBACK, MERGE_THREADS, config_xml, users_xml

_READY_SECONDS = 30
_STOP_SECONDS = 10
_FLUSH_SECONDS = 5
_POLL_SECONDS = 0.02
_LOCK_SECONDS = 2  # the node of a Flowkeep that was killed takes a moment to follow it
_PORT_TRIES = 3
_MERGING, _LAST = "MergeMutate\n", 19  # what ClickHouse calls its threads that merge, and the niceness they get
_ADDRESS_IN_USE = "Address already in use"
_ALLOCATOR = "dirty_decay_ms:500,background_thread:true"
"""For jemalloc, which is told so by JE_MALLOC_CONF: what a merge gave back goes to the kernel within half a second.

Its 5 s, and no thread that looks after them, kept a third of the node's memory under a steady load.
"""


class NodeError(UserError):
    """The embedded ClickHouse does not start."""


class Node:
    """The embedded node of one data directory; `start` it again after it died.

    Start it in a thread that lives as long as the node is needed: the kernel kills the node when that thread ends.
    """

    def __init__(self, settings: Embedded, data_dir: Path) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self.files = NodeFiles.of(data_dir)
        self._lock: int | None = None
        self._merging: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._ports = settings.http_port, settings.tcp_port

    @property
    def running(self) -> bool:
        """Whether the node's process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id of the node last started here."""
        return self._process.pid if self._process else None

    def connect(self, role: str) -> Client:
        """Return a client of the running node."""
        return connect(self._settings, self._data_dir, role)

    def start(self) -> None:
        """Return when the node answers queries; NodeError or RefusalError say why it cannot."""
        try:
            self.files.node.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._acquire()
            self._refuse_newer_data()
            self._forget_system_tables()
            forget_lost(self.files.node / "data/store")
            self._launch()
        except OSError as error:
            self._abandon()
            raise NodeError(f"{self.files.root}: cannot be written: {error.strerror}; check 'data_dir'") from None
        except BaseException:
            self._abandon()
            raise

    def merge_last(self) -> None:
        """Have the threads that merge give way: where cores are short, what comes in is stored first.

        To be called now and then: a thread has its name from its first merge on. ClickHouse's own setting for this does
        nothing without CAP_SYS_NICE.
        """
        if len(self._merging) >= MERGE_THREADS:
            return
        for thread in Path("/proc").glob(f"{self.pid}/task/[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended, or a filter of system calls does not allow it
                if (thread / "comm").read_text() == _MERGING:
                    os.setpriority(os.PRIO_PROCESS, int(thread.name), _LAST)
                    self._merging.add(int(thread.name))

    def stop(self) -> None:
        """Have the logs written to our audit tables, end the node, and let others use the directory."""
        if self._lock is None:
            return  # it is not ours: `start` was refused, or it was stopped before
        if self.running:
            with (
                contextlib.suppress(UserError),
                connect(self._settings, self._data_dir, "admin", _FLUSH_SECONDS) as client,
            ):
                client.command("SYSTEM FLUSH LOGS")
            self._end()
        self.files.set_state(None)
        self._release()

    def __enter__(self) -> Node:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _acquire(self) -> None:
        """Take the directory's lock; the node inherits it, so that it is held while either of us lives."""
        if self._lock is None:
            self._lock = hold(
                self.files.lock,
                f"another Flowkeep is running on {self._data_dir}; stop it, or give this one its own 'data_dir'",
                _LOCK_SECONDS,
            )

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _refuse_newer_data(self) -> None:
        engine = version("chdb-core")
        with contextlib.suppress(FileNotFoundError):
            written = self.files.engine.read_text()
            if _release_of(written) > _release_of(engine):
                self._release()
                raise RefusalError(
                    f"{self.files.root} was written by ClickHouse {written}, and this is {engine}; install chdb-core "
                    f"{written} or newer, or restore the directory's backup"
                )
        self.files.engine.write_text(engine)

    def _forget_system_tables(self) -> None:
        """Delete the last run's query_log and the like: ClickHouse forgot them; what is to stay is in our tables."""
        for left in ("data/data/system", "tmp"):
            shutil.rmtree(self.files.node / left, ignore_errors=True)
        (self.files.node / "tmp").mkdir(mode=0o700)

    def _launch(self) -> None:
        for _ in range(_PORT_TRIES):
            http_port, tcp_port = (port or _free_port() for port in self._ports)
            taken = [port for port in (http_port, tcp_port) if _is_taken(port)]
            if not taken:
                self._spawn(http_port, tcp_port)
                if self._await_ready():
                    self._ports = http_port, tcp_port  # the same at the next start: clients know them
                    return
            # Who has the port would answer there as the node does, until ours has noticed and ends.
            reason = f"{_ADDRESS_IN_USE}: {LOOPBACK}:{taken[0]}" if taken else _last_line(self.files.log)
            self._ports = self._settings.http_port, self._settings.tcp_port
            if all(self._ports) or _ADDRESS_IN_USE not in reason:
                break
        if _ADDRESS_IN_USE in reason:
            raise NodeError(f"a port of ClickHouse is in use ({reason}); change 'storage.http_port' or 'tcp_port'")
        raise NodeError(f"ClickHouse does not start: {reason} (see {self.files.log})")

    def _spawn(self, http_port: int, tcp_port: int) -> None:
        settings, files = self._settings, self.files
        (files.node / "config.xml").write_text(config_xml(http_port, tcp_port, settings.memory_limit))
        users = users_xml(files.passwords(), settings.database, settings.memory_limit)
        (files.node / "users.xml").write_text(users)
        # Nothing of our environment: whoever may query can read the node's.
        environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
            "TMPDIR": str(files.node / "tmp"),
            "JE_MALLOC_CONF": _ALLOCATOR,
        }
        with contextlib.suppress(FileNotFoundError):
            files.log.replace(files.log.with_suffix(".log.1"))  # why it ended last time
        with files.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "storage.node_boot", str(files.node), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=environment,
                pass_fds=[self._lock] if self._lock is not None else [],
                start_new_session=True,  # Ctrl-C at the terminal is for us; we stop the node when we are done with it
            )
        self._merging.clear()
        files.set_state(State(self._process.pid, http_port, tcp_port))

    def _await_ready(self) -> bool:
        """Wait until the node knows our password, which proves that it is ours; False if it ended instead."""
        state = self.files.state()
        deadline = time.monotonic() + _READY_SECONDS
        while self.running and state:
            try:
                socket.create_connection((LOOPBACK, state.tcp_port), _READY_SECONDS).close()  # it listens there last
                with self.connect("admin") as admin:
                    admin.create_database()
                return self.running
            except (OSError, UserError):  # or refused: by another ClickHouse on our port, and ours is about to end
                if time.monotonic() > deadline:
                    raise NodeError(f"ClickHouse did not answer in {_READY_SECONDS} s; see {self.files.log}") from None
                time.sleep(_POLL_SECONDS)
        return False

    def _end(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            self._kill()

    def _abandon(self) -> None:
        self._kill()
        self._release()

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self.files.set_state(None)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have ended hold nothing
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _release_of(engine: str) -> tuple[int, ...]:
    """Return year and month of a version such as 26.9.0: data formats change with those."""
    return tuple(int(part) for part in engine.strip().split(".")[:2])


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
