"""The block decoder against one that reads record by record, octet by octet, on random templates."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import Datagrams, Limits, State, decode
from schema.columns import BY_NAME, Kind
from schema.render import rows, time_text
from tests.decoders.wire import NOW, a_set, ipfix, template, v9

NUMBERS = {
    1: "bytes", 2: "packets", 4: "proto", 5: "tos", 6: "tcp_flags", 7: "src_port", 11: "dst_port", 10: "in_if",
    14: "out_if", 16: "src_as", 17: "dst_as", 9: "src_mask", 13: "dst_mask", 58: "src_vlan", 59: "dst_vlan",
    61: "flow_direction", 227: "post_nat_src_port", 228: "post_nat_dst_port", 234: "in_vrf", 235: "out_vrf",
    351: "layer2_segment_id", 230: "nat_event", 136: "flow_end_reason", 312: "frame_length",
}  # fmt: skip
ADDRESSES = {8: "src_addr", 12: "dst_addr", 15: "next_hop", 225: "post_nat_src_addr"}
ADDRESSES6 = {27: "src_addr", 28: "dst_addr", 62: "next_hop", 281: "post_nat_src_addr"}
MACS = {56: "src_mac", 80: "dst_mac"}
TIMES = {150: (4, 1000, "flow_start"), 152: (8, 1, "flow_start"), 151: (4, 1000, "flow_end"), 153: (8, 1, "flow_end")}
"""Element -> octets, ms that one of its units has, column."""
LATEST = 10_413_791_999_999
LABELS = (70, 71, 72)
USER = 371
UNKNOWN = (82, 96, 455)
ICMP = (1, 58)
VARIABLE = 65535
EXPORTERS = [bytes(10) + b"\xff\xff" + bytes((192, 0, 2, host)) for host in (1, 2)]
STREAMS = [(0, 0), (0, 1), (1, 0)]
"""Observation domains and senders."""

Field = tuple[int, ...]


@st.composite
def fields(draw: st.DrawFn) -> list[Field]:
    """Fields of one template: at most one for each column, so that there is nothing to choose; any order."""
    addresses = [draw(st.sampled_from([(four, 4), (six, 16)])) for four, six in zip(ADDRESSES, ADDRESSES6, strict=True)]
    numbers = [(id_, draw(st.one_of(st.integers(1, 8), st.just(VARIABLE)))) for id_ in NUMBERS]
    others = [(id_, draw(st.sampled_from([0, 1, 3, 20, VARIABLE]))) for id_ in UNKNOWN]
    enterprise = [(id_, draw(st.sampled_from([2, 4, VARIABLE])), 9) for id_ in (1, 7, 8)]
    times = [draw(st.sampled_from([(seconds, 4), (ms, 8)])) for seconds, ms in ((150, 152), (151, 153))]
    further = [(id_, 6) for id_ in MACS] + [(id_, 3) for id_ in LABELS]
    user = (USER, draw(st.sampled_from([1, 8, 20, VARIABLE])))
    everything: list[Field] = [*addresses, *numbers, *others, *enterprise, *times, *further, user]
    return draw(st.lists(st.sampled_from(everything), min_size=1, max_size=12, unique=True).filter(has_length))


def has_length(chosen: list[Field]) -> bool:
    return any(field[1] for field in chosen)


def value(draw: st.DrawFn, length: int) -> bytes:
    """The octets of one field, with the length in front where it varies, in either form."""
    if length != VARIABLE:
        return draw(st.binary(min_size=length, max_size=length))
    raw = draw(st.one_of(st.binary(max_size=9), st.binary(min_size=250, max_size=260)))
    if len(raw) > 254 or draw(st.booleans()):
        return b"\xff" + struct.pack(">H", len(raw)) + raw
    return bytes((len(raw),)) + raw


@st.composite
def exports(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """Datagrams of two senders: data of few templates, which take each other's place and stand before their data."""
    templates = draw(st.lists(fields(), min_size=2, max_size=3))
    payloads, senders, known = [], [], dict[object, list[Field]]()
    for _ in range(draw(st.sampled_from([2, 8, 20]))):
        key = version, (domain, sender) = draw(st.tuples(st.sampled_from([9, 10]), st.sampled_from(STREAMS)))
        sets = b""
        if key not in known or draw(st.booleans()):
            chosen = [field for field in draw(st.sampled_from(templates)) if version == 10 or len(field) == 2]
            known[key] = chosen if has_length(chosen) else [(1, 4)]
            sets = a_set(2 if version == 10 else 0, template(256, known[key]))
        sets += a_set(
            256, b"".join(value(draw, field[1]) for _ in range(draw(st.integers(0, 3))) for field in known[key])
        )
        payloads.append(ipfix(sets, domain=domain) if version == 10 else v9(sets, source=domain))
        senders.append(EXPORTERS[sender])
    copies = draw(st.sampled_from([1, 40]))  # enough sets of one layout to be walked in step
    return payloads * copies, senders * copies


