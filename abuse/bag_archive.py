"""A sealed bag as one file, .zip or .tar: the same bag makes the same octets, on every machine and at any time.

Nothing is compressed, for compressors differ; flows are best packed compressed already. The names begin with the bag's,
as RFC 8493 section 4 wants it.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from abuse.bag_folder import begin, finish, refusing, write
from settings.errors import ConfigError

_DIRECTORY, _FILE = 0o700, 0o600
_MS_DOS_DIRECTORY = 0x10
_UNIX = 3


def archive(bag: Path, target: Path) -> Path:
    """Write a sealed bag to the new file `target`, a .zip or a .tar, and return it; ConfigError where it is neither.

    RefusalError where there is such a file, another process makes it, or the disk does not take it.
    """
    writers: dict[str, Callable[[Path, BinaryIO], None]] = {".zip": _zip, ".tar": _tar}
    if target.suffix not in writers:
        raise ConfigError(f"{target}: what a bag is packed into is called .zip or .tar")
    with begin(target) as place, refusing(target):
        whole = place / "whole"
        write(whole, lambda file: writers[target.suffix](bag.absolute(), file))
        finish(whole, target)
    return target


def _members(bag: Path) -> Iterator[tuple[str, Path]]:
    """Yield each directory, before what is in it, and each file, by its name that begins with the bag's."""
    yield bag.name, bag
    for path in sorted(bag.rglob("*")):
        yield f"{bag.name}/{path.relative_to(bag).as_posix()}", path


def _zip(bag: Path, file: BinaryIO) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as whole:
        for name, path in _members(bag):
            member = zipfile.ZipInfo(name + "/" * path.is_dir())  # of 1980-01-01
            member.create_system = _UNIX
            if path.is_dir():
                member.external_attr = (stat.S_IFDIR | _DIRECTORY) << 16 | _MS_DOS_DIRECTORY
                whole.writestr(member, b"")
                continue
            member.external_attr = (stat.S_IFREG | _FILE) << 16
            member.file_size = path.stat().st_size
            with path.open("rb") as source, whole.open(member, "w") as to:
                shutil.copyfileobj(source, to)


def _tar(bag: Path, file: BinaryIO) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as whole:
        for name, path in _members(bag):
            member = tarfile.TarInfo(name)  # of 1970-01-01 and user 0
            if path.is_dir():
                member.type, member.mode = tarfile.DIRTYPE, _DIRECTORY
                whole.addfile(member)
                continue
            member.mode, member.size = _FILE, path.stat().st_size
            with path.open("rb") as source:
                whole.addfile(member, source)
