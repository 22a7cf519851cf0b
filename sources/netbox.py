"""Allocations from NetBox: its prefixes, IP ranges and IP addresses that have a tenant, by the tenant's slug.

An address is a host route, a range the fewest prefixes that make it up. Where several of them are one and the same
prefix an address says more than a range, and a range more than a prefix.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from ipaddress import ip_interface, ip_network, summarize_address_range
from typing import Any, NamedTuple, TypeAlias

import pynetbox
from pynetbox.core.query import ContentError, RequestError

from settings.errors import RefusalError
from settings.tenant_source import NetBoxSource
from sources.asking import Bounds, in_words, refusal, session
from sources.items import Items
from tenants.present import Present
from tenants.spans import Network

_OCTETS = 4 * 2**30
_PAGE = 1000
"""Objects asked for at a time; NetBox gives no more unless told so (MAX_PAGE_SIZE)."""
_GLOBAL = "global"
_MACHINES = ("virtual_machine", "device")

_Row: TypeAlias = Mapping[str, Any]


class _Kind(NamedTuple):
    """One of the three kinds of objects, by its endpoint below /api/ipam/."""

    endpoint: str
    name: str


_KINDS = (_Kind("ip_addresses", "IP address"), _Kind("ip_ranges", "IP range"), _Kind("prefixes", "prefix"))
"""Those that say more come first."""


class _Found(NamedTuple):
    """What an object says of a prefix: values by the names of columns, and which object it is."""

    told: dict[str, Any]
    kind: _Kind
    number: int


def fetch(source: NetBoxSource) -> list[Present]:
    """Return what NetBox tells; UnreachableError where it does not answer, RefusalError where it cannot be used."""
    base = source.url.rstrip("/").removesuffix("/api")
    try:
        with session(Bounds(base, _OCTETS)) as asking, in_words(base):
            api = pynetbox.api(base, token=source.token or None)
            api.http_session = asking
            _check(api, base)
            return _present(api, source, base)
    except RequestError as error:
        raise refusal(error.req) from None
    except (ContentError, LookupError, TypeError, AttributeError, ValueError) as error:
        raise RefusalError(
            f"{base} does not answer as NetBox does ({error!r}); see that tenants_source.url is the page that NetBox "
            "begins with"
        ) from None


def _check(api: Any, base: str) -> None:
    status = api.status()
    if not isinstance(status, dict) or "netbox-version" not in status:
        raise RefusalError(f"{base} is no NetBox: {base}/api/status/ names no netbox-version; see tenants_source.url")


def _present(api: Any, source: NetBoxSource, base: str) -> list[Present]:
    found: dict[Network, list[_Found]] = {}
    custom: set[str] = set()
    objects = 0
    for kind, row in _objects(api, _tables(api, source.vrfs)):
        objects += 1
        custom |= row["custom_fields"].keys()
        if not row["tenant"] or row["status"]["value"] not in source.statuses:
            continue
        one = _Found(_told(row, kind, source), kind, row["id"])
        for network in _networks(row, kind):
            others = found.setdefault(network, [])
            if not others or others[0].kind == kind:
                others.append(one)
    missing = sorted({*source.fields.values()} - custom)
    if objects and missing:
        raise RefusalError(f"{base} has no custom field '{missing[0]}' on prefixes, ranges or addresses; see 'fields'")
    items = Items(base)
    for network, several in found.items():
        for one in _agreed(several):
            items.add({"prefix": str(network), **one.told}, f"{one.kind.name} {one.number}")
    return items.all()


def _objects(api: Any, tables: list[int | None]) -> Iterator[tuple[_Kind, _Row]]:
    """Yield the objects of these tables, those that say more first."""
    for kind in _KINDS:
        for table in tables:
            for row in _rows(getattr(api.ipam, kind.endpoint), vrf_id=table):
                if (row["vrf"]["id"] if row["vrf"] else None) == table:  # NetBox passes over filters it does not know
                    yield kind, row


def _rows(endpoint: Any, **filters: Any) -> Iterator[_Row]:
    """Yield all objects of an endpoint, in order of their numbers.

    Each page begins after the last number of the one before: with offsets, which NetBox counts anew for every page, an
    object that is deleted meanwhile would make us miss another one, and end its allocation.
    """
    last = 0
    while True:
        records = endpoint.filter(**filters, id__gt=last, ordering="id", limit=_PAGE, offset=0)
        page = [dict(record) for record in records]
        for row in page:
            if row["id"] <= last:
                raise RefusalError("NetBox does not list objects by their numbers; version 2.10 or newer is needed")
            last = row["id"]
        yield from page
        if not page or len(records) <= len(page):
            return


def _tables(api: Any, vrfs: list[str]) -> list[int | None]:
    """Return the numbers of the VRFs, None for the global table."""
    if vrfs == [_GLOBAL]:
        return [None]
    numbers: dict[str, set[int]] = {}
    for row in _rows(api.ipam.vrfs):
        for name in {row["name"], row["rd"]} - {None, ""}:
            numbers.setdefault(name, set()).add(row["id"])
    tables: list[int | None] = []
    for vrf in vrfs:
        if vrf == _GLOBAL:
            tables.append(None)
            continue
        match sorted(numbers.get(vrf, ())):
            case [number]:
                tables.append(number)
            case []:
                near = difflib.get_close_matches(vrf, numbers, 1)
                hint = f"did you mean '{near[0]}'?" if near else "see tenants_source.vrfs"
                raise RefusalError(f"NetBox has no VRF '{vrf}'; {hint}")
            case _:
                raise RefusalError(f"NetBox has several VRFs '{vrf}'; name it by its route distinguisher")
    return tables


def _told(row: _Row, kind: _Kind, source: NetBoxSource) -> dict[str, Any]:
    told: dict[str, Any] = {column: _plain(row["custom_fields"].get(name)) for column, name in source.fields.items()}
    if kind.endpoint == "ip_addresses" and "resource" not in told:
        told["resource"] = _machine(row)
    return {"tenant": row["tenant"]["slug"], **told}


def _plain(value: Any) -> Any:
    """Return the value of a custom field; of one that is another object, that object's slug or name."""
    if isinstance(value, dict):
        return next((value[key] for key in ("slug", "name", "value") if value.get(key)), None)
    return value


def _machine(row: _Row) -> str | None:
    """Return the name of the machine that an address is assigned to."""
    interface = row.get("assigned_object") or {}
    return next((interface[kind]["name"] for kind in _MACHINES if interface.get(kind)), None)


def _networks(row: _Row, kind: _Kind) -> list[Network]:
    match kind.endpoint:
        case "prefixes":
            return [ip_network(row["prefix"])]
        case "ip_addresses":
            return [ip_network(ip_interface(row["address"]).ip)]
    first, last = ip_interface(row["start_address"]).ip, ip_interface(row["end_address"]).ip
    return list(summarize_address_range(first, last))


def _agreed(several: list[_Found]) -> list[_Found]:
    """Return what objects of one prefix say, where they differ only in the resource once, and without it.

    An address on several machines, as of VRRP or anycast, is of its tenant all the same.
    """
    first = several[0]
    if len(several) == 1 or any(one.told | {"resource": None} != first.told | {"resource": None} for one in several):
        return several
    same = all(one.told == first.told for one in several)
    return [first if same else first._replace(told=first.told | {"resource": None})]
