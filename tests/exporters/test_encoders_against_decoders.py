"""What our exporters encode our decoders read back: every column, every row, in every protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from decoders.block import Datagrams, Decoded
from decoders.decode import decode
from decoders.limits import Limits
from decoders.state import State
from demo.encode import Exporter, IpfixExporter, NetFlow5Exporter, NetFlow9Exporter, Options, SFlowExporter
from demo.encode_records import is_v4
from demo.provider import DEVICES, Device, traffic
from demo.traffic import mapped, packets
from schema.batch import Flows
from schema.render import rows

NOW = 1_795_262_400_789
BOOT = NOW - 3_600_000
OPTIONS = Options(sampler_rates=(10, 1000), interfaces={1: ("xe-0/0/0", "transit A"), 513: ("xe-0/0/1", "")})
KEY = ("src_addr", "dst_addr", "src_port", "dst_port", "proto", "tcp_flags", "icmp_type", "icmp_code", "bytes",
       "packets", "in_if", "out_if")  # fmt: skip
ROUTED = (*KEY, "src_as", "dst_as", "flow_start", "flow_end")


def some_traffic(count: int = 400, *, v4_only: bool = False) -> Flows:
    batch = traffic(np.random.default_rng(11), count, NOW - 60_000, NOW)
    batch.arrays["sampling_rate"] = np.where(np.arange(count) % 3, 10, 1000).astype(np.uint32)
    if v4_only:
        return batch.take(np.flatnonzero((batch.column("src_addr")[:, 10:12] == 255).all(axis=1)))
    return batch


def read(datagrams: list[bytes]) -> Decoded:
    result = decode(Datagrams.of(datagrams, mapped("192.0.2.1").tobytes(), NOW), State(), Limits())
    assert not result.faults
    assert result.sequence_gaps == 0
    return result


def shown(batch: Flows, columns: Sequence[str]) -> list[tuple[str, ...]]:
    return sorted(tuple(str(row[name]) for name in columns) for row in rows(batch))


@pytest.mark.parametrize(
    "exporter", [NetFlow9Exporter(7, BOOT, options=OPTIONS), IpfixExporter(7, options=OPTIONS)], ids=["v9", "ipfix"]
)
def test_template_protocols(exporter: Exporter) -> None:
    batch = some_traffic()
    result = read(exporter.announce(NOW) + exporter.datagrams(batch, NOW))
    columns = (*ROUTED, "sampling_rate")
    assert shown(result.flows, columns) == shown(batch, columns)
    assert {(one.id, one.name) for one in result.names} == {(1, "xe-0/0/0"), (513, "xe-0/0/1")}
    assert {row["observation_domain"] for row in rows(result.flows)} == {7}


@pytest.mark.parametrize(
    "exporter",
    [NetFlow9Exporter(7, BOOT, options=Options(system_rate=50)), IpfixExporter(7, options=Options(system_rate=50))],
    ids=["v9", "ipfix"],
)
def test_a_rate_of_system_scope_holds_for_every_flow(exporter: Exporter) -> None:
    result = read(exporter.announce(NOW) + exporter.datagrams(some_traffic(), NOW))
    assert set(result.flows.column("sampling_rate").tolist()) == {50}


def test_netflow5() -> None:
    batch = some_traffic(v4_only=True)
    batch.arrays["src_as"][:] = 64500
    batch.arrays["dst_as"][:] = 64501
    result = read(NetFlow5Exporter(BOOT, engine_type=1, engine_id=2, sampling_rate=100).datagrams(batch, NOW))
    assert shown(result.flows, ROUTED) == shown(batch, ROUTED)
    assert set(result.flows.column("sampling_rate").tolist()) == {100}
    assert set(result.flows.column("observation_domain").tolist()) == {1 << 8 | 2}


def test_sflow() -> None:
    batch = packets(np.random.default_rng(3), some_traffic(), 3)
    batch.arrays["src_vlan"] = np.where(np.arange(batch.rows) % 2, 0, 3000).astype(np.uint16)
    batch.arrays["dst_mac"] = np.full(batch.rows, 0x0200_0000_00BB, np.uint64)
    result = read(SFlowExporter("2001:db8::250", BOOT, sub_agent_id=3, sampling_rate=512).datagrams(batch, NOW))
    columns = (*KEY, "src_vlan", "dst_mac")
    assert shown(result.flows, columns) == shown(batch, columns)
    assert {row["exporter"] for row in rows(result.flows)} == {"2001:db8::250"}
    assert set(result.flows.column("sampling_rate").tolist()) == {512}
    assert set(result.flows.column("flow_start").tolist()) == {NOW}


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_a_devices_scaled_export_comes_near_the_true_traffic(device: Device) -> None:
    batch = some_traffic(20_000)
    seen = device.observe(np.random.default_rng(1), batch)
    exporter = device.exporter(BOOT)
    result = read(exporter.announce(NOW) + exporter.datagrams(seen, NOW)).flows
    scaled = int((result.column("packets") * result.column("sampling_rate")).sum())
    carried = batch.take(np.flatnonzero(is_v4(batch))) if device.protocol == "netflow5" else batch
    assert scaled == pytest.approx(int(carried.column("packets").sum()), rel=0.05)
