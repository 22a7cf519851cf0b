"""The two system calls that Python does not offer as the receiver needs them: many datagrams, many pieces, one call.

The structures are the kernel's on 64-bit Linux (`man 2 recvmmsg`, `man 2 pwritev`), as NumPy dtypes.
"""

from __future__ import annotations

import ctypes
import os
import socket

import numpy as np
import numpy.typing as npt

MESSAGE = np.dtype(
    [("name", "u8"), ("name_length", "u4"), ("pad1", "u4"), ("vectors", "u8"), ("vector_count", "u8"),
     ("control", "u8"), ("control_length", "u8"), ("flags", "i4"), ("pad2", "u4"), ("length", "u4"), ("pad3", "u4")]
)  # fmt: skip
"""A struct mmsghdr: where one datagram goes, and, once it is there, its length."""

NAME = np.dtype(
    {
        "names": ["family", "port", "four", "six"],
        "formats": ["u2", ">u2", "u4", "S16"],
        "offsets": [0, 2, 4, 8],
        "itemsize": 32,
    }
)
"""A struct sockaddr_in or sockaddr_in6, by its family; `four` is in network order, whatever NumPy takes it for."""

Vectors = npt.NDArray[np.uint64]
"""Addresses and lengths in its last axis: an array of struct iovec."""

_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg = _libc.recvmmsg
_recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
_pwritev = _libc.pwritev
_pwritev.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_int64)
_pwritev.restype = ctypes.c_ssize_t


def receive(descriptor: int, messages: int, most: int) -> int:
    """Take up to `most` datagrams that wait; `messages` is the address of as many MESSAGEs. OSError where none does."""
    count = int(_recvmmsg(descriptor, messages, most, socket.MSG_DONTWAIT, None))
    if count < 0:
        raise _error()
    return count


def write(descriptor: int, vectors: Vectors, at: int) -> int:
    """Write pieces (1024 at most, contiguous) one after another to a file; return the octets that it took."""
    # By `__array_interface__` NumPy interns strings with each call, and the table of these grows by a megabyte.
    count = int(_pwritev(descriptor, vectors.ctypes.data, vectors.size // 2, at))
    if count < 0:
        raise _error()
    return count


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
