"""The demo's provider: files that the program takes, traffic that looks as it should, captures that count right."""

from __future__ import annotations

from pathlib import Path

import dpkt
import numpy as np

from demo.capture import write_capture
from demo.provider import DEVICES, MOVED_ADDRESS, MOVED_FROM, MOVED_TO, SITE, Ports, traffic, write_demo
from demo.traffic import mapped, packets, sampled
from schema.columns import FLOW_COLUMNS
from settings.config import Embedded, load_config
from tenants.allocations import load_allocations
from tests.exporters.recordings import PAIRS

START, END = 1_795_260_000_000, 1_795_260_600_000
PORTS = Ports(netflow=20055, sflow=26343, clickhouse_http=28123, clickhouse_tcp=29000, metrics=29477)


def test_the_files_of_a_demo_are_what_the_program_takes(tmp_path: Path) -> None:
    config = load_config(write_demo(tmp_path / "demo", START, PORTS), {})
    assert config.listen == ["127.0.0.1:20055", "127.0.0.1:26343"]
    assert {exporter.name for exporter in config.exporters} == {device.name for device in DEVICES} | {"probes"}
    assert isinstance(config.storage, Embedded)
    assert config.storage.http_port == 28123
    loaded = load_allocations(config.tenants)
    allocations = [loaded[index] for index in range(len(loaded))]
    assert len({allocation.tenant for allocation in allocations}) == 12
    moved = [(one.tenant, one.valid_from, one.valid_to) for one in allocations
             if str(one.prefix) == f"{MOVED_ADDRESS}/32"]  # fmt: skip
    assert [tenant for tenant, _, _ in moved] == [MOVED_FROM, MOVED_TO]
    assert moved[0][2] == moved[1][1] == START


def test_traffic_is_the_same_for_a_seed_and_stays_in_its_time() -> None:
    first, again = (traffic(np.random.default_rng(5), 2_000, START, END) for _ in range(2))
    assert all(np.array_equal(values, again.arrays[name]) for name, values in first.arrays.items())
    assert first.column("flow_start").min() >= START
    assert np.all(first.column("flow_start") <= first.column("flow_end"))
    assert np.all(np.diff(first.column("flow_end")) >= 0)
    assert first.column("flow_end").max() < END


def test_traffic_has_the_dtypes_of_the_column_table() -> None:
    batch = traffic(np.random.default_rng(5), 100, START, END)
    for column in FLOW_COLUMNS:
        if column.name in batch.arrays:
            assert batch.arrays[column.name].dtype == np.dtype(column.dtype), column.name
            assert batch.arrays[column.name].shape == ((100, column.width) if column.width else (100,)), column.name


def test_traffic_has_every_kind_and_each_row_one_family() -> None:
    batch = traffic(np.random.default_rng(5), 5_000, START, END)
    assert set(batch.column("proto").tolist()) == {1, 6, 17, 58}
    v4 = [(batch.column(name)[:, 10:12] == 255).all(axis=1) for name in ("src_addr", "dst_addr")]
    assert np.array_equal(*v4)
    assert 0.02 < np.mean(~v4[0]) < 0.5
    scans = np.flatnonzero((batch.column("src_addr") == mapped(SITE.scanner)).all(axis=1)
                           & (batch.column("tcp_flags") == 2))  # fmt: skip
    assert len(scans) > 100
    assert set(batch.column("dst_port")[scans].tolist()) == {22}
    assert not batch.column("src_port")[np.isin(batch.column("proto"), (1, 58))].any()


def test_sampling_thins_traffic_by_its_rate() -> None:
    batch = traffic(np.random.default_rng(5), 20_000, START, END)
    true = int(batch.column("bytes").sum())
    flows = sampled(np.random.default_rng(6), batch, 10)
    assert 0.9 < int(flows.column("bytes").sum()) * 10 / true < 1.1
    single = packets(np.random.default_rng(6), batch, 10)
    assert set(single.column("packets").tolist()) == {1}
    assert int(single.column("bytes").sum()) == int(flows.column("bytes").sum())
    assert np.array_equal(sampled(np.random.default_rng(6), batch, 1).column("bytes"), batch.column("bytes"))


def test_a_capture_holds_what_its_account_says(tmp_path: Path) -> None:
    account = write_capture(tmp_path / "a.pcap", PAIRS, 1_795_260_000.0)
    with (tmp_path / "a.pcap").open("rb") as file:
        frames = [(time, dpkt.ethernet.Ethernet(octets)) for time, octets in dpkt.pcap.Reader(file)]
    assert len(frames) == sum(flow.packets for flow in account)
    assert sum(len(frame.data) for _, frame in frames) == sum(flow.bytes for flow in account)
    assert frames[0][0] == 1_795_260_000.0
    assert len(account) == 6 * len(PAIRS)


def test_a_capture_is_the_same_every_time_and_can_be_tagged(tmp_path: Path) -> None:
    for name, vlan in (("a", 0), ("b", 0), ("tagged", 42)):
        write_capture(tmp_path / name, PAIRS, 1_795_260_000.0, vlan=vlan)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with (tmp_path / "tagged").open("rb") as file:
        assert {dpkt.ethernet.Ethernet(octets).vlan_tags[0].id for _, octets in dpkt.pcap.Reader(file)} == {42}
