"""What only a terminal shows: the shell, the pager, progress; and that Ctrl-C ends a query in ClickHouse too."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select

import pytest

from cli.direct import completer
from storage.embedded import Node
from tests.cli.over_node import configured
from tests.collector.site import flowkeep

_PATIENCE = 60.0
SLOW = "SELECT sum(sleepEachRow(0.1)) FROM numbers(300) SETTINGS max_block_size = 1, max_threads = 1"


class Terminal:
    """The far end of a terminal of 80 columns and 24 lines."""

    def __init__(self, end: int) -> None:
        self._end = end
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def await_text(self, pattern: str) -> str:
        """Return what came up to and with the text that is awaited."""
        deadline = time.monotonic() + _PATIENCE
        while not (found := re.search(pattern, self.seen)):
            if not select([self._end], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise AssertionError(f"no {pattern!r} in {self.seen!r}")
            try:
                self.seen += os.read(self._end, 65536).decode()
            except OSError:  # the other end is closed
                raise AssertionError(f"no {pattern!r} in {self.seen!r}") from None
        before, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return before


@contextmanager
def on_terminal(*arguments: str, **environment: str) -> Iterator[tuple[Terminal, subprocess.Popen[bytes]]]:
    """Run a command on a terminal of its own, which sends Ctrl-C to it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def take_terminal() -> None:
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # workers of xdist ignore it, and so would their children
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    with subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, preexec_fn=take_terminal,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24", **environment},
    ) as process:  # fmt: skip
        os.close(theirs)
        try:
            yield Terminal(ours), process
        finally:
            process.kill()
            os.close(ours)


@pytest.fixture
def config(database: Node, tmp_path: Path) -> str:
    with database.connect("admin") as admin:
        admin.command("INSERT INTO flows (time_received, dst_port) SELECT now(), number + 1 FROM numbers(100)")
    return str(configured(database, tmp_path))


def running(database: Node, text: str) -> int:
    with database.connect("admin") as admin:
        sql = "SELECT count() FROM system.processes WHERE user = 'flowkeep_query' AND query LIKE {text:String}"
        ((count,),) = admin.query(sql, {"text": f"%{text}%"}).rows
    return int(count)


def test_the_shell_answers_survives_mistakes_and_remembers(config: str, tmp_path: Path) -> None:
    with on_terminal("shell", "-c", config, XDG_STATE_HOME=str(tmp_path)) as (terminal, process):
        terminal.await_text("flowkeep> ")
        terminal.type("SELECT count(),\n")
        terminal.await_text(r"\.\.\. ")
        terminal.type("'a' AS letter FROM flows;\n")
        answer = terminal.await_text("1 row\r\n")
        assert re.search(r"count\(\).*letter.*\n100\s+a", answer)
        terminal.type("SELECT nonsense FROM flows;\n")
        assert "nonsense" in terminal.await_text(r"ClickHouse refused.*\n")
        terminal.type("\\d purges\n")
        assert "retention_class" in terminal.await_text("rows")
        terminal.type("SELECT bytes_sca\t FROM flows LIMIT 1;\n")
        assert "bytes_scaled" in terminal.await_text("1 row\r\n")
        terminal.type("DROP TABLE flows;\n")
        terminal.await_text("ClickHouse refused")
        terminal.await_text("flowkeep> ")
        terminal.type("\\q\n")
        assert process.wait(_PATIENCE) == 0
    history = tmp_path / "flowkeep" / "sql_history"
    assert "DROP TABLE flows;" in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_ctrl_c_in_the_shell_ends_the_query_and_not_the_shell(config: str, database: Node, tmp_path: Path) -> None:
    with on_terminal("shell", "-c", config, XDG_STATE_HOME=str(tmp_path)) as (terminal, process):
        terminal.await_text("flowkeep> ")
        terminal.type(f"{SLOW};\n")
        terminal.await_text(r"% of .* rows")  # that is the progress
        assert running(database, "sleepEachRow(0.1)")
        terminal.type("\x03")
        terminal.await_text("given up")
        deadline = time.monotonic() + _PATIENCE
        while running(database, "sleepEachRow(0.1)") and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not running(database, "sleepEachRow(0.1)")
        terminal.type("SELECT 40 + 2;\n")
        assert "42" in terminal.await_text("1 row\r\n")
        terminal.await_text("flowkeep> ")
        terminal.type("\x04")
        assert process.wait(_PATIENCE) == 0


def test_the_shell_takes_statements_from_a_pipe(config: str) -> None:
    command = [sys.executable, "-m", "cli.main", "shell", "-c", config]
    done = subprocess.run(
        command,
        input="SELECT 1;\nSELECT\n 2;\nSELECT 3",
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n2\n3\n", "")


def test_words_are_completed_in_whatever_case() -> None:
    complete = completer(["SELECT", "src_addr", "src_port"])
    assert [complete("SRC_", turn) for turn in range(3)] == ["src_addr", "src_port", None]
    assert complete("sel", 0) == "SELECT"


def test_a_long_table_goes_through_the_pager_and_a_short_one_does_not(config: str) -> None:
    asked = ("top", "-s", "dstport", "-c", config, "--no-names")
    with on_terminal(*asked, "-n", "50", PAGER="sed s/^/paged:/") as (terminal, process):
        assert terminal.await_text(r"paged:50 .*\n").count("paged:") == 51
        assert process.wait(_PATIENCE) == 0
    with on_terminal(*asked, "-n", "5", PAGER="sed s/^/paged:/") as (terminal, process):
        assert "paged" not in terminal.await_text(r"\n5 .*\n")
        assert process.wait(_PATIENCE) == 0
    with on_terminal(*asked, "-n", "50", PAGER="/nonexistent") as (terminal, process):
        terminal.await_text(r"\n50 ")
        assert process.wait(_PATIENCE) == 0


def test_what_is_no_terminal_gets_neither_pager_nor_colour(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "sed s/^/paged:/")
    done = flowkeep("top", "-s", "dstport", "-n", "50", "-c", config)
    assert (done.returncode, "paged" in done.stdout, "\x1b" in done.stdout) == (0, False, False)
