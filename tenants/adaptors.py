"""Which machine an interface belongs to: what virtual machines' lists of network adaptors have told.

An sFlow agent on a hypervisor tells for each of its virtual machines the indexes of the interfaces that are its
adaptors ("sFlow Host Structures", host_adapters), and counts what passes these as of any other interface. `Memory`, in
which that is kept, keeps what `tenants.port_names` learns too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.batch import Array, Nullable, Rows, Symbols

MOST, MOST_EACH = 65_536, 4_096
"""Data sources that are remembered, of all exporters and of each one."""

INTERFACE, _LOGICAL = 0, 3  # classes of sFlow data sources; a virtual machine is a logical entity
_LIFETIME = 600_000
"""ms for which an adaptor is a machine's: agents tell it every half minute, and its index may be given to others."""

_KEY = np.dtype("V28")
_EXPORTER = 16  # octets of a key


@dataclass(frozen=True, slots=True)
class Found:
    """What is remembered: `rows` of those asked for, ascending, and for each of them the texts told of it."""

    rows: npt.NDArray[np.intp]
    texts: tuple[Symbols, ...]


class Memory:
    """Texts that were told of data sources, by exporter, observation domain, class and index; the last ones count.

    No exporter has more than `each` data sources here, and all have no more than `most`. Of an exporter those go first
    that were not needed for longest; of all, those of the exporters that have the most. What was told `lifetime` ms
    ago is not known any more.
    """

    def __init__(self, texts: int, lifetime: int, most: int = MOST, each: int = MOST_EACH) -> None:
        """`texts` is how many texts are told of each data source."""
        self._lifetime, self._most, self._each = lifetime, most, each
        self._keys = np.zeros(0, _KEY)  # sorted, so that an exporter's stand together
        self._told = np.zeros(0, np.int64)
        self._used = np.zeros(0, np.int64)
        self._texts = np.zeros((0, texts), object)
        self._turn = 0

    def __len__(self) -> int:
        return len(self._keys)

    def learn(self, keys: Array, times: Array, texts: Array) -> None:
        """Remember `texts`, objects (n, texts), that were told at `times`, ms, of the data sources `keys` (n,)."""
        keys, last = np.unique(keys[::-1], return_index=True)
        times, texts = times[::-1][last], texts[::-1][last]
        at, known = self._places(keys)
        new = ~known
        if new.any():
            self._keys = np.insert(self._keys, at[new], keys[new])
            self._told = np.insert(self._told, at[new], 0)
            self._used = np.insert(self._used, at[new], 0)
            self._texts = np.insert(self._texts, at[new], "", axis=0)
            at = at + np.cumsum(new) - new
        self._turn += 1
        self._told[at], self._used[at], self._texts[at] = times, self._turn, texts
        if new.any():
            self._forget()

    def find(self, keys: Array, times: Array) -> Found | None:
        """Return what was told of the data sources `keys` as of `times`, ms, both (n,); None if of no one."""
        at, known = self._places(keys)
        known[known] = times[known] - self._told[at[known]] < self._lifetime
        if not known.any():
            return None
        places, codes = np.unique(at[known], return_inverse=True)
        self._turn += 1
        self._used[places] = self._turn
        return Found(np.flatnonzero(known), tuple(_symbols(told, codes) for told in self._texts[places].T.tolist()))

    def _places(self, keys: Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Return where each of `keys` is, or belongs, among ours, and whether it is there."""
        at = np.searchsorted(self._keys, keys)
        known = at < len(self)
        known[known] = self._keys[at[known]] == keys[known]
        return at, known

    def _forget(self) -> None:
        """Bring each exporter, and then all together, within their bounds."""
        exporters = self._keys.view(np.uint8).reshape(-1, _KEY.itemsize)[:, :_EXPORTER]
        first = np.flatnonzero(np.append(True, (exporters[1:] != exporters[:-1]).any(axis=1)))
        counts = np.diff(np.append(first, len(self)))
        if len(self) <= self._most and counts.max() <= self._each:
            return
        by_use = np.lexsort((-self._used, np.repeat(np.arange(len(first)), counts)))
        # an exporter's n-th: the cut through all goes at the same n for all that have as many
        rank = np.empty(len(self), np.int64)
        rank[by_use] = np.arange(len(self)) - np.repeat(first, counts)
        room = min(self._most, int(np.count_nonzero(rank < self._each)))
        stays = np.sort(np.lexsort((-self._used, rank))[:room])
        self._keys, self._told, self._used = self._keys[stays], self._told[stays], self._used[stays]
        self._texts = self._texts[stays]


@dataclass(frozen=True, slots=True)
class Machines:
    """The virtual machines that rows are of: `rows`, ascending, and for each of them the machine's UUID and name."""

    rows: npt.NDArray[np.intp]
    uuid: Symbols
    name: Symbols


class Adaptors:
    """A bounded memory of interfaces and their machines, by exporter, observation domain and interface index."""

    def __init__(self, most: int = MOST, each: int = MOST_EACH) -> None:
        """`most` interfaces are remembered, `each` of any one exporter."""
        self._memory = Memory(2, _LIFETIME, most, each)

    def __len__(self) -> int:
        return len(self._memory)

    def learn(self, rows: Rows) -> None:
        """Remember what rows of the table counters_adaptor tell of virtual machines; of several the last row counts."""
        index = array(rows, "if_index")
        texts = np.stack([text(rows, name) for name in ("uuid", "name")], axis=1)
        told = np.flatnonzero((array(rows, "source_class") == _LOGICAL) & (index != 0) & (texts != "").any(axis=1))
        if len(told):
            keys = data_sources(rows, np.full(rows.rows, INTERFACE, np.uint32), index)
            self._memory.learn(keys[told], array(rows, "time_received")[told], texts[told])

    def machines(self, rows: Rows) -> Machines | None:
        """Return whose the interfaces are that rows of the table counters_interface count; None if of no machine."""
        if not len(self):
            return None
        source = array(rows, "source_class")
        asked = np.flatnonzero(source == INTERFACE)
        keys = data_sources(rows, source, array(rows, "source_index"))[asked]
        found = self._memory.find(keys, array(rows, "time_received")[asked])
        return Machines(asked[found.rows], *found.texts) if found else None


def array(rows: Rows, name: str) -> Array:
    """Return a column's values, 0 where one is unknown or the column absent."""
    values = rows.columns.get(name)
    if isinstance(values, Nullable):
        return np.where(values.absent, 0, values.values)
    return values if isinstance(values, np.ndarray) else np.zeros(rows.rows, np.uint32)


def text(rows: Rows, name: str) -> npt.NDArray[np.object_]:
    """Return a column's strings, empty where the column is absent."""
    column = rows.columns.get(name)
    if not isinstance(column, Symbols) or not len(column.names):
        return np.full(rows.rows, "", object)
    return np.array(column.names, object)[column.codes]


def data_sources(rows: Rows, source_class: Array, index: Array) -> Array:
    """Return exporter, observation domain, class and index as one value, void of 28 octets, (n,): `Memory`'s keys."""
    words = np.empty((rows.rows, 7), np.uint32)
    words[:, :4] = np.ascontiguousarray(array(rows, "exporter")).view(np.uint32)
    words[:, 4] = array(rows, "observation_domain")
    words[:, 5], words[:, 6] = source_class, index
    return words.view(_KEY)[:, 0]


def _symbols(texts: list[str], codes: npt.NDArray[np.intp]) -> Symbols:
    """Return the column of `texts` by their `codes`; several of `texts` may be the same."""
    numbers: dict[str, int] = {}
    of = [numbers.setdefault(told, len(numbers)) for told in texts]
    return Symbols(np.array(of, np.int32)[codes], list(numbers))
