"""`explain` of sFlow: samples, records by their structures, sampled headers in a line, and what is wrong in them."""

from __future__ import annotations

import struct

import pytest

from tests.decoders.test_explain import explained, wrong
from tests.decoders.test_sflow import PACKET, datagram, flow_sample, item, raw_header


def test_sflow_samples_and_records() -> None:
    tcp = (
        PACKET[:9] + b"\6" + PACKET[10:12] + b"\xc0\0\2\1\x08\x08\x08\x08" + struct.pack(">HH8xBB6x", 443, 5000, 80, 18)
    )
    tagged = bytes.fromhex("020000000002 020000000001 8100 0064 0800") + tcp
    ethernet = struct.pack(">IIII", 1, 1518, 4, len(tagged)) + tagged
    switch = struct.pack(">IIII", 100, 0, 200, 0)
    router = struct.pack(">I16sII", 2, bytes(15) + b"\1", 24, 16)
    gateway = struct.pack(">I4s3I", 1, b"\xc0\0\2\7", 64500, 64501, 64502)
    gateway += struct.pack(">I", 1) + struct.pack(">4I", 2, 2, 64502, 64503) + struct.pack(">3I", 1, 65536, 100)
    user = struct.pack(">II", 106, 5) + b"alice" + bytes(3) + struct.pack(">II", 106, 0)
    sample = flow_sample(
        item(1, ethernet), item(1001, switch), item(1002, router), item(1003, gateway), item(1004, user)
    )
    counters = struct.pack(">IIQII", 3, 6, 10**9, 1, 3) + struct.pack(">Q", 77) + b"\xff" * 24 + bytes(8 + 24)
    counter_sample = item(
        2, struct.pack(">III", 9, 3, 2) + item(1, counters) + item(1005, struct.pack(">I", 4) + b"eth3")
    )
    dropped = item(5, struct.pack(">8I", 1, 0, 3, 0, 3, 4, 256, 1) + raw_header())
    payload = datagram(sample, counter_sample, dropped, item(4096 | 7, b"private"))
    lines = explained(payload)
    found = [line.text for line in lines]
    assert [text for _, text in wrong(payload)] == []
    for text in (
        "agent address: 192.0.2.1",
        "data format: 1 (flow_sample)",
        "source_id: 3 (ifIndex)",
        "data format: 1 (sampled_header)",
        "header_protocol: 1 (Ethernet)",
        "header: 02:00:00:00:00:01 -> 02:00:00:00:00:02, VLAN 100, "
        "TCP 192.0.2.1:443 -> 8.8.8.8:5000 SYN ACK, 60 octets",
        "data format: 1001 (extended_switch)",
        "dst_vlan: 200",
        "nexthop: ::1",
        "dst_mask_len: 16 bits",
        "segment type: 2 (AS sequence)",
        "count of AS numbers: 2",
        "entry: 64503",
        "localpref: 100",
        'src_user: "alice"',
        "data format: 2 (counters_sample)",
        "data format: 1 (if_counters)",
        "ifSpeed: 1000000000",
        "ifInOctets: 77 octets",
        "ifInUcastPkts: unknown (all ones)",
        'port_name: "eth3"',
        "data format: 5 (discarded_packet)",
        "reason: 256 (unknown)",
        "header: UDP 0.0.0.0:53 -> 0.0.0.0:5353, 60 octets",
        "data format: enterprise 1, format 7",
        "a sample of another kind: not read",
    ):
        assert text in found, text


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (datagram(flow_sample(raw_header()), count=3), "sample 2 of 3 is not there"),
        (datagram(struct.pack(">II", 1, 500) + bytes(40)),
         "the length 500 is 460 octets more than there are: the rest is not read"),
        (datagram(item(1, bytes(8))), "8 octets are too few for the head of the sample, which has 32"),
        (datagram(flow_sample(item(1001, bytes(6)))), "src_priority has 4 octets, and the record 2 more"),
        (datagram(flow_sample(item(1004, struct.pack(">II", 3, 99)))), "src_user has 99 octets, and the record 0 more"),
        (datagram(flow_sample(item(1002, struct.pack(">II", 9, 0)))),
         "9 is no type of address: the rest of the record is not read"),
        (datagram(flow_sample(item(1012, struct.pack(">I", 2**32 - 1)))),
         "stack has 17179869180 octets, and the record 0 more"),
    ],
)  # fmt: skip
def test_broken_samples_are_said_to_be(payload: bytes, why: str) -> None:
    assert why in [text for _, text in wrong(payload)]
