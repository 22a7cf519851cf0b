"""Flows of five days, and what is planned to be read of them; their today is yesterday, so that it has hours."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from query import planner
from query.filter import parse
from query.planner import Plan, candidates, flows_only
from query.statistics import Statistic
from storage.ddl import FLOWS
from tests.query.flow_rows import Ask, Row, random_rows

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
NOW = TODAY + timedelta(hours=18, minutes=30)
DAYS = [TODAY - timedelta(days=back) for back in (4, 3, 2, 1, 0)]
LACKING = DAYS[1] + timedelta(hours=7)


def at(hours: float, day: datetime = DAYS[0]) -> datetime:
    return day + timedelta(hours=hours)


def spread(count: int) -> list[Row]:
    """Flows of all hours of DAYS up to NOW, and some at the very ends of hours and days."""
    chance, rows = random.Random(7), random_rows(count, seed=7)
    seconds = int((NOW - DAYS[0]).total_seconds())
    for row in rows:
        moment = DAYS[0] + timedelta(milliseconds=chance.randrange(seconds * 1000))
        if chance.random() < 0.2:
            moment = moment.replace(minute=0, second=0, microsecond=0) - timedelta(milliseconds=chance.choice((0, 1)))
        row["time_received"] = max(moment, DAYS[0])
    return rows


def planned(
    ask: Ask, filter: str, by: tuple[Statistic, ...], since: datetime, until: datetime, step: int = 3600
) -> Plan:
    found = candidates(parse(filter), by, since, until, step)
    if isinstance(found, str):
        return flows_only(since, until, FLOWS, found)
    return planner.planned(found, since, until, NOW, FLOWS, ask)
