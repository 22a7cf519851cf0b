"""Random flows of few distinct values, as dicts by column, so that everyday filters hit some and miss some."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from typing import Any

import numpy as np

from query.sql import Sql
from schema.batch import Flows, Symbols
from schema.columns import DIRECTIONS, FLOW_COLUMNS, FLOW_TYPES, LAYERS, TUNNELS, Column, Kind

SINCE = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)  # or they would expire
UNTIL = SINCE + timedelta(hours=1)

V4 = ("10.0.0.1", "10.0.0.2", "10.0.1.7", "10.1.0.1", "192.0.2.1", "192.0.2.200", "198.51.100.7", "0.0.0.0")
V6 = ("2001:db8::1", "2001:db8::2", "2001:db8:1::1", "2001:db8:ffff::9", "fe80::1", "ff02::1")
PORTS = (0, 22, 53, 80, 443, 1024, 33434, 65535)
FLAGS = (0, 2, 16, 18, 20, 24, 27, 63, 194)
NAMES = ("acme", "beta-2", "unassigned", "Große Bäckerei", "it's", 'a "b"', "c\\d", "any")
AS_NUMBERS = (0, 1, 64500, 64501, 4200000000)
INTERFACES = (0, 1, 3, 10, 2**32 - 1)
STATUSES = (0, 64, 65, 131, 192, 255)
VRFS = (0, 1, 4096, 2**32 - 1)
MASKS = (0, 8, 24, 32, 128)
MACS = (0, 0x001B540A0B0C, 2**48 - 1)
DURATIONS = (0, 1, 999, 1_500)
APPLICATIONS = (0, 50331728, 218103809)

Row = dict[str, Any]
Ask = Callable[[Sql], list[tuple[Any, ...]]]


def name_of(row: Row, word: str, number: int) -> str | None:
    """What a row's exporter calls an interface or an application; a third of them have no names."""
    return f"{word} {number % 5}" if number and row["observation_domain"] % 3 else None


def mapped(text: str) -> IPv6Address:
    return IPv6Address(f"::ffff:{text}") if "." in text else IPv6Address(text)


def random_rows(count: int, seed: int) -> list[Row]:
    """Flows with every column; `observation_domain` is the row's number and `bytes` differ from row to row."""
    chance = random.Random(seed)
    return [_row(chance, number) for number in range(count)]


def _row(chance: random.Random, number: int) -> Row:
    row: Row = {column.name: _zero(column.kind, column.names) for column in FLOW_COLUMNS}
    pool = chance.choice((V4, V4, V6))
    proto = chance.choice((6, 6, 17, 58 if pool is V6 else 1, 47))
    row |= {
        "time_received": SINCE + timedelta(milliseconds=chance.randrange(3_600_000)),
        "flow_type": chance.choice(FLOW_TYPES[1:]),
        "exporter": mapped(chance.choice(V4)),
        "observation_domain": number,
        "sampling_rate": chance.choice((0, 1, 100)),
        "src_addr": mapped(chance.choice(pool)),
        "dst_addr": mapped(chance.choice(pool)),
        "next_hop": mapped(chance.choice(pool)),
        "proto": proto,
        "tos": chance.choice((0, 0, 8, 184)),
        "bytes": 10 ** chance.randint(2, 9) + number,
        "packets": 10 ** chance.randint(0, 4),
        "in_if": chance.choice(INTERFACES),
        "out_if": chance.choice(INTERFACES),
        "src_as": chance.choice(AS_NUMBERS),
        "dst_as": chance.choice(AS_NUMBERS),
        "src_vlan": chance.choice((0, 5, 4094)),
        "dst_vlan": chance.choice((0, 5, 4094)),
        "inner_vlan": chance.choice((0, 0, 7)),
        "src_peer_as": chance.choice(AS_NUMBERS),
        "dst_peer_as": chance.choice(AS_NUMBERS),
        "src_mask": chance.choice(MASKS),
        "dst_mask": chance.choice(MASKS),
        "src_mac": chance.choice(MACS),
        "dst_mac": chance.choice(MACS),
        "application": chance.choice(APPLICATIONS),
        "src_tenant": chance.choice(NAMES),
        "dst_tenant": chance.choice(NAMES),
        "direction": chance.choice(DIRECTIONS),
        "retention_class": chance.choice(("short", "long")),
    }
    row["flow_start"] = SINCE - timedelta(milliseconds=chance.randrange(2_000, 50_000))
    row["flow_end"] = row["flow_start"] + timedelta(milliseconds=chance.choice(DURATIONS))
    row |= {"forwarding_status": chance.choice(STATUSES), "flow_direction": chance.choice((0, 1))}
    row |= {"in_vrf": chance.choice(VRFS), "out_vrf": chance.choice(VRFS)}
    row["mpls_labels"] = chance.choice(([], [], [16], [2**20 - 1, 17], list(range(16, 26))))
    row |= chance.choice((_plain, _tunnelled, _translated, _block, _firewall))(chance, pool)
    if proto in (1, 58):
        row |= {"icmp_type": chance.choice((0, 3, 8, 128)), "icmp_code": chance.choice((0, 1, 3))}
    if proto in (6, 17):
        row |= {"src_port": chance.choice(PORTS), "dst_port": chance.choice(PORTS)}
    if proto == 6:
        row["tcp_flags"] = chance.choice(FLAGS)
    return row


