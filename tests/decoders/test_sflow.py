"""sFlow v5 framing: padding, unknown items, counts that lie, truncation; what is bad costs only itself."""

from __future__ import annotations

import struct
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoders import Octets, State, decode
from decoders.block import Datagrams
from decoders.faults import Fault
from decoders.limits import Limits
from schema.render import rows
from tests.decoders.sflow_wire import (
    ETHERNET,
    PACKET,
    acl,
    address,
    counter_sample,
    datagram,
    discarded_packet,
    egress_queue,
    flow_sample,
    function,
    gateway,
    hw_trap,
    ip_fields,
    item,
    mpls,
    nat,
    nat_port,
    raw_header,
    router,
    sampled_ethernet,
    sampled_ip,
    switch,
    tunnel,
    u32,
    user,
    vlan_tunnel,
    vni,
)
from tests.decoders.wire import EXPORTER, NOW, decoded

MACS = ("02:00:00:00:00:0a", "02:00:00:00:00:0b")
V4 = ip_fields(60, 17, "192.0.2.1", "192.0.2.2", 53, 5353, 0, 0)
V6 = ip_fields(90, 6, "2001:db8::1", "2001:db8::2", 443, 5000, 18, 4)
RECORDS = {
    "header": raw_header(), "ethernet": sampled_ethernet(64, *MACS), "ipv4": sampled_ip(V4), "ipv6": sampled_ip(V6),
    "switch": switch(10, 20), "router": router("192.0.2.9", 24, 16), "router6": router("2001:db8::9", 48, 64),
    "gateway": gateway(path=[(2, [64500, 64501]), (1, [64502, 64503])], communities=[64500 << 16 | 100]),
    "user": user("alice", "bob"), "mpls": mpls("192.0.2.8", [16 << 12 | 0x1FF], [17 << 12, 18 << 12]),
    "nat": nat("198.51.100.1", "2001:db8::7"), "nat_port": nat_port(1024, 1025), "vlans": vlan_tunnel(0x81000064),
    "tunnel": tunnel(V4, ingress=False), "tunnel6": tunnel(V6, ingress=True), "vni": vni(7),
    "queue": egress_queue(5), "other": item(1021, bytes(24)), "private": item(7, b"odd", enterprise=4413),
    "acl": acl(1, "deny"), "function": function("ip_rcv"), "trap": hw_trap("l2_drops", "ingress_vlan_filter"),
}  # fmt: skip
GOOD = flow_sample(raw_header())
UNKNOWN = item(1, b"other", enterprise=1)


def test_records_and_samples_of_odd_length_are_followed_by_padding() -> None:
    sample = flow_sample(item(1008, b"odd"), raw_header(), item(1009, b"x"))
    for copies in (1, 40):  # one by one, and in step
        result = decoded(*[datagram(UNKNOWN, sample)] * copies)
        assert result.flows.column("bytes").tolist() == [60] * copies
        assert result.faults == {Fault.SAMPLE_UNKNOWN: copies}
        assert result.passed_over == {
            ("sample", 1, 1): copies, ("flow", 0, 1008): copies, ("flow", 0, 1009): copies
        }  # fmt: skip


def test_an_item_at_the_end_may_lack_its_padding() -> None:
    result = decoded(datagram(GOOD, UNKNOWN[:-3]))
    assert result.flows.rows == 1
    assert result.faults == {Fault.SAMPLE_UNKNOWN: 1}


def test_absurd_counts_and_lengths_cost_only_what_they_spoil() -> None:
    good = flow_sample(raw_header(), count=2**32 - 1)
    liar = struct.pack(">II", 1, 2**32 - 1) + bytes(40)
    result = decoded(datagram(good, good, liar, count=2**32 - 1), datagram(good))
    assert result.flows.column("src_port").tolist() == [53, 53, 53]
    assert result.faults == {Fault.SAMPLE_LENGTH: 1}


def test_fewer_samples_and_records_are_read_where_the_count_says_so() -> None:
    assert decoded(datagram(GOOD, GOOD, count=1)).flows.rows == 1
    assert decoded(datagram(GOOD, count=0)).flows.rows == 0
    found = decoded(datagram(flow_sample(raw_header(), switch(10, 20), count=1)))
    assert found.flows.column("src_vlan").tolist() == [0]
    assert found.octets[Octets.PADDING] == len(switch(10, 20))


