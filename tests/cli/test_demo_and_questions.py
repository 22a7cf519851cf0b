"""The demo by its contract, and the everyday questions to what it leaves running."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from demo.collector_process import CollectorProcess
from demo.provider import MOVED_ADDRESS, MOVED_FROM, MOVED_TO
from tests.collector.site import flowkeep

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    directory = tmp_path_factory.mktemp("demo") / "files"
    command = [sys.executable, "-m", "cli.main", "demo", "--seconds", "3", "--json", "--directory", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    return directory, json.loads(done.stdout)


@pytest.fixture(scope="module")
def config(told: tuple[Path, dict[str, Any]]) -> Iterator[str]:
    """The demo's collector, started again."""
    directory, _ = told
    with CollectorProcess(directory / "flowkeep.yaml", directory / "collector.log"):
        yield str(directory / "flowkeep.yaml")


def test_the_report_has_its_keys_and_balances(told: tuple[Path, dict[str, Any]]) -> None:
    _, report = told
    keys = {"datagrams", "decoded", "stored", "dropped", "faults", "flow_types", "tenants", "purged_rows", "seconds"}
    assert keys <= set(report)
    assert report["decoded"] == report["stored"] + sum(report["dropped"].values()) == sum(report["flow_types"].values())
    assert report["datagrams"] == report["datagrams_decoded"] + sum(report["faults"].values())
    assert set(report["flow_types"]) == {"netflow5", "netflow9", "ipfix", "sflow"}
    assert len(set(report["tenants"]) - {"unassigned"}) >= 12
    assert report["purged_rows"] > 0
    assert report["faults"] == {"exporter_not_allowed": 1, "unknown_version": 1}
    assert set(report["programs"].values()) == {0}


def test_sql_prints_tab_separated_rows_and_cannot_write(config: str, told: tuple[Path, dict[str, Any]]) -> None:
    _, report = told
    done = flowkeep("sql", "SELECT count(), 'a\tb' FROM flows", "-c", config)
    assert done.stdout == f"{report['stored'] - report['purged_rows']}\ta\\tb\n"
    for statement in ("DROP TABLE flows", "INSERT INTO purges (reason) VALUES ('x')", "SELECT nonsense FROM flows"):
        done = flowkeep("sql", statement, "-c", config)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1


def test_the_moved_address_has_two_holders(config: str) -> None:
    done = flowkeep("flows", f"src ip {MOVED_ADDRESS}", "--last", "1h", "-n", "100000", "--json", "-c", config)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    ends = {
        tenant: [row["flow_start"] for row in rows if row["src_tenant"] == tenant] for tenant in (MOVED_FROM, MOVED_TO)
    }
    assert {row["src_tenant"] for row in rows} == {MOVED_FROM, MOVED_TO}
    assert max(ends[MOVED_FROM]) < min(ends[MOVED_TO])


def test_top_scales_by_sampling_once(config: str) -> None:
    done = flowkeep("top", "type sflow", "-s", "srctenant/bytes", "-n", "3", "--json", "-c", config)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    name = rows[0]["srctenant"]
    direct = flowkeep("sql", "SELECT sum(bytes * sampling_rate) FROM flows WHERE flow_type = 'sflow' "
                             f"AND src_tenant = '{name}'", "-c", config)  # fmt: skip
    assert rows[0]["bytes"] == int(direct.stdout)
    assert rows == sorted(rows, key=lambda row: -row["bytes"])


