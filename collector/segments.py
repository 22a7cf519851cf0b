"""Journal segments on disk: files of raw datagrams, which readers map into memory, written by the receiver alone.

A segment is a page of header, an index with a fixed row for each datagram, and the datagrams' octets; IPFIX messages
from TCP are datagrams here. A datagram is in the journal once the header's count includes it; the page cache keeps it
whatever happens to any process.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

MAGIC = int.from_bytes(b"FLOWKEEP", "little")
FORMAT = 1
PAGE = 4096
LARGEST_DATAGRAM = 65536
SUFFIX = ".segment"

ROW = struct.Struct("=q16sQIHHHHI")
"""time_received in ms, exporter, offset into the data, length, source port, allow-list entry, listener, session.

The session, 48 bits as low 16 and high 32, is 0 for UDP; journals that know no TCP have zeros there. A TCP connection
has a number from 65536 on that no other has (`collector.sessions`); a row of length 0 with it says that it has ended.
"""

_SMALLEST_MEAN = 192
"""Octets a datagram on average, below which a segment's index is full before its data is."""

_MAGIC, _FORMAT, _ROWS, _SIZE, _COUNT, _SEALED = range(6)


def name_of(number: int) -> str:
    """Return the name of the file of segment `number`."""
    return f"{number:012d}{SUFFIX}"


def path_of(directory: Path, number: int) -> Path:
    """Return the file of segment `number`."""
    return directory / name_of(number)


def numbers(directory: Path) -> list[int]:
    """Return the numbers of the segments in `directory`, in order."""
    return sorted(int(path.stem) for path in directory.glob(f"*{SUFFIX}") if path.stem.isdigit())


class Segment:
    """One mapped segment; `rows` datagrams and `size` octets fit in it."""

    def __init__(self, path: Path | str, writable: bool) -> None:
        """Map the file; OSError or ValueError where it is no whole segment."""
        mode = (os.O_RDWR, mmap.PROT_READ | mmap.PROT_WRITE) if writable else (os.O_RDONLY, mmap.PROT_READ)
        descriptor = os.open(path, mode[0])
        try:
            self.map = mmap.mmap(descriptor, 0, prot=mode[1])
        finally:
            os.close(descriptor)
        if len(self.map) < PAGE:
            raise ValueError("too short for a journal segment")
        self._header = memoryview(self.map)[:PAGE].cast("Q")
        if self._header[_MAGIC] != MAGIC or self._header[_FORMAT] != FORMAT:
            raise ValueError("not a journal segment of this version")
        self.rows, self.size = self._header[_ROWS], self._header[_SIZE]
        self.index_at = PAGE
        self.data_at = data_start(self.rows)
        if len(self.map) != self.data_at + self.size or self.count > self.rows:
            raise ValueError("its size is not what its header says")

    @classmethod
    def create(cls, directory: Path, number: int, size: int) -> Segment:
        """Make a segment for `size` octets with all its room on disk; OSError (ENOSPC) where there is none."""
        path = path_of(directory, number)
        unborn = path.with_suffix(".new")
        allocate(unborn, size)
        unborn.rename(path)
        return cls(path, writable=True)

    @property
    def count(self) -> int:
        """How many datagrams are in the segment."""
        return self._header[_COUNT]

    @count.setter
    def count(self, value: int) -> None:
        self._header[_COUNT] = value

    @property
    def sealed(self) -> bool:
        """Whether nothing more will be written."""
        return bool(self._header[_SEALED])

    def seal(self) -> None:
        """Say that nothing more will be written."""
        self._header[_SEALED] = 1


def allocate(path: Path, size: int) -> None:
    """Write the file of an empty segment with all its room on disk; OSError where there is none, and then no file."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        # Room that is missing only when datagrams come would cost those: take it now.
        os.posix_fallocate(descriptor, 0, file_size(size))
        os.pwrite(descriptor, struct.pack("=6Q", MAGIC, FORMAT, _rows(size), size, 0, 0), 0)
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def file_size(size: int) -> int:
    """Return the octets on disk of a segment for `size` octets of datagrams."""
    return data_start(_rows(size)) + size


def _rows(size: int) -> int:
    return max(size // _SMALLEST_MEAN, 16)


def data_start(rows: int) -> int:
    """Return where the octets begin in a segment with an index of `rows` rows: at the next page."""
    return (PAGE + rows * ROW.size + PAGE - 1) // PAGE * PAGE
