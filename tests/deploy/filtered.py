"""Run a command under the system call filter of a systemd unit: `python -m tests.deploy.filtered UNIT COMMAND...`.

It does with libseccomp what systemd does with SystemCallFilter= (an allow list, `~` takes away) and
RestrictAddressFamilies=, the sets being those of the systemd installed here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
_EQUAL = 4


class _Compare(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def settings(unit: Path, name: str) -> list[str]:
    """Return the values that a unit gives to one setting, in order."""
    lines = unit.read_text().splitlines()
    return [line.removeprefix(f"{name}=") for line in lines if line.startswith(f"{name}=")]


def allowed(unit: Path) -> set[str]:
    """Return the names of the system calls that a unit's process may make."""
    calls = _members("@default")
    for value in settings(unit, "SystemCallFilter"):
        for word in value.removeprefix("~").split():
            named = _members(word) if word.startswith("@") else {word}
            calls = calls - named if value.startswith("~") else calls | named
    return calls


def _members(group: str) -> set[str]:
    listing = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", group], capture_output=True, text=True, check=True
    ).stdout
    words = {line.strip() for line in listing.splitlines()[1:] if line.strip() and "#" not in line}
    names = {word for word in words if not word.startswith("@")}
    return names.union(*(_members(word) for word in words - names))


def load(unit: Path) -> None:
    """Put this process, and all that it starts, under the unit's filter."""
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(_REFUSE))
    for name in allowed(unit) - {"socket"}:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # negative: of another architecture
            assert seccomp.seccomp_rule_add_array(context, _ALLOW, number, 0, None) == 0, name
    (families,) = settings(unit, "RestrictAddressFamilies")
    call = seccomp.seccomp_syscall_resolve_name(b"socket")
    for family in families.split():
        compare = _Compare(0, _EQUAL, getattr(socket, family), 0)
        assert seccomp.seccomp_rule_add_array(context, _ALLOW, call, 1, ctypes.byref(compare)) == 0, family
    assert seccomp.seccomp_load(context) == 0


if __name__ == "__main__":
    load(Path(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - it is all this program does
