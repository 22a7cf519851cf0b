"""A bag on disk: written under another name by one process at a time, on disk before it has its own.

What a killed process left there is cleared away when the same bag is begun again. Only the owner may read any of it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from settings.errors import RefusalError

Content = bytes | Path | Callable[[BinaryIO], object]
"""What a file is to hold: octets, those of a file, or what a function writes."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def begin(target: Path) -> Iterator[Path]:
    """Make an empty directory in which to write what is to be `target`; afterwards it is gone, unless it was finished.

    RefusalError where there is a `target` already, or another process makes it.
    """
    place = target.with_name(f".{target.name}.new")
    with _locked(place, target) as descriptor:
        try:
            with refusing(target):
                _refuse_existing(target)
                for each in place.iterdir():
                    shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
            yield place
        finally:
            if _is_same(descriptor, place):
                shutil.rmtree(place)


def write(path: Path, content: Content) -> None:
    """Write a new file and the directories above it; it is on disk when this returns. OSError where that fails."""
    _make(path.parent)
    with open(os.open(path, _WRITE, 0o600), "wb") as file:
        if isinstance(content, bytes):
            file.write(content)
        elif isinstance(content, Path):
            with open(os.open(content, _READ), "rb") as source:
                if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
                    raise OSError(errno.EINVAL, "it is no file", str(content))
                shutil.copyfileobj(source, file)
        else:
            content(file)
        file.flush()
        os.fsync(file.fileno())


def finish(place: Path, target: Path) -> None:
    """Give a file or directory that was written its name, on disk. OSError where that fails."""
    for directory, _, _ in os.walk(place):
        _sync(Path(directory))
    place.rename(target)
    _sync(target.parent)


@contextmanager
def refusing(target: Path) -> Iterator[None]:
    """Make a RefusalError of what the disk has against it."""
    try:
        yield
    except OSError as error:
        raise RefusalError(f"{target}: cannot be packed: {error.filename or target}: {error.strerror}") from None


@contextmanager
def _locked(place: Path, target: Path) -> Iterator[int]:
    """Open the directory, made where it is missing, under a lock that the kernel undoes when its holder ends."""
    with refusing(target):
        _refuse_existing(target)
        _make(place)
        descriptor = os.open(place, _READ | os.O_DIRECTORY)
    try:
        with refusing(target):
            os.fchmod(descriptor, 0o700)  # which only its owner may: it was there already, perhaps
        _lock(descriptor, place, target)
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, place: Path, target: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_ours = _is_same(descriptor, place)  # not where another has just finished it
    except BlockingIOError:
        is_ours = False
    if not is_ours:
        raise RefusalError(f"{target}: another process is packing it")


def _refuse_existing(target: Path) -> None:
    if target.is_symlink() or target.exists():
        raise RefusalError(f"{target}: is there already, and evidence is never replaced; choose another name")


def _make(directory: Path) -> None:
    if not directory.is_dir():
        _make(directory.parent)
        directory.mkdir(exist_ok=True, mode=0o700)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, _READ | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_same(descriptor: int, place: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(place))
    except FileNotFoundError:
        return False
