"""The allow-list for a whole batch at a time: each sender is looked up once, and then known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from collector.allow_list import AllowList
from collector.segment_writer import ROWS
from schema.addresses import V4_MAPPED

_MOST = 65536


class KnownSenders:
    """Senders of one address family, sorted; `keys` are their addresses as the kernel tells them (u4 or S16)."""

    def __init__(self, allow: AllowList, keys: str) -> None:
        self._allow = allow
        self._keys: npt.NDArray[np.generic] = np.empty(0, keys)
        self._rows = np.empty(0, ROWS)
        self._may_send = np.empty(0, np.bool_)
        self._all_may = True

    def find(self, senders: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.void], npt.NDArray[np.int64] | None]:
        """Return a row for each datagram of a batch, at least one, with its exporter and entry, and zeros elsewhere.

        And the places of those whose sender may send, None where all may.
        """
        at = self._keys.searchsorted(senders)
        if not len(self._keys) or not (self._keys.take(at, mode="clip") == senders).all():
            self._learn(np.unique(senders))
            at = self._keys.searchsorted(senders)
        return self._rows.take(at), None if self._all_may else np.flatnonzero(self._may_send.take(at))

    def _learn(self, senders: npt.NDArray[np.generic]) -> None:
        """Ask the allow-list about those of some senders, each given once, that are not known."""
        if len(self._keys) + len(senders) > _MOST:  # they are forged: there are not so many exporters
            self._keys, self._rows, self._may_send = self._keys[:0], self._rows[:0], self._may_send[:0]
        new = np.setdiff1d(senders, self._keys, assume_unique=True)
        octets, width = new.tobytes(), new.itemsize
        before = V4_MAPPED if width == 4 else b""
        packed = [before + octets[at : at + width] for at in range(0, len(octets), width)]
        entries = [self._allow.entry(sender) for sender in packed]
        rows = np.zeros(len(new), ROWS)
        rows["exporter"] = np.frombuffer(b"".join(packed), "V16")
        rows["entry"] = [entry or 0 for entry in entries]
        at = self._keys.searchsorted(new)
        self._keys = np.insert(self._keys, at, new)
        self._rows = np.insert(self._rows, at, rows)
        self._may_send = np.insert(self._may_send, at, [entry is not None for entry in entries])
        self._all_may = bool(self._may_send.all())
