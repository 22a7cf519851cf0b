"""What we read of sFlow's structures is what tshark reads of the same octets, structure by structure.

tshark knows the structures of the specification of 2004, LAG and radio counters; those that it does not know are shown
by tests/decoders alone. Of enterprise 0, tshark 4.0 does not pass over what it does not know, but reads on inside it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from schema.counters import snake
from schema.render import rows
from tests.decoders import counter_wire, sflow_wire
from tests.decoders.wire import decoded
from tests.exporters.recordings import Export
from tests.exporters.tshark_reading import Datagram, dissect, write_pcap

NOW = 1_795_000_000.0
Fields = dict[str, list[str]]

INTERFACE = {
    "ifindex": "if_index", "iftype": "if_type", "ifspeed": "if_speed", "ifdirection": "if_direction",
    "ifinoct": "if_in_octets", "ifinpkt": "if_in_ucast_pkts", "ifinmcast": "if_in_multicast_pkts",
    "ifinbcast": "if_in_broadcast_pkts", "ifindisc": "if_in_discards", "ifinerr": "if_in_errors",
    "ifinunk": "if_in_unknown_protos", "ifoutoct": "if_out_octets", "ifoutpkt": "if_out_ucast_pkts",
    "ifoutmcast": "if_out_multicast_pkts", "ifoutbcast": "if_out_broadcast_pkts", "ifoutdisc": "if_out_discards",
    "ifouterr": "if_out_errors", "ifpromisc": "if_promiscuous_mode",
}  # fmt: skip
ETHERNET = [
    "AlignmentErrors", "FCSErrors", "SingleCollisionFrames", "MultipleCollisionFrames", "SQETestErrors",
    "DeferredTransmissions", "LateCollisions", "ExcessiveCollisions", "InternalMacTransmitErrors", "CarrierSenseErrors",
    "FrameTooLongs", "InternalMacReceiveErrors", "SymbolErrors",
]  # fmt: skip
LAG = {
    "actor_system_id": "actor_system_id", "partner_oper_system_id": "partner_oper_system_id",
    "attached_agg_id": "attached_agg_id", "lacpdus.rx": "lacpdus_rx", "marker_pdus.rx": "marker_pdus_rx",
    "marker_response_pdus.rx": "marker_response_pdus_rx", "unknown.rx": "unknown_rx", "illegal.rx": "illegal_rx",
    "lacpdus.tx": "lacpdus_tx", "marker_pdus.tx": "marker_pdus_tx",
    "marker_response_pdus.tx": "marker_response_pdus_tx",
}  # fmt: skip
COUNTERS: dict[tuple[int, int], dict[str, str]] = {
    (0, 1): {f"sflow_245.{name}": column for name, column in INTERFACE.items()},
    (0, 2): {f"sflow_245.dot3Stats{name}": snake(f"dot3Stats{name}") for name in ETHERNET},
    (0, 5): {f"sflow_245.{name}": snake(name)
             for name in ("vlan_id", "octets", "ucastPkts", "multicastPkts", "broadcastPkts", "discards")},
    (0, 7): {f"sflow.lag_port.{name}": f"lag_{column}" for name, column in LAG.items()},
    (0, 1001): {f"sflow_5.{name}": name for name in ("cpu_5s", "cpu_1m", "cpu_5m", "total_memory", "free_memory")},
    (0, 1002): {"sflow_5.elapsed_time": "radio_elapsed_time", "sflow_5.on_channel_time": "radio_on_channel_time",
                "sflow_5.channel_busy_time": "radio_on_channel_busy_time"},
}  # fmt: skip
"""By structure: tshark's fields, and our columns."""


def samples(path: Path, datagram: bytes) -> Iterator[Fields]:
    """Yield what tshark reads of each sample of a datagram."""
    write_pcap(path, [Datagram(NOW, datagram)], "sflow")
    yield from dissected_samples(dissect(path))


def dissected_samples(pdml: ET.Element) -> Iterator[Fields]:
    """Yield what tshark reads of each sample: field name -> values in hex, in their order."""
    for node in pdml.iter("field"):
        if node.get("name") == "" and "sample, seq" in node.get("show", ""):
            found: Fields = {}
            for field in node.iter("field"):
                found.setdefault(field.get("name", ""), []).append(field.get("value", ""))
            yield found


def numbers(fields: Fields, names: Mapping[str, str]) -> dict[str, int]:
    return {column: int(fields[name][0], 16) for name, column in names.items()}


@pytest.mark.parametrize("expanded", [False, True])
@pytest.mark.parametrize("key", COUNTERS, ids=lambda key: f"{key[0]}:{key[1]}")
def test_counters(key: tuple[int, int], expanded: bool, tmp_path: Path) -> None:
    values = counter_wire.distinct(key)
    body = counter_wire.record(key, counter_wire.structure(key, values))
    datagram = sflow_wire.datagram(sflow_wire.counter_sample(body, sequence=77, source=(0, 9), expanded=expanded))
    (told,) = samples(tmp_path / "counters.pcap", datagram)
    row = counter_wire.only(decoded(datagram), counter_wire.WIRE[key][0])
    assert {column: row[column] for column in COUNTERS[key].values()} == numbers(told, COUNTERS[key])
    assert row["sequence"] == int(told["sflow.counters_sample.sequence_number"][0], 16) == 77
    assert row["source_index"] == 9


