"""What interfaces and VLANs are called by agents that do not say it in every counter sample.

A name comes in structure port_name (0:1005), which an agent may send now and then only, or in options data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from schema.batch import Rows, Symbols
from tenants.adaptors import MOST, MOST_EACH, Memory, array, data_sources, text

_TABLES = ("counters_lane", "counters_vlan", "counters_interface")
"""Tables whose rows have the name of the port; a sample of lanes is one of their interface too."""

_LIFETIME = 86_400_000
"""ms for which a name holds that is not told again: an index may be given to another port meanwhile."""


class PortNames:
    """A bounded memory of data sources and their names, by exporter, observation domain, class and index."""

    def __init__(self, most: int = MOST, each: int = MOST_EACH) -> None:
        """`most` data sources are remembered, `each` of any one exporter."""
        self._memory = Memory(1, _LIFETIME, most, each)

    def __len__(self) -> int:
        return len(self._memory)

    def name(self, counters: Mapping[str, Rows], others: Iterable[Rows] = ()) -> dict[str, Rows]:
        """Return counters by table, those of ports with the names last told where their rows have none.

        Names are learnt from `counters` and then from `others`, before any row gets one: what a block tells serves its
        earlier rows too. A row keeps the name it has. Other columns are shared.
        """
        ports = [counters[table] for table in _TABLES if table in counters]
        for rows in (*ports, *others):
            self._learn(rows)
        return {table: self._fill(rows) if table in _TABLES else rows for table, rows in counters.items()}

    def _learn(self, rows: Rows) -> None:
        told = np.flatnonzero(_named(rows))
        if len(told):
            self._memory.learn(_keys(rows)[told], array(rows, "time_received")[told], text(rows, "name")[told, None])

    def _fill(self, rows: Rows) -> Rows:
        asked = np.flatnonzero(~_named(rows))
        if not len(self) or not len(asked):
            return rows
        found = self._memory.find(_keys(rows)[asked], array(rows, "time_received")[asked])
        if not found:
            return rows
        own, (told,) = rows.columns.get("name"), found.texts
        if not isinstance(own, Symbols):
            own = Symbols(np.zeros(rows.rows, np.int32), [""])
        codes = own.codes.copy()
        codes[asked[found.rows]] = told.codes + np.int32(len(own.names))
        return Rows(rows.rows, rows.columns | {"name": Symbols(codes, [*own.names, *told.names])})


def _named(rows: Rows) -> npt.NDArray[np.bool_]:
    """Return which rows have a name."""
    column = rows.columns.get("name")
    if not isinstance(column, Symbols) or not len(column.names):
        return np.zeros(rows.rows, np.bool_)
    return np.array([bool(name) for name in column.names], np.bool_)[column.codes]


def _keys(rows: Rows) -> npt.NDArray[np.void]:
    return data_sources(rows, array(rows, "source_class"), array(rows, "source_index"))
