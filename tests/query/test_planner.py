"""What is read for a question, rollups or flows: whichever it is, the sums are those of the flows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from query.filter import parse
from query.planner import Candidate, Covered, Piece, candidates, covered, plan
from query.planner import planned as planned_of
from query.reports import grouped_report
from query.series import points, series_report
from query.sql import Sql
from query.statistics import statistic
from schema.rollups import AS_1H, TENANTS_1H, TRAFFIC_1H, TRAFFIC_1M
from storage.ddl import FLOWS
from tests.query.days import DAYS, NOW, TODAY, at, planned
from tests.query.flow_rows import Ask

WINDOWS = (
    (DAYS[0], NOW),
    (DAYS[0] + timedelta(hours=3, minutes=7, milliseconds=3), DAYS[2] + timedelta(hours=5, minutes=1)),
    (DAYS[2] + timedelta(hours=22, minutes=30), TODAY + timedelta(hours=6)),
    (TODAY + timedelta(minutes=1), NOW),
)
WORDS = ("proto", "srctenant", "tenant", "exporter", "if", "srcas", "dstas", "application", "type", "dir", "inif")
FILTERS = ("any", "proto 6 or proto 17", "src tenant acme or dst tenant beta-2", "not exporter 10.0.0.1",
           "direction ingress", "in if > 2", "in if 3 and not type sflow", "dst as 64500", "src as in [0 1 64501]",
           "flowdir ingress", "bytes > 10k", "src ip 10.0.0.1", "class short")  # fmt: skip


@pytest.mark.parametrize("window", WINDOWS)
def test_sums_are_those_of_the_flows(ask_days: Ask, window: tuple[datetime, datetime]) -> None:
    used = set()
    for word in WORDS:
        for text in FILTERS:
            chosen = planned(ask_days, text, (statistic(word),), *window)
            used |= {piece.table for piece in chosen.pieces}
            by = (statistic(word),)
            found, raw = (
                ask_days(grouped_report(by, "bytes", parse(text), *window, 10_000, source))
                for source in (chosen, FLOWS)
            )
            sums = [[(row[0], *row[1:5]) for row in rows] for rows in (found, raw)]
            assert sums[0] == sums[1], (word, text)
    assert used == {FLOWS, "tenants_1h", "traffic_1h", "as_1h"}


@pytest.mark.parametrize(("step", "table"), [(60, "traffic_1m"), (300, "traffic_1m"), (3600, "traffic_1h"), (7, FLOWS)])
@pytest.mark.parametrize("word", ["", "tenant"])
def test_series_are_those_of_the_flows(ask_days: Ask, step: int, table: str, word: str) -> None:
    window = (TODAY - timedelta(hours=5, minutes=3), NOW)
    by = statistic(word) if word else None
    chosen = planned(ask_days, "proto 6", (by,) if by else (), *window, step)
    assert table in {piece.table for piece in chosen.pieces}
    lines = [
        list(points([(row[0].replace(tzinfo=UTC), *row[1:]) for row in ask_days(sql)], *window, step))
        for sql in (
            series_report(by, "bytes", parse("proto 6"), *window, step, 2, source) for source in (chosen, FLOWS)
        )
    ]
    assert lines[0] == lines[1]
    assert sum(point.flows for point in lines[0]) > 100


def test_what_is_lacking_and_what_is_yet_to_come_is_read_from_flows(ask_days: Ask) -> None:
    chosen = planned(ask_days, "any", (statistic("srctenant"),), at(2.5), NOW)
    assert [(piece.since, piece.until, piece.table) for piece in chosen.pieces] == [
        (at(2.5), at(3), FLOWS),
        (at(3), DAYS[1], "tenants_1h"),
        (DAYS[1], DAYS[2], FLOWS),
        (DAYS[2], at(18, TODAY), "tenants_1h"),
        (at(18, TODAY), NOW, FLOWS),
    ]
    assert chosen.outlived == 0
    assert [piece.shown.split(" from ")[1] for piece in chosen.pieces] == [FLOWS, "tenants_1h"] * 2 + [FLOWS]


@pytest.mark.parametrize(
    ("filter", "word", "table", "side"),
    [
        ("any", "srctenant", TENANTS_1H, ""),
        ("direction ingress", "proto", TRAFFIC_1H, ""),
        ("in if 3", "exporter", TRAFFIC_1H, ""),
        ("src as 64500", "inif", AS_1H, "source"),
        ("out if 3", "dstas", AS_1H, "destination"),
        ("dst as 1", "inif", None, ""),
        ("any", "as", None, ""),
        ("any", "srcip", None, ""),
        ("tcp and port 80", "srctenant", None, ""),
        ("flags S", "proto", None, ""),
        ("class basic", "proto", None, ""),
        ("any", "class", None, ""),
        ("flows > 3", "proto", None, ""),
        ("interface eth0", "proto", None, ""),
        ("inet6", "proto", None, ""),
        ("first seen > 2026-11-20", "proto", None, ""),
        ("nat port 80", "proto", None, ""),
    ],
)
def test_a_rollup_is_chosen_where_it_has_all_columns(filter: str, word: str, table: object, side: str) -> None:
    found = candidates(parse(filter), (statistic(word),), at(0.5), at(9.5))
    if table is None:
        assert isinstance(found, str)
    else:
        assert found[0] == Candidate(table, side, at(1), at(9))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("since", "until", "step", "found"),
    [
        (at(0), at(2), 3600, Candidate(TENANTS_1H, "", at(0), at(2))),
        (at(0), at(2), 600, Candidate(TRAFFIC_1M, "", at(0), at(2))),
        (at(0), at(2), 30, "the steps are no whole minutes"),
        (at(0.1), at(2.9), 3600, "the time has few whole hours"),
    ],
)
def test_a_rollup_has_whole_hours_and_no_longer_steps(
    since: datetime, until: datetime, step: int, found: Candidate | str
) -> None:
    chosen = candidates(parse("any"), (), since, until, step)
    assert (chosen if isinstance(chosen, str) else chosen[0]) == found


def test_a_day_of_which_flows_are_deleted_is_told() -> None:
    of, epoch = Candidate(TRAFFIC_1H, "", DAYS[0], DAYS[2]), datetime(1970, 1, 1, tzinfo=UTC)
    known = [Covered(DAYS[0].date(), epoch, 3, 10), Covered(DAYS[1].date(), epoch, 10, 10)]
    assert plan(of, known, DAYS[0], DAYS[2], NOW, FLOWS).outlived == 1
    left = plan(of, known, DAYS[0], DAYS[2], NOW, FLOWS, stored=True)
    assert ([piece.table for piece in left.pieces], left.outlived) == ([FLOWS, "traffic_1h"], 0)
    lacking = [Covered(day.date(), epoch, 10, 9) for day in DAYS]
    nothing = plan(of, lacking, DAYS[0], DAYS[2], NOW, "all_flows")
    assert nothing.pieces == (Piece(DAYS[0], DAYS[2], "all_flows"),)
    assert not nothing.from_rollups
    assert nothing.reason == "traffic_1h lacks flows of that time"


def test_all_that_is_stored_is_one_piece_from_the_beginning() -> None:
    since = datetime(1970, 1, 1, tzinfo=UTC)
    found = candidates(parse("any"), (statistic("proto"),), since, NOW)[0]
    assert isinstance(found, Candidate)
    known = [Covered(date(2026, 1, 1), since, 5, 5), Covered(TODAY.date(), at(18, TODAY), 5, 5)]
    chosen = plan(found, known, since, NOW, NOW, FLOWS)
    assert [piece.table for piece in chosen.pieces] == ["traffic_1h", FLOWS]
    assert chosen.pieces[0].until == at(18, TODAY)


def test_the_hour_before_the_last_is_looked_at_only_where_rollups_lack_something() -> None:
    found, asked = Candidate(TRAFFIC_1H, "", DAYS[3], NOW), []

    def ask(there: int) -> Callable[[Sql], list[tuple[date, datetime, int, int]]]:
        def answer(sql: Sql) -> list[tuple[date, datetime, int, int]]:
            asked.append(sql)
            last = at(18 if len(asked) == 1 else 17, TODAY)
            return [(DAYS[3].date(), DAYS[3], 5, 5)] * (len(asked) == 1) + [(TODAY.date(), last, 9, there)]

        return answer

    assert covered(found, NOW, ask(9))[-1] == Covered(TODAY.date(), at(18, TODAY), 9, 9)
    assert len(asked) == 1
    asked.clear()
    assert [one.up_to for one in covered(found, NOW, ask(8))[1:]] == [at(18, TODAY), at(17, TODAY)]
    assert len(asked) == 2


@pytest.mark.parametrize(("there", "table"), [(5, "tenants_1h"), (0, "traffic_1h")])
def test_a_larger_rollup_answers_where_the_smallest_lacks_a_day(there: int, table: str) -> None:
    """As behind an upgrade that brought the smallest."""
    found = candidates(parse("any"), (statistic("tenant"),), DAYS[0], DAYS[2])
    assert not isinstance(found, str)

    def answer(sql: Sql) -> list[tuple[date, datetime, int, int]]:
        counts = (there if "tenants_1h" in sql.text else 5, 5)
        return [(day.date(), day, 5, count) for day, count in zip(DAYS[:2], counts, strict=True)]

    chosen = planned_of(found, DAYS[0], DAYS[2], NOW, FLOWS, answer)
    assert [piece.table for piece in chosen.pieces] == [table]
