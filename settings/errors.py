"""Every error a person may see, with its exit code. The CLI prints the message; nobody sees a traceback."""

from __future__ import annotations

FINDING = 1
USAGE = 2
UNREACHABLE = 3


class UserError(Exception):
    """Something a person can mend: the message says what is wrong, where, and the way out."""

    exit_code = FINDING


class RefusalError(UserError):
    """The program may not or will not do what was asked."""


class ConfigError(UserError):
    """A configuration file, an option or an argument is wrong; the message begins with file and line, if any."""

    exit_code = USAGE


class UnreachableError(UserError):
    """A service that the command needs does not answer."""

    exit_code = UNREACHABLE
