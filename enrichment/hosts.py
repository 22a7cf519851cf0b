"""Names of hosts by reverse DNS, on demand: many at once, and no longer than a person waits."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable
from ipaddress import IPv6Address
from queue import Empty, SimpleQueue
from time import monotonic

from schema.addresses import shown

_AT_ONCE = 32


def hosts(addresses: Iterable[IPv6Address], seconds: float) -> dict[IPv6Address, str]:
    """Return the names of those addresses that the resolver names within so many seconds.

    A resolver that hangs holds nobody: the threads that wait for it end with the process.
    """
    todo: SimpleQueue[IPv6Address] = SimpleQueue()
    found: SimpleQueue[tuple[IPv6Address, str]] = SimpleQueue()
    wanted = {address for address in addresses if int(address)}
    for address in wanted:
        todo.put(address)
    for _ in range(min(_AT_ONCE, len(wanted))):
        threading.Thread(target=_ask, args=(todo, found), daemon=True).start()
    names: dict[IPv6Address, str] = {}
    deadline = monotonic() + seconds
    for _ in wanted:
        try:
            address, name = found.get(timeout=max(deadline - monotonic(), 0))
        except Empty:
            break
        names |= {address: name} if name else {}
    return names


def _ask(todo: SimpleQueue[IPv6Address], found: SimpleQueue[tuple[IPv6Address, str]]) -> None:
    while True:
        try:
            address = todo.get_nowait()
        except Empty:
            return
        try:
            name = socket.gethostbyaddr(shown(address))[0]
        except OSError:
            name = ""
        found.put((address, name))
