"""What we knew of allocations, and since when: a table that only grows, so that a change of the file hides nothing.

Each row says that a row of the allocation file was added, or withdrawn, when the file was read. So there are two times:
from when to when an allocation holds (`valid_from`, `valid_to`), and when we learned that it does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network

import numpy as np

from abuse.holders import Address, milliseconds
from schema.addresses import packed
from schema.batch import Array, Nullable, Rows, Symbols
from schema.columns import Column, Kind
from storage.client import Beside, Client
from storage.ddl import ALLOCATIONS, LOADS
from storage.native import Buffer, encode_columns
from tenants.allocations import Allocation, Allocations
from tenants.cells import ALWAYS, FOREVER

_ADDED, _WITHDRAWN = 0, 1
_LABELS = ("tenant", "resource", "service", "region", "class")
_ROW = f"first, length, {', '.join(f'toString(`{name}`)' for name in _LABELS)}, valid_from, valid_to"
_LAST_LOAD = f"SELECT digest FROM {LOADS.name} ORDER BY learned DESC LIMIT 1"  # noqa: S608 - our own table's name
_STATE = f"""
    SELECT {_ROW}, argMax(change, learned) = 'withdrawn', min(learned), max(learned) FROM {ALLOCATIONS.name}
    WHERE {{}} GROUP BY {_ROW}"""  # noqa: S608 - names of our own
_COVERING = "(first, length) IN (SELECT first, length FROM prefixes)"
_BEFORE = "learned <= fromUnixTimestamp64Milli({known:Int64}, 'UTC')"
_COLUMNS = (
    Column("learned", Kind.TIME, "i8", "DateTime64(3, 'UTC')", "", "ms", "", ""),
    Column("change", Kind.ENUM, "u1", "Enum8('added' = 0, 'withdrawn' = 1)", "", "", "", ""),
    Column("first", Kind.ADDRESS, "u1", "IPv6", "", "", "", ""),
    Column("length", Kind.UINT, "u1", "UInt8", "", "", "", ""),
    *(Column(name, Kind.SYMBOL, "i4", "LowCardinality(String)", "", "", "", "") for name in _LABELS),
    Column("valid_from", Kind.TIME, "i8", "Int64", "", "ms", "", ""),
    Column("valid_to", Kind.TIME, "i8", "Int64", "", "ms", "", ""),
)

_Key = tuple[bytes, int, str, str, str, str, str, int, int]


@dataclass(frozen=True, slots=True)
class Known:
    """An allocation, since when we know it, and since when no more: `withdrawn` is None for one that still counts."""

    allocation: Allocation
    learned: datetime
    withdrawn: datetime | None


def record(client: Client, allocations: Allocations, now: datetime) -> int:
    """Put on record what of the allocations is new, and what is gone, since they were last recorded; return how many.

    `client` is of the admin role. What is recorded already costs one small query.
    """
    digest = allocations.digest().hex()
    if client.query(_LAST_LOAD).rows == [(digest,)]:
        return 0
    known = {_key(row) for row in client.query(_STATE.format("1")).rows if not row[9]}
    wanted = set(_keys(allocations))
    changes = [(key, _ADDED) for key in sorted(wanted - known)]
    changes += [(key, _WITHDRAWN) for key in sorted(known - wanted)]
    if changes:
        client.insert(ALLOCATIONS.name, *_block(changes, milliseconds(now)), token="")
    client.command(
        f"INSERT INTO {LOADS.name} (learned, digest, allocations) "
        "SELECT fromUnixTimestamp64Milli({now:Int64}, 'UTC'), {digest:String}, {count:UInt64}",
        {"now": milliseconds(now), "digest": digest, "count": len(allocations)},
    )
    return len(changes)


def known(client: Client, addresses: Iterable[Address], at: datetime | None = None) -> dict[Address, tuple[Known, ...]]:
    """Return what is on record of allocations that cover each address; with `at`, what was by that moment."""
    around = {address: [(network.packed, length) for network, length in _around(address)] for address in addresses}
    wanted = {each for networks in around.values() for each in networks}
    rows = "".join(f"{IPv6Address(first)}\t{length}\n" for first, length in wanted).encode()
    where, parameters = _COVERING, dict[str, object]()
    if at is not None:
        where, parameters = f"{_COVERING} AND {_BEFORE}", {"known": milliseconds(at)}
    beside = Beside("prefixes", "first IPv6, length UInt8", rows)
    found: dict[tuple[bytes, int], list[Known]] = {}
    for row in client.query(_STATE.format(where), parameters, beside=beside).rows:
        since, until = row[10].astimezone(UTC), row[11].astimezone(UTC) if row[9] else None
        found.setdefault((row[0].packed, row[1]), []).append(Known(_allocation(row), since, until))
    return {
        address: tuple(one for network in networks for one in found.get(network, ()))
        for address, networks in around.items()
    }


def believed(records: Sequence[Known]) -> list[Allocation]:
    """Return what to go by: what is not withdrawn, and what was, up to then, where nothing else says otherwise.

    Rows go from a file because they were wrong, or because they are over: what is withdrawn without a word of who held
    the address instead still tells who did. What we knew later comes first, and of equal prefixes the first counts.
    """
    current = [one.allocation for one in records if one.withdrawn is None]
    former = []
    gone = [(one.withdrawn, one) for one in records if one.withdrawn is not None]
    for withdrawn, one in sorted(gone, key=lambda each: (each[0], each[1].learned), reverse=True):
        end = min(milliseconds(withdrawn), _end(one.allocation))
        if _start(one.allocation) < end:
            former.append(replace(one.allocation, valid_to=end))
    return current + former


def _start(allocation: Allocation) -> int:
    return ALWAYS if allocation.valid_from is None else allocation.valid_from


def _end(allocation: Allocation) -> int:
    return FOREVER if allocation.valid_to is None else allocation.valid_to


def _around(address: Address) -> Iterator[tuple[IPv6Address, int]]:
    """Yield every network that the address is in: its first address and length, IPv4 mapped."""
    number = int(IPv6Address(packed(address)))
    for length in range(96 if address.version == 4 else 0, 129):
        yield IPv6Address(number >> (128 - length) << (128 - length)), length


def has_records(client: Client) -> bool:
    """Say whether any allocations were ever recorded."""
    return bool(client.query(f"SELECT count() FROM {LOADS.name}").rows[0][0])  # noqa: S608 - our own table's name


def _key(row: Sequence[object]) -> _Key:
    first, length, tenant, resource, service, region, name, start, end = row[:9]
    return (first.packed, length, tenant, resource, service, region, name, start, end)  # type: ignore[attr-defined,return-value]


def _keys(allocations: Allocations) -> Iterator[_Key]:
    """Yield each allocation as a row of the table has it; names are empty for none."""
    octets = np.ascontiguousarray(allocations.first).tobytes()
    labels = (
        allocations.tenants, allocations.resources, allocations.services, allocations.regions, allocations.classes
    )  # fmt: skip
    names = [[column.names[code] for code in column.codes.tolist()] for column in labels]
    yield from zip(
        (octets[at : at + 16] for at in range(0, len(octets), 16)), allocations.length.tolist(), *names,
        allocations.valid_from.tolist(), allocations.valid_to.tolist(), strict=True,
    )  # fmt: skip


def _block(changes: Sequence[tuple[_Key, int]], learned: int) -> tuple[list[str], list[Buffer]]:
    """Return the columns' names, and the Native block of the changes."""
    keys, kinds = zip(*changes, strict=True)
    columns = list(zip(*keys, strict=True))
    values: dict[str, Array | Symbols | Nullable] = {
        "learned": np.full(len(keys), learned, np.int64),
        "change": np.array(kinds, np.uint8),
        "first": np.frombuffer(b"".join(columns[0]), np.uint8).reshape(-1, 16),
        "length": np.array(columns[1], np.uint8),
        "valid_from": np.array(columns[7], np.int64),
        "valid_to": np.array(columns[8], np.int64),
    }
    values |= {name: _symbols(names) for name, names in zip(_LABELS, columns[2:7], strict=True)}
    return encode_columns(_COLUMNS, Rows(len(keys), values))


def _symbols(values: Sequence[str]) -> Symbols:
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(value, len(numbers)) for value in values]
    return Symbols(np.array(codes, np.int32), tuple(numbers))


def _allocation(row: Sequence[object]) -> Allocation:
    first, length, tenant, resource, service, region, name, start, end = _key(row)
    mapped = IPv6Address(first).ipv4_mapped if length >= 96 else None
    prefix = IPv4Network((mapped, length - 96)) if mapped else IPv6Network((first, length))
    return Allocation(
        prefix, tenant, resource or None, name or None, None if start == ALWAYS else start,
        None if end == FOREVER else end, 0, service or None, region or None,
    )  # fmt: skip
