"""From reports to the truth: an address that changed hands, four reports, the hold, the evidence, and the purge."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from storage.embedded import Node
from tests.abuse.conftest import Ask
from tests.abuse.story import DAY, MOVED, OTHER, VICTIM, Traffic, at, site, xarf


@pytest.fixture
def told(database: Node, tmp_path: Path) -> Path:
    """A site whose exporter saw the moved address attack: for tenant-a at 13:59, for tenant-b at 14:01 and 14:03."""
    config = site(database, tmp_path)
    traffic = Traffic(tmp_path)
    traffic.background(at("12:00"), at("16:00"))
    for second in range(10):
        traffic.add(at(f"13:59:{second}"), MOVED, VICTIM, (50000 + second, 22))
        traffic.add(at(f"14:01:{second}"), MOVED, VICTIM, (51000 + second, 22))
        traffic.add(at(f"14:03:{second}"), MOVED, OTHER, (52000 + second, 25))
    traffic.add(at("14:30"), MOVED, "203.0.113.80", (53000, 443))
    traffic.store(database)
    return config


def mail(directory: Path) -> Path:
    """Write a mail of somebody's script that does not tell its zone, and return it."""
    path = directory / "zone.eml"
    path.write_text(
        f"From: Admin <admin@example.com>\nTo: abuse@example.net\nSubject: spam from {MOVED}\n"
        f"Date: {at('16:00'):%a, %d %b %Y %H:%M:%S} +0000\n\n"
        f"Your address {MOVED} sent spam to our server {OTHER} port 25 at {at('14:03'):%Y-%m-%d %H:%M}.\n"
    )
    return path


def test_the_story(ask: Ask, database: Node, told: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(xarf("13:59", VICTIM, 22, "login_attack"))
    (tmp_path / "b.json").write_text(xarf("14:01", VICTIM, 22, "login_attack"))
    (tmp_path / "false.json").write_text(xarf("14:30", "198.51.100.200", 80, "ddos", packet_count=5_000_000))
    names = ("a.json", "b.json", "false.json")
    code, taken = ask("case", "take", *(str(tmp_path / name) for name in names), str(mail(tmp_path)), "--json")
    assert (code, taken["reports"], taken["duplicates"], taken["unread"]) == (0, 4, 0, 0)
    found = {one["time"]: one for one in taken["verdicts"]}
    first, second, false, unsure = found.values()

    # Six minutes around each report's time: the tolerance reaches over the change of hands, the holder's time does not.
    assert (first["tenants"], first["verdict"], first["began"]) == (["tenant-a"], "corroborated", "address")
    assert (second["tenants"], second["verdict"]) == (["tenant-b"], "corroborated")
    assert (false["tenants"], false["verdict"]) == (["tenant-b"], "contradicted")
    assert false["probability"] == pytest.approx(1)
    assert (unsure["tenants"], unsure["verdict"], unsure["zone_known"]) == (
        ["tenant-a", "tenant-b"],
        "corroborated",
        False,
    )
    assert any("fit a clock at UTC+00:00" in reason for reason in unsure["reasons"])

    cases = dict(zip(("a", "b", "false", "unsure"), taken["opened"], strict=True))
    again = ask("case", "take", str(tmp_path / "a.json"), "--json")[1]
    assert (again["known"], again["reports"], again["opened"]) == (1, 0, [])
    (hold,) = ask("hold", "list", "--json")[1]
    assert (hold["id"], hold["kind"], hold["active"]) == (f"cases-{DAY:%Y%m%d}", "safety", True)

    with database.connect("query") as query:
        (before,) = query.query("SELECT count() FROM flows").rows[0]
        (mine,) = query.query(f"SELECT count() FROM flows WHERE src_addr = toIPv6('{MOVED}')").rows[0]
    code, purged = ask("retention", "purge", "--json")
    assert (code, purged["purged_rows"], mine) == (0, before, 31)
    with database.connect("admin") as admin:
        assert admin.query("SELECT count() FROM flows").rows == [(0,)]
        admin.command("OPTIMIZE TABLE held_flows FINAL")  # which is when a TTL, if it had one, would take them
        assert admin.query("SELECT count() FROM all_flows").rows == [(mine,)]
    assert ask("case", "judge", cases["a"], "--json")[1][0]["verdict"] == "corroborated", "held flows answer too"

    bag = evidence(ask, cases["a"], tmp_path)
    for case in ("a", "b", "unsure"):
        assert ask("case", "close", cases[case], "--outcome", "confirmed", "--reason", "tenant told", "--json")[0] == 0
        (hold,) = ask("hold", "list", "--all", "--json")[1]
        assert hold["active"], "the false one is open still, and about the same address"
    closed = ask("case", "close", cases["false"], "--outcome", "unfounded", "--reason", "not seen", "--json")[1]
    assert list(closed["holds_ended"].values()) == [True]
    assert ask("hold", "list", "--json")[1] == []
    assert ask("retention", "purge", "--json")[0] == 0
    with database.connect("admin") as admin:
        assert admin.query("SELECT count() FROM all_flows").rows == [(0,)]
    assert ask("case", "offences", "tenant-b", "--json")[1] == [
        {"month": month, "kind": kind, "outcome": outcome, "cases": 1}
        for month, kind, outcome in sorted(offences(), key=lambda row: row[1:])
    ]
    assert ask("ledger", "verify", "--json")[0] == 0
    assert verified(bag) == 0, "evidence outlives what it was made of"


def offences() -> list[tuple[str, str, str]]:
    from datetime import UTC, datetime

    month = f"{datetime.now(UTC):%Y-%m}"
    return [(month, "ddos", "unfounded"), (month, "login_attack", "confirmed"), (month, "spam", "confirmed")]


def evidence(ask: Ask, case: str, directory: Path) -> Path:
    """Pack evidence, verify it without Flowkeep, and see that a change of any file is found; return it."""
    bag = directory / "evidence"
    code, packed = ask("case", "evidence", case, "--to", str(bag), "--json")
    assert code == 0, packed
    rows = [json.loads(line) for line in (bag / "data" / "flows.jsonl").read_text().splitlines()]
    assert {row["src_tenant"] for row in rows} >= {"tenant-a"}
    assert sum(row["dst_addr"] == VICTIM for row in rows) >= 10
    statement = json.loads((bag / "data" / "statement.json").read_text())
    assert statement["exporters"] == [{"exporter": "192.0.2.254", "sampling_rate": 100, "flows_heard": 31}]
    assert verified(bag) == 0
    for path in sorted(path for path in bag.rglob("*") if path.is_file()):
        octets = path.read_bytes()
        middle = len(octets) // 2
        path.write_bytes(octets[:middle] + bytes([octets[middle] ^ 1]) + octets[middle + 1 :])
        assert ask("case", "verify", str(bag), "--json")[0] == 1, f"{path.name} was changed"
        path.write_bytes(octets)
    return bag


def verified(bag: Path) -> int:
    """Return the exit status of the bag's own verifier, by a Python that has nothing else, in an empty environment."""
    return subprocess.run(
        [sys.executable, "-I", "-S", "verify_evidence.py", "."], cwd=bag, env={"PATH": "/usr/bin:/bin"}, check=False,
        capture_output=True,
    ).returncode  # fmt: skip
