"""The next segment's file, made in good time by a thread: to take 64 MiB of a disk can last longer than a buffer."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

from collector.segments import allocate

_FILE = "segment.prepared"


class SpareSegment:
    """At most one file for `size` octets of datagrams, in `directory`."""

    def __init__(self, directory: Path, size: int) -> None:
        self._path, self._size = directory / _FILE, size
        self._thread: Thread | None = None
        self._is_whole = False
        self._path.unlink(missing_ok=True)  # of a receiver that was killed: nobody knows how far it had come

    def prepare(self) -> None:
        """Begin to make it, unless that was done."""
        if self._thread is None:
            self._thread = Thread(target=self._make, daemon=True)
            self._thread.start()

    def _make(self) -> None:
        try:
            allocate(self._path, self._size)
        except OSError:  # the writer will meet the same, and say it
            return
        self._is_whole = True

    def take(self, path: str) -> bool:
        """Put it where a segment belongs; False where there is none, or OSError."""
        if self._thread:
            self._thread.join()
            self._thread = None
        if self._is_whole:
            self._is_whole = False
            os.rename(self._path, path)
            return True
        return False

    def close(self) -> None:
        """Delete it."""
        if self._thread:
            self._thread.join()
        self._path.unlink(missing_ok=True)
