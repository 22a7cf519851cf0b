"""Counters and discarded packets from real sFlow datagrams, written out in octets, to their tables: once, and whose."""

from __future__ import annotations

import os
import signal
import struct
import urllib.request
from ipaddress import IPv6Address

from schema.addresses import V4_MAPPED
from storage.node_files import NodeFiles
from tests.collector.site import TENANTS, Site, wait_for
from tests.collector.test_restart import journaled

UNKNOWN = "ffffffff"  # what an agent puts where it has no such counter

# if_counters (sFlow version 5, section 5.3, structure 1): 88 octets, but for ifInOctets, which stands apart.
IF_COUNTERS = (
    "00000005 00000006 000000003b9aca00 00000001 00000003",  # ifIndex 5, ethernet, 1 Gbit/s, full-duplex, up
    "0000000a 00000001 00000002 00000000 00000003 " + UNKNOWN,  # in: unicast, multicast, broadcast, discards, errors, -
    "0000000000000fff 00000014 00000000 00000000 00000000 00000000 00000002",  # out: octets, the same, promiscuous
)

# host_descr ("sFlow Host Structures", 2000): "vm-7", its UUID, x86_64, Linux, "6.1"; host_adapters (2001): one, ifIndex
# 5, one MAC address.
HOST_DESCR = "00000004 766d2d37 abcdef00 22221111 44445555 55555555 00000003 00000002 00000003 362e3100"
HOST_ADAPTERS = "00000001 00000005 00000001 5254000000070000"

# An Ethernet frame with an IPv4 header, UDP from 192.0.2.1 to 8.8.8.8, port 4000 to 53.
FRAME = (
    "525400000001 525400000002 0800"
    "4500001c 00000000 40110000 c0000201 08080808"
    "0fa00035 00080000"
)  # fmt: skip
ACL = 258


def octets(*texts: str) -> bytes:
    return bytes.fromhex("".join(texts))


def item(format_: int, body: bytes) -> bytes:
    """A sample or a record: its data format (enterprise 0), its length, its octets and their padding."""
    return struct.pack(">II", format_, len(body)) + body + bytes(-len(body) % 4)


def datagram(sequence: int, *samples: bytes) -> bytes:
    """A sample_datagram_v5 of agent 192.0.2.254, sub-agent 0, which began a minute ago."""
    return (
        octets("00000005 00000001 c00002fe 00000000")
        + struct.pack(">III", sequence, 60_000, len(samples))
        + b"".join(samples)
    )


def counted(number: int, in_octets: int) -> bytes:
    """A counters_sample (2) of interface 5 with if_counters."""
    body = octets(IF_COUNTERS[0]) + struct.pack(">Q", in_octets) + octets(*IF_COUNTERS[1:])
    assert len(body) == 88
    return item(2, struct.pack(">III", number, 5, 1) + item(1, body))


def machine(number: int) -> bytes:
    """A counters_sample of the virtual machine with data source class 3, index 100."""
    return item(
        2,
        struct.pack(">III", number, 3 << 24 | 100, 2)
        + item(2000, octets(HOST_DESCR))
        + item(2001, octets(HOST_ADAPTERS)),
    )


def discarded(number: int, drops: int) -> bytes:
    """A discarded_packet (5) of interface 5 with its sampled_header (1): the access list, and `drops` so far."""
    frame = octets(FRAME)
    header = struct.pack(">IIII", 1, len(frame) + 4, 4, len(frame)) + frame + bytes(-len(frame) % 4)
    return item(5, struct.pack(">IIIIIIII", number, 0, 5, drops, 5, 0, ACL, 1) + item(1, header))


def mapped(*address: int) -> IPv6Address:
    return IPv6Address(V4_MAPPED + bytes(address))


def test_counters_and_discards_are_stored_whose_they_are_and_no_traffic(site: Site) -> None:
    site.tenants.write_text(TENANTS + "203.0.113.7/32,umbrella,vm-7,basic,,\n")
    with site.collector() as collector:
        books = collector.settle(
            site.send([datagram(1, machine(1), counted(1, 1000), discarded(1, 0)), datagram(2, counted(2, 3000))])
        )
        assert site.rows(
            "SELECT exporter, observation_domain, source_class, source_index, sequence, uptime, tenant, resource, "
            "retention_class, if_in_octets, if_in_errors, if_in_unknown_protos, if_out_octets, if_speed "
            "FROM counters_interface ORDER BY sequence"
        ) == [
            (
                mapped(192, 0, 2, 254),
                0,
                0,
                5,
                number,
                60_000,
                "umbrella",
                "vm-7",
                "counters",
                seen,
                3,
                None,
                4095,
                10**9,
            )
            for number, seen in ((1, 1000), (2, 3000))
        ]
        assert site.rows("SELECT source_class, source_index, if_index, name, tenant FROM counters_adaptor") == [
            (3, 100, 5, "vm-7", "umbrella")
        ]
        assert site.rows(
            "SELECT src_addr, dst_addr, src_port, dst_port, in_if, src_tenant, dst_tenant, toString(direction), "
            "retention_class, reason_code, reason, drops FROM discards"
        ) == [
            (mapped(192, 0, 2, 1), mapped(8, 8, 8, 8), 4000, 53, 5, "acme", "unassigned", "egress", "discards", ACL,
             "acl", 0)
        ]  # fmt: skip
        assert site.rows("SELECT count() FROM flows") == [(0,)]
        with urllib.request.urlopen(f"http://127.0.0.1:{site.ports.metrics}/metrics") as answer:
            metrics = answer.read().decode()
    assert (books["decoded"], books["stored"], books["discards"], books["counter_samples"]) == (0, 0, 1, 3)
    assert books["stored_rows"] == books["decoded_rows"]
    assert (books["stored_rows"]["counters_interface"], books["stored_rows"]["discards"]) == (2, 1)
    assert (books["dropped_rows"], books["faults"]) == ({}, {})
    assert 'flowkeep_rows_stored_total{table="counters_interface"} 2.0' in metrics


def test_what_was_journaled_before_a_kill_is_stored_after_it_exactly_once(site: Site) -> None:
    count = 1500
    payloads = [datagram(number, counted(number, number), discarded(number, number)) for number in range(1, count + 1)]
    collector = site.collector()
    collector.start()
    site.send(payloads[:700])
    os.kill(NodeFiles.of(collector.config.data_dir).state().pid, signal.SIGSTOP)  # type: ignore[union-attr]
    site.send(payloads[700:])
    wait_for(lambda: journaled(site) + collector.books()["datagrams_decoded"] >= count)
    collector.kill()
    again = site.collector()
    again.start()
    books = again.settle()
    assert books["replayed"] > 0
    total = count * (count + 1) // 2
    for table, column in (("counters_interface", "if_in_octets"), ("discards", "drops")):
        found = site.rows(f"SELECT count(), uniqExact({column}), sum({column}) FROM {table}")
        assert found == [(count, count, total)], table
    assert site.rows("SELECT count() FROM flows") == [(0,)]
    again.stop()