def test_a_sample_without_a_packet_is_no_flow_but_its_neighbours_are() -> None:
    samples = [flow_sample(switch(1, 2)), flow_sample(user("u", "v"), raw_header()), flow_sample(), GOOD]
    found = decoded(datagram(*samples, agent="2001:db8::1", sub_agent=7))
    assert found.faults == {Fault.SAMPLE_WITHOUT_PACKET: 2}
    assert [row["user_name"] for row in rows(found.flows)] == ["u", ""]
    assert [(row["exporter"], row["observation_domain"]) for row in rows(found.flows)] == [("2001:db8::1", 7)] * 2


def test_counter_samples_have_their_own_account() -> None:
    counters = [counter_sample(item(1, bytes(88))), counter_sample(item(5, bytes(28)), expanded=True)]
    found = decoded(datagram(GOOD, *counters))
    assert (found.flows.rows, found.counter_samples) == (1, 2)
    assert found.octets[Octets.COUNTERS] == sum(len(sample) - 8 for sample in counters)


@pytest.mark.parametrize("version", [2, 4])
def test_older_versions_are_refused_by_name(version: int) -> None:
    old = u32(version) + address("192.0.2.1") + u32(1, 2, 0)
    assert decoded(old, datagram(GOOD)).faults == {Fault.OLD_SFLOW: 1}
    assert decoded(u32(version) + address("2001:db8::1")).faults == {Fault.OLD_SFLOW: 1}
    for other in (u32(version), u32(version, 3, 0, 0), u32(3, 1, 0, 0), u32(version)[2:] + bytes(20)):
        assert decoded(other).faults == {Fault.UNKNOWN_VERSION: 1}


EVERY = datagram(
    flow_sample(*RECORDS.values()),
    counter_sample(item(1, bytes(88))),
    discarded_packet(*(RECORDS[name] for name in ("acl", "function", "header", "trap"))),
    UNKNOWN,
    flow_sample(RECORDS["header"], expanded=True),
)


def test_a_datagram_may_end_anywhere() -> None:
    cuts = [EVERY[:length] for length in range(len(EVERY) + 1)]
    for payload in cuts:
        found = decoded(payload)
        assert sum(found.octets.values()) == len(payload)
    neighbour = datagram(GOOD, sequence=2)
    together = decoded(*(part for payload in cuts for part in (payload, neighbour)))
    assert sum(together.octets.values()) == sum(map(len, cuts)) + len(cuts) * len(neighbour)
    assert Counter(row["bytes"] for row in rows(together.flows))[60] >= len(cuts)
    assert decoded(EVERY).flows.rows == 2


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_lies_costs_only_itself(name: str) -> None:
    """Each record, cut short inside a sample that says how long it is, between records that are whole."""
    record = RECORDS[name]
    body = record[8 : 8 + int.from_bytes(record[4:8], "big")]
    tag = int.from_bytes(record[:4], "big")
    for length in range(len(body)):
        cut = item(tag & 0xFFF, body[:length], tag >> 12)
        found = decoded(datagram(GOOD, flow_sample(egress_queue(9), cut, raw_header()), GOOD))
        assert found.flows.column("bytes").tolist() == [60] * 3
        assert found.flows.column("egress_queue").tolist() == [0, 9, 0]
        assert set(found.faults) <= {Fault.SAMPLE_LENGTH}
        dropped = decoded(datagram(discarded_packet(egress_queue(9), cut, raw_header()), GOOD)).discards
        assert dropped.column("egress_queue").tolist() == [9]
        assert dropped.column("proto").tolist() == [17]


