"""A `flowkeep run` of our own for the demo and for tests: started, asked for its books, and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from settings.config import Config, load_config
from settings.errors import RefusalError
from settings.parent import die_with

_READY_SECONDS = 30.0
_STOP_SECONDS = 60.0
_SETTLE_SECONDS = 60.0
_POLL = 0.05


class CollectorProcess:
    """`flowkeep run -c config`, its clock moved by `shift` seconds; its log goes to `log`."""

    def __init__(self, config: Path, log: Path, shift: float = 0.0) -> None:
        self.config: Config = load_config(config, os.environ)
        self._log = log
        self._command = [sys.executable, "-P", "-m", "cli.main", "run", "-c", str(config), "--clock-shift", str(shift)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 before it is started."""
        return self._process.pid if self._process else 0

    def start(self) -> float:
        """Start it and return after how many seconds it was ready; RefusalError with the log where it is not."""
        parent, begun = os.getpid(), time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=lambda: die_with(parent, signal.SIGTERM),
                start_new_session=True,
            )
        while time.monotonic() - begun < _READY_SECONDS and self._process.poll() is None:
            with contextlib.suppress(OSError):
                self._ask("/readyz")
                return time.monotonic() - begun
            time.sleep(_POLL)
        self.kill()
        raise RefusalError(f"the collector did not become ready; its log:\n{self._log.read_text()}")

    def books(self) -> dict[str, Any]:
        """Return what `flowkeep status --json` prints."""
        return self._ask("/status")

    def settle(self, received: int = 0) -> dict[str, Any]:
        """Wait until at least `received` datagrams have come and all that came is worked off; return the books then."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while True:
            books = self.books()
            worked_off = books["received"] == books["datagrams_decoded"] + books["datagrams_faulty"]
            settled = worked_off and not books["waiting"] and not books["rollups_waiting"]
            if settled and books["received"] >= received:
                return books
            if time.monotonic() > deadline:
                raise RefusalError(f"{received} datagrams were sent, but these are the books after a minute: {books}")
            time.sleep(_POLL)

    def _ask(self, page: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.config.metrics}{page}", timeout=5) as answer:
            return dict(json.load(answer))

    def stop(self) -> int:
        """End it by SIGTERM and return its exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RefusalError("the collector did not stop") from None

    def kill(self) -> None:
        """End it by SIGKILL, if it is still there."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> CollectorProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()
