"""The UDP sockets: bound by the daemon, so that a port in use is known at once, read by the receiver."""

from __future__ import annotations

import errno
import logging
import os
import socket
from pathlib import Path

from settings.config import parse_endpoint
from settings.errors import ConfigError, RefusalError, UserError

log = logging.getLogger("flowkeep")
_SO_RCVBUFFORCE = 33


def bind(endpoints: list[str], receive_buffer: int) -> list[socket.socket]:
    """Return a bound socket for each `ADDRESS:PORT`; its buffer is `receive_buffer` octets, if the kernel lets us."""
    sockets: list[socket.socket] = []
    try:
        for endpoint in endpoints:
            sockets.append(_bind(endpoint, receive_buffer))
    except UserError:
        for listener in sockets:
            listener.close()
        raise
    return sockets


def _bind(endpoint: str, receive_buffer: int) -> socket.socket:
    host, port = parse_endpoint(endpoint)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise RefusalError(
                f"UDP {endpoint} is in use by another program; `ss -lunp` shows which, or change 'listen'"
            ) from None
        if error.errno in (errno.EADDRNOTAVAIL, errno.EACCES):
            raise ConfigError(f"cannot listen on UDP {endpoint}: {error.strerror}") from None
        raise RefusalError(f"cannot listen on UDP {endpoint}: {error.strerror}") from None
    listener.setblocking(False)
    _set_buffer(listener, endpoint, receive_buffer)
    return listener


def _set_buffer(listener: socket.socket, endpoint: str, wanted: int) -> None:
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, wanted)
    except OSError:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
    given = listener.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel doubles it for its own needs
    if given < wanted:
        log.warning(
            "UDP %s: the kernel gives a receive buffer of %d octets, not %d; raise net.core.rmem_max",
            endpoint,
            given,
            wanted,
        )


def drops(listeners: list[socket.socket]) -> list[int]:
    """Return how many datagrams the kernel has dropped at each socket, by /proc/net/udp and udp6."""
    by_inode: dict[int, int] = {}
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            by_inode[int(words[9])] = int(words[-1])
    return [by_inode.get(os.fstat(listener.fileno()).st_ino, 0) for listener in listeners]