def test_the_first_record_that_is_whole_counts() -> None:
    """Of two of a kind the first, and not one that lies."""
    cut = item(1003, gateway(src_as=1, path=[(2, [5])])[8:-4])
    samples = [
        flow_sample(cut, gateway(src_as=2), gateway(src_as=3), raw_header()),
        flow_sample(raw_header(), switch(5, 6), switch(7, 8)),
        flow_sample(raw_header(bytes(60), ETHERNET), raw_header(), raw_header(PACKET[:2] + b"\0\x50" + PACKET[4:])),
        flow_sample(raw_header(bytes(60), ETHERNET, 99), raw_header(bytes(60), ETHERNET)),
    ]
    found = decoded(datagram(*samples))
    assert found.flows.column("src_as").tolist() == [2, 0, 0, 0]
    assert found.flows.column("dst_vlan").tolist() == [0, 6, 0, 0]
    assert found.flows.column("bytes").tolist() == [60, 60, 60, 0]
    assert found.flows.column("frame_length").tolist() == [64, 64, 64, 99]
    assert found.faults == {Fault.SAMPLE_LENGTH: 1}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_stays_in_its_sample(data: st.DataObject) -> None:
    """Octets changed inside one sample's records, not its length: the samples around it are the same as ever."""
    records = data.draw(st.lists(st.sampled_from(sorted(RECORDS)), min_size=1, max_size=5))
    sample = bytearray(flow_sample(*(RECORDS[name] for name in records), expanded=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 8))):
        sample[data.draw(st.integers(8, len(sample) - 1))] = data.draw(st.sampled_from((0, 1, 2, 3, 127, 255)))
    payload = datagram(flow_sample(raw_header(), sequence=1), bytes(sample), flow_sample(raw_header(), sequence=2))
    found = decoded(payload)
    assert sum(found.octets.values()) == len(payload)
    assert found.flows.rows + found.faults[Fault.SAMPLE_WITHOUT_PACKET] == 3
    neighbours = [list(rows(found.flows))[place] for place in (0, -1)]
    alone = list(rows(decoded(datagram(GOOD, GOOD)).flows))
    assert neighbours == alone


HOSTILE = {
    "records": flow_sample(raw_header(), *[switch(1, 2)] * 2000, count=2**32 - 1),
    "segments": flow_sample(raw_header(), gateway(path=[(2, [])] * 7000)),
    "segment count": flow_sample(raw_header(), item(1003, address("") + u32(1, 2, 3, 2**32 - 1) + bytes(60000))),
    "numbers": flow_sample(raw_header(), gateway(path=[(2, list(range(14000)))])),
    "number count": flow_sample(raw_header(), item(1003, address("192.0.2.1") + u32(1, 2, 3, 1, 2, 2**32 - 1, 5, 6))),
    "communities": flow_sample(raw_header(), gateway(communities=list(range(14000)))),
    "community count": flow_sample(raw_header(), item(1003, address("") + u32(1, 2, 3, 0, 2**32 - 1, 7, 8))),
    "labels": flow_sample(raw_header(), mpls("", list(range(7000)), list(range(7000)))),
    "label count": flow_sample(raw_header(), item(1006, address("") + u32(2**32 - 1, 1, 2**32 - 1))),
    "user": flow_sample(raw_header(), user("u" * 30000, "v" * 30000)),
    "user length": flow_sample(raw_header(), item(1004, u32(106, 2**32 - 1) + b"abcd")),
    "tags": flow_sample(raw_header(), vlan_tunnel(*range(14000))),
    "kinds": flow_sample(raw_header(), *(item(kind, b"") for kind in range(2300, 4000))),
    "private": flow_sample(raw_header(), *(item(1, b"", kind) for kind in range(1, 4000))),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_counts_are_cheap(name: str) -> None:
    payloads = [datagram(HOSTILE[name])] * 20
    block = Datagrams.of(payloads, EXPORTER, NOW)
    begun = time.process_time()
    found = decode(block, State(), Limits())
    took = time.process_time() - begun
    assert found.flows.column("bytes").tolist() == [60] * 20
    assert sum(found.octets.values()) == sum(map(len, payloads))
    octets = sum(map(len, payloads))
    assert took < 0.2 + octets * 400e-9  # what datagrams full of small samples take on a slow machine, and more


def test_records_of_many_lengths_do_not_widen_each_other() -> None:
    """One long name, path and stack among many samples cost what they are long, not that for each sample."""
    one = flow_sample(raw_header(), user("u" * 60000, "v"))
    many = [datagram(*[flow_sample(raw_header(), user("a", "b"), gateway(path=[(2, [1])]))] * 100)] * 20
    found = decoded(datagram(one), *many)
    names = [row["user_name"] for row in rows(found.flows)]
    assert names == ["u" * 256] + ["a"] * 2000
