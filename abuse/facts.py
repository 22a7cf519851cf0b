"""What the flows show about claims: one query for all of them, each flow seen from the end that a claim is about.

A reported address may be a flow's source, its destination, or what its source was translated to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv6Address
from typing import Any

from abuse.claims import STRUCTURE, Claim, table
from abuse.moments import BEGAN_MS, ENDED_MS
from query.sql import Parameters, within
from storage.client import Beside, Client

EXPORT_DELAY = timedelta(hours=1)
"""A flow that lasts is exported late: it is received by so much after its last packet, at most."""

# SYN without ACK opens a connection of TCP (RFC 9293 section 3.5).
_OPENS = "bitAnd(tcp_flags, 18) = 2"

_HOUR = "intDiv(toUnixTimestamp(time_received), 3600)"
_HOURS = f"""
    SELECT *, arrayJoin(range(intDiv(near_first, 3600000),
                              intDiv(near_last + {EXPORT_DELAY // timedelta(milliseconds=1)}, 3600000) + 1)) AS hour
    FROM claims"""  # noqa: S608 - names of our own
"""Claims by the hours in which their flows may have been received: a flow then meets few claims of a busy address."""

_ENDS: dict[str, tuple[str | int, ...]] = {
    "source": ("src_addr", "src_port", "dst_addr", "dst_port", 1, "src_tenant"),
    "destination": ("dst_addr", "dst_port", "src_addr", "src_port", 0, "dst_tenant"),
    "translated": ("post_nat_src_addr", "if(post_nat_src_port = 0, src_port, post_nat_src_port)", "dst_addr",
                   "dst_port", 1, "src_tenant"),
}  # fmt: skip
_ENDS["either"] = (
    *(
        f"if(sent = 1, {one}, {other})"
        for one, other in zip(_ENDS["source"][:4], _ENDS["destination"][:4], strict=True)
    ),
    "arrayJoin([1, 0])",
    "if(sent = 1, src_tenant, dst_tenant)",
)
_WHOLE = ("source", "destination", "translated")
_AT_ONCE = ("either", "translated")  # where most granules are read anyway, once is half the work of twice
_SENT = ("source", "translated")

_SIDE = f"""
    SELECT {{0}} AS own, {{1}} AS own_port, {{2}} AS peer, {{3}} AS peer_port, {{4}} AS sent, {{5}} AS holder,
           proto AS protocol, tcp_flags, packets, bytes, sampling_rate, exporter, in_if, {_HOUR} AS at,
           {BEGAN_MS} AS began, {ENDED_MS} AS ended
    FROM {{source}} WHERE {{times}} AND {{met}}"""  # noqa: S608 - names of our own
# Sets of 8 octets are twice as fast as those of pairs of addresses; what is met by chance does not pass the join.
_OF_PAIRS = "cityHash64({0}, {2}) IN (SELECT cityHash64(address, target) FROM claims)"
_OF_ADDRESSES = (
    f"{{0}} IN (SELECT address FROM claims) AND ({{0}}, {_HOUR}) IN "  # noqa: S608 - names of our own
    f"(SELECT address, toUInt32(hour) FROM ({_HOURS}))"
)
_JOINED = f"""
    SELECT *, began <= last AND ended >= first AS inside, target = peer AS named,
           (target_port = 0 OR peer_port = target_port) AND (proto = 0 OR protocol = proto) AS serves,
           named AND serves AND (port = 0 OR own_port = port) AS pair, greatest(sampling_rate, 1) AS scale
    FROM ({{sides}}) AS flows INNER JOIN ({_HOURS}) AS claims ON flows.own = claims.address AND flows.at = claims.hour
    WHERE began <= near_last AND ended >= near_first AND peer != toIPv6('::')"""  # noqa: S608 - names of our own
"""What has no far end is a binding of a translator's log."""
_FEW = 100
"""Claims that are looked into whole; of more it is first asked what the two ends that they name had to do."""
_MEASURES = {
    "sent": "countIf(inside AND sent = 1)",
    "received": "countIf(inside AND sent = 0)",
    "peers": "uniqIf(peer, inside AND sent = 1)",
    "pair_sent": "countIf(inside AND pair AND sent = 1)",
    "pair_received": "countIf(inside AND pair AND sent = 0)",
    "packets_sent": "sumIf(packets * scale, inside AND pair AND sent = 1)",
    "octets_sent": "sumIf(bytes * scale, inside AND pair AND sent = 1)",
    "packets_received": "sumIf(packets * scale, inside AND pair AND sent = 0)",
    "first_sent": "minIf(began, inside AND pair AND sent = 1)",
    "first_received": "minIf(began, inside AND pair AND sent = 0)",
    "last_sent": "maxIf(ended, inside AND pair AND sent = 1)",
    "opened": f"countIf(inside AND pair AND sent = 1 AND protocol = 6 AND {_OPENS})",
    "was_opened": f"countIf(inside AND pair AND sent = 0 AND protocol = 6 AND {_OPENS})",
    "from_service": "countIf(inside AND pair AND sent = 1 AND own_port < 1024 AND peer_port >= 1024 AND own_port > 0)",
    "other_ports": "countIf(inside AND named AND NOT pair)",
    "other_times": "countIf(NOT inside AND pair AND sent = 1)",
    "nearest": "argMinIf(began, if(began > last, began - last, first - ended), NOT inside AND pair AND sent = 1)",
    "to_service": "countIf(inside AND serves AND sent = 1)",
    "service_peers": "uniqIf(peer, inside AND serves AND sent = 1)",
    "rate": "max(sampling_rate)",
    "rate_unknown": "countIf(sampling_rate = 0)",
    "exporters": "groupUniqArray(64)(exporter)",
    "tenants": "arraySort(groupUniqArrayIf(8)(holder, inside))",
    "entered": "arraySort(groupUniqArrayIf(16)((exporter, in_if), inside AND pair AND sent = 1))",
    "usual": "arraySort(groupUniqArrayIf(16)((exporter, in_if), NOT pair AND sent = 1))",
    "minutes": "arraySort(groupUniqArrayIf(2000)(intDiv(began, 60000), inside AND pair AND sent = 1))",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found of one claim. Flows are counted as stored, packets and octets scaled by the sampling rate.

    *pair* are flows between the two ends and the ports that the report names, *sent* by the address, or received; they
    are within the claim's times but for `other_times` (of which `nearest`, ms, began nearest). `opened` and
    `was_opened` count those that open a TCP connection. `other_ports` are with the far end, but otherwise than
    reported; `to_service` go to the reported port of anybody. `rate` is the highest sampling rate, 0 where no flow said
    one, `rate_unknown` counts flows without. `tenants` are those that the flows were stored under. `entered` are the
    interfaces by which the pair's flows came in, `usual` those of the address's others; `minutes` are since 1970.
    """

    sent: int = 0
    received: int = 0
    peers: int = 0
    pair_sent: int = 0
    pair_received: int = 0
    packets_sent: int = 0
    octets_sent: int = 0
    packets_received: int = 0
    first_sent: int = 0
    first_received: int = 0
    last_sent: int = 0
    opened: int = 0
    was_opened: int = 0
    from_service: int = 0
    other_ports: int = 0
    other_times: int = 0
    nearest: int = 0
    to_service: int = 0
    service_peers: int = 0
    rate: int = 0
    rate_unknown: int = 0
    exporters: tuple[IPv6Address, ...] = ()
    tenants: tuple[str, ...] = ()
    entered: tuple[tuple[IPv6Address, int], ...] = ()
    usual: tuple[tuple[IPv6Address, int], ...] = ()
    minutes: tuple[int, ...] = ()


def facts(client: Client, claims: Sequence[Claim], source: str) -> list[Facts]:
    """Return what the flows in `source`, a table or view of flows, show of each claim, in their order.

    Of many claims, those that flows between the two ends bear out have these alone: nothing of the address's others,
    and what the address received is left out of the rest.
    """
    if len(claims) <= _FEW:
        return _ask(client, claims, source, _OF_ADDRESSES, _WHOLE)
    found = _ask(client, claims, source, _OF_PAIRS, _AT_ONCE)
    open_ = [place for place, one in enumerate(found) if not one.pair_sent]
    for place, other in zip(
        open_, _ask(client, [claims[place] for place in open_], source, _OF_ADDRESSES, _SENT), strict=True
    ):
        received = {name: getattr(found[place], name) for name in _RECEIVED}
        found[place] = replace(other, **received, other_ports=max(found[place].other_ports, other.other_ports))
    return found


_RECEIVED = ("pair_received", "packets_received", "first_received", "was_opened")


def _ask(client: Client, claims: Sequence[Claim], source: str, met: str, ends: Sequence[str]) -> list[Facts]:
    """Return what the flows that `met` lets through show, seen from some of their `ends`."""
    if not claims:
        return []
    since, until = span(claims)
    parameters = Parameters()
    times = within(since, until + EXPORT_DELAY, parameters)
    sides = [_SIDE.format(*_ENDS[end], source=source, times=times, met=_met(met, end)) for end in ends]
    measures = ", ".join(f"{sql} AS `{name}_`" for name, sql in _MEASURES.items())
    joined = _JOINED.format(sides=" UNION ALL ".join(sides))
    sql = f"SELECT id, {measures} FROM ({joined}) GROUP BY id"  # noqa: S608 - names of our own
    found = client.query(sql, parameters.values, beside=Beside("claims", STRUCTURE, table(claims))).rows
    by_number = {number: Facts(*map(_plain, values)) for number, *values in found}
    return [by_number.get(number, Facts()) for number in range(len(claims))]


def _met(condition: str, end: str) -> str:
    """Return the condition on rows that have something to do with a claim by one of their ends."""
    if end == "either":
        return f"({_met(condition, 'source')} OR {_met(condition, 'destination')})"
    met = condition.format(*_ENDS[end])
    # first of all the one that reads a column which mostly is nothing but zeros
    return (
        f"post_nat_src_addr != toIPv6('::') AND post_nat_src_addr != src_addr AND {met}" if end == "translated" else met
    )


def span(claims: Iterable[Claim]) -> tuple[datetime, datetime]:
    """Return from when to when flows of any of the claims, and those near in time, may have been seen."""
    nears = [claim.near for claim in claims]
    return min(first for first, _ in nears), max(last for _, last in nears) + timedelta(milliseconds=1)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
