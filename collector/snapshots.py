"""Copies of the files of tenants and policy, by what is in them: a block is attributed by the copy it was begun by.

After a crash in the middle of an insert the files may be others. The block is stored as it was attributed at first:
otherwise rows could come to lie in another partition, where ClickHouse does not know the insert's token. Workers read
copies only, so that all of them change over together.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from collector.position import JournalError


class Snapshots:
    """The copies below `directory`, each a folder with the files in order."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, files: Sequence[Path]) -> str:
        """Copy files, unless the same are there; return the copy's name. OSError, JournalError where it cannot be."""
        octets = [path.read_bytes() for path in files]
        digest = hashlib.sha256()
        for one in octets:
            digest.update(len(one).to_bytes(8, "little") + one)
        name = digest.hexdigest()[:16]
        target = self._directory / name
        if not target.exists():
            try:
                unborn = self._directory / f"{name}.new"
                shutil.rmtree(unborn, ignore_errors=True)
                unborn.mkdir(parents=True, mode=0o700)
                for number, (path, one) in enumerate(zip(files, octets, strict=True)):
                    (unborn / f"{number}{path.suffix}").write_bytes(one)
                unborn.rename(target)
            except OSError as error:
                raise JournalError(f"{target}: cannot be written: {error.strerror}; make room on the disk") from None
        return name

    def files(self, name: str) -> list[Path]:
        """Return the files of a copy, in the order in which they were given; none where there is no such copy."""
        return sorted((self._directory / name).glob("[0-9]*")) if name else []

    def forget(self, but: set[str]) -> None:
        """Delete all copies but those named."""
        if self._directory.exists():
            for path in self._directory.iterdir():
                if path.name not in but:
                    shutil.rmtree(path, ignore_errors=True)
