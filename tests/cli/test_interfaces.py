"""`flowkeep interfaces`: a table or JSON of interfaces with what their flows show, and why where there is nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.interfaces import _scaled
from storage.embedded import Node
from tests.cli.over_node import configured
from tests.collector.site import flowkeep
from tests.query.counter_rows import BEGIN_MS, Sample, make_table, put

Run = Callable[..., subprocess.CompletedProcess[str]]
HOUR = f"{datetime.fromtimestamp(BEGIN_MS / 1000, UTC):%Y/%m/%d.%H:%M}-" + (
    f"{datetime.fromtimestamp(BEGIN_MS / 1000 + 3600, UTC):%Y/%m/%d.%H:%M}"
)


@pytest.fixture
def run(database: Node, tmp_path: Path) -> Run:
    """Run the command over the node; its first exporter is named by its address, two others share a prefix."""
    config = configured(
        database,
        tmp_path,
        "exporters:",
        "  - {prefix: 198.51.100.0/24, name: lab}",
        "  - {prefix: 198.51.100.1/32, name: edge-1}",
    )
    return lambda *arguments: flowkeep("interfaces", *arguments, "-c", str(config))


@pytest.fixture
def traffic(database: Node) -> None:
    """1000 octets in a step of 20 s on interface 10 of edge-1, half of them seen, and other interfaces."""
    counts = {"if_in_octets": 1000, "if_out_octets": 0, "if_in_errors": 1_000_000, "if_in_ucast_pkts": 7}
    with database.connect("admin") as admin:
        make_table(admin)
        for index, exporter in ((10, "198.51.100.1"), (9, "198.51.100.1"), (1, "198.51.100.20"), (1, "198.51.100.3")):
            put(
                admin,
                [
                    Sample(
                        index,
                        20_000 * place,
                        place,
                        20_000 * place,
                        8000,
                        {name: value * place for name, value in counts.items()},
                        exporter,
                        status=1 + 2 * (index == 10),
                        name=f"port {index}",
                        tenant="acme" if index == 10 else "",
                    )
                    for place in range(2)
                ],
            )
        when = f"fromUnixTimestamp64Milli({BEGIN_MS + 10_000}, 'UTC')"
        admin.text(
            "INSERT INTO flows (time_received, exporter, in_if, frame_length, packets, bytes, sampling_rate, "
            f"retention_class) VALUES ({when}, '198.51.100.1', 10, 50, 1, 32, 10, 'basic'), "
            f"({when}, '2001:db8::1', 3, 0, 1, 82, 0, 'basic')"
        )


@pytest.mark.usefixtures("traffic")
def test_json_has_all_figures_as_numbers_or_null(run: Run) -> None:
    done = run("edge-1", "-t", HOUR, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    other, half = map(json.loads, done.stdout.splitlines())
    assert (other["if_index"], other["in"]["seen_percent"], other["oper_up"]) == (9, 0.0, False)
    assert half == {
        "exporter": "edge-1",
        "address": "198.51.100.1",
        "if_index": 10,
        "name": "port 10",
        "tenant": "acme",
        "speed": 8000,
        "admin_up": True,
        "oper_up": True,
        "seconds": 20.0,
        "in": {
            "octets": 1000,
            "bits_per_second": 400.0,
            "utilisation_percent": 5.0,
            "packets_per_second": 0.35,
            "errors": 1_000_000,
            "discards": None,
            "flow_octets": 500,
            "flows": 1,
            "unknown_sampling": 0,
            "seen_percent": 50.0,
        },
        "out": {
            "octets": 0,
            "bits_per_second": 0.0,
            "utilisation_percent": 0.0,
            "packets_per_second": None,
            "errors": None,
            "discards": None,
            "flow_octets": 0,
            "flows": 0,
            "unknown_sampling": 0,
            "seen_percent": None,
        },
    }


@pytest.mark.usefixtures("traffic")
def test_the_table_has_a_row_an_interface_by_exporter_and_index(run: Run) -> None:
    done = run("-t", HOUR)
    assert done.returncode == 0
    assert done.stderr == "1 times a flow in or out came without a sampling rate: how much they show is not known\n"
    head, *rows = done.stdout.splitlines()
    assert [row.split()[:2] for row in rows] == [["2001:db8::1", "3"], ["edge-1", "9"], ["edge-1", "10"],
                                                 ["lab", "198.51.100.3"], ["lab", "198.51.100.20"]]  # fmt: skip
    blank, full = (" ".join(rows[place].split()) for place in (0, 2))
    assert full == "edge-1 10 port 10 acme 8k up 400 0 5.0% 0.0% 0.35 - 1,000,000 - - - 500 0 50.0% -"
    assert blank == "2001:db8::1 3 - - - - - - - - - - - - - - 100 0 - -"
    assert " down " in rows[1]
    end = head.index("in err") + len("in err")
    assert rows[2][:end].endswith("1,000,000")
    assert rows[0][:end].endswith(" -")


@pytest.mark.usefixtures("traffic")
def test_an_exporter_is_a_name_or_an_address(run: Run) -> None:
    for asked, expected in (("lab", 4), ("edge-1", 2), ("198.51.100.20", 1), ("2001:db8::1", 1), ("192.0.2.1", 0)):
        assert len(run(asked, "-t", HOUR, "--json").stdout.splitlines()) == expected, asked
    done = run("edge-2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "flowkeep: 'edge-2' is neither a configured exporter nor an address; did you mean 'edge-1'?\n"
    )


@pytest.mark.usefixtures("traffic")
def test_the_last_hour_is_asked_for_unless_a_time_is_given(run: Run) -> None:
    done = run()
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("no counter samples and no flows from ")
    assert "; `flowkeep status` shows what the collector receives. An sFlow agent goes by" in done.stderr
    assert run("--json").stdout == ""
    assert len(run("--last", "5h", "--json").stdout.splitlines()) == 5
    done = run("--last", "5h", "-t", HOUR)
    assert (done.returncode, done.stderr) == (2, "flowkeep: give --last or --time, not both\n")


@pytest.mark.usefixtures("traffic")
def test_flows_alone_are_said_to_tell_nothing_of_what_they_miss(run: Run) -> None:
    done = run("2001:db8::1", "-t", HOUR)
    assert done.returncode == 0
    assert done.stderr.startswith("counters tell nothing from ")


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        *[(None, "-"), (0, "0"), (0.35, "0.35"), (999.4, "999"), (999.5, "1k"), (999_500, "1M"), (1e9, "1G")],
        *[(123_456, "123k"), (4e17, "400P")],
    ],
)
def test_figures_are_shown_to_three_digits(figure: float | None, text: str) -> None:
    assert _scaled(figure) == text
