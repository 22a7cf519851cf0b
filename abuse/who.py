"""Who held an address at a time: as we know it now, as we knew it then, and behind a translator.

`who` is one question; `holders` the same for very many reports at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv6Address
from typing import Any

from abuse.allocation_history import believed, known
from abuse.holders import Address, Held, held, holdings, milliseconds, warnings
from abuse.moments import BEGAN, BEGAN_MS, ENDED_MS
from query.sql import Parameters, instant
from storage.client import Client

_CREATES = (1, 4, 6, 8, 10, 14, 16)
"""Values of natEvent (IANA 230, RFC 8158 section 5.3) by which a binding begins; the next higher one ends it."""
_LONGEST_BINDING = timedelta(days=7)
_MOST, _MOST_READ = 1000, 100_000
_EVENTS = "translator"
_NOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Binding:
    """An inside address that a translator gave (a block of) ports of the outside address, from `start` on."""

    inside: Address
    first_port: int
    last_port: int
    start: datetime
    end: datetime | None
    tenant: str
    by: str

    def as_json(self) -> dict[str, object]:
        """Return the binding as JSON."""
        return {
            "address": str(self.inside), "first_port": self.first_port, "last_port": self.last_port,
            "from": self.start.isoformat(), "to": self.end.isoformat() if self.end else None, "tenant": self.tenant,
            "known_by": self.by,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """Who held `address` from `first` to `last`: `now` by what is known, `then` by what was known at that time.

    `then` is None where nothing was recorded by then. `bindings` are those of a translator for the port.
    """

    address: Address
    first: datetime
    last: datetime
    now: Held
    then: Held | None
    bindings: tuple[Binding, ...] = ()

    @property
    def tenants(self) -> tuple[str, ...]:
        """The tenants that come into question: those behind the translator, where it tells."""
        return tuple(dict.fromkeys(one.tenant for one in self.bindings)) or self.now.tenants

    @property
    def warnings(self) -> tuple[str, ...]:
        """What somebody who names a tenant by this has to know."""
        found = list(warnings(self.now, self.first, self.last))
        if self.then is not None and self.then.tenants != self.now.tenants:
            names = " and ".join(self.then.tenants)
            found.append(f"at the time our record said {names}: flows were stored for {names}, the record came later")
        if len({one.tenant for one in self.bindings}) > 1:
            found.append("several had the port within the time: its time decides")
        if len(self.bindings) == _MOST:
            found.append(f"only {_MOST:,} are named who were behind the translator: a port tells which of them")
        return tuple(found)

    def as_json(self) -> dict[str, object]:
        """Return the answer as JSON."""
        return {
            "address": str(self.address), "first": self.first.isoformat(), "last": self.last.isoformat(),
            "tenants": list(self.tenants), "held": [one.as_json() for one in self.now.during],
            "before": self.now.before.as_json() if self.now.before else None,
            "after": self.now.after.as_json() if self.now.after else None,
            "known_then": [one.as_json() for one in self.then.during] if self.then else None,
            "translated": [one.as_json() for one in self.bindings], "warnings": list(self.warnings),
        }  # fmt: skip


def who(
    client: Client, address: Address, first: datetime, last: datetime, *, port: int | None = None,
    protocol: int | None = None, known_at: datetime | None = None, source: str = "flows",
) -> Answer:  # fmt: skip
    """Return who held the address (and port, behind a translator) from `first` to `last`, both inclusive.

    A translator may give a port of TCP to one and the same of UDP to another: `protocol` says which it was.
    `known_at` asks for what was known at a moment instead of now. `source` is what flows are read from. Client of the
    query role.
    """
    ((_, answer),) = answers(client, [(address, first, last)], known_at).items()
    bindings = translations(client, address, port, protocol, first, last, source)
    return Answer(address, first, last, answer.now, answer.then, bindings)


Asked = tuple[Address, datetime, datetime]


def answers(client: Client, asked: Iterable[Asked], known_at: datetime | None = None) -> dict[Asked, Answer]:
    """Return who held each address within each span; without what translators tell."""
    wanted = list(dict.fromkeys(asked))
    addresses = {address for address, _, _ in wanted}
    records = known(client, addresses, known_at)
    lines = {address: holdings(address, believed(records[address])) for address in addresses}
    found = {}
    for address, first, last in wanted:
        by_then = [one for one in records[address] if one.learned <= last + _NOW]
        still = [one.allocation for one in by_then if one.withdrawn is None or one.withdrawn > last]
        then = held(holdings(address, still), first, last) if by_then else None
        found[address, first, last] = Answer(address, first, last, held(lines[address], first, last), then)
    return found


def translations(
    client: Client, address: Address, port: int | None, protocol: int | None, first: datetime, last: datetime,
    source: str,
) -> tuple[Binding, ...]:  # fmt: skip
    """Return who was behind an outside address of a translator, by its events and by flows that it translated.

    Without a port, or a protocol, all that were are returned, `_MOST` of them.
    """
    parameters = Parameters()
    outside = parameters.add(f"::ffff:{address}" if address.version == 4 else str(address), "IPv6")
    around = (first - _LONGEST_BINDING, last + timedelta(hours=1))
    since, until = (instant(milliseconds(moment), parameters) for moment in around)
    began, ended = (parameters.add(milliseconds(moment), "Int64") for moment in (first, last))
    of_port = f"proto IN (0, {parameters.add(protocol, 'UInt8')})" if protocol else "1"
    if port:
        number = parameters.add(port, "UInt16")
        of_port += (
            f" AND (nat_port_end > 0 ? {number} BETWEEN nat_port_start AND nat_port_end "
            f": if(post_nat_src_port = 0, src_port, post_nat_src_port) IN (0, {number}))"
        )
    sql = (
        "SELECT nat_event, src_addr, proto, if(nat_port_end > 0, nat_port_start, post_nat_src_port) AS low, "  # noqa: S608
        "if(nat_port_end > 0, nat_port_end, post_nat_src_port) AS high, src_tenant, "
        f"{BEGAN} AS began, flow_end "
        f"FROM {source} WHERE time_received >= {since} AND time_received < {until} "
        f"AND post_nat_src_addr = {outside} AND src_addr != {outside} AND {of_port} "
        f"AND (nat_event != 0 OR {BEGAN_MS} <= {ended} AND {ENDED_MS} >= {began}) "
        f"ORDER BY greatest(began, flow_end) DESC, nat_event DESC LIMIT {_MOST_READ}"
    )
    rows = client.query(sql, parameters.values).rows
    events, flows = _bound(rows[::-1], around[0]), _seen(rows[::-1])
    found = [one for one in (*events, *flows) if one.start <= last and (one.end is None or one.end >= first)]
    told = {one.inside for one in found if one.by == _EVENTS}
    kept = [one for one in found if one.by == _EVENTS or one.inside not in told]
    return tuple(dict.fromkeys(kept))[:_MOST]


def _bound(rows: Sequence[tuple[Any, ...]], since: datetime) -> list[Binding]:
    """Return the bindings that a translator's events tell, each from its beginning to its end.

    One whose beginning is not on record may have begun at any time `since`.
    """
    found: list[Binding] = []
    running: dict[tuple[Any, ...], int] = {}
    for event, inside, protocol, low, high, tenant, began, ended in rows:
        key = (inside, protocol, low, high)
        if event in _CREATES:
            running[key] = len(found)
            found.append(Binding(_plain(inside), low, high, began, ended if ended > began else None, tenant, _EVENTS))
        elif event - 1 in _CREATES:
            start, end = (began, ended) if ended > began else (since, began)
            place = running.pop(key, None)
            if place is None:
                found.append(Binding(_plain(inside), low, high, start, end, tenant, _EVENTS))
            else:
                found[place] = replace(found[place], end=end)
    return found


def _seen(rows: Sequence[tuple[Any, ...]]) -> list[Binding]:
    """Return the bindings that translated flows show: for as long as each inside address was seen with the port."""
    found: dict[tuple[Any, ...], Binding] = {}
    for event, inside, _, low, _, tenant, began, ended in rows:
        if not event:
            before = found.get((inside, low, tenant))
            first, last = (before.start, before.end or began) if before else (began, ended)
            found[inside, low, tenant] = Binding(_plain(inside), low, low, first, max(last, ended), tenant, "flows")
    return list(found.values())


def _plain(address: IPv6Address) -> Address:
    return address.ipv4_mapped or address
