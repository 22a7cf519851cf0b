"""Which machine an interface belongs to: what virtual machines' lists of network adaptors have told.

An sFlow agent on a hypervisor tells for each of its virtual machines the indexes of the interfaces that are its
adaptors ("sFlow Host Structures", host_adapters), and counts what passes these as of any other interface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.batch import Array, Nullable, Rows, Symbols

MOST = 65_536
"""Interfaces that are remembered; beyond it those go that were not needed for longest."""

_LOGICAL, _INTERFACE = 3, 0  # classes of sFlow data sources: a virtual machine is a logical entity
_LIFETIME = (
    3_600_000  # ms; agents tell it every half minute or so, and a machine that has moved leaves its number to others
)
_KEY = np.dtype("V24")


@dataclass(frozen=True, slots=True)
class Machines:
    """The virtual machines that rows are of: `rows`, ascending, and for each of them the machine's UUID and name."""

    rows: npt.NDArray[np.intp]
    uuid: Symbols
    name: Symbols


class Adaptors:
    """A bounded memory of interfaces and their machines, by exporter, observation domain and interface index."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._keys = np.zeros(0, _KEY)  # sorted
        self._told = np.zeros(0, np.int64)
        self._used = np.zeros(0, np.int64)
        self._texts = np.zeros((0, 2), object)  # UUID and name
        self._turn = 0

    def __len__(self) -> int:
        return len(self._keys)

    def learn(self, rows: Rows) -> None:
        """Remember what rows of the table counters_adaptor tell of virtual machines; of several the last row counts."""
        index = _array(rows, "if_index")
        texts = np.stack([_text(rows, name) for name in ("uuid", "name")], axis=1)
        told = np.flatnonzero((_array(rows, "source_class") == _LOGICAL) & (index != 0) & (texts != "").any(axis=1))
        if not len(told):
            return
        keys, last = np.unique(_keys(rows, index)[told][::-1], return_index=True)
        told = told[::-1][last]
        self._turn += 1
        stays = ~self._among(keys)
        self._keys = np.concatenate((self._keys[stays], keys))
        self._told = np.concatenate((self._told[stays], _array(rows, "time_received")[told]))
        self._used = np.concatenate((self._used[stays], np.full(len(keys), self._turn)))
        self._texts = np.concatenate((self._texts[stays], texts[told]))
        order = np.argsort(self._keys)
        if len(order) > self._most:
            order = np.sort(np.argsort(-self._used, kind="stable")[: self._most])
            order = order[np.argsort(self._keys[order])]
        self._keys, self._told, self._used = self._keys[order], self._told[order], self._used[order]
        self._texts = self._texts[order]

    def _among(self, keys: Array) -> npt.NDArray[np.bool_]:
        """Return which of ours are among sorted `keys`."""
        at = np.minimum(np.searchsorted(keys, self._keys), len(keys) - 1)
        return np.asarray(keys[at] == self._keys)

    def machines(self, rows: Rows) -> Machines | None:
        """Return whose the interfaces are that rows of the table counters_interface count; None if of no machine."""
        if not len(self):
            return None
        asked = np.flatnonzero(_array(rows, "source_class") == _INTERFACE)
        keys = _keys(rows, _array(rows, "source_index"))[asked]
        at = np.minimum(np.searchsorted(self._keys, keys), len(self) - 1)
        known = (self._keys[at] == keys) & (_array(rows, "time_received")[asked] - self._told[at] < _LIFETIME)
        if not known.any():
            return None
        self._turn += 1
        places, codes = np.unique(at[known], return_inverse=True)
        self._used[places] = self._turn
        uuid, name = self._texts[places].T.tolist()
        of_place = codes.astype(np.int32)
        return Machines(asked[known], Symbols(of_place, uuid), Symbols(of_place, name))


def _array(rows: Rows, name: str) -> Array:
    """Return a column's values, 0 where one is unknown or the column absent."""
    values = rows.columns.get(name)
    if isinstance(values, Nullable):
        return np.where(values.absent, 0, values.values)
    return values if isinstance(values, np.ndarray) else np.zeros(rows.rows, np.uint32)


def _keys(rows: Rows, index: Array) -> Array:
    """Return exporter, observation domain and interface index as one value, void of 24 octets, (n,)."""
    words = np.empty((rows.rows, 6), np.uint32)
    words[:, :4] = np.ascontiguousarray(_array(rows, "exporter")).view(np.uint32)
    words[:, 4] = _array(rows, "observation_domain")
    words[:, 5] = index
    return words.view(_KEY)[:, 0]


def _text(rows: Rows, name: str) -> npt.NDArray[np.object_]:
    column = rows.columns.get(name)
    if not isinstance(column, Symbols):
        return np.full(rows.rows, "", object)
    return np.array(column.names, object)[column.codes] if len(column.names) else np.full(rows.rows, "", object)
