"""What flows are counted by: nfdump's statistics (`-s`) and aggregations (`-A`), and ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from query.words import nearest
from schema.columns import MAX_LABELS
from settings.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Statistic:
    """What to count by: SQL of columns of flows; with two, a flow counts once for each value at its ends.

    `columns` are the columns that the SQL reads.
    """

    name: str
    values: tuple[str, ...]
    columns: tuple[str, ...]


_ENDED: Mapping[str, str] = {
    "ip": "addr", "port": "port", "as": "as", "vlan": "vlan", "mask": "mask", "mac": "mac", "tenant": "tenant",
}  # fmt: skip
"""Words that may have src or dst before them, and what the names of their columns end in."""

_SINGLE: Mapping[str, str] = {
    "proto": "proto",
    "tos": "tos",
    "dir": "flow_direction",
    "flags": "tcp_flags",
    "inif": "in_if",
    "outif": "out_if",
    "nhip": "next_hop",
    "prevas": "src_peer_as",
    "nextas": "dst_peer_as",
    "exporter": "exporter",
    "odid": "observation_domain",
    "ivrf": "in_vrf",
    "evrf": "out_vrf",
    "event": "firewall_event",
    "xevent": "firewall_event_code",
    "nevent": "nat_event",
    "xsrcip": "post_nat_src_addr",
    "xdstip": "post_nat_dst_addr",
    "xsrcport": "post_nat_src_port",
    "xdstport": "post_nat_dst_port",
    "innervlan": "inner_vlan",
    "application": "application",
    "direction": "direction",
    "class": "retention_class",
    "type": "flow_type",
    "tunnel": "tunnel",
    "user": "user_name",
}

_SYNONYMS: Mapping[str, str] = {
    "router": "exporter",
    "next": "nhip",
    "invrf": "ivrf",
    "outvrf": "evrf",
    "insrcmac": "srcmac",
    "outdstmac": "dstmac",
    "app": "application",
    "xip": "xsrcip",
    "nsrcip": "xsrcip",
    "ndstip": "xdstip",
}
"""Other words of nfdump's."""


def _plain(name: str, *columns: str) -> Statistic:
    return Statistic(name, columns, columns)


def _network(name: str, end: str) -> Statistic:
    """Return the network of an end by the length of its route's prefix, that of IPv4 within ::ffff:0:0/96."""
    address, mask = f"{end}_addr", f"{end}_mask"
    length = f"if({_is_v4(address)}, 96 + {mask}, {mask})"
    return Statistic(name, (f"IPv6CIDRToRange({address}, toUInt8(least({length}, 128))).1",), (address, mask))


def _is_v4(address: str) -> str:
    return f"{address} BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255')"


STATISTICS: Mapping[str, Statistic] = {
    each.name: each
    for each in (
        *(_plain(f"src{word}", f"src_{column}") for word, column in _ENDED.items()),
        *(_plain(f"dst{word}", f"dst_{column}") for word, column in _ENDED.items()),
        *(_plain(word, f"src_{column}", f"dst_{column}") for word, column in _ENDED.items()),
        *(_plain(word, column) for word, column in _SINGLE.items()),
        _plain("if", "in_if", "out_if"),
        *(_plain(f"mpls{place}", f"mpls_labels[{place}]") for place in range(1, MAX_LABELS + 1)),
        _network("srcnet", "src"),
        _network("dstnet", "dst"),
    )
}
"""By their names; those of one of the ends as nfdump writes them."""

RECORD = ("proto", "srcip", "srcport", "dstip", "dstport")
"""What makes a connection, by one way: nfdump's `-s record` and `-a`."""

_CUT = re.compile(r"(src|dst)ip([46])/([0-9]{1,3})")
_BITS = {"4": 32, "6": 128}


def statistic(word: str) -> Statistic:
    """Return what a word of nfdump's or ours stands for, srcip4/24 among them; ConfigError for none of them."""
    name = word.strip().lower()
    cut = _CUT.fullmatch(name)
    if cut:
        return _cut(name, *cut.groups())
    found = STATISTICS.get(_SYNONYMS.get(name, name))
    if found is None:
        known = [*STATISTICS, *_SYNONYMS]
        raise ConfigError(f"unknown statistic '{name}'{nearest(name, known) or '; known are ' + ', '.join(STATISTICS)}")
    return found


def _cut(name: str, end: str, version: str, length: str) -> Statistic:
    """Return the network of an end that its address has with a length; addresses of the other version stay whole."""
    bits = int(length)
    if bits > _BITS[version]:
        raise ConfigError(f"'{name}': an address of IP version {version} has {_BITS[version]} bits")
    address = f"{end}_addr"
    cut = f"IPv6CIDRToRange({address}, {bits + 96 if version == '4' else bits}).1"
    four, six = (cut, address) if version == "4" else (address, cut)
    return Statistic(name, (f"if({_is_v4(address)}, {four}, {six})",), (address,))


def aggregation(text: str) -> tuple[Statistic, ...]:
    """Return what nfdump's `-A srcip,dstport` aggregates by; ConfigError for unknown words and for both ends in one."""
    found = tuple(statistic(word) for word in text.split(",") if word.strip())
    for each in found:
        if len(each.values) > 1:
            ends = "inif or outif" if each.name == "if" else f"src{each.name} or dst{each.name}"
            raise ConfigError(f"'{each.name}' is either end, and flows cannot be aggregated by it; write {ends}")
    if not found:
        raise ConfigError("name what to aggregate by, as in srcip,dstport")
    return tuple(dict.fromkeys(found))


def columns(of: Iterable[Statistic]) -> tuple[str, ...]:
    """Return the columns of flows that some statistics read, each once."""
    return tuple(dict.fromkeys(column.partition("[")[0] for each in of for column in each.columns))
