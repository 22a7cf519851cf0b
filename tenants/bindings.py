"""Who was behind an address that many share, by port and time: what translators of addresses (CGNAT) bound to what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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


@dataclass(frozen=True, slots=True)
class Bindings:
    """The n bindings of a log, in its order, as columns.

    `inside` and `outside` are uint8 (n, 16), IPv4 mapped; ports uint16 and `protocol` uint8 (n,); `start` and `end`
    int64 ms, `end` `FOREVER` where nothing was released. `lines`, int32, are those of the log that told the starts.
    """

    inside: npt.NDArray[np.uint8]
    outside: npt.NDArray[np.uint8]
    port_first: npt.NDArray[np.uint16]
    port_last: npt.NDArray[np.uint16]
    protocol: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: int) -> Binding:
        end = int(self.end[index])
        return Binding(
            self.inside[index].tobytes(),
            self.outside[index].tobytes(),
            int(self.port_first[index]),
            int(self.port_last[index]),
            int(self.protocol[index]),
            int(self.start[index]),
            None if end == FOREVER else end,
        )


def bindings_at(bindings: Bindings, outside: bytes, port: int, time: int, protocol: int = 0) -> list[Binding]:
    """Return what was bound to a port of the address `outside`, 16 octets, at `time`, ms; more than one contradict.

    A `protocol` of 0, on either side, is any.
    """
    matches = (bindings.outside == np.frombuffer(outside, np.uint8)).all(axis=1)
    matches &= (bindings.port_first <= port) & (port <= bindings.port_last)
    matches &= (bindings.start <= time) & (time < bindings.end)
    if protocol:
        matches &= (bindings.protocol == protocol) | (bindings.protocol == 0)
    return [bindings[index] for index in np.flatnonzero(matches).tolist()]
