"""The filter language on a page, for `flowkeep help filter` and docs/filter.md; tests parse every example of it."""

from __future__ import annotations

from typing import NamedTuple

INTRODUCTION = """\
A filter is nfdump's: conditions with `and` (`&&`), `or` (`||`), `not` (`!`) and brackets; words in any case, comments
from `#` to the end of the line, and `@include FILE` for a part of it that stands in a file. Without `src` or `dst`
either end will do, and `ip`, `host` and `net` find addresses after translation too. Comparisons are `=` (or nothing),
`<`, `>`, `<=`, `>=`, or `eq`, `lt`, `gt`, `le`, `ge`; numbers may end in k, m, g or t, powers of a thousand, and be
written 0x1f. A list, in square brackets, is read in one go however long it is. Names that are words of the language,
or have other characters than letters, digits and `_.:/-`, stand in quotes. Volumes are compared as exported, before
they are scaled by the sampling rate."""


class Entry(NamedTuple):
    """Examples, and what they select."""

    examples: tuple[str, ...]
    meaning: str


ENTRIES = (
    Entry(("any",), "every flow; so does an empty filter"),
    Entry(("ipv4", "ipv6", "inet", "inet6"), "an end has an address of that version"),
    Entry(
        ("ip 192.0.2.1", "src host 192.0.2.1", "dst ip in [192.0.2.1 10.0.0.0/8]", "src and dst ip 10.0.0.0/8"),
        "addresses, one or a list, prefixes among them",
    ),
    Entry(("net 192.0.2.0/24", "src net 192.0.2.0 255.255.255.0"), "prefixes, by length or by mask"),
    Entry(
        ("proto tcp", "tcp", "proto 47", "icmp or icmp6", "udp and not (esp or ah)", "gre or ipip or sctp"),
        "the protocol; of those with names also igmp, ospf, pim, rsvp, vrrp",
    ),
    Entry(("igmp or ospf or pim or rsvp or vrrp",), "as above"),
    Entry(("port 443", "dst port in [80 443]", "src port > 1023"), "ports of TCP, UDP and the like"),
    Entry(("flags S and not flags AFRPU", "flags 0x12"), "TCP flags, all of those named: A S F R P U, X for all six"),
    Entry(("icmp-type 8", "icmp-code in [0 1]"), "ICMP and ICMPv6"),
    Entry(("bytes > 1M", "packets <= 10", "in bytes > 1k", "flows > 0"), "volumes; a flow is one flow"),
    Entry(("flow 1",), "nfdump's other word for flows"),
    Entry(("duration > 1000", "bps > 10M", "pps > 1k", "bpp < 64"), "milliseconds, and volumes by second or packet"),
    Entry(("first seen >= 2026-11-20T14:00", "last seen < 2026/11/20.15:00"), "times of the exporter, UTC if untold"),
    Entry(("tos 184", "fwdstat 64", "flowdir egress", "application 50331728"), "as exported"),
    Entry(("if 3", "in if 3", "out if in [3 4]"), "interfaces by SNMP index"),
    Entry(("interface et-0/0/1", "out interface uplink"), "interfaces by the names that their exporters tell"),
    Entry(("app https",), "applications by the names that their exporters tell"),
    Entry(("as 64500", "src as in [64500 64501]", "prev as 64500", "next as 64500"), "AS numbers, and of neighbours"),
    Entry(("mask 24", "src mask > 24"), "lengths of the routes' prefixes"),
    Entry(("vlan 5", "dst vlan 5", "inner vlan 7"), "VLANs; inner is the customer's tag"),
    Entry(("mac 00:1b:54:0a:0b:0c", "in src mac 00:1b:54:0a:0b:0c"), "MAC addresses"),
    Entry(("mpls label1 16", "mpls label10 > 16"), "MPLS labels, the first on top"),
    Entry(("next ip 192.0.2.1", "next host 192.0.2.1"), "the next hop"),
    Entry(("nat ip 192.0.2.1", "src nat port 443", "nat net 192.0.2.0/24", "nat host 192.0.2.1"), "after translation"),
    Entry(("nat event add", "pblock start 2048", "pblock end 2111"), "what a translator did; blocks of ports"),
    Entry(("nat pblock start 2048", "nat pblock end 2111"), "nfdump's other words for them"),
    Entry(("xip 192.0.2.1", "nip 192.0.2.1", "xnet 10.0.0.0/8", "xport 443", "nport 443"), "old words of nfdump's"),
    Entry(
        ("tun ip 192.0.2.1", "tun host 192.0.2.1", "tun net 10.0.0.0/8", "tunip 192.0.2.1"), "a tunnel's other header"
    ),
    Entry(("tunnel vxlan",), "what carries a packet inside another: ipip, gre, vxlan, geneve, srv6, other"),
    Entry(("asa event deny", "asa xevent 1001", "asa user 'ann'"), "firewalls' events"),
    Entry(("ingress vrf 3", "egress vrf 4"), "VRFs"),
    Entry(("exporter 192.0.2.1", "router ip 192.0.2.1"), "who sent it; `exporter NAME` goes by the configuration"),
    Entry(("observation domain id 7", "odid 7", "engine-type 1 and engine-id 2"), "parts of an exporter"),
    Entry(("tenant acme", "src tenant acme"), "who held the address then"),
    Entry(("direction ingress", "class basic", "type ipfix"), "way, retention class, protocol of the export"),
)
