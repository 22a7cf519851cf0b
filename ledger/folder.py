"""The ledger's directory on disk: opened under its lock, written so that what returned is on the disk.

Everything goes by the directory's descriptor and never through a symbolic link: whoever can place one must not be able
to send entries elsewhere. The kernel lets the lock go when its holder ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ledger.entry import LedgerError

PATIENCE = 10.0
"""Seconds to wait for another process that writes; it needs a few milliseconds."""
UNBORN = ".new"
"""Ends the names of files that are being written; after a crash they are nothing."""
_POLL = 0.002
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Folder:
    """The opened directory; OSError of its methods is made a LedgerError by `opened`."""

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor

    def names(self) -> list[str]:
        """Return the names of all files, sorted, but for those that a crash left unfinished."""
        return sorted(name for name in os.listdir(self._fd) if not name.endswith(UNBORN))

    def read(self, name: str) -> bytes:
        """Return a file's octets."""
        with self._open(name) as file:
            return b"".join(iter(lambda: os.read(file, 2**20), b""))

    def read_end(self, name: str, octets: int) -> tuple[int, bytes]:
        """Return a file's size and at most its last `octets`."""
        with self._open(name) as file:
            size = os.fstat(file).st_size
            return size, os.pread(file, octets, max(size - octets, 0))

    def read_start(self, name: str, octets: int) -> bytes:
        """Return at most a file's first `octets`."""
        with self._open(name) as file:
            return os.pread(file, octets, 0)

    def mode(self, name: str) -> int:
        """Return a file's permissions."""
        with self._open(name) as file:
            return stat.S_IMODE(os.fstat(file).st_mode)

    def changed(self, name: str) -> datetime:
        """Return when a file was written."""
        with self._open(name) as file:
            return datetime.fromtimestamp(os.fstat(file).st_mtime, UTC)

    def write_at(self, name: str, at: int, data: bytes) -> None:
        """Have the file hold its first `at` octets and `data`, on disk; after an error only the first are left."""
        with self._open(name, _WRITE) as file:
            try:
                _write_all(file, data, at)
                os.ftruncate(file, at + len(data))
                os.fsync(file)
            except BaseException:
                with suppress(OSError):
                    os.ftruncate(file, at)
                    os.fsync(file)
                raise
        if at == 0:
            os.fsync(self._fd)

    def sweep(self) -> None:
        """Delete what a crash left unfinished; it may be a private key."""
        for name in os.listdir(self._fd):
            if name.endswith(UNBORN):
                os.unlink(name, dir_fd=self._fd)

    def replace(self, name: str, data: bytes) -> None:
        """Have the file hold `data`, on disk: the whole of it, or after a crash or an error what was there before."""
        unborn = name + UNBORN
        try:
            with self._open(unborn, _WRITE | os.O_EXCL) as file:
                _write_all(file, data, 0)
                os.fsync(file)
            os.rename(unborn, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        except OSError:
            with suppress(OSError):
                os.unlink(unborn, dir_fd=self._fd)
            raise
        os.fsync(self._fd)

    def remove(self, name: str) -> None:
        """Delete a file, on disk."""
        os.unlink(name, dir_fd=self._fd)
        os.fsync(self._fd)

    @contextmanager
    def _open(self, name: str, flags: int = _READ) -> Iterator[int]:
        file = os.open(name, flags, 0o600, dir_fd=self._fd)
        try:
            if flags & os.O_CREAT:
                _give_to_owner(self._fd, file)
            yield file
        finally:
            os.close(file)


@contextmanager
def opened(path: Path, *, write: bool) -> Iterator[Folder]:
    """Open the directory under its lock: `write` alone in it, and makes it where it is missing; else beside readers.

    LedgerError where there is none to read, where it is a symbolic link or cannot be used, or the lock is not free.
    """
    try:
        if write:
            _make(path)
        descriptor = os.open(path, _READ | os.O_DIRECTORY)
    except OSError as error:
        raise _refusal(path, error, write) from None
    try:
        _lock(path, descriptor, fcntl.LOCK_EX if write else fcntl.LOCK_SH)
        folder = Folder(descriptor)
        if write:
            folder.sweep()
        yield folder
    except OSError as error:
        raise _refusal(path, error, write) from None
    finally:
        os.close(descriptor)


def snapshot(path: Path) -> dict[str, bytes]:
    """Return all files of a ledger as they are at one moment; LedgerError as of `opened`."""
    with opened(path, write=False) as folder:
        return {name: folder.read(name) for name in folder.names()}


def _make(path: Path) -> None:
    """Make the directory, the data directory above it too, as a collector would."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        above = os.open(path.parent, _READ & ~os.O_NOFOLLOW | os.O_DIRECTORY)
        made = os.open(path, _READ | os.O_DIRECTORY)
        try:
            _give_to_owner(above, made)
            os.fsync(above)
        finally:
            os.close(above)
            os.close(made)


def _give_to_owner(above: int, descriptor: int) -> None:
    """Give what root has made to the directory's owner: the collector, who is not root, goes on with it."""
    if os.geteuid() == 0:
        owner, made = os.fstat(above), os.fstat(descriptor)
        if owner.st_uid != made.st_uid:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _lock(path: Path, descriptor: int, kind: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise LedgerError(
                    f"{path}: another process has held the ledger for {PATIENCE:.0f} s; `fuser -v {path}` names it: "
                    "end it, then try again"
                ) from None
            time.sleep(_POLL)


def _write_all(file: int, data: bytes, at: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(file, data[done:], at + done)


def _refusal(path: Path, error: OSError, write: bool) -> LedgerError:
    if path.is_symlink():
        return LedgerError(f"{path}: is a symbolic link, which the ledger never follows; put a directory there")
    if not write and isinstance(error, FileNotFoundError) and not path.exists():
        return LedgerError(f"{path}: there is no ledger yet; the first entry makes it")
    what = f"cannot be {'written' if write else 'read'}: {error.strerror or error}"
    where = f"{path}/{error.filename}" if isinstance(error.filename, str) and error.filename != str(path) else path
    remedy = "make room on its disk, or see that it belongs to the user that the collector runs as"
    return LedgerError(f"{where}: {what}; {remedy if write else 'ask as the user that the collector runs as'}")