def reference(payload: bytes, sender: bytes, known: dict[object, list[Field]]) -> Iterator[dict[str, Any]]:
    """Read a datagram of perhaps a template and then data, one record after another; `known` are the templates."""
    version, at = (10, 16) if payload[1] == 10 else (9, 20)
    domain = int.from_bytes(payload[at - 4 : at], "big")
    set_id, length, id_, count = struct.unpack_from(">HHHH", payload.ljust(at + 8), at)
    if set_id < 256:
        end, at = at + length, at + 8
        known[sender, version, domain, id_] = specifiers = []
        for _ in range(count):
            element, size = struct.unpack_from(">HH", payload, at)
            enterprise = version == 10 and element & 0x8000
            at += 8 if enterprise else 4
            specifiers.append((0 if enterprise else element, size))
        assert at == end
    id_ = struct.unpack_from(">H", payload, at)[0]
    at += 4
    while at < len(payload):
        row: dict[str, Any] = {
            "observation_domain": domain, "exporter": sender, "flow_type": "netflow9" if version == 9 else "ipfix",
        }  # fmt: skip
        for element, size in known[sender, version, domain, id_]:
            if size == VARIABLE:
                size, at = payload[at], at + 1
                if size == 255:
                    size, at = struct.unpack_from(">H", payload, at)[0], at + 2
            put(row, element, payload[at : at + size])
            at += size
        yield row


def put(row: dict[str, Any], element: int, raw: bytes) -> None:
    if element in NUMBERS and 1 <= len(raw) <= 8:
        number, name = int.from_bytes(raw, "big"), NUMBERS[element]
        row[name] = number if number < 256 ** int(BY_NAME[name].dtype[1:]) else 0
    elif element in ADDRESSES:
        row[ADDRESSES[element]] = bytes(10) + b"\xff\xff" + raw
    elif element in ADDRESSES6:
        row[ADDRESSES6[element]] = raw
    elif element in MACS:
        row[MACS[element]] = raw.hex(":")
    elif element in TIMES:
        _, unit, name = TIMES[element]
        number = int.from_bytes(raw, "big")
        row[name] = number * unit if number <= LATEST // unit else 0
    elif element in LABELS:
        row.setdefault("labels", {})[element] = int.from_bytes(raw, "big")
    elif element == USER:
        text = raw.split(b"\0")[0][:256].decode("utf-8", "replace")
        row["user_name"] = "".join(each if each.isprintable() else "\ufffd" for each in text)


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """The reference's row as `schema.render` shows one, ICMP's port settled."""
    if row.get("proto") in ICMP:
        source, destination = row.get("src_port", 0), row.get("dst_port", 0)
        swapped = source and not destination
        row["icmp_type"] = source & 0xFF if swapped else destination >> 8
        row["icmp_code"] = source >> 8 if swapped else destination & 0xFF
        row["src_port"] = row["dst_port"] = 0
    blank = {Kind.ADDRESS: bytes(16), Kind.LABELS: [], Kind.SEGMENTS: [], Kind.SYMBOL: ""}
    full = {name: row.get(name, blank.get(column.kind, 0)) for name, column in BY_NAME.items()}
    full["mpls_labels"] = [entry >> 4 for _, entry in sorted(row.get("labels", {}).items()) if entry]
    for name, column in BY_NAME.items():
        if column.kind is Kind.ADDRESS:
            address = IPv6Address(full[name])
            full[name] = str(address.ipv4_mapped or address)
        elif column.kind is Kind.TIME:
            full[name] = time_text(full[name])
        elif column.kind is Kind.MAC:
            full[name] = full[name] or "00:00:00:00:00:00"
    return full


@settings(max_examples=150, deadline=None)
@given(exports())
def test_blocks_read_what_the_reference_reads(sent: tuple[list[bytes], list[bytes]]) -> None:
    payloads, senders = sent
    result = decode(Datagrams.gather(payloads, senders, [NOW] * len(payloads)), State(), Limits())
    known: dict[object, list[Field]] = {}
    expected = [shown(row) for pair in zip(payloads, senders, strict=True) for row in reference(*pair, known)]
    got = list(rows(result.flows.take(result.origin.argsort(kind="stable"))))
    kinds = (Kind.UINT, Kind.ADDRESS, Kind.MAC, Kind.LABELS)
    compared = [name for name, column in BY_NAME.items() if column.kind in kinds]
    compared += ["flow_type", "flow_start", "flow_end", "user_name"]
    assert [{name: row[name] for name in compared} for row in got] == [
        {name: row[name] for name in compared} for row in expected
    ]
