"""The UDP and TCP sockets: bound by the daemon, so that a port in use is known at once, read by the receiver."""

from __future__ import annotations

import errno
import logging
import socket
import struct
from typing import NamedTuple

from settings.config import Config, parse_endpoint
from settings.errors import ConfigError, RefusalError, UserError

log = logging.getLogger("flowkeep")
_SO_RCVBUFFORCE = 33
_SO_MEMINFO = 55
_DROPS = 8
"""Which of the words that SO_MEMINFO gives are a socket's drops (`man 7 sock`, linux/sock_diag.h)."""

_BACKLOG = 64


_WAYS_OUT = {
    "UDP": "`ss -lunp` shows which, or change 'listen'",
    "TCP": "`ss -ltnp` shows which, or change 'listen_tcp'",
}


class Listeners(NamedTuple):
    """The sockets that receive, in the order of the configuration's `listen` and `listen_tcp`.

    `endpoints` says of each UDP socket which of `listen` it belongs to: there are `sockets_per_port` of each. TCP's
    endpoints are numbered after those.
    """

    udp: list[socket.socket]
    tcp: list[socket.socket]
    endpoints: list[int]

    def close(self) -> None:
        """Close them all."""
        for listener in (*self.udp, *self.tcp):
            listener.close()


def bind(config: Config) -> Listeners:
    """Return bound sockets for each configured `ADDRESS:PORT`; UserError where one cannot be had.

    UDP's have a buffer of `receive_buffer` octets, if the kernel lets us; TCP's listen.
    """
    listeners = Listeners([], [], [])
    try:
        for number, endpoint in enumerate(config.listen):
            for share in range(config.sockets_per_port):
                listener = _bind(endpoint, "UDP", socket.SOCK_DGRAM, share > 0)
                listeners.udp.append(listener)
                listeners.endpoints.append(number)
                if config.sockets_per_port > 1:
                    # Only now: the first is bound without it, so that a port which another collector has is refused.
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                _set_buffer(listener, endpoint, config.receive_buffer, say=share == 0)
        for endpoint in config.listen_tcp:
            listeners.tcp.append(_bind(endpoint, "TCP", socket.SOCK_STREAM, False))
    except UserError:
        listeners.close()
        raise
    return listeners


def _bind(endpoint: str, protocol: str, kind: socket.SocketKind, joins: bool) -> socket.socket:
    """Return a bound socket, of TCP a listening one; it `joins` others of ours on the same port, or is the first."""
    host, port = parse_endpoint(endpoint)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind == socket.SOCK_STREAM:
            # or connections of the run before us, which are on their way out, would keep the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if joins:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        if kind == socket.SOCK_STREAM:
            listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise RefusalError(f"{protocol} {endpoint} is in use by another program; {_WAYS_OUT[protocol]}") from None
        if error.errno in (errno.EADDRNOTAVAIL, errno.EACCES):
            raise ConfigError(f"cannot listen on {protocol} {endpoint}: {error.strerror}") from None
        raise RefusalError(f"cannot listen on {protocol} {endpoint}: {error.strerror}") from None
    listener.setblocking(False)
    return listener


def _set_buffer(listener: socket.socket, endpoint: str, wanted: int, say: bool) -> None:
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, wanted)
    except OSError:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
    given = listener.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2  # the kernel doubles it for its own needs
    if say and given < wanted:
        log.warning(
            "UDP %s: the kernel gives a receive buffer of %d octets, not %d; raise net.core.rmem_max",
            endpoint,
            given,
            wanted,
        )


class Drops:
    """What the kernel has dropped for want of room since the sockets were bound; it counts by 32 bits, we go on."""

    def __init__(self, listeners: Listeners) -> None:
        self._sockets = list(zip(listeners.udp, listeners.endpoints, strict=True))
        self._last = [0] * len(self._sockets)
        self._totals = [0] * len(set(listeners.endpoints))

    def take(self) -> list[int]:
        """Return how many datagrams were dropped at each endpoint of `listen`, at all its sockets together."""
        for at, (one, endpoint) in enumerate(self._sockets):
            now = _drops_of(one)
            self._totals[endpoint] += (now - self._last[at]) & 0xFFFFFFFF
            self._last[at] = now
        return list(self._totals)


def _drops_of(one: socket.socket) -> int:
    """Return a socket's drops: the kernel's own counter, which SO_RXQ_OVFL and /proc/net/udp show too."""
    words = one.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, (_DROPS + 1) * 4)
    return int(struct.unpack_from("=I", words, _DROPS * 4)[0])
