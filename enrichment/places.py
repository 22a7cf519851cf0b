"""Countries and autonomous systems of addresses, from databases in MaxMind's format (.mmdb) that the operator has.

GeoLite2 and DB-IP Lite name their fields alike, IPinfo has names of its own; both are understood. What is asked for
is distinct addresses: a database is searched once for each.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from hashlib import sha256
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, NamedTuple

import maxminddb

from settings.errors import ConfigError
from settings.personal import personal


class Place(NamedTuple):
    """Where an address is: ISO 3166 country, number and name of its autonomous system; empty or 0 where not known."""

    country: str = ""
    system: int = 0
    system_name: str = ""


class Places:
    """Databases that are open; either may be missing."""

    def __init__(self, systems: maxminddb.Reader | None, countries: maxminddb.Reader | None, file: Path | None) -> None:
        self._systems, self._countries, self._file = systems, countries, file

    @property
    def knows_systems(self) -> bool:
        """Whether autonomous systems are known."""
        return self._systems is not None

    @property
    def knows_countries(self) -> bool:
        """Whether countries are known."""
        return self._countries is not None

    def of(self, addresses: Iterable[IPv6Address]) -> dict[IPv6Address, Place]:
        """Return the place of each distinct address, IPv4 ones mapped."""
        return {address: self._place(address) for address in set(addresses)}

    def systems(self, numbers: Iterable[int]) -> dict[int, str]:
        """Return the names of autonomous systems by number, of those that are known."""
        wanted = set(numbers) - {0}
        if not wanted or self._systems is None:
            return {}
        known = self._names(self._systems)
        return {number: known[str(number)] for number in wanted if str(number) in known}

    def _place(self, address: IPv6Address) -> Place:
        plain = address.ipv4_mapped or address
        country = _found(self._countries, plain)
        number, name = _system(_found(self._systems, plain))
        return Place(_country(country), number, name)

    def _names(self, systems: maxminddb.Reader) -> Mapping[str, str]:
        """Return all names by number. That reads the whole database, for seconds: it is kept for the next time."""
        kept = self._kept()
        if kept:
            with suppress(OSError, ValueError):
                return dict(json.loads(kept.read_text(encoding="utf-8")))
        names = {str(number): name for number, name in (_system(_record(found)) for _, found in systems) if number}
        if kept:
            with suppress(OSError):  # where nothing may be written, the next time takes as long
                kept.parent.mkdir(parents=True, exist_ok=True)
                part = kept.with_suffix(f".{os.getpid()}")
                part.write_text(json.dumps(names), encoding="utf-8")
                part.replace(kept)
        return names

    def _kept(self) -> Path | None:
        base = personal("XDG_CACHE_HOME", ".cache")
        if base is None or self._file is None:
            return None
        told = self._file.stat()
        which = f"{self._file.resolve()} {told.st_mtime_ns} {told.st_size}"
        return base / f"systems-{sha256(which.encode()).hexdigest()[:16]}.json"


@contextmanager
def places(systems: Path | None, countries: Path | None) -> Iterator[Places]:
    """Open the databases that there are; ConfigError for one that cannot be read."""
    with ExitStack() as stack:

        def opened(path: Path | None) -> maxminddb.Reader | None:
            return stack.enter_context(_opened(path)) if path else None

        yield Places(opened(systems), opened(countries), systems)


def _opened(path: Path) -> maxminddb.Reader:
    try:
        return maxminddb.open_database(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except maxminddb.InvalidDatabaseError:
        raise ConfigError(f"{path}: is no database in MaxMind's format (.mmdb)") from None


def _found(database: maxminddb.Reader | None, address: Any) -> dict[str, Any]:
    if database is None:
        return {}
    try:
        return _record(database.get(address))
    except ValueError:  # an IPv6 address, and a database of IPv4
        return {}


def _record(found: Any) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _country(record: Mapping[str, Any]) -> str:
    told = record.get("country") or record.get("registered_country") or record.get("country_code") or ""
    return str(told.get("iso_code", "") if isinstance(told, dict) else told)


def _system(record: Mapping[str, Any]) -> tuple[int, str]:
    told = str(record.get("autonomous_system_number") or record.get("asn") or 0).upper().removeprefix("AS")
    name = record.get("autonomous_system_organization") or record.get("as_name") or record.get("name") or ""
    return (int(told) if told.isdecimal() else 0), str(name)
