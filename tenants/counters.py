"""Counters into attributed counters: whose host, virtual machine or interface it was that they were sampled of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from schema.batch import Rows, Symbols
from schema.tables import Category
from tenants.adaptors import Adaptors
from tenants.allocations import Allocations
from tenants.resources import Numbers, Resources
from tenants.timelines import NOBODY

_ADAPTORS, _INTERFACES = "counters_adaptor", "counters_interface"


class CounterAttributor:
    """Attributes counters by the resources that allocations name, as of the time they were received."""

    def __init__(self, allocations: Allocations) -> None:
        self._tenants = ("", *allocations.tenants.names)
        self._allocations = allocations

    @cached_property
    def _resources(self) -> Resources:
        """Made when there is something to be found: most collectors see no counters."""
        return Resources(self._allocations)

    def attribute(self, counters: Mapping[str, Rows], adaptors: Adaptors) -> dict[str, Rows]:
        """Return the rows of each table with `tenant`, `resource` and `retention_class`, in the same order.

        A row is its machine's by UUID, or else by name; an interface's that of the virtual machine whose adaptor it is,
        or else by its own name. Both columns are empty where no tenant alone holds a resource of such a name.
        `adaptors` learns from what the counters tell. Other columns are shared.
        """
        if _ADAPTORS in counters:
            adaptors.learn(counters[_ADAPTORS])
        return {table: self._attribute(table, rows, adaptors) for table, rows in counters.items()}

    def _attribute(self, table: str, rows: Rows, adaptors: Adaptors) -> Rows:
        times = rows.columns["time_received"]
        if not isinstance(times, np.ndarray):
            raise TypeError("the column time_received is no array")
        resource = np.zeros(rows.rows, np.int32)
        tenant = np.full(rows.rows, NOBODY, np.int32)
        for where, names in _candidates(table, rows, adaptors):
            numbers = self._resources.find(names)
            holders = self._resources.holders(numbers, times[where])
            news = (holders != NOBODY) & (tenant[where] == NOBODY)
            resource[where[news]], tenant[where[news]] = numbers[news], holders[news]
        told = {
            "tenant": _symbols(tenant + np.int32(1), self._tenants),
            "resource": _symbols(resource, self._resources.names),
            "retention_class": of_category(Category.COUNTERS, rows.rows),
        }
        return Rows(rows.rows, rows.columns | told)


def _candidates(table: str, rows: Rows, adaptors: Adaptors) -> Iterator[tuple[npt.NDArray[np.intp], Symbols]]:
    """Yield rows and, beside each, what its resource could be called; the best name first."""
    machines = adaptors.machines(rows) if table == _INTERFACES else None
    if machines:
        yield machines.rows, machines.uuid
        yield machines.rows, machines.name
    for name in ("uuid", "name"):
        names = rows.columns.get(name)
        if isinstance(names, Symbols):
            yield np.arange(rows.rows), names


def of_category(category: Category, rows: int) -> Symbols:
    """Return the column `retention_class` of rows of a category."""
    return Symbols(np.zeros(rows, np.int32), (category.value,))


def _symbols(codes: Numbers, names: Sequence[str]) -> Symbols:
    """Return a column with those of the names that it needs: there may be a million tenants, and few in a block."""
    used, which = np.unique(codes, return_inverse=True)
    return Symbols(which.astype(np.int32), [names[code] for code in used.tolist()])
