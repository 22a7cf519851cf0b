"""Everyday filters and statistics select and count the same flows in nfdump as here.

nfdump keeps an ICMP flow's type and code in its destination port, we keep no port there: the filters on ports leave
ICMP out. nfdump 1.7.1 filters AS numbers only beside a database of places, stores no observation domain of NetFlow v9,
and says `nip` and `nport` where later ones say `nat ip` and `nat port`. It takes no tunnels from NetFlow v9
and knows no inner VLAN: `tun ip` and `inner vlan` are compared with the slow evaluator only.
"""

from __future__ import annotations

import csv
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import IPv6Address
from itertools import product
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, socket

import pytest

from query.filter import parse
from query.reports import flows_report, grouped_report, parse_statistic
from tests.query.flow_rows import SINCE, UNTIL, Ask, Row

# NetFlow v9 elements (RFC 3954 section 8): the addresses by IP version, then what both versions share.
_MASKS = {4: ((9, "src_mask"), (13, "dst_mask")), 6: ((29, "src_mask"), (30, "dst_mask"))}
_ADDRESSES = {
    4: ((8, "src_addr"), (12, "dst_addr"), (15, "next_hop"), (225, "post_nat_src_addr"), (226, "post_nat_dst_addr")),
    6: ((27, "src_addr"), (28, "dst_addr"), (62, "next_hop"), (281, "post_nat_src_addr"), (282, "post_nat_dst_addr")),
}
_NUMBERS = (
    (1, "Q", "bytes"), (2, "Q", "packets"), (4, "B", "proto"), (5, "B", "tos"), (6, "B", "tcp_flags"),
    (7, "H", "src_port"), (11, "H", "dst_port"), (10, "I", "in_if"), (14, "I", "out_if"), (16, "I", "src_as"),
    (17, "I", "dst_as"), (58, "H", "src_vlan"), (59, "H", "dst_vlan"), (32, "H", "icmp"), (21, "I", "last"),
    (22, "I", "first"), (61, "B", "flow_direction"), (89, "B", "forwarding_status"), (227, "H", "post_nat_src_port"),
    (228, "H", "post_nat_dst_port"), (234, "I", "in_vrf"), (235, "I", "out_vrf"),
    (128, "I", "dst_peer_as"), (129, "I", "src_peer_as"), (56, "6s", "src_mac"), (57, "6s", "dst_mac"),
    *((70 + place, "3s", place) for place in range(10)),
)  # fmt: skip
_EVENTS = (  # by sort of record; to nfdump's filters the one event is the other
    (),
    ((230, "B", "nat_event"), (361, "H", "nat_port_start"), (362, "H", "nat_port_end")),
    ((233, "B", "firewall_event"), (33002, "H", "firewall_event_code")),
)
_UPTIME = 60_000
_KINDS = tuple(product((4, 6), range(len(_EVENTS))))


def _datagram(sequence: int, *sets: tuple[int, bytes]) -> bytes:
    body = b"".join(struct.pack("!HH", number, 4 + len(content)) + content for number, content in sets)
    return struct.pack("!HHIIII", 9, 1, _UPTIME, int(SINCE.timestamp()), sequence, 0) + body


def _template(version: int, sort: int) -> bytes:
    fields = [(element, 4 if version == 4 else 16) for element, _ in _ADDRESSES[version]]
    fields += [(element, 1) for element, _ in _MASKS[version]]
    fields += [(element, struct.calcsize(code)) for element, code, _ in _NUMBERS + _EVENTS[sort]]
    head = struct.pack("!HH", 256 + _KINDS.index((version, sort)), len(fields))
    return head + b"".join(struct.pack("!HH", *field) for field in fields)


def _record(row: Row, version: int, sort: int) -> bytes:
    values = row | {"icmp": row["icmp_type"] << 8 | row["icmp_code"]}
    values |= {name: row[name].to_bytes(6, "big") for name in ("src_mac", "dst_mac")}
    for name, moment in (("first", row["flow_start"]), ("last", row["flow_end"])):
        values[name] = _UPTIME + (moment - SINCE) // timedelta(milliseconds=1)
    labels = row["mpls_labels"] + [0] * 10
    values |= {place: (labels[place] << 4).to_bytes(3, "big") for place in range(10)}
    addresses = [row[name].packed[-4 if version == 4 else 0 :] for _, name in _ADDRESSES[version]]
    numbers = (struct.pack(f"!{code}", values[name]) for _, code, name in _NUMBERS + _EVENTS[sort])
    masks = bytes(row[name] for _, name in _MASKS[version])
    return b"".join(addresses) + masks + b"".join(numbers)


def _datagrams(rows: list[Row]) -> Iterator[bytes]:
    yield _datagram(0, *((0, _template(*kind)) for kind in _KINDS))
    for sequence, row in enumerate(rows, 1):
        version = 4 if row["src_addr"].ipv4_mapped else 6
        sort = 1 if row["nat_event"] else 2 if row["firewall_event"] else 0
        yield _datagram(sequence, (256 + _KINDS.index((version, sort)), _record(row, version, sort)))


THEIRS = {
    "host 2001:db8::1": "host 2001:db8::1 or nip 2001:db8::1",
    "ip in [10.0.0.1, 192.0.2.200]": "ip in [10.0.0.1, 192.0.2.200] or nip 10.0.0.1 or nip 192.0.2.200",
    "net 10.0.0.0 255.255.0.0": "net 10.0.0.0 255.255.0.0 or xnet 10.0.0.0/16",
    "not net 2001:db8::/33": "not (net 2001:db8::/33 or xnet 2001:db8::/33)",
}
"""What nfdump has to be asked where our words find addresses after translation too."""


