"""Our synthetic exporters say what they were given: tshark reads it back, and finds nothing wrong with it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from demo.encode import Exporter, IpfixExporter, NetFlow5Exporter, NetFlow9Exporter, Options, SFlowExporter
from demo.provider import traffic
from demo.traffic import packets
from schema.batch import Flows
from schema.render import address_text
from tests.exporters.tshark_reading import Datagram, Flow, dissect, faults, flows, records, write_pcap

NOW = 1_795_262_400_789
BOOT = NOW - 86_400_000
OPTIONS = Options(system_rate=50, sampler_rates=(10, 1000), interfaces={
    1: ("xe-0/0/0", "transit A"), 513: ("xe-0/0/1", "d" * 300),
})  # fmt: skip


def some_traffic(count: int = 200) -> Flows:
    batch = traffic(np.random.default_rng(7), count, NOW - 60_000, NOW)
    batch.arrays["sampling_rate"] = np.where(np.arange(count) % 3, 10, 1000).astype(np.uint32)
    return batch


def only_v4(batch: Flows) -> Flows:
    return batch.take(np.flatnonzero((batch.column("src_addr")[:, 10:12] == 255).all(axis=1)))


def as_reference(batch: Flows) -> list[Flow]:
    addresses = ([address_text(row.tobytes()) for row in batch.column(name)] for name in ("src_addr", "dst_addr"))
    numbers = (batch.column(name).tolist() for name in ("src_port", "dst_port", "proto", "packets", "bytes"))
    return sorted(Flow(*values) for values in zip(*addresses, *numbers, strict=True))


def dissected(datagrams: list[bytes], path: Path, protocol: str = "netflow") -> ET.Element:
    write_pcap(path, [Datagram(NOW / 1000, payload) for payload in datagrams], protocol)
    pdml = dissect(path)
    assert faults(pdml) == []
    return pdml


def header_values(pdml: ET.Element, name: str) -> list[int]:
    return [int(node.get("value", ""), 16) for node in pdml.iter("field") if node.get("name") == name]


def exported(pdml: ET.Element, name: str) -> list[int]:
    """The named field of each record that is a flow."""
    found = (record for record in records(pdml) if "cflow.srcaddr" in record or "cflow.srcaddrv6" in record)
    return [int(record[f"cflow.{name}"], 16) for record in found]


def names_told(pdml: ET.Element, field: str) -> list[str]:
    told = (record.get(f"cflow.if_{field}") for record in records(pdml))
    return [bytes.fromhex(value).rstrip(b"\0").decode() for value in told if value]


@pytest.mark.parametrize("exporter", [NetFlow9Exporter(7, BOOT, options=OPTIONS), IpfixExporter(7, options=OPTIONS)])
def test_template_protocols_carry_every_flow_with_templates_and_options(exporter: Exporter, tmp_path: Path) -> None:
    batch = some_traffic()
    pdml = dissected(exporter.announce(NOW) + exporter.datagrams(batch, NOW), tmp_path / "export.pcap")
    assert flows(pdml) == as_reference(batch)
    assert names_told(pdml, "name") == ["xe-0/0/0", "xe-0/0/1"]
    assert names_told(pdml, "descr") == ["transit A", "d" * (64 if isinstance(exporter, NetFlow9Exporter) else 300)]
    assert sorted(exported(pdml, "inputint")) == sorted(batch.column("in_if").tolist())
    assert sorted(exported(pdml, "dstas")) == sorted(batch.column("dst_as").tolist())


def test_netflow5_carries_every_ipv4_flow(tmp_path: Path) -> None:
    batch = only_v4(some_traffic())
    datagrams = NetFlow5Exporter(BOOT, sampling_rate=100).datagrams(batch, NOW)
    pdml = dissected(datagrams, tmp_path / "export.pcap")
    assert flows(pdml) == as_reference(batch)
    assert {len(datagram) for datagram in datagrams[:-1]} == {24 + 30 * 48}
    assert set(header_values(pdml, "cflow.samplingmode")) == {1}
    assert set(header_values(pdml, "cflow.samplerate")) == {100}
    assert set(exported(pdml, "dstas")) <= {64496, 64499, 64500, 64505, 23456}, "4-octet AS numbers become AS_TRANS"


def test_netflow5_refuses_what_it_cannot_carry() -> None:
    with pytest.raises(ValueError, match="no IPv6"):
        NetFlow5Exporter(BOOT).datagrams(some_traffic(), NOW)
    large = only_v4(some_traffic(20))
    large.arrays["bytes"][3] = 2**32
    with pytest.raises(ValueError, match="bytes 4294967296 does not fit 4 octets"):
        NetFlow5Exporter(BOOT).datagrams(large, NOW)


def test_sflow_carries_every_sampled_packet_tagged_or_not(tmp_path: Path) -> None:
    batch = packets(np.random.default_rng(3), some_traffic(300), 3)
    batch.arrays["src_vlan"] = np.where(np.arange(batch.rows) % 2, 0, 3000).astype(np.uint16)
    batch.arrays["src_mac"] = np.full(batch.rows, 0x0200_0000_00AA, np.uint64)
    exporter = SFlowExporter("2001:db8::250", BOOT, sub_agent_id=2, source_index=5, sampling_rate=512)
    pdml = dissected(exporter.datagrams(batch, NOW), tmp_path / "export.pcap", "sflow")
    assert flows(pdml) == as_reference(batch)
    samples = list(records(pdml))
    assert {int(sample["sflow.flow_sample.sampling_rate"], 16) for sample in samples} == {512}
    assert {sample["eth.src"] for sample in samples} == {"0200000000aa"}
    assert sum("vlan.id" in sample for sample in samples) == (batch.rows + 1) // 2
    assert [int(sample["sflow.flow_sample.sample_pool"], 16) for sample in samples[:2]] == [512, 1024]
    for sample in samples:
        frame = int(sample["sflow_245.header.frame_length"], 16)
        header = int(sample["sflow_245.header.sampled_header_length"], 16)
        assert frame >= 64, "with the frame check sequence"
        assert header == min(frame - 4, 128)


def test_sflow_refuses_rows_that_are_no_packets() -> None:
    batch = some_traffic(50)
    batch.arrays["bytes"][:] = 100_000
    with pytest.raises(ValueError, match="draw packets"):
        SFlowExporter("192.0.2.250", BOOT).datagrams(batch, NOW)


def test_sequence_numbers_count_in_each_protocols_unit_and_wrap() -> None:
    batch = only_v4(some_traffic(100))
    five = NetFlow5Exporter(BOOT, sequence=2**32 - 30).datagrams(batch, NOW)
    nine = NetFlow9Exporter(1, BOOT, sequence=2**32 - 1, options=OPTIONS)
    ten = IpfixExporter(1, sequence=2**32 - 5, options=OPTIONS)
    sflow = SFlowExporter("192.0.2.250", BOOT, sequence=2**32 - 1)
    one = batch.take(np.arange(9))
    one.arrays["bytes"] = np.full(9, 100, np.uint64)
    assert sequences(five, 16)[:3] == [2**32 - 30, 0, 30], "v5: flows"
    assert sequences(nine.announce(NOW) + nine.datagrams(batch, NOW), 12)[:3] == [2**32 - 1, 0, 1], "v9: packets"
    # 1 system rate, 2 samplers, 2 interfaces before the flows
    assert sequences(ten.announce(NOW) + ten.datagrams(batch, NOW), 8)[:5] == [
        2**32 - 5,
        2**32 - 5,
        2**32 - 4,
        2**32 - 2,
        0,
    ], "IPFIX: data records"
    assert sequences(sflow.datagrams(one, NOW), 16) == [0, 1], "sFlow: datagrams, counted from 1"


def sequences(datagrams: list[bytes], offset: int) -> list[int]:
    return [int.from_bytes(datagram[offset : offset + 4]) for datagram in datagrams]


@pytest.mark.parametrize("version", [5, 9])
def test_flow_times_survive_the_wrap_of_uptime(version: int, tmp_path: Path) -> None:
    boot, at = NOW - 2**32 - 5_000, NOW - 6_500  # uptime wrapped 5 s ago, the flow was before that
    batch = only_v4(some_traffic(24))
    batch.arrays["flow_start"] = batch.arrays["flow_end"] = np.full(batch.rows, at)
    exporter: Exporter = NetFlow5Exporter(boot) if version == 5 else NetFlow9Exporter(1, boot)
    datagrams = exporter.datagrams(batch, NOW)
    pdml = dissected(exporter.announce(NOW) + datagrams, tmp_path / "export.pcap")
    uptime = int.from_bytes(datagrams[0][4:8])
    sent_at = NOW if version == 5 else NOW // 1000 * 1000  # a v9 header has whole seconds only
    assert {sent_at - (uptime - first) % 2**32 for first in exported(pdml, "timestart")} == {at}


def test_ipfix_times_samplers_and_enterprise_element_are_those_given(tmp_path: Path) -> None:
    batch = only_v4(some_traffic(60))
    exporter = IpfixExporter(7, options=OPTIONS)
    pdml = dissected(exporter.announce(NOW) + exporter.datagrams(batch, NOW), tmp_path / "export.pcap")
    assert exported(pdml, "abstimestart") == batch.column("flow_start").tolist()
    assert exported(pdml, "abstimeend") == batch.column("flow_end").tolist()
    assert exported(pdml, "enterprise_private_entry") == list(range(batch.rows))
    rates = [OPTIONS.sampler_rates[number - 1] for number in exported(pdml, "selector_id")]
    assert rates == batch.column("sampling_rate").tolist()


def test_icmp_type_and_code_go_where_each_protocol_has_them(tmp_path: Path) -> None:
    batch = only_v4(some_traffic(400))
    batch = batch.take(np.flatnonzero(batch.column("proto") == 1))
    batch.arrays["icmp_type"][:], batch.arrays["icmp_code"] = 3, np.full(batch.rows, 13, np.uint8)
    exporters: list[tuple[Exporter, str]] = [
        (NetFlow5Exporter(BOOT), "dstport"),
        (NetFlow9Exporter(1, BOOT), "dstport"),
        (IpfixExporter(1), "icmp_type_code_ipv4"),
    ]
    for number, (exporter, field) in enumerate(exporters):
        datagrams = exporter.announce(NOW) + exporter.datagrams(batch, NOW)
        pdml = dissected(datagrams, tmp_path / f"{number}.pcap")
        assert set(exported(pdml, field)) == {3 << 8 | 13}


def test_datagrams_keep_their_bound() -> None:
    batch = some_traffic(500)
    for exporter in (NetFlow9Exporter(1, BOOT, max_octets=1001), IpfixExporter(1, max_octets=1001)):
        lengths = [len(datagram) for datagram in exporter.datagrams(batch, NOW)]
        assert max(lengths) <= 1001
        assert all(length % 4 == 0 for length in lengths)


def test_the_reference_itself_finds_faults(tmp_path: Path) -> None:
    untold = NetFlow9Exporter(1, BOOT).datagrams(some_traffic(30), NOW)
    write_pcap(tmp_path / "untold.pcap", [Datagram(NOW / 1000, payload) for payload in untold], "netflow")
    assert any("no_template_found" in fault for fault in faults(dissect(tmp_path / "untold.pcap")))
    samples = packets(np.random.default_rng(3), only_v4(some_traffic(30)), 3)
    wrong = bytearray(SFlowExporter("192.0.2.250", BOOT).datagrams(samples, NOW)[0])
    wrong[wrong.index(b"\x08\x00\x45") + 12] ^= 1  # the first header's protocol
    write_pcap(tmp_path / "wrong.pcap", [Datagram(NOW / 1000, bytes(wrong))], "sflow")
    assert any("checksum" in fault for fault in faults(dissect(tmp_path / "wrong.pcap")))
