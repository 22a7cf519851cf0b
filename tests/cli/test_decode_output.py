"""`flowkeep decode` puts flows where it is told, keeps off what it must not overwrite, and is quiet in a pipe."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import struct
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schema.columns import FLOW_COLUMNS
from tests.cli.test_decode import DATA, TEMPLATE, pcap
from tests.collector.site import flowkeep
from tests.decoders.wire import a_set, template, v9

DECODE = [sys.executable, "-m", "cli.main", "decode"]
GONE = 141


def datagram(number: int) -> bytes:
    """A datagram of two sets; the first's flow is of a layout that comes late in the block."""
    wide = struct.pack(">4B4BI3s6s", 10, 0, 0, 1, 10, 0, 0, 2, 2 * number, bytes(3), bytes(6))
    return v9(a_set(257, struct.pack(">I", 2 * number + 1)), a_set(256, wide), sequence=number)


@pytest.fixture
def capture(tmp_path: Path) -> str:
    """Templates, then flows of two layouts by turns."""
    narrow = v9(a_set(0, template(257, [(1, 4)])))
    return pcap(tmp_path / "c.pcap", [TEMPLATE, narrow, *(datagram(number) for number in range(50))])


def in_order() -> list[int]:
    return [number for pair in range(50) for number in (2 * pair + 1, 2 * pair)]


def test_every_form_holds_the_flows_in_the_order_on_the_wire(capture: str, tmp_path: Path) -> None:
    made = {}
    for form in ("jsonl", "csv", "parquet", "table"):
        made[form] = tmp_path / f"flows.{form}"
        done = flowkeep("decode", capture, "--format", form, "-o", str(made[form]))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    flows = [json.loads(line) for line in made["jsonl"].read_text().splitlines()]
    assert [flow["bytes"] for flow in flows] == in_order()
    cells = list(csv.DictReader(io.StringIO(made["csv"].read_text(), newline="")))
    assert [int(row["bytes"]) for row in cells] == in_order()
    assert [row["src_addr"] for row in cells] == [flow["src_addr"] for flow in flows]
    assert pq.read_table(made["parquet"]).column("bytes").to_pylist() == in_order()
    head, *lines = made["table"].read_text().splitlines()
    place = head.split().index("bytes")
    assert [int(line.split()[place]) for line in lines] == in_order()


def test_each_form_goes_to_a_pipe_as_to_a_file(capture: str, tmp_path: Path) -> None:
    for form in ("jsonl", "csv", "parquet", "table"):
        path = tmp_path / f"flows.{form}"
        subprocess.run([*DECODE, capture, "--format", form, "--output", str(path)], check=True)
        piped = subprocess.run([*DECODE, capture, "--format", form], check=True, capture_output=True)
        assert piped.stdout == path.read_bytes()
        assert piped.stderr == b""


def test_without_flows_there_is_a_head_and_no_row(tmp_path: Path) -> None:
    only = pcap(tmp_path / "t.pcap", [TEMPLATE])
    assert flowkeep("decode", only).stdout == ""
    assert flowkeep("decode", only, "--format", "csv").stdout.split(",")[0] == "time_received"
    path = tmp_path / "none.parquet"
    flowkeep("decode", only, "--format", "parquet", "-o", str(path))
    assert pq.read_table(path).shape == (0, len(FLOW_COLUMNS))


def test_stats_and_flows_come_together_where_flows_go_to_a_file(capture: str, tmp_path: Path) -> None:
    path = tmp_path / "flows.csv"
    done = flowkeep("decode", capture, "--stats", "--format", "csv", "-o", str(path))
    assert json.loads(done.stdout)["flows"] == 100
    assert len(path.read_text().splitlines()) == 101


def test_what_is_read_is_not_overwritten(capture: str, tmp_path: Path) -> None:
    before = Path(capture).read_bytes()
    link = tmp_path / "link"
    link.symlink_to(capture)
    for output in (capture, str(link)):
        done = flowkeep("decode", capture, "-o", output)
        assert (done.returncode, done.stdout) == (2, "")
        assert "would be overwritten" in done.stderr
    assert Path(capture).read_bytes() == before


def test_what_cannot_be_read_costs_no_file(tmp_path: Path) -> None:
    kept = tmp_path / "flows.jsonl"
    kept.write_text("from before")
    assert flowkeep("decode", str(tmp_path / "nowhere.pcap"), "-o", str(kept)).returncode == 2
    assert kept.read_text() == "from before"


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "table"])
def test_what_cannot_be_written_is_said(capture: str, form: str) -> None:
    for output, why in (("/dev/full", "No space left"), ("/nowhere/x", "No such file")):
        done = flowkeep("decode", capture, "--format", form, "-o", output)
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            f"flowkeep: {output}: cannot be written: {done.stderr.split(': ')[-1][:-1]}"
        ]
        assert why in done.stderr


def test_parquet_is_not_for_a_terminal(capture: str) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run([*DECODE, capture, "--format", "parquet"], stdout=theirs, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 2
    assert done.stderr == "flowkeep: Parquet is not for a terminal: give a file with -o FILE, or a pipe\n"


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "table"])
def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path, form: str) -> None:
    many = pcap(tmp_path / "many.pcap", [TEMPLATE, *[v9(a_set(256, DATA[24:] * 40))] * 9000])
    command = [*DECODE, many, "--format", form]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=False) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == GONE


def _on_a_terminal(*arguments: str, **more: int) -> str:
    """Return what a command that has standard error on a terminal says there."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([*DECODE, *arguments], stderr=theirs, **{"stdout": subprocess.DEVNULL, **more}) as process:
        os.close(theirs)
        said = b""
        try:
            while octets := os.read(ours, 65536):
                said += octets
        except OSError:  # so a terminal says that the last who could write has closed it
            pass
    os.close(ours)
    assert process.returncode == 0
    return said.decode()


def test_how_far_a_large_capture_is_read_is_shown_on_a_terminal_only(capture: str, tmp_path: Path) -> None:
    large = pcap(tmp_path / "large.pcap", [DATA + bytes(1300)] * 4500)  # without its template: not a flow
    said = _on_a_terminal(large)
    assert "large.pcap" in said
    assert "MB" in said
    assert _on_a_terminal(capture, "--stats") == ""
    assert flowkeep("decode", large, "--stats").stderr == ""
    ours, theirs = pty.openpty()
    assert _on_a_terminal(large, stdout=theirs) == ""
    assert "large.pcap" in _on_a_terminal(large, "--stats", stdout=theirs)
    os.close(theirs)
    os.close(ours)