@pytest.fixture(scope="module")
def flow_file(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What nfcapd stored of `rows`."""
    directory = tmp_path_factory.mktemp("nfcapd")
    with socket(AF_INET, SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        port = sender.getsockname()[1] - 1
        nfcapd = subprocess.Popen(["nfcapd", "-w", str(directory), "-b", "127.0.0.1", "-p", str(port), "-t", "86400"])
        try:
            _wait(lambda: _queued(port) == 0)
            for datagram in _datagrams(rows):
                sender.sendto(datagram, ("127.0.0.1", port))
                _wait(lambda: _queued(port) == 0)  # or its socket buffer would overflow
        finally:
            nfcapd.terminate()
            nfcapd.wait(timeout=30)
    (file,) = directory.glob("nfcapd.2*")
    return file


def _queued(port: int) -> int | None:
    """Return the octets waiting at the UDP port on loopback, None where nobody listens."""
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == f"0100007F:{port:04X}":
            return int(fields[4].split(":")[1], 16)
    return None


def _wait(ready: Callable[[], bool]) -> None:
    for _ in range(2000):
        if ready():
            return
        time.sleep(0.01)
    raise TimeoutError("nfcapd did not get ready")


def _nfdump(file: Path, *arguments: str) -> list[str]:
    command = ["nfdump", "-r", str(file), "-q", "-N", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")


@pytest.mark.parametrize(
    "text",
    [
        "any",
        "ipv4",
        "inet6 and not proto icmp6",
        "src ip 10.0.0.1",
        "host 2001:db8::1",
        "src and dst ip 192.0.2.1 or src or dst ip 10.0.1.7",
        "ip in [10.0.0.1, 192.0.2.200]",
        "dst ip in [10.0.0.0/16 192.0.2.1 2001:db8:1::/48]",
        "src net 10.0.0.0/8 and dst net 10.0.0.9/24",
        "net 10.0.0.0 255.255.0.0",
        "not net 2001:db8::/33",
        "proto tcp and dst port in [80 443]",
        "proto udp and src port in [53,1024]",
        "proto 6 and (port > 1023 and src port <= 443)",
        "proto tcp and port 80 or proto udp and port 53",
        "not proto tcp or src ip 10.0.0.1 and bytes > 1M",
        "not (proto tcp or src ip 10.0.0.1) and bytes < 1k",
        "bytes >= 1000000 and packets LT 1K",
        "in if 3 or out if 10",
        "if 1 and not in if 1",
        "next ip 10.0.0.1",
        "vlan 5 and not src vlan 4094",
        "tos 8",
        "flags S",
        "flags S and not flags AFRPU",
        "flags AS or flags 27",
        "not flags AF",
        "proto tcp and not not flags AF",
        "not (src port 80 and not flags AF)",
        "not (src port 80 and flags AF and not proto icmp)",
        "flags X",
        "flags > 20",
        "icmp-type 8 or icmp-code 3",
        "PROTO UDP AND NOT src port EQ 53 # comment",
        "nip 10.0.0.1",
        "src nip 192.0.2.1 or nport 443",
        "dst xip 2001:db8::1 or src xport 443",
        "xnet 10.0.0.0/8 and not dst nport > 1024",
        "nat event add and src nip 10.0.0.1",
        "nat event delete and nip 10.0.0.2 or nat event 4",
        "nat event > 5",
        "pblock start 2048 or pblock end 2175",
        "asa event create and asa xevent 2030 or asa event term and asa xevent > 2000",
        "asa event deny",
        "asa event 5 and not asa xevent 1001",
        "flowdir egress",
        "flowdir 0 and flowdir ingress",
        "ingress vrf 4096 and not egress vrf > 1",
        "mpls label1 16",
        "mpls label1 > 16 or MPLS LABEL10 25",
        "fwdstat 131 or not fwdstat 64 and proto tcp",
        "src mask 24 and not dst mask 8",
        "mask 32",
        "in src mac 00:1b:54:0a:0b:0c",
        "mac 00:1b:54:0a:0b:0c",
        "in bytes > 1M and in packets < 100",
        "duration > 999",
        "duration < 1 or duration 999",
        "pps > 10 and not pps > 1k",
        "pps 0",
        "bps > 1M and bps < 1G",
        "bpp > 100 or bpp < 1",
        "flows > 0 and proto tcp",
    ],
)
def test_a_filter_selects_the_flows_that_nfdump_selects(ask: Ask, flow_file: Path, text: str) -> None:
    said = THEIRS.get(text, text)
    theirs = sorted(int(line) for line in _nfdump(flow_file, "-o", "fmt:%byt", said) if line)
    ours = sorted(number for (number,) in ask(flows_report(parse(text), SINCE, UNTIL, 1000, ("bytes",))))
    assert ours == theirs
    assert ours


@pytest.mark.parametrize(
    "statistic",
    ["srcip", "dstip", "srcport", "dstport", "proto", "inif", "outif", "srcvlan", "dstvlan", "tos", "nhip"],
)
def test_a_statistic_counts_as_nfdump_counts(ask: Ask, flow_file: Path, statistic: str) -> None:
    """Those of either end, as `ip`, count a flow twice in nfdump whose ends are alike, and once here."""
    text = "not proto icmp and not proto icmp6 and bytes > 1k"
    lines = _nfdump(flow_file, "-o", "csv", "-s", f"{statistic}/flows", "-n", "0", text)
    theirs = {line["val"]: int(line["fl"]) for line in csv.DictReader(filter(None, lines))}
    by, order = parse_statistic(f"{statistic}/flows")
    found = ask(grouped_report(by, order, parse(text), SINCE, UNTIL, 1000))
    assert {_shown(key): flows for key, flows, *_ in found} == theirs


def _shown(key: object) -> str:
    return str((isinstance(key, IPv6Address) and key.ipv4_mapped) or key)
