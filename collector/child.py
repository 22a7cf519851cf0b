"""A process of ours that the daemon starts: its orders go in as lines, the first of them JSON; its answers come out."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

_STOP_SECONDS = 10.0
_LONGEST_LINE = 1 << 16


class Child:
    """`python -m module`, one at a time; it is to end when this process does (`settings.parent`)."""

    def __init__(self, module: str, kept: Sequence[int]) -> None:
        """`kept` are descriptors that it inherits."""
        self._module, self._kept = module, kept
        self._process: subprocess.Popen[bytes] | None = None
        self._line = b""

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> int | None:
        """What it ended with; None while it runs, or where it was never started."""
        return self._process.poll() if self._process else None

    def start(self, orders: dict[str, Any]) -> None:
        """Start it with `orders`; OSError where that cannot be.

        Call it in the main thread: the kernel ends the process when the thread that started it ends.
        """
        self.hang_up()
        self._line = b""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._kept,
            start_new_session=True,  # Ctrl-C at the terminal is for us
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # or NumPy keeps threads that nobody needs
        )
        if self._process.stdin and self._process.stdout:
            with suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(orders).encode() + b"\n")
                self._process.stdin.flush()
            os.set_blocking(self._process.stdin.fileno(), False)
            os.set_blocking(self._process.stdout.fileno(), False)

    def answers(self, wait: float = 0.0) -> list[bytes]:
        """Return the lines that have come; wait up to `wait` seconds for the first, or for the process's end."""
        if self._process is None or self._process.stdout is None or self._process.stdout.closed:
            return []
        source = self._process.stdout.fileno()
        if not select.select([source], [], [], wait)[0]:
            return []
        with suppress(BlockingIOError):
            self._line += os.read(source, _LONGEST_LINE)
        *lines, self._line = self._line.split(b"\n")
        return lines

    def say(self, line: bytes) -> None:
        """Send it a line; nobody waits for one that hangs, and to one that has died there is nothing to say."""
        if self._process and self._process.stdin and not self._process.stdin.closed:
            with suppress(BrokenPipeError, BlockingIOError):
                os.write(self._process.stdin.fileno(), line + b"\n")

    def terminate(self) -> None:
        """Ask it to come to its end."""
        if self._process and self.running:
            self._process.terminate()

    def stop(self, patience: float = _STOP_SECONDS) -> None:
        """Let it come to its end, for `patience` seconds, then end it."""
        if self._process and self.running:
            self._process.terminate()
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Close our ends of the pipes to a process that has ended."""
        if self._process:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    with suppress(BrokenPipeError):  # of what was not written when it died
                        pipe.close()
