"""What was around a report: the address minute by minute, whom it reached, and who else had to do with the far ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from abuse.claims import Claim
from abuse.moments import BEGAN, ENDED
from query.sql import Parameters, within
from storage.client import Client

_LISTED = 20
_SCALED = "sum(packets * greatest(sampling_rate, 1)), sum(bytes * greatest(sampling_rate, 1))"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Rows of four questions, the largest `_LISTED` of each but the first.

    `timeline` is minute, flows, packets and octets sent, and received; `peers` far end, flows sent and received,
    packets, octets, first and last seen; `services` protocol, port of the far end, flows, far ends; `others` tenant,
    address, flows, first and last seen of those who also had to do with the reported far end.
    """

    timeline: list[tuple[Any, ...]]
    peers: list[tuple[Any, ...]]
    services: list[tuple[Any, ...]]
    others: list[tuple[Any, ...]]

    def as_json(self) -> dict[str, list[list[object]]]:
        """Return the rows as JSON."""
        return {
            name: [[_plain(value) for value in row] for row in getattr(self, name)]
            for name in ("timeline", "peers", "services", "others")
        }


def surroundings(client: Client, claim: Claim, source: str) -> Surroundings:
    """Return what was around a claim, in its times and an hour before and after, by flows in `source`."""
    since, until = claim.near
    return Surroundings(
        _ask(client, claim, since, until, source, "toStartOfMinute(time_received) AS minute, countIf(sent), "
             "sumIf(packets * greatest(sampling_rate, 1), sent), sumIf(bytes * greatest(sampling_rate, 1), sent), "
             "countIf(NOT sent), sumIf(packets * greatest(sampling_rate, 1), NOT sent), "
             "sumIf(bytes * greatest(sampling_rate, 1), NOT sent)", "minute", "minute", 10_000),
        _ask(client, claim, since, until, source, f"if(sent, dst_addr, src_addr) AS peer, countIf(sent), "
             f"countIf(NOT sent), {_SCALED}, min({BEGAN}), max({ENDED})", "peer", "count() DESC, peer", _LISTED),
        _ask(client, claim, since, until, source, "proto, dst_port, count() AS flows, uniq(dst_addr)",
             "proto, dst_port", "flows DESC, proto, dst_port", _LISTED, "AND sent"),
        _others(client, claim, since, until, source) if claim.target else [],
    )  # fmt: skip


def _ask(
    client: Client, claim: Claim, since: datetime, until: datetime, source: str, wanted: str, group: str, order: str,
    limit: int, more: str = "",
) -> list[tuple[Any, ...]]:  # fmt: skip
    parameters = Parameters()
    times, address = within(since, until, parameters), parameters.add(claim.address_mapped, "IPv6")
    sql = (
        f"SELECT {wanted} FROM (SELECT *, src_addr = {address} OR post_nat_src_addr = {address} AS sent "  # noqa: S608
        f"FROM {source} WHERE {times} AND (src_addr = {address} OR dst_addr = {address} "
        f"OR post_nat_src_addr = {address})) WHERE dst_addr != toIPv6('::') {more} "
        f"GROUP BY {group} ORDER BY {order} LIMIT {limit}"
    )
    return client.query(sql, parameters.values).rows


def _others(client: Client, claim: Claim, since: datetime, until: datetime, source: str) -> list[tuple[Any, ...]]:
    """Return others of ours, of any tenant, who had to do with the reported far end: a campaign shows here."""
    parameters = Parameters()
    times, address = within(since, until, parameters), parameters.add(claim.address_mapped, "IPv6")
    target = parameters.add(claim.target_mapped, "IPv6")
    sql = (
        "SELECT tenant, other, count() AS flows, min(began), max(ended) FROM ("  # noqa: S608 - our own names
        f"SELECT src_tenant AS tenant, src_addr AS other, {BEGAN} AS began, {ENDED} AS ended FROM {source} "
        f"WHERE {times} AND dst_addr = {target} UNION ALL "
        f"SELECT dst_tenant, dst_addr, {BEGAN}, {ENDED} FROM {source} WHERE {times} AND src_addr = {target}) "
        f"WHERE other != {address} AND tenant NOT IN ('', 'unassigned') "
        f"GROUP BY tenant, other ORDER BY flows DESC, tenant, other LIMIT {_LISTED}"
    )
    return client.query(sql, parameters.values).rows


def _plain(value: Any) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "ipv4_mapped"):
        return str(value.ipv4_mapped or value)
    return value
