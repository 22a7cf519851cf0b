"""`flowkeep decode --counters` and `--discards`: what of a capture is no flow, as JSON lines, and its counts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cli.counters_output import Kept, lines, opened_rows
from cli.decode_totals import Totals
from decoders import Decoded
from schema.addresses import V4_MAPPED
from schema.batch import Flows, Nullable, Rows, Symbols
from tests.cli.test_decode import DATA, TEMPLATE, pcap
from tests.collector.site import flowkeep
from tests.decoders import counter_wire, sflow_wire

AGENT = V4_MAPPED + bytes((192, 0, 2, 1))
TIME = np.array([1_795_000_000_000, 1_795_000_000_001])


def block() -> Decoded:
    """A block with two interface samples, one of a VLAN, and two discarded packets."""
    interface = Rows(
        2,
        {
            "time_received": TIME,
            "exporter": np.frombuffer(AGENT * 2, np.uint8).reshape(2, 16),
            "source_index": np.array([7, 8], np.uint32),
            "name": Symbols(np.array([1, 0], np.int32), ["", "ge-0/0/7"]),
            "if_in_octets": Nullable(np.array([2**64 - 2, 0], np.uint64), np.array([False, True])),
            "lag_actor_system_id": Nullable(np.array([0x020000000001, 0], np.uint64), np.array([False, True])),
        },
    )
    vlan = Rows(1, {"vlan_id": Nullable(np.array([5], np.uint32), np.zeros(1, np.bool_))})
    discards = Flows(
        2,
        {"time_received": TIME, "reason_code": np.array([258, 256], np.uint16), "src_port": np.array([0, 443], "u2")},
        {"reason": Symbols(np.array([0, 1], np.int32), ["acl", "größer"])},
    )
    return Decoded(
        Flows(1),
        discards=discards,
        counters={"counters_vlan": vlan, "counters_interface": interface},
        passed_over=Counter({("flow", 0, 1005): 2, ("counter", 4413, 3): 1}),
        agent_drops=Counter({AGENT: 4}),
    )


def objects(kept: Kept, decoded: Decoded) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines(kept, decoded)]


def test_a_counter_sample_is_an_object_that_says_its_table_first_and_null_for_unknown() -> None:
    one, two, vlan = objects(Kept.COUNTERS, block())
    assert list(one)[:2] == ["table", "time_received"]
    assert (one["table"], one["exporter"], one["source_index"], one["name"], one["if_in_octets"]) == (
        "counters_interface",
        "192.0.2.1",
        7,
        "ge-0/0/7",
        2**64 - 2,
    )
    assert (one["time_received"], one["lag_actor_system_id"]) == ("2026-11-18T11:06:40.000Z", "02:00:00:00:00:01")
    assert (two["name"], two["if_in_octets"], two["lag_actor_system_id"]) == ("", None, None)
    assert (vlan["table"], vlan["vlan_id"]) == ("counters_vlan", 5)


def test_a_discarded_packet_is_an_object_with_its_reason() -> None:
    one, two = objects(Kept.DISCARDS, block())
    assert (one["reason_code"], one["reason"], one["src_port"]) == (258, "acl", 0)
    assert (two["reason"], two["time_received"]) == ("größer", "2026-11-18T11:06:40.001Z")
    assert "bytes" not in one


def test_what_a_block_lacks_is_no_line() -> None:
    assert [list(lines(kept, Decoded(Flows(3)))) for kept in Kept] == [[], []]


def test_every_block_goes_to_the_file(tmp_path: Path) -> None:
    path = tmp_path / "counters.jsonl"
    with opened_rows(Kept.COUNTERS, path, []) as put:
        put(block())
        put(Decoded(Flows(0)))
        put(block())
    assert [json.loads(line)["table"] for line in path.read_text().splitlines()] == [
        *["counters_interface"] * 2,
        "counters_vlan",
    ] * 2


def test_the_counts_of_blocks_add_up() -> None:
    totals = Totals()
    totals.add(block())
    totals.add(block())
    shown = totals.shown()
    assert shown["discards"] == 4
    assert shown["counter_rows"] == {"counters_interface": 4, "counters_vlan": 2}
    assert shown["passed_over"] == {"counter 4413:3": 2, "flow 0:1005": 4}
    assert shown["agent_drops"] == {"192.0.2.1": 8}


def test_the_command_puts_out_no_flows_beside_them(tmp_path: Path) -> None:
    capture = pcap(tmp_path / "c.pcap", [TEMPLATE, DATA])
    for option in ("--counters", "--discards"):
        path = tmp_path / option.strip("-")
        done = flowkeep("decode", capture, option, "-o", str(path), "--format", "jsonl")
        assert (done.returncode, done.stdout, done.stderr, path.read_text()) == (0, "", "", "")
        done = flowkeep("decode", capture, option)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("other", [["--stats"], ["--templates"], ["--explain", "1"], ["--discards"]])
def test_different_answers_exclude_each_other(tmp_path: Path, other: list[str]) -> None:
    done = flowkeep("decode", pcap(tmp_path / "c.pcap", [DATA]), "--counters", *other)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("ask for one at a time\n")


@pytest.mark.parametrize("form", ["csv", "parquet", "table"])
def test_other_forms_are_refused(tmp_path: Path, form: str) -> None:
    output = tmp_path / "out"
    done = flowkeep("decode", pcap(tmp_path / "c.pcap", [DATA]), "--discards", "--format", form, "-o", str(output))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"flowkeep: --discards come as JSON lines only: leave --format {form} out\n"
    assert not output.exists()


def test_what_is_read_is_not_overwritten_and_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    capture = pcap(tmp_path / "c.pcap", [DATA])
    before = Path(capture).read_bytes()
    done = flowkeep("decode", capture, "--counters", "-o", capture)
    assert done.returncode == 2
    assert "would be overwritten" in done.stderr
    assert Path(capture).read_bytes() == before
    done = flowkeep("decode", capture, "--counters", "-o", "/nowhere/x")
    assert (done.returncode, done.stderr) == (
        1,
        "flowkeep: /nowhere/x: cannot be written: No such file or directory\n",
    )


def test_a_datagram_of_counters_and_discards(tmp_path: Path) -> None:
    values = counter_wire.distinct((0, 1))
    datagram = sflow_wire.datagram(
        sflow_wire.counter_sample(counter_wire.record((0, 1), counter_wire.structure((0, 1), values)), source=(0, 7)),
        sflow_wire.discarded_packet(sflow_wire.sampled_header(), reason=258, drops=9),
        sflow_wire.flow_sample(sflow_wire.sampled_header()),
    )
    path = tmp_path / "one.bin"
    path.write_bytes(datagram)
    (row,) = map(json.loads, flowkeep("decode", str(path), "--counters").stdout.splitlines())
    assert (row["table"], row["exporter"], row["source_index"]) == ("counters_interface", "192.0.2.1", 7)
    assert {name: row[name] for name in values} == values
    (discard,) = map(json.loads, flowkeep("decode", str(path), "--discards").stdout.splitlines())
    assert (discard["reason"], discard["reason_code"], discard["drops"]) == ("acl", 258, 9)
    (flow,) = map(json.loads, flowkeep("decode", str(path)).stdout.splitlines())
    assert flow["flow_type"] == "sflow"
    found = json.loads(flowkeep("decode", str(path), "--stats").stdout)
    assert (found["flows"], found["discards"], found["counter_rows"]) == (1, 1, {"counters_interface": 1})