def test_flows_are_added_up_by_what_is_named(config: str) -> None:
    def asked(*arguments: str) -> list[dict[str, Any]]:
        done = flowkeep(*arguments, "--json", "-n", "100000", "-c", config)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    (whole,) = asked("flows", "proto tcp", "-A", "proto")
    by_pair = asked("flows", "proto tcp", "-A", "srcip4/24,dstport", "-O", "packets")
    assert by_pair == sorted(by_pair, key=lambda row: -row["packets"])
    for name in ("flows", "packets", "bytes", "unknown_sampling"):
        assert sum(row[name] for row in by_pair) == whole[name] > 0
    assert all(row["srcip4/24"].endswith(".0") for row in by_pair if ":" not in row["srcip4/24"])
    assert asked("flows", "proto tcp", "-a") == asked("top", "proto tcp", "-s", "record/bytes")
    refused = flowkeep("flows", "-A", "ip,proto", "-c", config)
    assert (refused.returncode, "write srcip or dstip" in refused.stderr) == (2, True)


def test_a_series_has_the_sums_that_top_has(config: str) -> None:
    since = json.loads(flowkeep("flows", "-n", "1", "--json", "-c", config).stdout)["time_received"][:10].replace(
        "-", "/"
    )
    asked = ("-t", since, "--json", "-c", config)
    top = [json.loads(line) for line in flowkeep("top", "-s", "proto/bytes", "-n", "2", *asked).stdout.splitlines()]
    done = flowkeep("series", "-s", "proto", "-n", "2", "--step", "1h", *asked)
    assert done.returncode == 0, done.stderr
    line = [json.loads(text) for text in done.stdout.splitlines()]
    for one in top:
        mine = [row for row in line if row["proto"] == one["proto"] and not row["other"]]
        assert [sum(row[name] for row in mine) for name in ("flows", "packets", "bytes")] == [
            one[name] for name in ("flows", "packets", "bytes")
        ]
    assert any(row["other"] for row in line)
    table = flowkeep("series", "--step", "1d", "-t", since, "-c", config)
    assert table.stdout.splitlines()[0].split() == ["time", "flows", "fps", "pps", "bps"]
    refused = flowkeep("series", "-s", "record", "-c", config)
    assert (refused.returncode, "by one statistic" in refused.stderr) == (2, True)


def test_a_matrix_has_the_sums_that_top_has(config: str) -> None:
    (top,) = [
        json.loads(line)
        for line in flowkeep("top", "tcp", "-s", "proto", "--last", "7d", "--json", "-c", config).stdout.splitlines()
    ]
    done = flowkeep("matrix", "tcp", "-n", "3", "--last", "7d", "--json", "--explain", "-c", config)
    assert done.returncode == 0, done.stderr
    cells = [json.loads(line) for line in done.stdout.splitlines()]
    for name in ("flows", "packets", "bytes"):
        assert sum(cell[name] for cell in cells) == top[name]
    assert " from " in done.stderr
    assert "because " in done.stderr
    assert any(cell["srctenant_other"] for cell in cells)
    table = flowkeep("matrix", "tcp", "-s", "srctenant,dsttenant/flows", "-n", "3", "--last", "7d", "-c", config)
    titles, *lines = table.stdout.splitlines()
    assert "all others" in titles
    assert lines[-1].startswith("all others")
    refused = flowkeep("matrix", "-s", "srctenant", "-c", config)
    assert (refused.returncode, "by two statistics" in refused.stderr) == (2, True)


def test_a_comparison_knows_what_is_new(config: str) -> None:
    done = flowkeep("compare", "-s", "proto/flows", "--last", "7d", "--with", "3w", "--json", "-c", config)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows
    assert {(row["flows_before"], row["change"]) for row in rows} == {(0, None)}
    asked = ("-s", "proto/flows", "--last", "7d", "--with", "3w", "--no-names", "-c", config)
    table = flowkeep("compare", *asked)
    assert table.stdout.splitlines()[0].split() == ["proto", "flows", "flows_before", "change"]
    assert table.stdout.splitlines()[1].split()[-1] == "new"
    refused = flowkeep("compare", "--with", "then", "-c", config)
    assert (refused.returncode, "--with: expected a time" in refused.stderr) == (2, True)


