"""Who was behind an address that many share, by port and time: what translators of addresses (CGNAT) bound to what."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Bindings:
    """The n bindings of a log, in its order, as columns.

    `inside` and `outside` are uint8 (n, 16), IPv4 mapped; ports uint16 and `protocol` uint8 (n,), 0 for any; `start`
    and `end` (exclusive) int64 ms, `end` `tenants.cells.FOREVER` where nothing was released. `lines`, int32, are those
    of the log that told the starts.
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

    def only(self, wanted: npt.NDArray[np.bool_]) -> Bindings:
        """Return those of the bindings that are `wanted`, shape (n,)."""
        return Bindings(*(getattr(self, each.name)[wanted] for each in fields(self)))