def _plain(chance: random.Random, pool: tuple[str, ...]) -> Row:
    return {}


def _tunnelled(chance: random.Random, pool: tuple[str, ...]) -> Row:
    return {
        "tunnel": chance.choice(TUNNELS[1:]),
        "tunnel_layer": chance.choice(LAYERS[1:]),
        "tunnel_src_addr": mapped(chance.choice(V4 + V6)),
        "tunnel_dst_addr": mapped(chance.choice(V4 + V6)),
    }


def _translated(chance: random.Random, pool: tuple[str, ...]) -> Row:
    return {
        "nat_event": chance.choice((1, 2, 4)),
        "post_nat_src_addr": mapped(chance.choice(pool)),
        "post_nat_dst_addr": mapped(chance.choice(pool)),
        "post_nat_src_port": chance.choice(PORTS),
        "post_nat_dst_port": chance.choice(PORTS),
    }


def _block(chance: random.Random, pool: tuple[str, ...]) -> Row:
    """The record that gives a subscriber, the source, a block of ports of a public address."""
    first = chance.choice((2048, 2112, 65472))
    return {
        "nat_event": 16,
        "post_nat_src_addr": mapped(chance.choice(pool)),
        "nat_port_start": first,
        "nat_port_end": first + 63,
    }


def _firewall(chance: random.Random, pool: tuple[str, ...]) -> Row:
    return {
        "firewall_event": chance.choice((1, 2, 3, 5)),
        "firewall_event_code": chance.choice((1001, 1004, 2030)),
        "user_name": chance.choice(NAMES),
    }


def _zero(kind: Kind, names: tuple[str, ...]) -> Any:
    zeros: dict[Kind, Any] = {
        Kind.TIME: SINCE, Kind.ADDRESS: IPv6Address(0), Kind.SYMBOL: "", Kind.LABELS: [], Kind.SEGMENTS: [],
        Kind.ENUM: names[:1]
    }  # fmt: skip
    zero = zeros.get(kind, 0)
    return zero[0] if isinstance(zero, tuple) else zero


def as_flows(rows: list[Row]) -> Flows:
    """The rows as a batch."""
    flows = Flows(len(rows))
    for column in FLOW_COLUMNS:
        values = [row[column.name] for row in rows]
        if column.kind is Kind.SYMBOL:
            names = sorted(set(values))
            flows.symbols[column.name] = Symbols(np.array([names.index(value) for value in values], "i4"), names)
        else:
            flows.arrays[column.name] = np.array([_stored(column, value) for value in values], column.dtype)
    return flows


def _stored(column: Column, value: Any) -> Any:
    match column.kind:
        case Kind.TIME:
            return round(value.timestamp() * 1000)
        case Kind.ADDRESS:
            return list(value.packed)
        case Kind.ENUM:
            return column.names.index(value)
        case Kind.LABELS:
            return [label << 4 for label in value] + [0] * (column.width - len(value))
        case Kind.SEGMENTS:
            return [0] * column.width
        case _:
            return value