def test_percentiles_are_between_nothing_and_the_most(config: str) -> None:
    asked = ("-s", "exporter,inif", "--last", "1h", "--step", "1s", "-p", "99.9", "-n", "5", "-c", config)
    rows = [json.loads(line) for line in flowkeep("percentile", "--json", *asked).stdout.splitlines()]
    assert len(rows) == 5
    assert all(0 <= row["p99.9"] <= row["most"] and row["average"] <= row["most"] for row in rows)
    table = flowkeep("percentile", "--no-names", *asked)
    assert table.stdout.splitlines()[0].split() == ["exporter", "inif", "p99.9", "average", "most"]
    assert "3,600 steps of 1s" in table.stderr or "3,599 steps of 1s" in table.stderr
    refused = flowkeep("percentile", "-p", "0", "-c", config)
    assert (refused.returncode, "a percentile is above 0" in refused.stderr) == (2, True)


def test_times_are_read_and_shown_in_a_zone(config: str) -> None:
    (newest,) = [json.loads(line) for line in flowkeep("flows", "-n", "1", "--json", "-c", config).stdout.splitlines()]
    asked = ("flows", "-n", "1", "--json", "--zone", "Asia/Tokyo", "-c", config)
    (there,) = [json.loads(line) for line in flowkeep(*asked).stdout.splitlines()]
    assert there["time_received"].endswith("+09:00")
    assert datetime.fromisoformat(there["time_received"]) == datetime.fromisoformat(newest["time_received"])
    end = datetime.fromisoformat(there["time_received"]).replace(tzinfo=None) + timedelta(seconds=1)
    window = f"{end - timedelta(seconds=2):%Y-%m-%dT%H:%M:%S}/{end + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}"
    assert flowkeep(*asked, "-t", window).stdout
    assert "no flows are stored of that time" in flowkeep("flows", "-t", window, "-c", config).stderr
    line = flowkeep("flows", "-n", "1", "-o", "fmt:%tr", "--zone", "Asia/Tokyo", "-c", config).stdout.splitlines()[1]
    assert line == there["time_received"].replace("T", " ").removesuffix("+09:00")
    refused = flowkeep("flows", "--zone", "Nowhere/Land", "-c", config)
    assert (refused.returncode, "there is no zone 'Nowhere/Land'" in refused.stderr) == (2, True)


def test_flows_have_nfdumps_formats(config: str) -> None:
    for form, width in (("line", 10), ("long", 12), ("extended", 15), ("fmt:%ts %sa %stn", 4)):
        done = flowkeep("flows", "ipv4 and tcp and src tenant tiny-games", "-n", "3", "-o", form, "-c", config)
        assert done.returncode == 0, done.stderr
        assert [len(line.split()) for line in done.stdout.splitlines()[1:]] == [width] * 3
    rows = list(csv.DictReader(flowkeep("flows", "-n", "5", "-o", "csv", "-c", config).stdout.splitlines()))
    whole = [json.loads(line) for line in flowkeep("flows", "-n", "5", "-o", "json", "-c", config).stdout.splitlines()]
    assert [row["bytes"] for row in rows] == [str(row["bytes"]) for row in whole]
    assert list(rows[0]) == list(whole[0])
    refused = flowkeep("flows", "-a", "-o", "line", "-c", config)
    assert (refused.returncode, "is of single flows" in refused.stderr) == (2, True)


