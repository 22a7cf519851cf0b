"""The columns of tables by the names that reporters give them, or by what stands in them where there are no names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from intake import addresses
from intake.errors import UnreadError
from intake.times import Calendar
from intake.zones import zone

_NAMES = {
    "source": "src_ip source_ip srcip sourceip source_address src_address src_addr source_ip_address ip_source ip_src "
    "source src saddr attacker attacker_ip attacking_ip offender offender_ip offending_ip abuser_ip bot_ip client_ip "
    "client remote_ip remote_addr remote_address rhost reported_ip ip ip_address ipaddress ip_addr address addr",
    "source_port": "src_port srcport source_port sourceport sport spt s_port client_port remote_port port",
    "target": "dst_ip dest_ip destination_ip dstip destinationip destination_address dst_address dst_addr target_ip "
    "victim_ip server_ip target victim dst dest destination daddr",
    "target_port": "dst_port dstport dest_port destination_port destinationport dport dpt d_port target_port "
    "victim_port server_port",
    "time": "timestamp time datetime date_time event_time eventtime time_stamp detected detected_at detection_time "
    "observed observed_at seen occurred occurred_at when attack_time log_time epoch unix_time unixtime",
    "day": "date day",
    "first": "first_seen firstseen first start start_time starttime begin time_first",
    "last": "last_seen lastseen last end end_time endtime stop time_last",
    "zone": "tz zone timezone time_zone offset utc_offset tz_offset",
    "protocol": "proto protocol ip_protocol transport transport_protocol",
    "kind": "type category kind classification attack attack_type abuse_type event_type event infection tag threat "
    "reason",
    "packets": "packets packet_count pkts num_packets total_packets",
    "octets": "bytes octets byte_count total_bytes num_bytes",
    "reference": "report_id event_id reference ticket case_id id",
}
_NAMED = {what: names.split() for what, names in _NAMES.items()}
"""What reporters call each column: the names that say most first."""

_WITH_ZONE = re.compile(r"(?P<name>\w+?)_(?P<zone>utc|gmt|z)", re.ASCII)
_VALUE = re.compile(r"[0-9][.:][0-9]|::")
"""What addresses and times have, and no name of a column."""
_UNNAMED = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where what is in a row: places of cells, None for what no column tells; `zone_of_times` is by the header."""

    source: int
    source_port: int | None = None
    target: int | None = None
    target_port: int | None = None
    time: int | None = None
    day: int | None = None
    first: int | None = None
    last: int | None = None
    zone: int | None = None
    protocol: int | None = None
    kind: int | None = None
    packets: int | None = None
    octets: int | None = None
    reference: int | None = None
    zone_of_times: tzinfo | None = None


def normal(name: str) -> str:
    """Return the name of a column in lower case, its words joined by underscores."""
    return _UNNAMED.sub("_", name[:100].lower()).strip("_")


def by_names(header: Sequence[str]) -> Columns | None:
    """Return the columns that a header names; None where it names no source, or the row is no header."""
    if len(header) < 2 or any(_VALUE.search(cell) for cell in header):
        return None
    places: dict[str, int] = {}
    zones = set()
    for place, cell in enumerate(header):
        name = normal(cell)
        match = _WITH_ZONE.fullmatch(name)
        if match and match["name"] in (*_NAMED["time"], *_NAMED["first"], *_NAMED["last"], *_NAMED["day"]):
            zones.add(zone(match["zone"]))
            name = match["name"]
        places.setdefault(name, place)
    told = {what: _place(names, places) for what, names in _NAMED.items()}
    source = told.pop("source")
    if source is None:
        return None
    port = places.get("port")
    if port is not None and told["target"] is not None and port == told["source_port"] != source + 1:
        # Beside two addresses, a mere "port" is that of the one it follows, or does not say whose it is.
        told["source_port"] = None
        if told["target_port"] is None and port == told["target"] + 1:
            told["target_port"] = port
    if told["time"] is None and told["day"] is not None:
        told["time"], told["day"] = told["day"], None
    return Columns(source, **told, zone_of_times=zones.pop() if len(zones) == 1 else None)


def _place(names: list[str], places: dict[str, int]) -> int | None:
    return next((places[name] for name in names if name in places), None)


def by_contents(rows: Sequence[Sequence[str]], calendar: Calendar) -> Columns | None:
    """Return the columns of a table without a header: the first that always holds an address is the source, the first
    that always holds a time is the time; None where there are not both."""
    width = min(map(len, rows), default=0)
    hosts = [place for place in range(width) if all(_is_address(row[place]) for row in rows)]
    times = [place for place in range(width) if all(_is_time(row[place], calendar) for row in rows)]
    return Columns(hosts[0], time=times[0]) if hosts and times else None


def _is_address(cell: str) -> bool:
    try:
        return bool(addresses.endpoint(cell[:200]))
    except UnreadError:
        return False


def _is_time(cell: str, calendar: Calendar) -> bool:
    try:
        return bool(calendar.when(cell[:100]))
    except UnreadError:
        return False
