"""Keeps memory that a block of flows used for the next one, rather than give it back and fault it in again.

What an exceptionally large block used is given back by and by, or the process would stay as large as it ever was.
"""

from __future__ import annotations

import ctypes

KEPT_OCTETS = 512 * 2**20
"""Enough for the columns of a block of a million flows, and for what is made on the way to them."""

_LARGEST_THRESHOLD = 32 * 2**20  # glibc takes no more

_libc = ctypes.CDLL(None)
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def keep_freed(octets: int) -> None:
    """Let the C library keep up to `octets` of freed memory and take large arrays from it; glibc only."""
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, min(octets, _LARGEST_THRESHOLD))
        mallopt(_M_TRIM_THRESHOLD, octets)


def give_back() -> None:
    """Have the C library give back what it keeps of freed memory; glibc only."""
    trim = getattr(_libc, "malloc_trim", None)
    if trim is not None:
        trim(0)
