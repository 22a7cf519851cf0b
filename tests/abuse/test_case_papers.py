"""What goes out of cases: whole where it may be, cut short where it would name others, never more than asked for."""

from __future__ import annotations

import csv
import json
from ipaddress import ip_address
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from abuse import evidence_rows
from abuse.answers import write
from abuse.store import Case, Filed
from intake.report import Report, When
from storage.embedded import Node
from tests.abuse.conftest import Ask
from tests.abuse.story import MOVED, OTHER, VICTIM, Traffic, at, site

NEIGHBOUR = "192.0.2.71"


@pytest.fixture
def told(database: Node, tmp_path: Path) -> Path:
    """A site with an exporter that tells no times, and addresses that nobody has."""
    config = site(database, tmp_path, days=30)
    traffic = Traffic(tmp_path)
    traffic.background(at("12:00"), at("15:00"))
    for second in range(5):
        traffic.add(at(f"13:30:{second}"), MOVED, VICTIM, (50000 + second, 22), timed=False)
        traffic.add(at(f"13:30:{second}"), MOVED, OTHER, (51000 + second, 443))
        traffic.add(at(f"13:30:{second}"), NEIGHBOUR, VICTIM, (52000 + second, 22))
    traffic.store(database)
    return config


def take(ask: Ask, directory: Path, *addresses: str) -> dict[str, str]:
    """Take in one list about several addresses; return the case of each."""
    rows = [f"{at('13:30'):%Y-%m-%dT%H:%M:%SZ},{address},{VICTIM},22,login_attack" for address in addresses]
    path = directory / "-".join(addresses).replace(":", "_")
    path.write_text("\n".join(("timestamp,src_ip,dst_ip,dst_port,type", *rows)) + "\n")
    code, taken = ask("case", "take", str(path), "--json")
    assert code == 0
    return {one["address"]: one["case"] for one in taken["verdicts"]}


def test_flows_whose_exporter_tells_no_times_are_evidence_too(ask: Ask, tmp_path: Path) -> None:
    cases = take(ask, tmp_path, MOVED)
    bag = tmp_path / "bag"
    assert ask("case", "evidence", cases[MOVED], "--to", str(bag), "--json")[0] == 0
    rows = [json.loads(line) for line in (bag / "data" / "flows.jsonl").read_text().splitlines()]
    assert sorted((row["dst_addr"], row["src_port"]) for row in rows) == sorted(
        [(VICTIM, 50000 + second) for second in range(5)] + [(OTHER, 51000 + second) for second in range(5)]
    )
    with open(bag / "data" / "flows.csv", newline="") as file:
        sheet = list(csv.DictReader(file))
    assert [row["src_port"] for row in sheet] == [str(row["src_port"]) for row in rows]
    parquet = pq.read_table(bag / "data" / "flows.parquet").to_pylist()
    assert [{name: row[name] for name in ("src_addr", "bytes")} for row in parquet] == [
        {name: row[name] for name in ("src_addr", "bytes")} for row in rows
    ]
    around = ask("case", "flows", cases[MOVED], "--json")[1][0]
    assert all(row[5].startswith(f"{at('13:30'):%Y-%m-%d}") for row in around["peers"]), "not 1970"


def test_a_list_about_many_is_not_in_the_evidence_of_one(ask: Ask, tmp_path: Path) -> None:
    both, alone = take(ask, tmp_path, MOVED, NEIGHBOUR), tmp_path / "alone"
    assert ask("case", "evidence", both[MOVED], "--to", str(alone), "--json")[0] == 0
    assert not (alone / "data" / "reports").exists()
    told = json.loads((alone / "data" / "case.json").read_text())
    assert len(told["reports"][0]["message_sha256"]) == 64
    take(ask, tmp_path, NEIGHBOUR)  # known: its case keeps the list that it came from
    (tmp_path / "one").mkdir()
    assert ask("case", "evidence", both[NEIGHBOUR], "--to", str(tmp_path / "one" / "bag"), "--json")[0] == 0
    assert not (tmp_path / "one" / "bag" / "data" / "reports").exists()


def test_what_is_too_much_is_narrowed_to_the_reported_far_ends(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = take(ask, tmp_path, MOVED)
    monkeypatch.setattr(evidence_rows, "MOST", 6)
    monkeypatch.setattr("abuse.evidence.MOST", 6)
    bag = tmp_path / "bag"
    assert ask("case", "evidence", cases[MOVED], "--to", str(bag), "--json")[0] == 0
    rows = [json.loads(line) for line in (bag / "data" / "flows.jsonl").read_text().splitlines()]
    assert [row["dst_addr"] for row in rows] == [VICTIM] * 5
    assert "too many" in json.loads((bag / "data" / "statement.json").read_text())["rows_are"]
    monkeypatch.setattr(evidence_rows, "MOST", 4)
    monkeypatch.setattr("abuse.evidence.MOST", 4)
    code, text = ask("case", "evidence", cases[MOVED], "--to", str(tmp_path / "more"), "--json")
    assert (code, "too many for one package" in text) == (1, True)
    assert not (tmp_path / "more").exists()


def test_nobody_gets_no_notice(ask: Ask, tmp_path: Path) -> None:
    cases = take(ask, tmp_path, "10.9.8.7")
    code, text = ask("case", "notice", cases["10.9.8.7"])
    assert (code, "unassigned held the address" in text) == (1, True)


def test_a_notice_shows_no_address_but_its_own() -> None:
    moment = at("13:30")
    report = Report(ip_address("192.0.2.1"), When(moment, moment, "13:30"), "text", target=ip_address("192.0.2.10"))
    reasons = ["2 flows between 192.0.2.1 and 192.0.2.10, 2026-11-20T14:03:00.000Z", "silent: 10.1.1.1, 2001:db8::1."]
    verdict = {
        "verdict": "corroborated", "reasons": reasons, "hints": ["it came in by interface 5 of 10.0.0.254: forged?"],
        "probability": None, "tenants": ["a"],
    }  # fmt: skip
    case = Case("20261120-000001", moment, "open", "spam", "192.0.2.1", ("a",))
    text = write("notice", case, [Filed(report, case.id, "m", 1, verdict)])
    assert "between 192.0.2.1 and 192.0.2.x, 2026-11-20T14:03:00.000Z" in text
    assert "silent: 10.1.1.x, 2001:db8::x." in text
    assert "interface 5 of 10.0.0.x: forged?" in text
