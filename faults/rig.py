"""A collector to be maltreated, with what sends to it, in a directory of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import processes, site
from benchmarks.end_to_end import Watch
from benchmarks.sender import Sender
from collector.tally import Count, Tally
from demo.collector_process import CollectorProcess
from faults.ledger import Ledger
from settings.errors import RefusalError, UserError
from storage.node_files import NodeFiles

EXPORTERS = 6
_POOL_FLOWS = 100_000
_QUIET, _LONG_QUIET = 1.0, 20.0
"""Seconds without a change after which nothing more comes; the longer where something should."""
_PATIENCE = 180.0
_BLOCKS = "blocks: {rollup_seconds: 2}"
_MOVED = Path(__file__).with_name("moved_clock")


class Rig:
    """A running collector; `journal_mb` puts its journal on a file system of that size, `moved` lets its clock be."""

    def __init__(self, settings: Sequence[str] = (), journal_mb: int = 0, moved: bool = False) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="flowkeep-faults-"))
        self._journal = self.directory / "data" / "journal"
        self._mounted = False
        self._clock = self.directory / "clock" if moved else None
        self.set_clock(0)
        bound = self._bound_journal(journal_mb) if journal_mb else "{max_size: 4GiB, segment_size: 16MiB}"
        config, self.port = site.write(self.directory, EXPORTERS, [f"journal: {bound}", _BLOCKS, *settings])
        self.collector = CollectorProcess(config, self.directory / "log")
        self.ledger = Ledger()
        self.sender = Sender(self.port, EXPORTERS, _POOL_FLOWS, numbered=True)
        self.ended_drops = self.ended_received = 0
        self.start()

    def _bound_journal(self, size_mb: int) -> str:
        """Mount a small file system for the journal; where that is not allowed, a bound in octets has to do."""
        self._journal.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m,mode=700", "flowkeep-faults", str(self._journal)]
        with contextlib.suppress(OSError):
            self._mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        most = "4GiB" if self._mounted else f"{size_mb}MiB"
        return f"{{max_size: {most}, segment_size: 4MiB, min_free: 1}}"

    def start(self) -> None:
        """Start the collector, or start it again."""
        kept = dict(os.environ)
        try:
            if self._clock:
                # children inherit it, but for ClickHouse, which gets an environment of its own
                os.environ["FLOWKEEP_MOVED_CLOCK"] = str(self._clock)
                os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_MOVED), kept.get("PYTHONPATH"))))
            self.collector.start()
        finally:
            os.environ.clear()
            os.environ |= kept

    def set_clock(self, seconds: int) -> None:
        """Move the collector's clock to so many seconds off the machine's."""
        if self._clock:
            descriptor = os.open(self._clock, os.O_WRONLY | os.O_CREAT, 0o600)
            os.pwrite(descriptor, struct.pack("=q", seconds), 0)
            os.close(descriptor)

    def pids(self, kind: str) -> list[int]:
        """Return the processes of a kind; while no worker decodes, it is the supervisor that does."""
        kinds = processes.of(self.collector.pid)
        found = [pid for pid, its in kinds.items() if its == kind]
        if not found and kind == processes.WORKER:
            return [self.collector.pid]
        return found

    def await_part(self, table: str, written: bool, seconds: float) -> bool:
        """Wait until ClickHouse begins to write a new part of a table, or has `written` it; False if it does not."""
        directory = self._table(table)
        deadline, seen = time.monotonic() + seconds, set(_names(directory))
        while time.monotonic() < deadline:
            now = set(_names(directory))
            if any(name.endswith("_0") and name.startswith("tmp_insert") is not written for name in now - seen):
                return True
            seen = now
            time.sleep(0.001)
        return False

    def await_token(self, table: str, seconds: float) -> bool:
        """Wait until ClickHouse remembers an insert into a table whose part has no name yet; False if it does not.

        That lasts for some microseconds, so it is looked for without a rest.
        """
        logs = list((self._table(table) / "deduplication_logs").glob("*_[1-9]*.txt"))
        if not logs:
            return False
        log, deadline = max(logs, key=lambda path: path.stat().st_mtime_ns), time.monotonic() + seconds
        with log.open("rb") as opened:
            size = os.fstat(opened.fileno()).st_size
            while time.monotonic() < deadline:
                if os.fstat(opened.fileno()).st_size != size:
                    return True
        return False

    def _table(self, table: str) -> Path:
        """Return the directory of a table in the embedded node."""
        node = NodeFiles.of(self.collector.config.data_dir).node
        return node / "data" / "data" / self.collector.config.storage.database / table

    def kill(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Send one of the collector's processes a signal; what has just ended needs none."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def await_another(self, kind: str, pid: int) -> None:
        """Wait until the supervisor has a process of that kind again; RefusalError where it does not."""
        deadline = time.monotonic() + _PATIENCE
        while not any(its == kind and each != pid for each, its in processes.of(self.collector.pid).items()):
            if time.monotonic() > deadline:
                raise RefusalError(f"the {kind} that was killed is not started again")
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> int:
        """End the supervisor by a signal, note what the receiver had counted by then, and return its exit status."""
        self.ended_drops = self.kernel_drops()
        if number == signal.SIGKILL:
            self.collector.kill()
            status = -number
        else:
            status = self.collector.stop()
        self.ended_received = self.received()
        return status

    def received(self) -> int:
        """Return how many datagrams the receiver of this run of `flowkeep run`, or of the last one, has counted."""
        return Tally(self._journal / "receiver.tally")[Count.RECEIVED]

    def kernel_drops(self) -> int:
        """Return how many datagrams the kernel has dropped at the sockets of our port as they are now."""
        lines = Path("/proc/net/udp").read_text().splitlines()[1:]
        return sum(int(line.split()[-1]) for line in lines if line.split()[1].endswith(f":{self.port:04X}"))

    def books(self) -> dict[str, Any]:
        """Return the collector's books; it may be asked while it is being restarted."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self.collector.books()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def settle(self) -> dict[str, Any]:
        """Wait until all that was received is worked off and nothing moves any more; RefusalError where it does not.

        Datagrams that are in no account are waited for longer.
        """
        deadline, seen, since = time.monotonic() + _PATIENCE, (-1, -1, -1), time.monotonic()
        while time.monotonic() < deadline:
            books = self.books()
            received = books["replayed"] + self.received()  # the books lag behind by as long as a block takes
            now = (received, books["stored"], self.stored_flows())
            unread = received - books["datagrams_decoded"] - books["datagrams_faulty"]
            if now != seen or books["waiting"] or books["rollups_waiting"] or not books["ready"]:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > (_LONG_QUIET if unread else _QUIET):
                return books
            time.sleep(0.1)
        raise RefusalError(f"after {_PATIENCE:.0f} s it has not caught up: {self.books()}")

    def stored_flows(self) -> int:
        """Return how many flows are in ClickHouse; -1 where it does not answer."""
        try:
            with site.client(self.collector.config) as client:
                return site.flows(client)
        except UserError:
            return -1

    @contextlib.contextmanager
    def watched(self) -> Iterator[Watch]:
        """Watch the lag."""
        with Watch(self.collector) as watch:
            yield watch

    def close(self, keep: bool) -> None:
        """End everything; `keep` the directory for who wants to look."""
        self.sender.close()
        with contextlib.suppress(RefusalError):
            self.collector.stop()
        if self._mounted:
            if keep:
                shutil.copytree(self._journal, self.directory / "journal-kept", dirs_exist_ok=True)
            subprocess.run(["umount", "--lazy", str(self._journal)], check=False)
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:  # ClickHouse is just making it
        return []
