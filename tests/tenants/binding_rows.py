"""A log's bindings one by one, and an obvious answer to who was behind a port."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tenants.bindings import Bindings
from tenants.cells import FOREVER


class Binding(NamedTuple):
    """The host `inside` was at the ports `port_first` to `port_last` of `outside`, from `start` to `end`, ms.

    Addresses are 16 octets, IPv4 mapped; `protocol` 0 is any. `end` is exclusive, None for one that was not released.
    """

    inside: bytes
    outside: bytes
    port_first: int
    port_last: int
    protocol: int
    start: int
    end: int | None


def rows(bindings: Bindings) -> list[Binding]:
    """Return the bindings, in their order."""
    return [
        Binding(
            bindings.inside[index].tobytes(),
            bindings.outside[index].tobytes(),
            int(bindings.port_first[index]),
            int(bindings.port_last[index]),
            int(bindings.protocol[index]),
            int(bindings.start[index]),
            None if bindings.end[index] == FOREVER else int(bindings.end[index]),
        )
        for index in range(len(bindings))
    ]


def bindings_at(bindings: Bindings, outside: bytes, port: int, time: int, protocol: int = 0) -> list[Binding]:
    """Return what was bound to a port of the address `outside`, 16 octets, at `time`, ms; more than one contradict.

    A `protocol` of 0, on either side, is any.
    """
    matches = (bindings.outside == np.frombuffer(outside, np.uint8)).all(axis=1)
    matches &= (bindings.port_first <= port) & (port <= bindings.port_last)
    matches &= (bindings.start <= time) & (time < bindings.end)
    if protocol:
        matches &= (bindings.protocol == protocol) | (bindings.protocol == 0)
    return [one for one, matching in zip(rows(bindings), matches, strict=True) if matching]
