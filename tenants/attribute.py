"""Flows into attributed flows: whose addresses they were at the time, which way they went, how long they are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from schema.batch import Flows, Symbols
from schema.columns import DIRECTIONS
from tenants.allocations import Allocation, Allocations
from tenants.cells import UNASSIGNED
from tenants.ranges import Ranges

_BY_ENDS = np.array([DIRECTIONS.index(name) for name in ("transit", "ingress", "egress", "internal")], np.uint8)


class Classes(Protocol):
    """What attribution asks of the retention policy."""

    @property
    def unassigned_class(self) -> str:
        """The class of flows without a tenant."""

    def class_of(self, tenant: str, service: str | None, region: str | None, allocation_class: str | None) -> str:
        """Return the class of a tenant's flows under an allocation that names service, region and class, or None."""

    def between(self, one: str, other: str) -> str:
        """Return the class of flows between tenants of the two classes."""


class Attributor:
    """Attributes flows by the allocations, and classes them by the retention policy; both are fixed for its life.

    Each thread needs its own.
    """

    def __init__(self, allocations: Allocations, classes: Classes) -> None:
        self._allocations = allocations
        self._ranges = Ranges(allocations)
        self._tenants = (UNASSIGNED, *allocations.tenants.names)
        # Both end with an entry for NOBODY, which as an index is the last.
        self._tenant_of = np.append(allocations.tenants.codes + np.int32(1), np.int32(0))
        self._class_of, self._classes, self._between = _class_tables(allocations, classes)
        self.fingerprint = self._digest()

    def _digest(self) -> str:
        digest = hashlib.sha256(self._allocations.digest())
        digest.update("\0".join(self._classes).encode())
        digest.update(self._class_of.tobytes() + self._between.tobytes())
        return digest.hexdigest()

    def attribute(self, flows: Flows) -> Flows:
        """Return the flows with `src_tenant`, `dst_tenant`, `direction` and `retention_class`, in the same order.

        A flow's time is its `flow_start`, or `time_received` where that is absent. Other columns are shared.
        """
        times, sources, targets = _times(flows), flows.column("src_addr"), flows.column("dst_addr")
        find = self._ranges.finder(times)
        src_tenant, dst_tenant, classes = (np.empty(flows.rows, np.int32) for _ in range(3))
        direction = np.empty(flows.rows, np.uint8)
        for first in range(0, flows.rows, self._ranges.step):  # in steps that leave the processor's cache seldom
            rows = slice(first, first + self._ranges.step)
            source, target = find(sources[rows], rows), find(targets[rows], rows)
            src_tenant[rows], dst_tenant[rows] = self._tenant_of[source], self._tenant_of[target]
            held = (src_tenant[rows] != 0) * np.intp(2) + (dst_tenant[rows] != 0)
            direction[rows] = _BY_ENDS[held]
            pair = self._class_of[source] * (len(self._classes) + 1) + self._class_of[target]
            classes[rows] = self._between[pair]
        symbols = {
            "src_tenant": Symbols(src_tenant, self._tenants),
            "dst_tenant": Symbols(dst_tenant, self._tenants),
            "retention_class": Symbols(classes, self._classes),
        }
        return Flows(flows.rows, flows.arrays | {"direction": direction}, flows.symbols | symbols)

    def lookup(self, address: bytes, time: int) -> Allocation | None:
        """Return who held `address`, 16 octets with IPv4 mapped, at `time`, ms; None if nobody did."""
        octets = np.frombuffer(address, np.uint8).reshape(1, 16)
        (owner,) = self._ranges.owners(np.array([time], np.int64), octets)
        return self._allocations[int(owner[0])] if owner[0] >= 0 else None


def _times(flows: Flows) -> npt.NDArray[np.int64]:
    times = flows.column("flow_start")
    return times if times.all() else np.where(times == 0, flows.column("time_received"), times)


def _class_tables(
    allocations: Allocations, classes: Classes
) -> tuple[npt.NDArray[np.intp], tuple[str, ...], npt.NDArray[np.int32]]:
    """Return the class of each allocation, the names of the classes, and the class of flows by those of both ends.

    The class of an allocation, intp (n + 1,), counts from 1; 0, also the last entry, stands for no tenant. With k
    names the third, int32 ((k + 1)^2,), holds the index of a name at source class * (k + 1) + target class.
    """
    given = (allocations.tenants, allocations.services, allocations.regions, allocations.classes)
    first, places = _distinct(
        allocations.tenants.codes, [column.codes for column in given[1:] if len(column.names) > 1]
    )
    columns = [[column.names[code] for code in column.codes[first].tolist()] for column in given]
    of_each = [
        classes.class_of(tenant, service or None, region or None, name or None)
        for tenant, service, region, name in zip(*columns, strict=True)
    ]
    names = tuple(sorted({*of_each, classes.unassigned_class}))
    ends = (None, *names)
    between = [names.index(_of_ends(one, other, classes)) for one in ends for other in ends]
    codes = np.array([names.index(name) + 1 for name in of_each], np.intp)
    return np.append(codes[places], np.intp(0)), names, np.array(between, np.int32)


def _distinct(
    tenants: npt.NDArray[np.int32], others: Sequence[npt.NDArray[np.int32]]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return where rows that differ in any of the columns stand first, and for each row which of these it is like."""
    keys = tenants.astype(np.int64)
    for codes in others:
        keys = np.unique(keys, return_inverse=True)[1] << 32 | codes
    _, first, places = np.unique(keys, return_index=True, return_inverse=True)
    return first, places


def _of_ends(one: str | None, other: str | None, classes: Classes) -> str:
    if one is not None and other is not None:
        return classes.between(one, other)
    return one or other or classes.unassigned_class
