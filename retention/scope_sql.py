"""What scopes cover, as conditions on the rows of a table: every value a parameter, none of them in the text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from query.sql import MAX_PARAMETERS, Parameters, instant
from retention.scope import Connection, Scope
from settings.errors import RefusalError
from storage.held_tables import HELD_COLUMNS

_ADDRESSES = (
    "src_addr", "dst_addr", "post_nat_src_addr", "post_nat_dst_addr", "tunnel_src_addr", "tunnel_dst_addr"
)  # fmt: skip
"""Every name that a host may have in a row."""
_TENANTS = ("src_tenant", "dst_tenant", "tenant")
_ENDS = ("src_addr", "src_port", "dst_addr", "dst_port", "proto")
_TRANSLATED = ("post_nat_src_addr", "post_nat_src_port", "post_nat_dst_addr", "post_nat_dst_port")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def covered_by_each(scopes: Sequence[Scope], table: str, parameters: Parameters) -> list[str]:
    """Return the condition of each scope on rows of `table`, whose values go to `parameters`.

    RefusalError where there are more than ClickHouse takes in one query.
    """
    conditions = [_condition(scope, set(HELD_COLUMNS[table]), parameters) for scope in scopes]
    if len(parameters.values) > MAX_PARAMETERS:
        raise RefusalError(f"{len(scopes)} holds at once are more than a query takes; release what is over")
    return conditions


def any_of(conditions: Sequence[str]) -> str:
    """Return the condition that one of `conditions` holds: none does where there is none."""
    return "(" + " OR ".join(f"({one})" for one in conditions) + ")" if conditions else "0"


def touches(scope: Scope, table: str) -> bool:
    """Say whether rows of the table have what the scope goes by."""
    return _condition(scope, set(HELD_COLUMNS[table]), Parameters()) != "0"


def _condition(scope: Scope, columns: set[str], parameters: Parameters) -> str:
    if scope.everything:
        return _within(scope, "1", parameters)
    parts = [f"{name} IN {placeholder}" for name, placeholder in _of_tenants(scope, columns, parameters)]
    parts += _of_networks(scope, columns, parameters)
    if columns.issuperset(_ENDS):
        translated = columns.issuperset(_TRANSLATED)
        parts += [_of_connection(connection, translated, parameters) for connection in scope.connections]
    return _within(scope, any_of(parts), parameters) if parts else "0"


def _within(scope: Scope, condition: str, parameters: Parameters) -> str:
    bounds = [f"time_received >= {_moment(scope.since, parameters)}"] if scope.since else []
    bounds += [f"time_received < {_moment(scope.until, parameters)}"] if scope.until else []
    return " AND ".join([*bounds, condition])


def _moment(moment: datetime, parameters: Parameters) -> str:
    milliseconds = -((_EPOCH - moment) // timedelta(milliseconds=1))  # upwards: rows have whole milliseconds
    return instant(milliseconds, parameters)


def _of_tenants(scope: Scope, columns: set[str], parameters: Parameters) -> list[tuple[str, str]]:
    there = [name for name in _TENANTS if name in columns]
    if not (scope.tenants and there):
        return []
    placeholder = parameters.add(list(scope.tenants), "Array(String)")
    return [(name, placeholder) for name in there]


def _of_networks(scope: Scope, columns: set[str], parameters: Parameters) -> list[str]:
    """Hosts go by equality, which the indexes serve; networks by their first and last address, however many, in two."""
    there = [name for name in _ADDRESSES if name in columns]
    hosts = [str(network[0]) for network in scope.networks if network.num_addresses == 1]
    parts = []
    if hosts and there:
        placeholder = parameters.add(hosts, "Array(IPv6)")
        parts += [f"{name} IN {placeholder}" for name in there]
    wide = [network for network in scope.networks if network.num_addresses > 1]
    if len(wide) == 1 and there:
        low, high = (parameters.add(str(wide[0][end]), "IPv6") for end in (0, -1))
        parts += [f"{name} BETWEEN {low} AND {high}" for name in there]
    elif wide and there:
        lows, highs = (parameters.add([str(network[end]) for network in wide], "Array(IPv6)") for end in (0, -1))
        parts += [f"arrayExists((low, high) -> {name} BETWEEN low AND high, {lows}, {highs})" for name in there]
    return parts


def _of_connection(connection: Connection, translated: bool, parameters: Parameters) -> str:
    ends = [
        (parameters.add(str(address), "IPv6"), parameters.add(port, "UInt16"))
        for address, port in (
            (connection.source, connection.source_port),
            (connection.destination, connection.destination_port),
        )
    ]
    protocol = parameters.add(connection.protocol, "UInt8")
    ways = [
        f"({_is('src', *one, translated)} AND {_is('dst', *other, translated)})"
        for one, other in (ends, reversed(ends))
    ]
    return f"proto = {protocol} AND ({' OR '.join(ways)})"


def _is(end: str, address: str, port: str, translated: bool) -> str:
    """Return the test of an end of a flow, also as translated: where only its address was, the port stays."""
    plain = f"({end}_addr = {address} AND {end}_port = {port})"
    if not translated:
        return plain
    ports = f"if(post_nat_{end}_port = 0, {end}_port, post_nat_{end}_port)"
    return f"({plain} OR (post_nat_{end}_addr = {address} AND {ports} = {port}))"
