"""The reference reading of an export: its datagrams as a pcap, dissected by tshark, as flows.

`flows` gives what all four protocols say of a flow; `element_records` every field of every NetFlow and IPFIX record,
as the element that tshark's own reading of the template says it is.
"""

from __future__ import annotations

import os
import socket
import subprocess
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import dpkt

LOOPBACK = b"\x7f\0\0\1"
RAW_IP = 101  # LINKTYPE_RAW
COLLECTOR_PORT = {"netflow": 2055, "sflow": 6343}  # where tshark expects the two
# Sampled packets carry zeros where a payload would be; tshark must not take those for malformed DNS, TLS or the like.
NO_APPLICATIONS = ("tcp.port==1-65535,data", "udp.port==1-2054,data", "udp.port==2056-6342,data",
                   "udp.port==6344-65535,data")  # fmt: skip
REVERSE = 29305  # the private enterprise number of reverse elements (RFC 5103 section 6.1)
NETFLOW5 = (8, 12, 15, 10, 14, 2, 1, 22, 21, 7, 11, 6, 4, 5, 16, 17, 9, 13)
"""The fields of a NetFlow v5 record as elements, in its order."""


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
    local = os.environ | {"TZ": "UTC"}  # tshark shows times in the local zone
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, env=local)
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


class Found(NamedTuple):
    """One field of a record: its element, and tshark's word for the value beside the octets it took."""

    enterprise: int
    id: int
    show: str
    octets: bytes


class Record(NamedTuple):
    """One data record: the frame it came in, from 1; what its message's header says; its fields, in their order.

    `uptime_ms` is None in IPFIX, `interval` is the sampling interval of a v5 header. `fields` lacks what tshark did not
    show: the elements it has no name for, and those behind the place where it gave up.
    """

    frame: int
    version: int
    domain: int
    export_ms: int
    uptime_ms: int | None
    interval: int
    options: bool
    fields: tuple[Found, ...]


Elements = list[tuple[int, int]]
"""(enterprise, element id) of the fields of a template."""

Names = Mapping[tuple[int, int], tuple[str, ...]]
"""tshark's names of an element: whichever of them it uses."""

_SECOND_HALF = {"cflow.appl_id.classification_engine_id": "cflow.appl_id.selector_id"}
"""The only element of which tshark makes two fields: applicationId."""


def element_records(pdml: ET.Element, names: Names) -> Iterator[Record]:
    """Yield every NetFlow v5, v9 and IPFIX data record, those of options data too, in the order on the wire.

    Which element a field is comes from the template that tshark dissected and says it used. Only the elements in
    `names` are looked for.
    """
    templates: dict[tuple[int, int], tuple[bool, Elements]] = {}
    for packet in pdml.iter("packet"):
        frame = int(_first(packet, "num").get("show", ""))
        for message in packet.iterfind("proto[@name='cflow']"):
            for field in message.iter("field"):
                if field.get("show", "").startswith(("Template (", "Options Template (")):
                    templates[frame, _number(field, "cflow.template_id")] = _template(field)
            header = _header(message, frame)
            for options, elements, node in _data(message, templates):
                yield header._replace(options=options, fields=_fields(node, elements, names))


def _data(
    message: ET.Element, templates: dict[tuple[int, int], tuple[bool, Elements]]
) -> Iterator[tuple[bool, Elements, ET.Element]]:
    """Yield the nodes of the records in a message, each with its template."""
    for part in message.iterfind("field"):
        shown = part.get("show", "")
        if shown.startswith("pdu "):
            yield False, [(0, id_) for id_ in NETFLOW5], part
        elif shown.startswith(("FlowSet ", "Set ")):
            for node in part.iterfind("field"):
                if node.get("show", "").startswith("Flow "):
                    which = int(_first(part, "cflow.template_frame").get("show", ""))
                    yield *templates[which, _number(part, "cflow.flowset_id")], node


def _header(message: ET.Element, frame: int) -> Record:
    version = _number(message, "cflow.version")
    if version == 10:
        export_ms, domain = _number(message, "cflow.exporttime") * 1000, _number(message, "cflow.od_id")
        return Record(frame, version, domain, export_ms, None, 0, False, ())
    export_ms, uptime = _number(message, "cflow.unix_secs") * 1000, _number(message, "cflow.sysuptime")
    if version == 9:
        return Record(frame, version, _number(message, "cflow.source_id"), export_ms, uptime, 0, False, ())
    export_ms += _number(message, "cflow.unix_nsecs") // 1_000_000
    engine = _number(message, "cflow.engine_type") << 8 | _number(message, "cflow.engine_id")
    interval = int(_first(message, "cflow.samplerate").get("show", ""))
    return Record(frame, version, engine, export_ms, uptime, interval, False, ())


def _template(definition: ET.Element) -> tuple[bool, Elements]:
    elements = []
    for specifier in definition.iterfind("field"):
        if specifier.get("show", "").startswith("Field ("):
            parts = {part.get("name", ""): int(part.get("show", "0")) for part in specifier.iterfind("field")}
            id_ = next(value for name, value in parts.items() if "field_type" in name)
            scope9 = "cflow.scope_field_type" in parts
            elements.append((-1 if scope9 else parts.get("cflow.template_ipfix_field_pen", 0), id_))
    return definition.get("show", "").startswith("Options"), elements


def _fields(record: ET.Element, elements: Elements, names: Names) -> tuple[Found, ...]:
    """Give each element of the template the next of tshark's fields that bear its name.

    tshark dissects in the template's order, so of elements that share a name each gets its own.
    """
    nodes: defaultdict[str, list[ET.Element]] = defaultdict(list)
    for node in record.iter("field"):
        if not any(child.get("name", "").startswith(("cflow.time", "cflow.abstime")) for child in node):
            nodes[node.get("name", "")].append(node)  # with those inside it is a duration of tshark's own making
    found = []
    for enterprise, id_ in elements:
        wanted = names.get((0 if enterprise == REVERSE else enterprise, id_), ())
        name = next((name for name in wanted if nodes[name]), None)
        if name:
            node = nodes[name].pop(0)
            octets = bytes.fromhex(_value(node))
            if name in _SECOND_HALF:
                octets += bytes.fromhex(_value(nodes[_SECOND_HALF[name]].pop(0)))
            found.append(Found(enterprise, id_, node.get("show", ""), octets))
            reverse = "(Reverse" in node.get("showname", "")
            assert reverse == (enterprise == REVERSE), f"{node.attrib} stands for {enterprise}/{id_}"
    return tuple(found)


def _value(node: ET.Element) -> str:
    return node.get("unmaskedvalue", "") or node.get("value", "")


def _first(node: ET.Element, name: str) -> ET.Element:
    return next(field for field in node.iter("field") if field.get("name") == name)


def _number(node: ET.Element, name: str) -> int:
    return int(_value(_first(node, name)), 16)
