"""The batch of datagrams that the receiver has in hand, in a mapped file that outlives it.

The kernel writes here what `recvmmsg` delivers: octets, senders, and last each length. So datagrams that the receiver
was killed with, on their way from the socket to a segment, are found by the next one.
"""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path
from socket import AF_INET, AF_INET6

import numpy as np
import numpy.typing as npt

from collector.segments import LARGEST_DATAGRAM, PAGE
from collector.syscalls import MESSAGE, NAME, Vectors, receive

FILE = "receiver.batch"
SLOTS = 512
"""Datagrams a batch: more make it no cheaper, and pwritev takes 1024 pieces."""

_MAGIC = int.from_bytes(b"FLOWBTCH", "little")
_NOTHING = 0xFFFFFFFF
"""Length of a message into which the kernel has not written: 0 is that of an empty datagram."""

_HEADER = np.dtype([("magic", "u8"), ("format", "u8"), ("listener", "u8"), ("time", "i8")])
_FORMAT = 1
_MESSAGES_AT = PAGE
_NAMES_AT = _MESSAGES_AT + SLOTS * MESSAGE.itemsize
_HEAD = 2048
"""Octets of a datagram that stand in its slot; few senders have longer ones, and what follows stands elsewhere."""
_TAIL = LARGEST_DATAGRAM - _HEAD
_HEADS_AT = _NAMES_AT + SLOTS * NAME.itemsize
_TAILS_AT = _HEADS_AT + SLOTS * _HEAD
_SIZE = _TAILS_AT + SLOTS * _TAIL


