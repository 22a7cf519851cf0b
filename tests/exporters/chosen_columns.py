"""The flows that records are, worked out from the fields that tshark shows: which of several values counts, said anew.

This is the rule of docs/columns.md written a second time, as plainly as it goes and a record at a time. It shares no
code with `decoders`, so that the two can be held against each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np

from schema.columns import BY_NAME, Kind
from schema.render import time_text
from tests.exporters.tshark_reading import REVERSE, Found, Record

Row = dict[str, Any]
"""A flow as `flowkeep decode` shows it; only the columns that are not absent."""

SOURCES: dict[str, dict[int, str]] = {
    "bytes": {
        1: "octets", 85: "permanent_octets", 23: "post_octets", 171: "post_total_octets", 231: "initiator_octets",
    },
    "packets": {
        2: "packets", 86: "permanent_packets", 24: "post_packets", 172: "post_total_packets", 298: "initiator_packets",
    },
    "bytes_total": {85: "permanent_octets"},
    "packets_total": {86: "permanent_packets"},
    "proto": {4: "protocol"},
    "tos": {5: "tos"},
    "tcp_flags": {6: "tcpflags"},
    "src_port": {7: "srcport", 180: "srcport", 182: "srcport"},
    "dst_port": {11: "dstport", 181: "dstport", 183: "dstport"},
    "src_addr": {8: "srcaddr", 27: "srcaddrv6"},
    "dst_addr": {12: "dstaddr", 28: "dstaddrv6"},
    "next_hop": {15: "nexthop", 62: "nexthopv6", 18: "bgpnexthop", 63: "bgpnexthopv6"},
    "in_if": {10: "inputint", 252: "ingress_physical_interface"},
    "out_if": {14: "outputint", 253: "egress_physical_interface"},
    "in_vrf": {234: "ingress_vrfid"},
    "out_vrf": {235: "egress_vrfid"},
    "src_mask": {9: "srcmask", 29: "srcmaskv6"},
    "dst_mask": {13: "dstmask", 30: "dstmaskv6"},
    "src_as": {16: "srcas"},
    "dst_as": {17: "dstas"},
    "src_vlan": {58: "vlanid", 243: "dot1q_vlan_id"},
    "dst_vlan": {59: "post_vlanid", 254: "post_dot1q_vlan_id"},
    "src_mac": {56: "srcmac", 81: "post_srcmac"},
    "dst_mac": {80: "dstmac", 57: "post_dstmac"},
    "flow_direction": {61: "direction"},
    "forwarding_status": {89: "forwarding_status"},
    "firewall_event": {233: "firewall_event", 40005: "firewall_event"},
    "firewall_event_code": {33002: "fw_ext_event"},
    "nat_event": {230: "nat_event"},
    "flow_end_reason": {136: "flow_end_reason"},
    "layer2_segment_id": {351: "layer2_segment_id"},
    "post_nat_src_addr": {225: "post_natsource_ipv4_address", 281: "post_nat_source_ipv6_address",
                          40001: "post_natsource_ipv4_address"},
    "post_nat_dst_addr": {226: "post_natdestination_ipv4_address", 282: "post_nat_destination_ipv6_address",
                          40002: "post_natdestination_ipv4_address"},
    "post_nat_src_port": {227: "post_naptsource_transport_port", 40003: "post_naptsource_transport_port"},
    "post_nat_dst_port": {228: "post_naptdestination_transport_port", 40004: "post_naptdestination_transport_port"},
    "user_name": {371: "user_name", 40000: "aaa_username"},
    "flow_start": {152: "abstimestart", 154: "abstimestart", 156: "abstimestart", 150: "abstimestart",
                   22: "timestart abstimestart", 323: "observation_time_milliseconds"},
    "flow_end": {153: "abstimeend", 155: "abstimeend", 157: "abstimeend", 151: "abstimeend", 21: "timeend abstimeend"},
}  # fmt: skip
"""By column the elements that fill it, the preferred one first, each with tshark's name without `cflow.`."""

OTHERS = {
    95: "appl_id.classification_engine_id", 32: "icmp_type_code_ipv4", 139: "icmp_type_code_ipv6",
    176: "icmp_ipv4_type", 177: "icmp_ipv4_code", 178: "icmp_ipv6_type", 179: "icmp_ipv6_code", 161: "timedelta",
    148: "flow_id", 232: "responder_octets", 299: "responder_packets", 160: "sys_init_time", 34: "sampling_interval",
    50: "sampler_random_interval", 48: "sampler_id", 302: "selector_id", 305: "sampling_packet_interval",
    306: "sampling_packet_space",
}  # fmt: skip
"""Elements that fill no column by themselves, or not so plainly."""

