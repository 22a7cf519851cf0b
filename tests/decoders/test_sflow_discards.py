"""Packets that sFlow agents discarded: rows of the table `discards`, and never flows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import Datagrams, Decoded, Limits, Octets, State, decode
from decoders.faults import Fault
from schema.columns import Kind
from schema.drop_reasons import DROP_REASONS, drop_reason
from schema.tables import DISCARDS
from tests.decoders.sflow_wire import (
    ETHERNET,
    PACKET,
    acl,
    datagram,
    discarded_packet,
    egress_queue,
    flow_sample,
    function,
    hw_trap,
    item,
    mpls,
    opaque,
    router,
    sampled_header,
    switch,
    u32,
    vni,
)
from tests.decoders.wire import EXPORTER, NOW, decoded

KNOWN = set(DISCARDS.by_name) - {"src_tenant", "dst_tenant", "direction", "retention_class"}


def values(found: Decoded, name: str) -> list[Any]:
    """A column of the discards, whether numbers or text, whether anything told it or not."""
    symbols, column = found.discards.symbols.get(name), DISCARDS.by_name[name]
    if symbols:
        return [symbols.names[code] for code in symbols.codes.tolist()]
    if column.kind is Kind.SYMBOL:
        return [""] * found.discards.rows
    return found.discards.arrays.get(name, column.zeros(found.discards.rows)).tolist()


def test_a_discarded_packet_with_all_that_is_told_of_it() -> None:
    frame = bytes.fromhex("02000000000b02000000000a0800") + PACKET
    records = [
        hw_trap("l2_drops", "ingress_vlan_filter"), switch(10, 20), egress_queue(5), function("ip_rcv_core"),
        acl(7, "deny-all"), sampled_header(frame, ETHERNET, 78), router("192.0.2.9", 24, 24), vni(9),
        mpls("", [100 << 12], [200 << 12]), item(1042, opaque(b"NETFILTER_DROP")),
    ]  # fmt: skip
    one = discarded_packet(*records, source=(0, 2**30), drops=12, in_if=3, out_if=0x3FFFFFFF, reason=258)
    found = decoded(datagram(one, agent="2001:db8::5", sub_agent=6))
    assert not found.faults
    assert (found.flows.rows, found.discards.rows) == (0, 1)
    assert found.passed_over == {("flow", 0, 1002): 1}
    expected = {
        "reason_code": 258, "reason": "acl", "drops": 12, "function": "ip_rcv_core", "trap_group": "l2_drops",
        "kernel_reason": "NETFILTER_DROP",
        "trap": "ingress_vlan_filter", "acl": "deny-all", "in_if": 3, "out_if": 0, "data_source": 2**30,
        "observation_domain": 6, "egress_queue": 5, "src_vlan": 10, "dst_vlan": 20, "frame_length": 78, "proto": 17,
        "src_port": 53, "dst_port": 5353, "src_mac": 0x02000000000A, "layer2_segment_id": 9, "time_received": NOW,
    }  # fmt: skip
    assert {name: values(found, name)[0] for name in expected} == expected
    assert values(found, "mpls_labels")[0][:2] == [100 << 4, 0]
    assert found.discards.arrays["exporter"].tobytes() == bytes.fromhex("20010db8") + bytes(11) + b"\5"
    assert {*found.discards.arrays, *found.discards.symbols} <= KNOWN
    for name, array in found.discards.arrays.items():
        assert array.dtype == DISCARDS.by_name[name].dtype


def test_a_discarded_packet_need_not_tell_of_the_packet() -> None:
    found = decoded(datagram(discarded_packet(), flow_sample(sampled_header()), discarded_packet(reason=0, in_if=9)))
    assert (found.flows.rows, found.discards.rows) == (1, 2)
    assert values(found, "reason") == ["unknown", "net_unreachable"]
    assert values(found, "in_if") == [1, 9]
    assert not found.faults
    assert found.flows.column("bytes").tolist() == [60]


def test_reasons_have_the_names_of_the_list() -> None:
    assert set(DROP_REASONS) == {*range(16), *range(256, 373)}
    assert len(set(DROP_REASONS.values())) == len(DROP_REASONS)
    some = {0: "net_unreachable", 15: "precedence_cutoff", 256: "unknown", 258: "acl", 262: "pkt_too_big",
            279: "unresolved_neigh", 303: "split_horizon", 332: "dev_hdr", 349: "tcp_close", 16: "reason 16",
            33: "dev_hdr", 36: "tc_egress",
            255: "reason 255", 350: "tcp_fastopen", 372: "bgp_flowspec", 373: "reason 373",
            2**32 - 1: "reason 4294967295"}  # fmt: skip
    assert {code: drop_reason(code) for code in some} == some
    found = decoded(datagram(*(discarded_packet(reason=code) for code in some)))
    assert values(found, "reason") == [*some.values()]
    assert values(found, "reason_code") == [min(code, 65535) for code in some]


@pytest.mark.parametrize("length", [0, 4, 28, 31])
def test_one_that_is_too_short_costs_only_itself(length: int) -> None:
    short = item(5, bytes(length))
    payload = datagram(discarded_packet(reason=1), short, discarded_packet(reason=2))
    found = decoded(payload)
    assert values(found, "reason_code") == [1, 2]
    assert found.faults == {Fault.SAMPLE_LENGTH: 1}
    assert found.octets[Octets.FAULTY] == length
    assert sum(found.octets.values()) == len(payload)


def test_records_that_lie_and_counts_that_lie() -> None:
    liar = item(1038, u32(2**32 - 1) + b"abcd")
    found = decoded(datagram(discarded_packet(liar, acl(1, "x"), count=2**32 - 1), discarded_packet(function("f"))))
    assert values(found, "acl") == ["x", ""]
    assert values(found, "function") == ["", "f"]
    assert found.faults == {Fault.SAMPLE_LENGTH: 1}


RECORDS = st.lists(
    st.sampled_from([sampled_header(), switch(3, 4), egress_queue(7), function("f"), acl(1, "a"), hw_trap("g", "t"),
                     item(77, b"odd"), mpls("192.0.2.1", [16 << 12], [])]),
    max_size=4,
)  # fmt: skip
SAMPLES = st.lists(
    st.one_of(
        st.builds(lambda records, reason, source: discarded_packet(*records, reason=reason, source=(0, source)),
                  RECORDS, st.integers(0, 360), st.integers(0, 9)),
        st.just(flow_sample(sampled_header())),
    ),
    max_size=4,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(SAMPLES, min_size=1, max_size=40), st.integers(1, 40))
def test_block_borders_change_nothing(datagrams: list[list[bytes]], size: int) -> None:
    payloads = [datagram(*samples, sequence=number) for number, samples in enumerate(datagrams)]
    state, pieces = State(), []
    for at in range(0, len(payloads), size):
        pieces.append(decode(Datagrams.of(payloads[at : at + size], EXPORTER, NOW), state, Limits()))
    whole = decoded(*payloads)
    for name in sorted(KNOWN):
        assert [one for piece in pieces for one in values(piece, name)] == values(whole, name)
