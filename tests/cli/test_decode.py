"""`flowkeep decode` and `replay`: captures and raw datagrams, the contract of their output."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import dpkt
import pytest

from decoders.block import Octets
from schema.columns import FLOW_COLUMNS
from tests.collector.site import flowkeep
from tests.decoders.wire import a_set, ipfix, template, v9

TEMPLATE = v9(a_set(0, template(256, [(8, 4), (12, 4), (1, 4), (70, 3), (56, 6)])))
DATA = v9(
    a_set(256, struct.pack(">4B4BI3s6s", 192, 0, 2, 1, 8, 8, 8, 8, 77, (16 << 4).to_bytes(3, "big"), b"\2\0\0\0\0\1")),
    sequence=1,
)


def raw(directory: Path, *payloads: bytes) -> list[str]:
    paths = []
    for number, payload in enumerate(payloads):
        path = directory / f"{number}.dat"
        path.write_bytes(payload)
        paths.append(str(path))
    return paths


def pcap(path: Path, payloads: list[bytes], writer: type = dpkt.pcap.Writer, sender: str = "192.0.2.99") -> str:
    with path.open("wb") as file:
        capture = writer(file)
        for payload in payloads:
            udp = dpkt.udp.UDP(sport=4000, dport=2055, data=payload, ulen=8 + len(payload))
            packet = dpkt.ip.IP(src=bytes(map(int, sender.split("."))), dst=b"\x7f\0\0\1", p=17, data=udp)
            packet.len = len(packet)
            capture.writepkt(bytes(dpkt.ethernet.Ethernet(type=0x800, data=packet)), 1_795_000_000.25)
    return str(path)


def test_raw_datagrams_share_one_state_in_the_order_given(tmp_path: Path) -> None:
    done = flowkeep("decode", *raw(tmp_path, TEMPLATE, DATA), "--format", "jsonl", "--exporter", "10.9.8.7")
    assert done.returncode == 0
    (row,) = map(json.loads, done.stdout.splitlines())
    assert list(row) == [column.name for column in FLOW_COLUMNS]
    assert (row["src_addr"], row["bytes"], row["exporter"], row["flow_type"]) == (
        "192.0.2.1",
        77,
        "10.9.8.7",
        "netflow9",
    )
    assert (row["mpls_labels"], row["src_mac"], row["next_hop"]) == ([16], "02:00:00:00:00:01", "::")
    assert (row["flow_start"], row["src_tenant"]) == ("1970-01-01T00:00:00.000Z", "")
    backwards = flowkeep("decode", *reversed(raw(tmp_path, TEMPLATE, DATA)))  # data waits for its template
    assert json.loads(backwards.stdout)["bytes"] == 77


@pytest.mark.parametrize("writer", [dpkt.pcap.Writer, dpkt.pcapng.Writer])
def test_captures_give_the_exporter_and_the_time(tmp_path: Path, writer: type) -> None:
    done = flowkeep("decode", pcap(tmp_path / "c.cap", [TEMPLATE, DATA], writer))
    (row,) = map(json.loads, done.stdout.splitlines())
    assert (row["exporter"], row["time_received"]) == ("192.0.2.99", "2026-11-18T11:06:40.250Z")


def test_stats_are_one_object_and_bad_datagrams_no_failure(tmp_path: Path) -> None:
    files = raw(tmp_path, TEMPLATE, DATA, b"", b"\xff" * 30, DATA, ipfix(a_set(400, b"12345678")))
    done = flowkeep("decode", "--stats", *files)
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert {name: found[name] for name in ("datagrams", "flows", "templates", "option_records", "names")} == {
        "datagrams": 6, "flows": 2, "templates": 1, "option_records": 0, "names": 0,
    }  # fmt: skip
    assert found["faults"] == {"template_missing": 1, "too_short": 1, "unknown_version": 1}
    assert found["octets"].keys() == {"received", *Octets}
    assert found["octets"]["received"] == sum(Path(path).stat().st_size for path in files)
    assert found["sequence_gaps"] == sum(stream["gaps"] for stream in found["sequence"])
    assert list(found)[:7] == [
        "datagrams", "flows", "templates", "option_records", "counter_samples", "names", "sequence_gaps",
    ]  # fmt: skip


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    done = flowkeep("decode", str(tmp_path / "nowhere.pcap"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere.pcap" in done.stderr
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes(Path(pcap(tmp_path / "good.pcap", [TEMPLATE] * 3)).read_bytes()[:-20])
    done = flowkeep("decode", "--stats", str(damaged))
    assert "Traceback" not in done.stderr
    done = flowkeep("decode", "--exporter", "nobody", str(damaged))
    assert done.returncode == 2


def test_what_came_before_the_damage_is_put_out(tmp_path: Path) -> None:
    path = Path(pcap(tmp_path / "c.pcap", [TEMPLATE, DATA]))
    path.write_bytes(path.read_bytes() + bytes(8))
    done = flowkeep("decode", str(path))
    assert done.returncode == 2
    assert [json.loads(line)["bytes"] for line in done.stdout.splitlines()] == [77]
    assert "is damaged near octet" in done.stderr


def test_what_is_not_there_whole_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    with path.open("wb") as file:
        capture = dpkt.pcap.Writer(file)
        for flags, cut in ((0, 0), (0x2000, 0), (0x0010, 0), (0, 7)):
            udp = dpkt.udp.UDP(sport=4000, dport=2055, data=TEMPLATE, ulen=8 + len(TEMPLATE))
            packet = dpkt.ip.IP(src=b"\x0a\0\0\1", dst=b"\x7f\0\0\1", p=17, data=udp)
            packet.len, packet._flags_offset = len(packet), flags
            frame = bytes(dpkt.ethernet.Ethernet(type=0x800, data=packet))
            capture.writepkt(frame[: len(frame) - cut], 1_795_000_000)
    done = flowkeep("decode", "--stats", str(path))
    assert json.loads(done.stdout)["datagrams"] == 1
    assert "left out 2 IP fragments" in done.stderr
    assert "left out 1 packets that the capture cut short" in done.stderr


def test_replay_keeps_to_its_rate(tmp_path: Path) -> None:
    path = pcap(tmp_path / "c.pcap", [TEMPLATE] * 100)
    begun = time.monotonic()
    done = flowkeep("replay", path, "--to", "127.0.0.1:9", "--rate", "200")
    assert done.returncode in (0, 1)  # 1: the port's refusal came back, which UDP may tell
    if done.returncode == 0:
        assert "sent 100 datagrams" in done.stdout
        assert time.monotonic() - begun > 0.45
    assert flowkeep("replay", path, "--to", "nowhere").returncode == 2
