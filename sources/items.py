"""What a source tells of allocations, item by item, as checked values; every fault names its item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from schema.addresses import V4_MAPPED
from settings.errors import RefusalError
from tenants.allocations import MAX_FAULTS
from tenants.cells import ALWAYS, parse_end, parse_label, parse_prefix, parse_start, parse_tenant
from tenants.present import Present
from tenants.rows import REQUIRED
from tenants.spans import Holding, Network


def _network(text: str) -> Network:
    first, length = parse_prefix(text)
    if length >= 96 and first.startswith(V4_MAPPED):
        return IPv4Network((first[12:], length - 96))
    return IPv6Network((first, length))


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "prefix": _network,
    "tenant": parse_tenant,
    "resource": parse_label,
    "service": parse_label,
    "region": parse_label,
    "class": parse_label,
    "valid_from": parse_start,
    "valid_to": parse_end,
}

_LABELS = {"resource": "resource", "service": "service", "region": "region", "retention_class": "class"}
"""The names of columns by the fields of a holding."""


class Items:
    """Collects the allocations of the source at `url`, and what is wrong with them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._present: list[Present] = []
        self._faults: list[str] = []

    def add(self, told: Mapping[str, Any], origin: str) -> None:
        """Take what is told of one allocation, values by the names of columns; `origin` says where it was told.

        A label or `valid_to` of None is none, one that is absent is not told. Whole numbers will do for names.
        """
        values: dict[str, Any] = {}
        faults = len(self._faults)
        for name, parse in _PARSERS.items():
            try:
                values[name] = parse(_text(told, name))
            except ValueError as error:
                self.fault(origin, str(error))
        if len(self._faults) > faults:
            return
        start, end = values["valid_from"], values["valid_to"]
        if end <= start:
            self.fault(origin, f"valid_to {told['valid_to']} is not after valid_from {told['valid_from']}")
            return
        self._present.append(
            Present(
                values["prefix"],
                Holding(values["tenant"], **{field: values[name] or None for field, name in _LABELS.items()}),
                None if start == ALWAYS else start,
                end if "valid_to" in told else None,
                origin,
                frozenset(field for field, name in _LABELS.items() if name not in told),
            )
        )

    def fault(self, origin: str, words: str) -> None:
        """Take note of what is wrong with an item."""
        self._faults.append(f"{origin}: {words}")

    def all(self) -> list[Present]:
        """Return the allocations; RefusalError with what is wrong, the first 20 faults of it, where anything is."""
        if not self._faults:
            return self._present
        more = len(self._faults) - MAX_FAULTS
        shown = self._faults[:MAX_FAULTS] + ([f"and {more} more"] if more > 0 else [])
        raise RefusalError("\n".join((f"what {self._url} tells cannot be used:", *shown)))


def _text(told: Mapping[str, Any], name: str) -> str:
    if name in REQUIRED and name not in told:
        raise ValueError(f"'{name}' is missing")
    match told.get(name):
        case None:
            return ""
        case str(text):
            return text.strip()
        case bool():
            pass
        case int(number):
            return str(number)
    raise ValueError(f"'{name}' must be text")
