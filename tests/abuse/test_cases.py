"""The work on cases: reports folded, holds widened and narrowed, what is refused, what goes out, what is forgotten."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.book import Ledger
from storage.embedded import Node
from tests.abuse.conftest import Ask
from tests.abuse.story import DAY, MOVED, VICTIM, Traffic, at, site, xarf


@pytest.fixture
def told(database: Node, tmp_path: Path) -> Path:
    config = site(database, tmp_path, days=30)
    traffic = Traffic(tmp_path)
    traffic.background(at("12:00"), at("15:00"))
    for second in range(5):
        traffic.add(at(f"13:30:{second}"), MOVED, VICTIM, (50000 + second, 22))
        traffic.add(at(f"13:31:{second}"), "192.0.2.71", VICTIM, (50000 + second, 22))
    traffic.store(database)
    return config


def sheet(directory: Path, *rows: str) -> str:
    path = directory / "reports.csv"
    path.write_text("\n".join(("timestamp,src_ip,dst_ip,dst_port,type", *rows)) + "\n")
    return str(path)


def line(clock: str, address: str, target: str = VICTIM) -> str:
    return f"{at(clock):%Y-%m-%dT%H:%M:%SZ},{address},{target},22,login_attack"


def test_reports_of_one_address_and_holder_are_one_case(ask: Ask, tmp_path: Path) -> None:
    rows = (
        line("13:30", MOVED),
        line("13:32", MOVED),
        line("14:30", MOVED),
        line("13:31", "192.0.2.71"),
        "nonsense,,,,",
    )
    code, taken = ask("case", "take", sheet(tmp_path, *rows), "--json")
    assert (code, taken["reports"], len(taken["opened"]), taken["unread"]) == (1, 4, 3, 1)
    (unread,) = ask("case", "unread", "--json")[1]
    assert unread["name"] == "reports.csv"
    assert sorted(one["verdict"] for one in taken["verdicts"]) == ["consistent", *["corroborated"] * 3]
    listed = ask("case", "list", "--json")[1]
    assert {tuple(one["tenants"]) for one in listed} == {("tenant-a",), ("tenant-b",), ("tenant-c",)}
    assert [len(one["verdicts"]) for one in listed] == [2, 1, 1]
    again = ask("case", "take", sheet(tmp_path, line("13:40", MOVED)), "--json")[1]
    assert (again["opened"], again["added_to"]) == ([], [listed[0]["id"]])
    (hold,) = ask("hold", "list", "--json")[1]
    assert sorted(hold["scope"]["networks"]) == ["192.0.2.7", "192.0.2.71"]
    closed = ask("case", "close", listed[2]["id"], "--outcome", "confirmed", "--reason", "told", "--json")[1]
    assert closed["holds_ended"] == {hold["id"]: False}
    (narrowed,) = ask("hold", "list", "--json")[1]
    assert narrowed["scope"]["networks"] == ["192.0.2.7"]


def test_what_people_do_is_an_event_and_on_the_ledger(ask: Ask, told: Path, database: Node, tmp_path: Path) -> None:
    directory = database.files.root.parent / "ledger"
    # Other files of tests may have had a case of this number, on the same node.
    before = len(list(Ledger(directory).newest())) if directory.exists() else 0
    ask("case", "take", sheet(tmp_path, line("13:30", MOVED)), "--json")
    (case,) = (one["id"] for one in ask("case", "list", "--json")[1])
    assert ask("case", "note", case, "tenant called back; his number is 555")[0] == 0
    assert ask("case", "assign", case, "mia")[1].strip() == f"{case}: investigating, mia"
    assert ask("case", "state", case, "waiting")[0] == 0
    code, text = ask("case", "state", case, "closed")
    assert (code, "no state of an open case" in text) == (2, True)
    code, text = ask("case", "close", case, "--outcome", "dunno", "--reason", "x")
    assert (code, "no outcome" in text) == (2, True)
    shown = ask("case", "show", case, "--json")[1]
    assert [one["action"] for one in shown["events"]][-3:] == ["note", "assigned", "state"]
    assert "tenant-a" in ask("case", "show", case)[1]
    assert ask("case", "flows", case)[0] == 0
    around = ask("case", "flows", case, "--json")[1][0]
    assert [row[:2] for row in around["others"]] == [["tenant-c", "192.0.2.71"]]
    assert around["peers"][0][0] == VICTIM
    assert ask("case", "close", case, "--outcome", "confirmed", "--reason", "done")[0] == 0
    code, text = ask("case", "close", case, "--outcome", "confirmed", "--reason", "done")
    assert (code, "was closed on" in text) == (1, True)
    assert ask("case", "show", "20200101-000001")[0] == 2
    entries = list(Ledger(directory).newest())
    entries = [entry for entry in entries[: len(entries) - before] if entry.details.get("case") == case]
    assert {entry.action for entry in entries} == {"case", "privileged_query"}
    assert not any("555" in json.dumps(dict(entry.details)) for entry in entries), "the ledger outlives the case"


def test_answers_show_no_others(ask: Ask, tmp_path: Path) -> None:
    ask("case", "take", sheet(tmp_path, line("13:30", MOVED)), "--json")
    (case,) = (one["id"] for one in ask("case", "list", "--json")[1])
    notice = ask("case", "notice", case)[1]
    assert "Dear tenant-a," in notice
    assert VICTIM not in notice
    assert "198.51.100.x, port 22" in notice
    assert "corroborated" in notice
    reply = ask("case", "reply", case)[1]
    assert "Our flow records agree with it." in reply
    assert "tenant-a" not in reply
    outbound = json.loads(ask("case", "xarf", case, "--org", "Provider", "--contact", "abuse@example.net")[1])
    assert (outbound["source_identifier"], outbound["type"], outbound["destination_port"]) == (
        MOVED,
        "login_attack",
        22,
    )
    assert "tenant-a" not in json.dumps(outbound)
    (tmp_path / "notice.txt").write_text("{{ case.nothing }}")
    code, text = ask("case", "notice", case, "--templates", str(tmp_path))
    assert (code, "notice.txt cannot be filled in" in text) == (2, True)
    (tmp_path / "notice.txt").write_text("{{ ''.__class__.__mro__ }}")
    assert ask("case", "notice", case, "--templates", str(tmp_path))[0] == 2, "templates run in a sandbox"
    masked = tmp_path / "masked"
    assert ask("case", "evidence", case, "--to", str(masked), "--masked", "--json")[0] == 0
    rows = [json.loads(row) for row in (masked / "data" / "flows.jsonl").read_text().splitlines()]
    assert {row["dst_addr"] for row in rows} == {VICTIM}, "whom the report names is no secret to its reporter"
    whole = b"".join(path.read_bytes() for path in masked.rglob("*") if path.is_file())
    for other in (b"192.0.2.71", b"tenant-b", b"tenant-c"):  # who came after, and who else there was
        assert other not in whole


def test_a_notice_names_no_other_tenants_case(ask: Ask, tmp_path: Path) -> None:
    text = tmp_path / "mail.txt"
    text.write_text(
        f"Your address {MOVED} attacked us at {at('13:30'):%Y-%m-%d %H:%M}, port 22, from {MOVED} to {VICTIM}\n"
    )
    (verdict,) = ask("case", "take", str(text), "--json")[1]["verdicts"]
    assert verdict["tenants"] == ["tenant-a", "tenant-b"]
    code, words = ask("case", "notice", verdict["case"])
    assert (code, "a notice is for the one tenant who did" in words) == (1, True)
    known = ask("case", "take", str(text), "--zone", "UTC", "--json")[1]
    assert known["verdicts"][0]["tenants"] == ["tenant-a"], "with the zone it is another claim"
    assert ask("case", "take", str(text), "--zone", "Mars/Base")[0] == 2


def test_a_maildir_is_taken_in_and_what_is_known_is_not_taken_twice(ask: Ask, tmp_path: Path) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "Maildir" / name).mkdir(parents=True)
    (tmp_path / "Maildir" / "new" / "1").write_text(xarf("13:30", VICTIM, 22, "login_attack"))
    (tmp_path / "Maildir" / "cur" / "2:2,S").write_text("no report at all")
    (tmp_path / "Maildir" / "tmp" / "3").write_text(xarf("13:40", VICTIM, 22, "login_attack"))
    code, taken = ask("case", "take", str(tmp_path / "Maildir"), "--json")
    assert (code, taken["messages"], taken["reports"], taken["unread"]) == (1, 2, 1, 1)
    code, taken = ask("case", "take", str(tmp_path / "Maildir"), "--json")
    assert (taken["messages"], taken["known"], taken["reports"], taken["duplicates"]) == (1, 1, 0, 0)
    (tmp_path / "Maildir" / "new" / "4").write_text(xarf("13:30", VICTIM, 22, "login_attack") + "\n")
    for _ in range(2):
        ask("case", "take", str(tmp_path / "Maildir"), "--json")
    (case,) = (one["id"] for one in ask("case", "list", "--json")[1])
    assert ask("case", "original", case, "--to", str(tmp_path / "originals"))[0] == 0
    assert [one["times"] for one in ask("case", "show", case, "--json")[1]["reports"]] == [2], "as often as it came"
    (original,) = (tmp_path / "originals").iterdir()
    assert original.read_text() == xarf("13:30", VICTIM, 22, "login_attack")
    assert original.stat().st_mode & 0o777 == 0o600
    assert ask("case", "take", str(tmp_path / "nowhere"))[0] == 2


def test_what_a_killed_run_left_is_finished(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("abuse.safety._keep_day", killed)
        code, _ = ask("case", "take", sheet(tmp_path, line("13:30", MOVED)), "--json")
    assert code != 0
    assert ask("hold", "list", "--json")[1] == []
    again = ask("case", "take", sheet(tmp_path, line("13:30", MOVED)), "--json")[1]
    assert (again["known"], again["reports"]) == (1, 0)
    (case,) = ask("case", "list", "--json")[1]
    (hold,) = ask("hold", "list", "--json")[1]
    (report,) = ask("case", "show", case["id"], "--json")[1]["reports"]
    assert (report["hold"], report["verdict"]) == (hold["id"], "corroborated")


def test_closed_cases_are_forgotten_and_counted(ask: Ask, database: Node, tmp_path: Path) -> None:
    from abuse.store import Store

    ask("case", "take", sheet(tmp_path, line("13:30", MOVED)), "--json")
    (case,) = (one["id"] for one in ask("case", "list", "--json")[1])
    ask("case", "close", case, "--outcome", "confirmed", "--reason", "told")
    with Store.of(database.files.root.parent) as store:
        closed = store.case(case).closed
        assert closed is not None
        assert store.forget(closed) == 0
        assert store.forget(closed + timedelta(seconds=1)) == 1
        assert (store.cases(True), store.reports([case]), store.events(case), store.unread()) == ([], [], [], [])
        assert [row[1:] for row in store.offences("tenant-a")] == [("login_attack", "confirmed", 1)]
    data = Store.path(database.files.root.parent).read_bytes()
    assert MOVED.encode() not in data, "what is deleted is overwritten"


def test_who_says_what_to_beware_of(ask: Ask) -> None:
    code, text = ask("who", f"{MOVED}:51000", "--at", f"{at('14:03'):%Y-%m-%dT%H:%MZ}")
    assert code == 0
    assert re.search(r"before +tenant-a", text)
    assert "beware: 3 min earlier it was tenant-a's" in text
    told = ask("who", MOVED, "--at", f"{at('14:03'):%Y-%m-%dT%H:%M}", "--json")[1]
    assert (told["tenants"], told["zone_known"]) == (["tenant-a", "tenant-b"], False)
    assert ask("who", "10.9.8.7", "--at", f"{DAY:%Y-%m-%d}")[0] == 1
    assert ask("who", "10.9.8.7.6")[0] == 2


def test_a_translators_log_tells_who_was_behind_a_port(ask: Ask, database: Node, tmp_path: Path) -> None:
    with (tmp_path / "retention.yaml").open("a") as policy:
        policy.write(
            "categories:\n  rollups: {keep_for: 40d, starts: received, purpose: capacity, owner: desk,\n"
            "            justification: trends, legal_basis: legitimate_interest, review: 2099-01-01}\n"
        )
    log = tmp_path / "cgnat.csv"
    log.write_text(
        "inside,outside,port_start,port_end,start,end\n"
        f"192.0.2.71,203.0.113.1,1024,2047,{at('10:00').isoformat()},{at('12:00').isoformat()}\n"
        f"192.0.2.70,203.0.113.1,1024,2047,{at('12:00').isoformat()},\nrubbish\n"
    )
    code, stored = ask("tenants", "bindings", str(log), "--json")
    assert (code, stored["bindings"], [one["line"] for one in stored["faults"]]) == (1, 2, [4])
    assert ask("tenants", "bindings", str(log), "--json")[1]["bindings"] == 0, "it was stored already"
    with database.connect("query") as query:
        sums = query.query("SELECT (SELECT count() FROM flows WHERE nat_event > 0), sum(flows) FROM traffic_1h").rows
        assert sums == [(2, 2)], "rollups have every flow of a day, or its flows are read instead"
    for clock, inside in (("11:00", "192.0.2.71"), ("13:00", "192.0.2.70")):
        told = ask("who", "203.0.113.1:1500", "--at", at(clock).isoformat(), "--json")[1]
        assert [one["address"] for one in told["translated"]] == [inside]
        assert told["tenants"] == ["tenant-c"]