NAMES = {
    (0, id_): tuple(f"cflow.{name}" for name in names.split())
    for ids in (*SOURCES.values(), OTHERS)
    for id_, names in ids.items()
}
"""What tshark calls the elements, whichever of the names it uses: 1970 (abstime...) is its word for an uptime of 0."""

DURATION = "flow_end from durations and event times"
RESPONDERS = "flows of responders"
DELETES = "delete events less what update events counted"
"""Parts of the rule that can be left out."""

_ICMP_PROTOCOLS = (1, 58)
_ABSENT = ("0.0.0.0", "::", "00:00:00:00:00:00", "1970-01-01T00:00:00.000Z", "", 0)
_ABSENT_BY_NAME = {("in_if_form", "index"), ("out_if_form", "index"), ("tunnel", "none"), ("tunnel_layer", "only")}
_MIRRORED = (
    ("src_addr", "dst_addr"), ("src_port", "dst_port"), ("src_mask", "dst_mask"), ("src_as", "dst_as"),
    ("src_vlan", "dst_vlan"), ("src_mac", "dst_mac"), ("in_if", "out_if"), ("in_vrf", "out_vrf"),
    ("post_nat_src_addr", "post_nat_dst_addr"), ("post_nat_src_port", "post_nat_dst_port"),
)  # fmt: skip
_ONE_WAY = ("bytes", "packets", "bytes_total", "packets_total", "tcp_flags", "next_hop")
_EVENTS = ("firewall_event", "firewall_event_code", "nat_event")


def present(row: Row) -> Row:
    """Return a row without the columns that are absent; an address of zeros is one, whichever family it is of."""
    given = {name: value for name, value in row.items() if value not in _ABSENT and value != []}
    return {name: value for name, value in given.items() if (name, value) not in _ABSENT_BY_NAME}


class Exporter:
    """What earlier records of one capture tell of later ones."""

    def __init__(self, left_out: Iterable[str] = ()) -> None:
        self.left_out = frozenset(left_out)
        self.started: dict[int, int] = {}  # ms since 1970, by domain
        self.rates: dict[tuple[int, int | None], int] = {}  # by domain and sampler, None for all flows
        self.counted: Counter[tuple[int, bytes, str]] = Counter()  # by domain, connection and column

    def learn(self, record: Record) -> None:
        """Take in a record of options data."""
        fields = _forward(record)
        if 160 in fields:
            self.started[record.domain] = _milliseconds(fields[160].show)
        rate = _rate(fields)
        if rate:
            sampler = next((_uint(fields[id_]) for id_ in (48, 302) if id_ in fields), None)
            self.rates[record.domain, sampler] = rate

    def flows(self, record: Record) -> Iterator[Row]:
        """Yield the flow of a data record, and that of the opposite direction where the record tells of both."""
        fields = _forward(record)
        row = self._row(record, fields)
        row["flow_type"] = {5: "netflow5", 9: "netflow9", 10: "ipfix"}[record.version]
        row["observation_domain"] = record.domain
        row["sampling_rate"] = self._sampling(record, fields)
        self._settle_delete(record, fields, "initiator", row)
        yield present(row)
        back = {found.id: found for found in record.fields if found.enterprise == REVERSE}
        told = self._row(record, back) if back else self._responder(record, fields)
        if told.get("bytes") or told.get("packets"):
            explicit = {column for column, ids in SOURCES.items() if ids.keys() & back.keys()}
            other = {name: value for name, value in _turned(row).items() if name not in explicit}
            yield present(other | told)

    def _row(self, record: Record, fields: dict[int, Found]) -> Row:
        row: Row = {}
        for column, ids in SOURCES.items():
            values = (self._value(column, fields[id_], record) for id_ in ids if id_ in fields)
            row[column] = next((value for value in values if value not in _ABSENT), 0)
        _settle_icmp(row, fields)
        if 95 in fields:
            engine, selector = fields[95].octets[0], fields[95].octets[1:]
            row["application"] = engine << (24 if len(selector) <= 3 else 56) | int.from_bytes(selector)
        if not row["flow_end"] and DURATION not in self.left_out:
            if 161 in fields and row["flow_start"]:
                row["flow_end"] = row["flow_start"] + _uint(fields[161])
            elif 323 in fields:
                row["flow_end"] = _milliseconds(fields[323].show)
        for column in ("flow_start", "flow_end"):
            row[column] = time_text(row[column])
        return present(row)

    def _value(self, column: str, found: Found, record: Record) -> Any:
        match BY_NAME[column].kind:
            case Kind.ADDRESS | Kind.MAC | Kind.SYMBOL:
                return found.show
            case Kind.TIME:
                return self._time(found, record)
            case _:
                value = _uint(found)
                return value if value <= np.iinfo(BY_NAME[column].dtype).max else 0

    def _time(self, found: Found, record: Record) -> int:
        """Return ms since 1970, 0 where the exporter's uptime is not known."""
        if not found.show[0].isdigit():
            return _milliseconds(found.show)
        uptime = record.uptime_ms
        if uptime is None:
            if record.domain not in self.started:
                return 0
            uptime = record.export_ms - self.started[record.domain]
        ago = (uptime - _uint(found)) % 2**32
        return record.export_ms - (ago if ago < 2**31 else ago - 2**32)

    def _sampling(self, record: Record, fields: dict[int, Found]) -> int:
        samplers = [_uint(fields[id_]) for id_ in (48, 302) if id_ in fields]
        told = [self.rates.get((record.domain, sampler), 0) for sampler in samplers]
        plain = self.rates.get((record.domain, None), 0)
        return next((rate for rate in (*told, _rate(fields), plain, record.interval) if rate), 0)

    def _responder(self, record: Record, fields: dict[int, Found]) -> Row:
        """Return what the responder sent, nothing where the record does not tell the two sides apart."""
        if RESPONDERS in self.left_out or not fields.keys() & {231, 298}:
            return {}
        counters = {name: _uint(fields[id_]) for name, id_ in (("bytes", 232), ("packets", 299)) if id_ in fields}
        self._settle_delete(record, fields, "responder", counters)
        return counters

    def _settle_delete(self, record: Record, fields: dict[int, Found], side: str, counters: Row) -> None:
        """Take off a delete event's counters what the update events of its connection have told."""
        told = fields.get(233) or fields.get(40005)
        if not told or 148 not in fields or DELETES in self.left_out:
            return
        event = _uint(told)
        for name in {"bytes", "packets"} & counters.keys():
            key = record.domain, fields[148].octets, f"{side} {name}"
            if event == 5:
                self.counted[key] += counters[name]
            elif event == 2:
                counters[name] = max(counters[name] - self.counted.pop(key, 0), 0)