class Batch:
    """Up to SLOTS datagrams of one socket; `listener` and `time` (ms since 1970) are those of all of them."""

    def __init__(self, directory: Path, settled: int) -> None:
        """Open the file with what another receiver left in it, of which it had dealt with `settled`.

        OSError where the disk has no room (1 MiB).
        """
        self._path = directory / FILE
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, _SIZE)
            os.posix_fallocate(descriptor, 0, _TAILS_AT)  # room for a tail is taken when there is one
            octets = np.frombuffer(mmap.mmap(descriptor, _SIZE), np.uint8)
        finally:
            os.close(descriptor)
        self._header = octets[: _HEADER.itemsize].view(_HEADER)
        messages = octets[_MESSAGES_AT:_NAMES_AT].view(MESSAGE)
        names = octets[_NAMES_AT:_HEADS_AT].view(NAME)
        self._families, self._ports = names["family"], names["port"]
        self._fours, self._sixes = names["four"], names["six"]
        self._heads = octets[_HEADS_AT:_TAILS_AT].reshape(SLOTS, _HEAD)
        self._tails = octets[_TAILS_AT:].reshape(SLOTS, _TAIL)
        self._lengths, self._name_lengths = messages["length"], messages["name_length"]
        self._soiled = SLOTS
        self._found, self._reach = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.uint64)
        if self._header["magic"][0] != _MAGIC or self._header["format"][0] != _FORMAT:
            self._lengths[:] = _NOTHING
            self._header["format"] = _FORMAT
            self._header["magic"] = _MAGIC
        self.left = self._find(settled)
        """How many datagrams another receiver was killed with; those that it had dealt with are among them."""
        self._aim(messages, names)

    def _find(self, settled: int) -> int:
        """Return the number after that of the last datagram; 0 where a power cut has left what no kernel writes."""
        there = int(np.max(np.flatnonzero(self._lengths != _NOTHING), initial=-1)) + 1
        self._lengths[: min(settled, there)] = 0  # some of them may be cleared already
        lengths, families = self._lengths[:there], self._families[:there]
        if there and (np.any(lengths > LARGEST_DATAGRAM) or np.any(families != families[0]) or not self._is_known):
            print(f"journal: {self._path} is damaged; up to {there} datagrams are lost", file=sys.stderr)
            self._lengths[:] = _NOTHING
            return 0
        return there

    def _aim(self, messages: npt.NDArray[np.void], names: npt.NDArray[np.void]) -> None:
        """Tell the kernel where each datagram goes, in this process's addresses."""
        slots = np.arange(SLOTS, dtype=np.uint64)
        self._into = np.empty((SLOTS, 2, 2), np.uint64)
        for piece, (part, size) in enumerate(((self._heads, _HEAD), (self._tails, _TAIL))):
            self._into[:, piece, 0] = part.ctypes.data + slots * size
            self._into[:, piece, 1] = size
        for field in ("control", "control_length", "flags"):
            messages[field] = 0
        messages["name"], messages["name_length"] = names.ctypes.data + slots * NAME.itemsize, NAME.itemsize
        messages["vectors"], messages["vector_count"] = self._into.ctypes.data + slots * self._into[0].nbytes, 2
        self._messages = messages.ctypes.data
        self._vectors = self._into[:, :1].copy()
        if not self.left:
            self._heads[:] = 0  # or the first batch would take the page faults

    @property
    def family(self) -> int:
        """Return the address family of the senders."""
        return int(self._families[0])

    @property
    def _is_known(self) -> bool:
        return self.family in (AF_INET, AF_INET6)

    @property
    def listener(self) -> int:
        """Return the number of the endpoint that they came to."""
        return int(self._header["listener"][0])

    @property
    def time(self) -> int:
        """Return when they were received."""
        return int(self._header["time"][0])

    def lengths(self, start: int, count: int) -> npt.NDArray[np.uint64]:
        """Return the lengths of the datagrams [start, count), to be asked for before their `vectors`."""
        lengths = self._found[start:count]
        lengths[:] = self._lengths[start:count]
        return lengths

    def senders(self, start: int, count: int) -> npt.NDArray[np.generic]:
        """Return their senders' addresses as the kernel tells them: u4 or S16, by `family`."""
        return (self._fours if self.family == AF_INET else self._sixes)[start:count]

    def ports(self, start: int, count: int) -> npt.NDArray[np.uint16]:
        """Return their senders' ports."""
        return self._ports[start:count]

    def vectors(self, start: int, count: int) -> Vectors:
        """Return where their octets are, in one piece or two each."""
        lengths = self._found[start:count]
        if lengths.max() <= _HEAD:
            vectors = self._vectors[start:count]
            vectors[:, 0, 1] = lengths
            return vectors
        self._reach[start:count] = np.maximum(self._reach[start:count], lengths)
        vectors = self._into[start:count].copy()
        vectors[:, 0, 1] = np.minimum(lengths, _HEAD)
        vectors[:, 1, 1] = lengths - vectors[:, 0, 1]
        return vectors

    def receive(self, descriptor: int, listener: int, time: int) -> int:
        """Take what waits in a socket, SLOTS at most, and return how many; OSError where there is none.

        Whatever was there before must be settled and cleared.
        """
        self._header["listener"], self._header["time"] = listener, time
        return receive(descriptor, self._messages, SLOTS)

    def clear(self, count: int) -> None:
        """Say of the first `count` datagrams that they are not needed any more."""
        self._soiled = max(self._soiled, count)
        self._name_lengths[:count] = NAME.itemsize  # the kernel has put in how long the names were
        self._lengths[:count] = _NOTHING

    def wipe(self) -> None:
        """Overwrite the octets of datagrams that are not needed: they are personal data. Only when all are cleared."""
        self._heads[: self._soiled] = 0
        for slot in np.flatnonzero(self._reach).tolist():  # no further than the kernel wrote: there may be no more room
            self._tails[slot, : max(int(self._reach[slot]) - _HEAD, 0)] = 0
        self._soiled, self._reach[:] = 0, 0

    def close(self) -> None:
        """Delete the file: nothing in it is needed any more."""
        self._path.unlink(missing_ok=True)