def test_structures_of_enterprises_hide_no_other(tmp_path: Path) -> None:
    keys = [*(key for key in counter_wire.KEYS if key[0]), (0, 2)]
    assert len(keys) > 3
    bodies = [counter_wire.record(key, counter_wire.structure(key, counter_wire.distinct(key))) for key in keys]
    datagram = sflow_wire.datagram(sflow_wire.counter_sample(*bodies))
    (told,) = samples(tmp_path / "counters.pcap", datagram)
    (row,) = counter_wire.rows(decoded(datagram), "counters_interface")
    assert {column: row[column] for column in COUNTERS[0, 2].values()} == numbers(told, COUNTERS[0, 2])


HEAD = {
    "sflow.flow_sample.sampling_rate": 512,
    "sflow.flow_sample.sample_pool": 5120,
    "sflow.flow_sample.dropped_packets": 3,
}


@pytest.mark.parametrize("expanded", [False, True])
def test_the_head_of_a_flow_sample(expanded: bool, tmp_path: Path) -> None:
    sample = sflow_wire.flow_sample(
        sflow_wire.sampled_header(), sequence=9, source=(0, 5), rate=512, pool=5120, drops=3, in_if=(0, 5),
        out_if=(0, 6), expanded=expanded,
    )  # fmt: skip
    (told,) = samples(tmp_path / "sample.pcap", sflow_wire.datagram(sample))
    (row,) = rows(decoded(sflow_wire.datagram(sample)).flows)
    assert {name: int(told[name][0], 16) for name in HEAD} == HEAD
    end = "_value" if expanded else ""
    assert row["in_if"] == int(told[f"sflow.flow_sample.input_interface{end}"][0], 16) == 5
    assert row["out_if"] == int(told[f"sflow.flow_sample.output_interface{end}"][0], 16) & 0x3FFFFFFF == 6
    assert (row["sampling_rate"], row["data_source"]) == (512, 5)


RECORDS: list[tuple[str, bytes, dict[str, str]]] = [
    ("switch", sflow_wire.switch(100, 200), {"vlan.in": "src_vlan", "vlan.out": "dst_vlan"}),
    ("router", sflow_wire.router("192.0.2.77", 24, 16),
     {"nexthop.src_mask": "src_mask", "nexthop.dst_mask": "dst_mask"}),
    ("gateway", sflow_wire.gateway(own=64496, src_as=64500, src_peer_as=64501),
     {"srcAS": "src_as", "peerAS": "src_peer_as", "localpref": "local_pref"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "record", "fields"), RECORDS, ids=[one[0] for one in RECORDS])
def test_flow_records(name: str, record: bytes, fields: dict[str, str], tmp_path: Path) -> None:
    datagram = sflow_wire.datagram(sflow_wire.flow_sample(sflow_wire.sampled_header(), record))
    (told,) = samples(tmp_path / f"{name}.pcap", datagram)
    (row,) = rows(decoded(datagram).flows)
    assert {column: row[column] for column in fields.values()} == numbers(
        told, {f"sflow_245.{field}": column for field, column in fields.items()}
    )


def test_sampled_ipv4_and_ethernet(tmp_path: Path) -> None:
    fields = sflow_wire.ip_fields(1400, 6, "192.0.2.1", "198.51.100.2", 443, 50_000, 0x12, 8)
    ethernet = sflow_wire.sampled_ethernet(1418, "02:00:00:00:00:01", "02:00:00:00:00:02")
    datagram = sflow_wire.datagram(sflow_wire.flow_sample(ethernet, sflow_wire.sampled_ip(fields)))
    (told,) = samples(tmp_path / "plain.pcap", datagram)
    (row,) = rows(decoded(datagram).flows)
    assert row["bytes"] == int(told["sflow_245.ip.length"][0], 16)
    assert row["src_port"] == int(told["sflow_245.ip.source_port"][0], 16)
    assert row["dst_port"] == int(told["sflow.ip.destination_port"][0], 16)
    assert row["frame_length"] == int(told["sflow_245.ethernet.length"][0], 16)
    assert row["src_mac"].replace(":", "") == told["sflow_245.ethernet.source_mac_address"][0]
    assert (row["src_addr"], row["dst_addr"]) == ("192.0.2.1", "198.51.100.2")


def test_what_sfprobe_sends(exports: dict[str, Export]) -> None:
    export = exports["sfprobe"]
    found = decoded(*(datagram.payload for datagram in export.datagrams))
    assert not found.faults
    told = list(dissected_samples(export.pdml))
    of_flows = [one for one in told if "sflow.flow_sample.sampling_rate" in one]
    of_counters = [one for one in told if "sflow_245.ifindex" in one]
    assert (found.flows.rows, found.counter_samples) == (len(of_flows), len(of_counters))
    assert of_flows
    counted = counter_wire.rows(found, "counters_interface") if of_counters else []
    names = COUNTERS[0, 1]
    assert [{column: row[column] for column in names.values()} for row in counted] == [
        {column: value if value != 2 ** (64 if "octets" in column else 32) - 1 else None
         for column, value in numbers(one, names).items()}
        for one in of_counters
    ]  # fmt: skip
