"""The UDP and TCP sockets: bound by the daemon, so that a port in use is known at once, read by the receiver."""

from __future__ import annotations

import errno
import logging
import os
import socket
from pathlib import Path
from typing import NamedTuple

from settings.config import Config, parse_endpoint
from settings.errors import ConfigError, RefusalError, UserError

log = logging.getLogger("flowkeep")
_SO_RCVBUFFORCE = 33
_BACKLOG = 64


class Listeners(NamedTuple):
    """The sockets that receive, in the order of the configuration's `listen` and `listen_tcp`."""

    udp: list[socket.socket]
    tcp: list[socket.socket]

    def close(self) -> None:
        """Close them all."""
        for listener in (*self.udp, *self.tcp):
            listener.close()


def bind(config: Config) -> Listeners:
    """Return a bound socket for each configured `ADDRESS:PORT`; UserError where one cannot be had.

    UDP's have a buffer of `receive_buffer` octets, if the kernel lets us; TCP's listen.
    """
    listeners = Listeners([], [])
    try:
        for endpoint in config.listen:
            listener = _bind(endpoint, "UDP", socket.SOCK_DGRAM, "`ss -lunp` shows which, or change 'listen'")
            listeners.udp.append(listener)
            _set_buffer(listener, endpoint, config.receive_buffer)
        for endpoint in config.listen_tcp:
            listener = _bind(endpoint, "TCP", socket.SOCK_STREAM, "`ss -ltnp` shows which, or change 'listen_tcp'")
            listeners.tcp.append(listener)
    except UserError:
        listeners.close()
        raise
    return listeners


def _bind(endpoint: str, protocol: str, kind: socket.SocketKind, way_out: str) -> socket.socket:
    host, port = parse_endpoint(endpoint)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind == socket.SOCK_STREAM:
            # or connections of the run before us, which are on their way out, would keep the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        if kind == socket.SOCK_STREAM:
            listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise RefusalError(f"{protocol} {endpoint} is in use by another program; {way_out}") from None
        if error.errno in (errno.EADDRNOTAVAIL, errno.EACCES):
            raise ConfigError(f"cannot listen on {protocol} {endpoint}: {error.strerror}") from None
        raise RefusalError(f"cannot listen on {protocol} {endpoint}: {error.strerror}") from None
    listener.setblocking(False)
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
