"""The reference reading of an export: its datagrams as a pcap, dissected by tshark, as flows."""

from __future__ import annotations

import socket
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import dpkt

LOOPBACK = b"\x7f\0\0\1"
RAW_IP = 101  # LINKTYPE_RAW
COLLECTOR_PORT = {"netflow": 2055, "sflow": 6343}  # where tshark expects the two
# Sampled packets carry zeros where a payload would be; tshark must not take those for malformed DNS, TLS or the like.
NO_APPLICATIONS = ("tcp.port==1-65535,data", "udp.port==1-2054,data", "udp.port==2056-6342,data",
                   "udp.port==6344-65535,data")  # fmt: skip


class Datagram(NamedTuple):
    """One UDP datagram as it came: seconds since the epoch, and the payload."""

    time: float
    payload: bytes


class Flow(NamedTuple):
    """What all four protocols say of a flow; ports are 0 for ICMP."""

    src_addr: str
    dst_addr: str
    src_port: int
    dst_port: int
    proto: int
    packets: int
    bytes: int


def write_pcap(path: Path, datagrams: Iterable[Datagram], protocol: str) -> None:
    """Write datagrams as UDP between the ports where tshark looks for `protocol` (netflow or sflow)."""
    port = COLLECTOR_PORT[protocol]
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, linktype=RAW_IP)
        for datagram in datagrams:
            udp = dpkt.udp.UDP(sport=port, dport=port, data=datagram.payload)
            udp.ulen = 8 + len(datagram.payload)
            writer.writepkt(bytes(dpkt.ip.IP(src=LOOPBACK, dst=LOOPBACK, p=17, data=udp)), ts=datagram.time)


def dissect(pcap: Path) -> ET.Element:
    """Return tshark's PDML of a pcap."""
    decode_as = [argument for rule in NO_APPLICATIONS for argument in ("-d", rule)]
    command = ["tshark", "-n", "-r", str(pcap), "-T", "pdml", "-o", "ip.check_checksum:TRUE", *decode_as]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return ET.fromstring(done.stdout)  # noqa: S314 - our own tshark's output


def faults(pdml: ET.Element) -> list[str]:
    """Return what tshark marks as malformed, cut short, with a bad checksum, or without its template."""
    return [
        f"{node.get('name')}: {node.get('showname')}"
        for node in pdml.iter()
        if node.get("name") in ("_ws.malformed", "_ws.short", "_ws.unreassembled", "cflow.no_template_found")
        or (node.get("name") == "ip.checksum.status" and node.get("show") == "0")
    ]


def records(pdml: ET.Element) -> Iterator[dict[str, str]]:
    """Yield each NetFlow or IPFIX data record, options too, and each sFlow flow sample: field name -> value in hex.

    Of a name that comes twice the first counts.
    """
    for node in pdml.iter("field"):
        show = node.get("show", "")
        if node.get("name") == "" and show.startswith(("Flow ", "pdu ")) and not show.startswith("FlowSet"):
            found: dict[str, str] = {}
            for field in node.iter("field"):
                found.setdefault(field.get("name", ""), field.get("value", ""))
            yield found


def flows(pdml: ET.Element) -> list[Flow]:
    """Return the flows among the records, sorted; records without addresses (options) are none."""
    read = (
        _sampled(record) if "sflow.flow_sample.sampling_rate" in record else _exported(record)
        for record in records(pdml)
    )
    return sorted(flow for flow in read if flow)


def _exported(record: dict[str, str]) -> Flow | None:
    for family in ("", "v6"):
        if f"cflow.srcaddr{family}" in record:
            addresses = [_address(record[f"cflow.{side}addr{family}"]) for side in ("src", "dst")]
            return _flow(
                addresses,
                record,
                "cflow.",
                "cflow.protocol",
                _int(record, "cflow.packets"),
                _int(record, "cflow.octets"),
            )
    return None


def _sampled(record: dict[str, str]) -> Flow | None:
    for layer, proto in (("ip", "ip.proto"), ("ipv6", "ipv6.nxt")):
        if f"{layer}.src" in record:
            addresses = [_address(record[f"{layer}.{side}"]) for side in ("src", "dst")]
            length = _int(record, "ip.len") if layer == "ip" else _int(record, "ipv6.plen") + 40
            transport = "tcp." if "tcp.srcport" in record else "udp."
            return _flow(addresses, record, transport, proto, 1, length)
    return None


def _flow(
    addresses: list[str], record: dict[str, str], prefix: str, proto_name: str, packets: int, octets: int
) -> Flow:
    proto = _int(record, proto_name)
    icmp = proto in (1, 58)
    ports = [0 if icmp else _int(record, f"{prefix}{side}port") for side in ("src", "dst")]
    return Flow(addresses[0], addresses[1], ports[0], ports[1], proto, packets, octets)


def _int(record: dict[str, str], name: str) -> int:
    return int(record.get(name) or "0", 16)


def _address(value: str) -> str:
    octets = bytes.fromhex(value)
    family = socket.AF_INET if len(octets) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, octets)
