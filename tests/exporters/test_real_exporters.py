"""Real exporters send the capture's flows, and our decoders read each export as tshark does, flow by flow."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from decoders.block import Datagrams, Decoded
from decoders.decode import decode
from decoders.limits import Limits
from decoders.state import State
from demo import programs
from demo.traffic import mapped
from schema.render import rows
from settings.errors import RefusalError
from tests.exporters.recordings import PROGRAMS, Capture, Export
from tests.exporters.tshark_reading import Datagram, Flow, faults, flows

COLUMNS = ("src_addr", "dst_addr", "src_port", "dst_port", "proto", "packets", "bytes")
FLOW_TYPES = {"5": "netflow5", "9": "netflow9", "10": "ipfix", "sfprobe": "sflow"}


def decoded(datagrams: list[Datagram]) -> Decoded:
    exporter = mapped("127.0.0.1").tobytes()
    block = Datagrams.gather(
        [datagram.payload for datagram in datagrams],
        [exporter] * len(datagrams),
        [int(datagram.time * 1000) for datagram in datagrams],
    )
    return decode(block, State(), Limits())


def as_reference(result: Decoded) -> list[Flow]:
    return sorted(Flow(*(row[name] for name in COLUMNS)) for row in rows(result.flows))


def summed(found: list[Flow]) -> list[Flow]:
    """The flows with packets and bytes added up by key: sFlow has a row per packet."""
    totals: dict[tuple[str, str, int, int, int], list[int]] = defaultdict(lambda: [0, 0])
    for flow in found:
        totals[flow[:5]][0] += flow.packets
        totals[flow[:5]][1] += flow.bytes
    return sorted(Flow(*key, *total) for key, total in totals.items())


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_real_exporter_ends_by_itself_and_sends_exactly_the_captures_flows(
    name: str, exports: dict[str, Export], capture: Capture
) -> None:
    export = exports[name]
    assert export.run.status == 0, export.run.log
    assert faults(export.pdml) == []
    expected = [Flow(*flow) for flow in capture.flows if not (name.endswith("-5") and ":" in flow.src_addr)]
    assert summed(flows(export.pdml)) == expected


@pytest.mark.parametrize("name", PROGRAMS)
def test_our_decoding_of_a_real_export_is_tsharks(name: str, exports: dict[str, Export]) -> None:
    result = decoded(exports[name].datagrams)
    assert as_reference(result) == flows(exports[name].pdml)
    assert not result.faults
    assert result.sequence_gaps == 0
    assert {row["flow_type"] for row in rows(result.flows)} == {FLOW_TYPES[name.rpartition("-")[2]]}


@pytest.mark.parametrize("name", PROGRAMS)
def test_flow_times_of_a_real_export_are_those_of_the_capture(
    name: str, exports: dict[str, Export], capture: Capture
) -> None:
    if name == "sfprobe":
        begin, end = exports[name].datagrams[0].time, exports[name].datagrams[-1].time  # sFlow tells no times
    else:
        begin, end = capture.start, capture.start + 1
    # a v9 header's clock has whole seconds, so the uptimes in it may lie up to a second off
    slack = 1000 if name.endswith("-9") else 1
    for kind in ("flow_start", "flow_end"):
        times = decoded(exports[name].datagrams).flows.column(kind)
        assert begin * 1000 - slack <= times.min() <= times.max() <= end * 1000 + slack


def test_sampling_is_what_the_exporters_were_told(exports: dict[str, Export]) -> None:
    rates = {name: set(decoded(export.datagrams).flows.column("sampling_rate").tolist())
             for name, export in exports.items()}  # fmt: skip
    assert rates["softflowd-9"] == rates["softflowd-10"] == rates["sfprobe"] == {1}
    assert {row["exporter"] for row in rows(decoded(exports["sfprobe"].datagrams).flows)} == {"192.0.2.250"}


def test_a_program_that_is_not_installed_is_a_plain_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "_SYSTEM_PATHS", str(tmp_path))
    assert programs.find("softflowd") is None
    with pytest.raises(RefusalError, match="apt-get install softflowd"):
        programs.softflowd(tmp_path / "none.pcap", "127.0.0.1", 2055, 9)


def test_a_program_is_ended_at_the_time_limit(capture: Capture) -> None:
    run = programs.nfprobe(capture.path, "127.0.0.1", 9, 9, limit=0.5)
    assert run.status < 0