ASKED = re.findall(r"\| `flowkeep (.*?)` \|$", (ROOT / "docs" / "nfdump.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("command", ASKED)
def test_a_question_of_the_page_for_nfdumps_users_has_an_answer(
    config: str, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: a second less for each than in one of its own."""
    monkeypatch.setattr(sys, "argv", ["flowkeep", *shlex.split(command), "-c", config])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert ended.value.code == 0, told.err
    assert len(told.out.splitlines()) > 1 or "--json" in command


@pytest.mark.parametrize("statement", re.findall(r"```sql\n(.*?)```", (ROOT / "docs/sql.md").read_text(), re.DOTALL))
def test_a_query_of_the_page_on_sql_has_an_answer(config: str, statement: str) -> None:
    done = flowkeep("sql", statement, "--names", "-c", config)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) > 1


def test_the_page_has_ten_questions() -> None:
    assert len(ASKED) >= 10


def test_interfaces_have_counters_flows_and_the_tenant_behind_them(config: str) -> None:
    done = flowkeep("interfaces", "access1", "--last", "1h", "--json", "-c", config)
    rows = {row["if_index"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert set(rows) == {1, 2, 10, 11, 12, 13}
    assert {index for index, row in rows.items() if row["tenant"]} == {10}, "a virtual machine is behind it"
    assert rows[10]["tenant"] == "tiny-games"
    ways = [row[way] for row in rows.values() for way in ("in", "out")]
    seen, counted = (sum(way[name] for way in ways) for name in ("flow_octets", "octets"))
    # a packet in a hundred is sampled, some 2,000 of them
    assert 0.75 < seen / counted < 1.25


def test_a_wrong_filter_has_a_caret(config: str) -> None:
    done = flowkeep("flows", "scr ip 192.0.2.1", "-c", config)
    assert done.returncode == 2
    assert "^" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_answer_has_a_reason(config: str) -> None:
    none = flowkeep("flows", "port 1 and port 2 and port 3", "-c", config)
    assert none.returncode == 0
    assert re.fullmatch(r"[0-9,]+ flows are stored of that time, and the filter selects none of them\n", none.stderr)
    early = flowkeep("top", "-t", "2001/01/01-2001/01/02", "--json", "-c", config)
    assert (early.returncode, early.stdout) == (0, "")
    assert early.stderr.startswith("no flows are stored of that time; there are some from 20")


def test_a_filter_may_stand_in_a_file_and_include_others(config: str, tmp_path: Path) -> None:
    (tmp_path / "tcp.nf").write_text("proto tcp # of the demo")
    (tmp_path / "all.nf").write_text(f"(@include {tmp_path / 'tcp.nf'}\n) and port > 0")
    asked = ("flows", "--json", "-n", "5000", "-c", config)
    plain = flowkeep(*asked, "proto tcp and port > 0").stdout.splitlines()
    assert plain
    assert sorted(flowkeep(*asked, "-f", str(tmp_path / "all.nf")).stdout.splitlines()) == sorted(plain)
    missing = flowkeep("top", "-f", str(tmp_path / "none.nf"), "-c", config)
    assert (missing.returncode, missing.stderr) == (
        2, f"flowkeep: filter: {tmp_path / 'none.nf'}: cannot be read: No such file or directory\n"
    )  # fmt: skip


def test_help_explains_the_language() -> None:
    done = flowkeep("help", "filter")
    assert done.returncode == 0
    assert "src port > 1023" in done.stdout
    assert "@include FILE" in done.stdout


def test_retention_show_agrees_and_a_second_purge_finds_nothing(config: str) -> None:
    shown = flowkeep("retention", "show", "--json", "-c", config)
    assert shown.returncode == 0
    assert {state["name"]: state["agrees"] for state in json.loads(shown.stdout)} == {
        "basic": True, "standard": True, "extended": True, "counters": True, "discards": True,
        "rollups": True,
    }  # fmt: skip
    purged = flowkeep("retention", "purge", "--json", "-c", config)
    assert json.loads(purged.stdout)["due"] == []
    dry = flowkeep("retention", "purge", "--dry-run", "-c", config)
    assert (dry.returncode, dry.stdout) == (0, "nothing is due\n")


def test_lookup_as_of_a_time(config: str) -> None:
    done = flowkeep("tenants", "lookup", MOVED_ADDRESS, "--at", "2020-01-01T00:00Z", "--json", "-c", config)
    assert json.loads(done.stdout)["tenant"] == MOVED_FROM
    done = flowkeep("tenants", "lookup", MOVED_ADDRESS, "-c", config)
    assert done.stdout.startswith(MOVED_TO)
    done = flowkeep("tenants", "lookup", "8.8.8.8", "-c", config)
    assert done.returncode == 1
    assert "unassigned" in done.stdout


def test_a_purge_left_a_certificate_that_anybody_can_check(config: str, told: tuple[Path, dict[str, Any]]) -> None:
    directory, report = told
    (path,) = (directory / "data" / "retention" / "certificates").iterdir()
    text = json.loads(path.read_text())
    assert (text["rows"], text["verified"]) == (report["purged_rows"], True)
    assert path.stem in flowkeep("retention", "certificate", "-c", config).stdout
    assert flowkeep("retention", "certificate", "--check", str(path), "-c", config).returncode == 0
    path.with_name("forged.json").write_text(path.read_text().replace(f'"rows": {text["rows"]}', '"rows": 1'))
    done = flowkeep("retention", "certificate", "--check", str(path.with_name("forged.json")), "-c", config)
    assert done.returncode == 1
    assert "the signature is not of this text" in done.stderr
    path.with_name("forged.json").unlink()


def test_the_policy_is_kept_as_measured_and_can_be_told(config: str) -> None:
    done = flowkeep("retention", "plan", "--json", "-c", config)
    plan = json.loads(done.stdout)
    assert (done.returncode, plan["drop"], plan["refused"]) == (0, [], None)
    assert "Nothing is due." in flowkeep("retention", "plan", "-c", config).stdout
    done = flowkeep("retention", "verify", "-c", config)
    assert (done.returncode, "all is kept as the policy says" in done.stdout) == (0, True), done.stdout
    assert "How long we keep what" in flowkeep("retention", "statement", "-c", config).stdout
    assert flowkeep("retention", "statement", "--format", "html", "-c", config).stdout.startswith("<section>")
    done = flowkeep("retention", "apply", "--plan", plan["fingerprint"], "-c", config)
    assert (done.returncode, done.stdout) == (0, "nothing is due\n"), done.stderr
    done = flowkeep("retention", "apply", "--plan", "0" * 12, "-c", config)
    assert (done.returncode, "make one with" in done.stderr) == (1, True)
    explained = flowkeep("retention", "explain", "--tenant", MOVED_TO, "-c", config)
    assert explained.returncode == 0, explained.stderr


def test_what_if_says_what_a_shorter_policy_would_cost(config: str, tmp_path: Path) -> None:
    policy = (Path(config).parent / "retention.yaml").read_text()
    other = tmp_path / "other.yaml"
    other.write_text(re.sub(r"keep_for: (?:[2-9]|\d\d+)d", "keep_for: 1d", policy))
    done = flowkeep("retention", "what-if", "--policy", str(other), "--json", "-c", config)
    classes = json.loads(done.stdout)["classes"]
    assert {one["new_days"] for one in classes} == {1}
    assert all(one["left"] <= one["bytes"] for one in classes)


def test_a_hold_copies_what_it_covers_and_is_on_the_ledger(config: str) -> None:
    done = flowkeep(
        "hold", "place", "--address", MOVED_ADDRESS, "--kind", "legal", "--clock", "epoc", "--reference", "A-17",
        "--reason", "preservation order", "--json", "-c", config,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    counted = flowkeep("sql", f"SELECT count() FROM flows WHERE src_addr = '{MOVED_ADDRESS}' "
                              f"OR dst_addr = '{MOVED_ADDRESS}'", "-c", config)  # fmt: skip
    held = flowkeep("sql", "SELECT count() FROM held_flows", "-c", config)
    assert int(held.stdout) >= int(counted.stdout) > 0
    shown = flowkeep("ledger", "show", "-n", "100000", "--json", "-c", config).stdout
    actions = [json.loads(line)["action"] for line in shown.splitlines()]
    assert {"hold_placed", "purge", "certificate", "privileged_query", "start"} <= set(actions)
    assert MOVED_ADDRESS not in shown
    assert flowkeep("ledger", "verify", "-c", config).returncode == 0
