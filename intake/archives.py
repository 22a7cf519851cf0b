"""Archives, unpacked in small steps: what grows past the bound of the message is given up, whatever it claims to be."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from intake.errors import UnreadError

_STEP = 64 << 10
_GZIP = b"\x1f\x8b\x08"
_ZIP_ENTRY = b"PK\x01\x02"
_OFFICE = "[Content_Types].xml"
_MOST_FILES = 10_000
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, RuntimeError, OverflowError,
    NotImplementedError, KeyError, IndexError,
)  # fmt: skip
"""What zipfile raises on broken archives."""


class TooLargeError(Exception):
    """More was unpacked than the message is allowed."""


@dataclass(slots=True)
class Room:
    """How many octets may still be unpacked for a message."""

    left: int

    def take(self, octets: int) -> None:
        """Use up some; TooLargeError where there are not so many, and then there are none for others either."""
        self.left -= octets
        if self.left < 0:
            self.left = 0
            raise TooLargeError


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a zip archive; `fault` says why it is not read."""

    name: str
    octets: bytes
    fault: str = ""


def is_gzip(octets: bytes) -> bool:
    """Return whether the octets begin as a gzip file."""
    return octets.startswith(_GZIP)


def is_zip(octets: bytes) -> bool:
    """Return whether the octets begin as a zip archive."""
    return octets.startswith(_ZIP)


def gunzipped(octets: bytes, room: Room) -> tuple[bytes, bool]:
    """Return what the gzip file holds, and whether it ends in the middle; UnreadError, TooLargeError."""
    pieces: list[bytes] = []
    place = 0
    for _ in range(_MOST_FILES):
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof and place < len(octets):
            pieces += _inflated(stream, octets[place : place + _STEP], room)
            place += _STEP
        if not stream.eof:
            return b"".join(pieces), True
        place = min(place, len(octets)) - len(stream.unused_data)
        if not octets.startswith(_GZIP, place):
            return b"".join(pieces), False
    raise UnreadError(f"a gzip file of more than {_MOST_FILES:,} files, one behind the other")


def _inflated(stream: zlib._Decompress, octets: bytes, room: Room) -> Iterator[bytes]:
    while not stream.eof:
        try:
            piece = stream.decompress(octets, _STEP)
        except zlib.error as error:
            raise UnreadError(f"a broken gzip file ({error}): ask for it again") from None
        octets = stream.unconsumed_tail
        if not piece and not octets:
            return
        room.take(len(piece))
        yield piece


def members(octets: bytes, room: Room) -> Iterator[Member]:
    """Yield the files of the zip archive; UnreadError, TooLargeError."""
    if octets.count(_ZIP_ENTRY) > _MOST_FILES:
        raise UnreadError(f"a zip archive of more than {_MOST_FILES:,} files")
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            if _OFFICE in archive.namelist():
                raise UnreadError("an Office document: ask for text or CSV")
            for info in archive.infolist():
                if not info.is_dir():
                    yield _member(archive, info, room)
    except UnreadError:
        raise
    except _BROKEN as error:
        raise UnreadError(f"a broken zip archive ({error}): ask for it again") from None


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, room: Room) -> Member:
    if info.flag_bits & 1:
        return Member(info.filename, b"", "is encrypted: ask for it without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return Member(info.filename, b"", "is compressed in a way that is not read: ask for it as plain zip or gzip")
    pieces = []
    try:
        with archive.open(info) as file:
            while piece := file.read(_STEP):
                room.take(len(piece))
                pieces.append(piece)
    except _BROKEN as error:
        return Member(info.filename, b"", f"is broken ({error}): ask for it again")
    return Member(info.filename, b"".join(pieces))
