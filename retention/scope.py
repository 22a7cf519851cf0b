"""What a hold covers: tenants, networks, connections or everything, received within a span of time. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from schema.addresses import packed, shown
from settings.errors import ConfigError

_END = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<four>[0-9.]+)):(?P<port>\d{1,5})")
_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58, "sctp": 132}
_MAPPED_BITS = 96
MOST_CONNECTIONS = 20
"""Flows that one hold may name: each takes five parameters of every query about what is held."""
_FLOW_FORM = "'192.0.2.7:51000 198.51.100.1:443 tcp', IPv6 addresses in square brackets"


@dataclass(frozen=True, slots=True, order=True)
class Connection:
    """A 5-tuple, whose flows are covered in either direction; `protocol` is IANA's number."""

    source: IPv6Address
    source_port: int
    destination: IPv6Address
    destination_port: int
    protocol: int

    def __str__(self) -> str:
        return f"{_end(self.source, self.source_port)} {_end(self.destination, self.destination_port)} {self.protocol}"


@dataclass(frozen=True, slots=True)
class Scope:
    """Rows of any of the `tenants`, `networks` or `connections`, or `everything`, by `time_received`.

    From `since` up to, not including, `until`; None is without bound, so that without `until` the hold runs on. IPv4 is
    mapped into IPv6, as stored. A network covers a row by any address that the row has, translated and tunnel's too.
    """

    tenants: tuple[str, ...] = ()
    networks: tuple[IPv6Network, ...] = ()
    connections: tuple[Connection, ...] = ()
    everything: bool = False
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if not (self.tenants or self.networks or self.connections or self.everything):
            raise ConfigError("a hold covers nothing: name a tenant, an address, a prefix or a flow, or say --all")
        if not all(self.tenants):
            raise ConfigError("a hold's tenant has no name")
        if self.since and self.until and self.since >= self.until:
            raise ConfigError(f"a hold from {self.since.isoformat()} until {self.until.isoformat()} covers no time")
        if len(self.connections) > MOST_CONNECTIONS:
            raise ConfigError(f"a hold covers at most {MOST_CONNECTIONS} flows; place another for the rest")
        if any(int(network.network_address) == 0 for network in self.networks):
            raise ConfigError(
                "a prefix that begins at '::' covers rows that have no address; name a longer one, or say --all"
            )

    def meets(self, day: date) -> bool:
        """Say whether any moment of the day, UTC, is within the span."""
        start = datetime.combine(day, time(), UTC)
        return (self.until is None or self.until > start) and (
            self.since is None or self.since < start + timedelta(days=1)
        )

    def joined(self, other: Scope) -> Scope:
        """Return a scope that covers at least what either does."""
        return Scope(
            tuple(sorted({*self.tenants, *other.tenants})),
            tuple(sorted({*self.networks, *other.networks})),
            tuple(sorted({*self.connections, *other.connections})),
            self.everything or other.everything,
            min(self.since, other.since) if self.since and other.since else None,
            max(self.until, other.until) if self.until and other.until else None,
        )

    def as_json(self) -> dict[str, Any]:
        """Return what `read_scope` reads; equal for scopes that name the same, in whatever order."""
        return {
            "tenants": sorted(self.tenants),
            "networks": sorted(map(network_text, self.networks)),
            "connections": sorted(map(str, self.connections)),
            "everything": self.everything,
            "since": self.since.astimezone(UTC).isoformat() if self.since else None,
            "until": self.until.astimezone(UTC).isoformat() if self.until else None,
        }

    def __str__(self) -> str:
        what = [
            *(f"tenant {tenant}" for tenant in self.tenants),
            *(network_text(network) for network in self.networks),
            *(f"flow {connection}" for connection in self.connections),
        ]
        span = [f"from {self.since:%Y-%m-%d %H:%M:%S}Z" if self.since else ""]
        span.append(f"until {self.until:%Y-%m-%d %H:%M:%S}Z" if self.until else "and running on")
        return " ".join(filter(None, ["everything" if self.everything else " or ".join(what), *span]))


EVERYTHING = Scope(everything=True)


def read_scope(value: Mapping[str, Any]) -> Scope:
    """Return the scope that `as_json` wrote; ValueError, KeyError or TypeError for anything else."""
    known = {"tenants", "networks", "connections", "everything", "since", "until"}
    if set(value) != known or not isinstance(value["everything"], bool):
        raise ValueError(f"a scope says {sorted(known)}, not {sorted(value)}")
    try:
        return Scope(
            tuple(map(str, value["tenants"])),
            tuple(map(parse_network, value["networks"])),
            tuple(map(parse_connection, value["connections"])),
            value["everything"],
            _moment(value["since"]),
            _moment(value["until"]),
        )
    except ConfigError as error:
        raise ValueError(str(error)) from None


@lru_cache(2**16)
def parse_network(text: str) -> IPv6Network:
    """Return an address or a prefix, IPv4 mapped; ConfigError where it is neither, or has bits behind its length."""
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        raise ConfigError(f"'{text}' is no address or prefix ({error})") from None
    if network.version == 6:
        return network
    return IPv6Network((packed(network.network_address), network.prefixlen + _MAPPED_BITS))


def network_text(network: IPv6Network) -> str:
    """Return a network as people write it: IPv4 as such, and an address without its length."""
    address, length = network.network_address, network.prefixlen
    if address.ipv4_mapped is not None and length >= _MAPPED_BITS:
        return f"{address.ipv4_mapped}" + (f"/{length - _MAPPED_BITS}" if length < network.max_prefixlen else "")
    return f"{address}" + (f"/{length}" if length < network.max_prefixlen else "")


def parse_connection(text: str) -> Connection:
    """Return the 5-tuple that `SRC:PORT DST:PORT PROTO` says; ConfigError where it says none."""
    words = text.split()
    if len(words) != 3:
        raise ConfigError(f"'{text}' is no flow; write {_FLOW_FORM}")
    protocol = _NUMBERS.get(words[2].lower(), words[2])
    if not str(protocol).isdecimal() or int(protocol) > 255:
        raise ConfigError(f"'{text}': '{words[2]}' is no protocol: write tcp, udp, or IANA's number")
    (source, source_port), (destination, destination_port) = (_parse_end(word, text) for word in words[:2])
    return Connection(source, source_port, destination, destination_port, int(protocol))


def _parse_end(word: str, text: str) -> tuple[IPv6Address, int]:
    match = _END.fullmatch(word)
    try:
        if not match or int(match["port"]) > 65535:
            raise ValueError(word)
        return _mapped(ip_address(match["six"] or match["four"])), int(match["port"])
    except ValueError:
        raise ConfigError(f"'{text}': '{word}' is no address and port; write {_FLOW_FORM}") from None


def _mapped(address: IPv4Address | IPv6Address) -> IPv6Address:
    return IPv6Address(packed(address))


def _end(address: IPv6Address, port: int) -> str:
    text = shown(address)
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"'{text}' has no zone")
    return moment.astimezone(UTC)


def canonical(scope: Scope) -> str:
    """Return a text that is the same for scopes that name the same."""
    return json.dumps(scope.as_json(), sort_keys=True)