def _settle_icmp(row: Row, fields: dict[int, Found]) -> None:
    """Give ICMP flows type and code, from their own elements where the record has any, else from a port; no ports."""
    types = [_uint(fields[id_]) >> 8 for id_ in (32, 139) if id_ in fields]
    codes = [_uint(fields[id_]) & 0xFF for id_ in (32, 139) if id_ in fields]
    types += [_uint(fields[id_]) for id_ in (176, 178) if id_ in fields]
    codes += [_uint(fields[id_]) for id_ in (177, 179) if id_ in fields]
    row["icmp_type"], row["icmp_code"] = (next(filter(None, told), 0) for told in (types, codes))
    if row["proto"] in _ICMP_PROTOCOLS:
        source, destination = row.pop("src_port"), row.pop("dst_port")
        if not types and not codes:
            row["icmp_type"], row["icmp_code"] = divmod(destination, 256) if destination else divmod(source, 256)[::-1]


def _turned(row: Row) -> Row:
    """Return the columns of the opposite flow, but for what was counted; an event is told once."""
    other = {here: there for pair in _MIRRORED for here, there in (pair, pair[::-1])}
    return {other.get(name, name): value for name, value in row.items() if name not in _ONE_WAY + _EVENTS}


def _rate(fields: dict[int, Found]) -> int:
    figures = {id_: _uint(fields[id_]) for id_ in (34, 50, 305, 306) if id_ in fields}
    interval = figures.get(305, 0)
    packets = (interval + figures.get(306, 0)) // interval if interval else 0
    return figures.get(34) or figures.get(50) or packets


def _forward(record: Record) -> dict[int, Found]:
    """Return the fields of the IANA registry by element; of one that comes twice the first."""
    return {found.id: found for found in reversed(record.fields) if found.enterprise == 0}


def _uint(found: Found) -> int:
    return int.from_bytes(found.octets)


def _milliseconds(show: str) -> int:
    """Return ms since 1970 of a time as tshark shows it: `Oct  9, 2017 20:22:20.637000000 UTC`."""
    moment, fraction = show.removesuffix(" UTC").split(".")
    seconds = datetime.strptime(moment, "%b %d, %Y %H:%M:%S").replace(tzinfo=UTC).timestamp()
    return int(seconds) * 1000 + int(fraction[:3])
