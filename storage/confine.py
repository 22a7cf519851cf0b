"""Landlock: shut the embedded node's process out of every file it has no business with.

ClickHouse's scalar function `file()` reads any path in this build, with no grant needed, so whoever may SELECT could
read our passwords. The kernel refuses instead (Linux 5.19 or newer with Landlock; elsewhere nothing is confined).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

# Numbers of linux/landlock.h and asm-generic/unistd.h, the same on every architecture we run on.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_HANDLED = {2: (1 << 14) - 1, 3: (1 << 15) - 1}
"""All access rights that an ABI version knows; before 2 no rename between directories would be possible."""

_libc = ctypes.CDLL(None, use_errno=True)


def available() -> bool:
    """Say whether this kernel can confine us."""
    return _abi() >= min(_HANDLED)


def confine(readable: Iterable[Path], writable: Iterable[Path]) -> None:
    """Leave this thread, and every thread and process it starts later, these files and trees alone; OSError on failure.

    Paths that do not exist are passed over. Irrevocable.
    """
    handled = _HANDLED[min(_abi(), max(_HANDLED))]
    ruleset = _call(_CREATE_RULESET, handled.to_bytes(8, "little"), 8, 0)
    try:
        for path in readable:
            _allow(ruleset, path, _READ)
        for path in writable:
            _allow(ruleset, path, handled)
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _abi() -> int:
    return int(_libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG))


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result


def _allow(ruleset: int, path: Path, access: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not path.is_dir():
            access &= _OF_A_FILE
        rule = access.to_bytes(8, "little") + handle.to_bytes(4, "little")
        _call(_ADD_RULE, ruleset, _RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(handle)
