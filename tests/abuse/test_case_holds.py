"""What cases hold: each report's day and no more, finished where a run was cut short, and what then is gone."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from abuse import safety
from abuse.store import Store
from settings.errors import RefusalError
from storage.client import UnreachableError
from storage.embedded import Node
from tests.abuse.conftest import Ask
from tests.abuse.story import DAY, MOVED, VICTIM, Traffic, at, site, xarf

NEIGHBOUR = "192.0.2.71"


@pytest.fixture
def told(database: Node, tmp_path: Path) -> Path:
    """A site whose flows are due: the moved address and its neighbour speak with each other, and with the victim."""
    config = site(database, tmp_path)
    traffic = Traffic(tmp_path)
    traffic.background(at("12:00"), at("15:00"))
    for second in range(5):
        traffic.add(at(f"13:30:{second}"), MOVED, VICTIM, (50000 + second, 22))
        traffic.add(at(f"13:31:{second}"), NEIGHBOUR, MOVED, (50000 + second, 22))
        traffic.add(at(f"13:32:{second}"), MOVED, NEIGHBOUR, (22, 50000 + second))
    traffic.store(database)
    return config


def take(ask: Ask, directory: Path, name: str, text: str) -> Any:
    (directory / name).write_text(text)
    code, taken = ask("case", "take", str(directory / name), "--json")
    assert code == 0
    return taken


def close(ask: Ask, case: str) -> tuple[int, Any]:
    return ask("case", "close", case, "--outcome", "confirmed", "--reason", "told", "--json")


def test_each_report_is_held_with_its_day_and_a_later_one_does_not_stretch_it(ask: Ask, tmp_path: Path) -> None:
    (case,) = take(ask, tmp_path, "a", xarf("13:30", VICTIM, 22, "login_attack"))["opened"]
    later = (at("13:30") + timedelta(days=2)).isoformat()
    text = xarf("13:30", VICTIM, 22, "login_attack", first_seen=later)
    known_later = take(ask, tmp_path, "b", text)  # the address is tenant-b's by then
    assert known_later["added_to"] == []
    earlier = (at("13:30") - timedelta(days=2)).isoformat()
    assert take(ask, tmp_path, "c", xarf("13:30", VICTIM, 22, "login_attack", first_seen=earlier))["added_to"] == [case]
    holds = {one["id"]: one["scope"] for one in ask("hold", "list", "--json")[1]}
    names = [f"cases-{DAY + timedelta(days=days):%Y%m%d}" for days in (-2, 0, 2)]
    assert sorted(holds) == names
    assert all(
        str((DAY + timedelta(days=days)).date()) in str(holds[name])
        for days, name in zip((-2, 0, 2), names, strict=True)
    )
    assert {one["hold"] for one in ask("case", "show", case, "--json")[1]["reports"]} == set(names[:2])
    assert close(ask, case)[1]["holds_ended"] == {names[0]: True, names[1]: True}
    assert [one["id"] for one in ask("hold", "list", "--json")[1]] == names[2:]


def test_a_hold_that_could_not_be_let_go_ends_with_the_next_report(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (case,) = take(ask, tmp_path, "a", xarf("13:30", VICTIM, 22, "login_attack"))["opened"]

    def away(*_: object) -> None:
        raise UnreachableError("ClickHouse does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(safety, "let_go", away)
        assert close(ask, case)[0] == 3
    assert [one["active"] for one in ask("hold", "list", "--json")[1]] == [True]
    (tmp_path / "empty").mkdir()
    assert ask("case", "take", str(tmp_path / "empty"))[0] == 0
    assert ask("hold", "list", "--json")[1] == []


def test_a_hold_that_others_need_is_not_ended_for_being_unfinished(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = take(ask, tmp_path, "a", xarf("13:30", VICTIM, 22, "login_attack"))["opened"]
    other = xarf("13:31", MOVED, 22, "login_attack").replace(f'identifier": "{MOVED}', f'identifier": "{NEIGHBOUR}')
    second = take(ask, tmp_path, "b", other)["opened"]
    assert len({*first, *second}) == 2
    (hold,) = ask("hold", "list", "--json")[1]
    assert sorted(hold["scope"]["networks"]) == [MOVED, NEIGHBOUR]
    assert close(ask, first[0])[1]["holds_ended"] == {hold["id"]: False}
    (hold,) = ask("hold", "list", "--json")[1]
    assert hold["scope"]["networks"] == [NEIGHBOUR]
    assert ask("case", "take", str(tmp_path / "b"))[0] == 0
    assert len(ask("hold", "list", "--json")[1]) == 1


def test_what_anothers_hold_kept_is_not_all_there_was(ask: Ask, database: Node, tmp_path: Path) -> None:
    """Flows with a held neighbour outlive the purge: that no others are there proves nothing by then."""
    other = xarf("13:31", MOVED, 22, "login_attack").replace(f'identifier": "{MOVED}', f'identifier": "{NEIGHBOUR}')
    (held,) = take(ask, tmp_path, "a", other)["verdicts"]
    assert held["verdict"] == "corroborated"
    assert ask("retention", "purge", "--json")[0] == 0
    with database.connect("admin") as admin:
        assert admin.query("SELECT count() FROM all_flows").rows == [(10,)]
    (late,) = take(ask, tmp_path, "b", xarf("13:30", VICTIM, 22, "ddos", packet_count=5_000_000))["verdicts"]
    assert late["verdict"] == "outside retention"
    (again,) = ask("case", "judge", held["case"], "--json")[1]
    assert (again["verdict"], again["whole"]) == ("corroborated", True)


def test_cases_of_an_older_flowkeep_are_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "abuse" / "cases.sqlite"
    path.parent.mkdir()
    with sqlite3.connect(path) as old:
        old.executescript(
            """
            CREATE TABLE cases (id TEXT PRIMARY KEY, opened TEXT, state TEXT, kind TEXT, address TEXT, tenants TEXT,
                assignee TEXT, closed TEXT, outcome TEXT, hold TEXT);
            CREATE TABLE reports (digest TEXT PRIMARY KEY, case_id TEXT, message TEXT, told TEXT, times INTEGER,
                verdict TEXT);
            INSERT INTO cases VALUES ('20261101-000001', '2026-11-01T10:00:00+00:00', 'open', 'spam', '192.0.2.7',
                '["a"]', 'mia', NULL, '', 'cases-20261101');
            INSERT INTO reports VALUES ('d', '20261101-000001', 'm', '{}', 1, '');
            """
        )
    for _ in range(2):
        with Store(path) as store:
            (case,) = store.cases()
            assert (case.id, case.tenants, case.assignee, case.outcome) == ("20261101-000001", ("a",), "mia", "")
            assert store.unneeded() == []
            store.change(case, state="open")
    with sqlite3.connect(path) as new:
        assert new.execute("SELECT hold FROM reports").fetchall() == [("cases-20261101",)]
        new.execute("PRAGMA user_version = 99")
    with pytest.raises(RefusalError, match="a newer Flowkeep wrote these cases"):
        Store(path)


def test_two_that_write_at_once_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abuse.store._BUSY_SECONDS", 0.1)
    locked = pytest.raises(RefusalError, match=r"nothing was written \(database is locked\)")
    with Store.of(tmp_path) as one, Store.of(tmp_path) as other, one.changing(), locked, other.changing():
        pass
