"""Plans: what is due when, why, and what nobody may drop; and the guard that does not take a plan's word for it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.classes import Limits, PurgeSettings
from retention.guard import Allowance, permit, permit_drop
from retention.plan import Database, Plan, Step, make_plan
from retention.policy import Policy
from settings.errors import RefusalError
from storage.observe import Partition

Make = Callable[..., Partition]
DUE = datetime(2026, 11, 16, tzinfo=UTC)  # when day 2026-11-01 of class basic, kept 14 days, is due
MILLISECOND = timedelta(milliseconds=1)


def test_a_day_is_due_at_the_instant_its_last_moment_has_expired_and_not_before(
    policy: Policy, partition: Make
) -> None:
    stored = [partition("basic", "2026-11-01")]
    assert make_plan(stored, policy, DUE - MILLISECOND).steps == ()
    (step,) = make_plan(stored, policy, DUE).steps
    assert step.due == DUE
    assert step.reason == (
        "day 2026-11-01 of class basic ended 2026-11-02T00:00Z; kept 14 d; due since 2026-11-16T00:00Z"
    )


def test_each_class_has_its_own_age_and_the_oldest_goes_first(policy: Policy, partition: Make) -> None:
    days = ("2026-11-01", "2026-10-16", "2026-08-17")
    stored = [partition(name, day) for name in ("basic", "standard", "extended") for day in days]
    plan = make_plan(stored, policy, DUE)
    assert [(step.partition.retention_class, step.partition.day.isoformat()) for step in plan.steps] == [
        ("basic", "2026-08-17"),
        ("extended", "2026-08-17"),
        ("standard", "2026-08-17"),
        ("basic", "2026-10-16"),
        ("standard", "2026-10-16"),
        ("basic", "2026-11-01"),
    ]
    assert plan.findings == ()


def test_unknown_classes_and_future_days_are_findings_and_stay(policy: Policy, partition: Make) -> None:
    stored = [partition("gold", "2020-01-01"), partition("basic", "2026-11-17"), partition("basic", "2026-11-16")]
    plan = make_plan(stored, policy, DUE)
    assert plan.steps == ()
    assert [finding.text for finding in plan.findings] == [
        "7 rows of day 2020-01-01 in class 'gold': the policy has no such class; add it, so that they expire, "
        "or find out who wrote them",
        "7 rows of day 2026-11-17 in class 'basic': the day has not begun; the clock of a collector was or is wrong",
    ]


def test_categories_go_by_their_own_age_table_by_table(policy: Policy, partition: Make) -> None:
    stored = [
        partition("discards", "2026-11-08", "discards"),
        partition("discards", "2026-11-09", "discards"),
        partition("counters", "2026-08-17", "counters_vlan"),
        partition("counters", "2026-08-17", "counters_host"),
        partition("counters", "2026-11-08", "counters_host"),
        partition("basic", "2026-11-08"),
    ]
    steps = make_plan(stored, policy, DUE).steps
    assert [(step.partition.table, step.partition.day.isoformat()) for step in steps] == [
        ("counters_host", "2026-08-17"), ("counters_vlan", "2026-08-17"), ("discards", "2026-11-08")
    ]  # fmt: skip
    assert steps[0].reason == (
        "day 2026-08-17 of category counters ended 2026-08-18T00:00Z; kept 90 d; due since 2026-11-16T00:00Z"
    )


def test_rows_of_a_category_that_the_policy_does_not_name_are_findings_and_stay(
    policy: Policy, partition: Make
) -> None:
    fewer = policy.model_copy(update={"categories": policy.categories.model_copy(update={"counters": None})})
    stored = [
        partition("counters", "2020-01-01", "counters_host"),
        partition("basic", "2020-01-01", "discards"),
        partition("counters", "2020-01-01"),
    ]
    plan = make_plan(stored, fewer, DUE)
    assert plan.steps == ()
    assert [finding.text for finding in plan.findings] == [
        "7 rows of day 2020-01-01 in class 'basic' in discards: the policy has no such class; add it, so that they "
        "expire, or find out who wrote them",
        "7 rows of day 2020-01-01 in category 'counters' in counters_host: the policy names no such category; name it, "
        "or wait for ClickHouse's own expiry",
        "7 rows of day 2020-01-01 in class 'counters': the policy has no such class; add it, so that they expire, or "
        "find out who wrote them",
    ]


PLACES = {
    ("flows", "basic"): 14, ("flows", "standard"): 30, ("flows", "extended"): 90, ("flows", "gold"): None,
    ("flows", "counters"): None, ("counters_host", "counters"): 90, ("counters_interface", "counters"): 90,
    ("counters_host", "basic"): None, ("discards", "discards"): 7, ("discards", "extended"): None,
}  # fmt: skip
"""Tables and classes, with the days that the example keeps them; None where it does not explain them."""


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(PLACES)), st.dates(date(2025, 1, 1), date(2027, 12, 31)))),
    st.datetimes(datetime(2025, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC)),
)
def test_no_plan_drops_a_moment_before_its_age_nor_forgets_one(
    policy: Policy, stored: list[tuple[tuple[str, str], date]], now: datetime
) -> None:
    partitions = [Partition("id", name, day, 1, 1, None, None, table=table) for (table, name), day in stored]
    plan = make_plan(partitions, policy, now)
    permit(plan, policy, now, frozenset(Allowance))
    planned = [step.partition for step in plan.steps]
    for partition in partitions:
        kept = PLACES[partition.table, partition.retention_class]
        last = datetime.combine(partition.day, datetime.max.time(), UTC)
        expired = kept is not None and now - last > timedelta(days=kept)
        assert (partition in planned) == expired


def test_guard_passes_what_is_due_and_an_empty_plan(policy: Policy, partition: Make) -> None:
    permit(make_plan([partition("basic", "2026-11-01")], policy, DUE), policy, DUE)
    permit(Plan(DUE, (), ()), policy, DUE)


def test_guard_refuses_a_plan_that_is_not_due_yet(policy: Policy, partition: Make) -> None:
    plan = make_plan([partition("basic", "2026-11-01")], policy, DUE)
    with pytest.raises(RefusalError, match=r"nothing was dropped: day 2026-11-01 of class 'basic' is not due before"):
        permit(plan, policy, DUE - MILLISECOND)


def test_guard_refuses_a_plan_made_under_a_shorter_or_another_policy(policy: Policy, partition: Make) -> None:
    plan = make_plan([partition("basic", "2026-11-01")], policy, DUE)
    longer = policy.model_copy(update={"classes": {"basic": policy.classes["extended"]}})
    with pytest.raises(RefusalError, match="is not due before 2027-01-31"):
        permit(plan, longer, DUE)
    other = policy.model_copy(update={"classes": {"standard": policy.classes["standard"]}})
    with pytest.raises(RefusalError, match="of a class that the policy has not"):
        permit(plan, other, DUE)


def test_guard_goes_by_the_category_and_its_table(policy: Policy, partition: Make) -> None:
    plan = make_plan([partition("discards", "2026-11-08", "discards")], policy, DUE)
    permit(plan, policy, DUE)
    with pytest.raises(RefusalError, match=r"day 2026-11-08 of category 'discards' in discards is not due before"):
        permit(plan, policy, DUE - MILLISECOND)
    none = policy.model_copy(update={"categories": type(policy.categories)()})
    with pytest.raises(RefusalError, match="of a category that the policy has not"):
        permit(plan, none, DUE)
    for table, name in (("purges", "basic"), ("counters_host", "basic"), ("flows", "discards")):
        step = Step(partition(name, "2020-01-01", table), DUE, "")
        with pytest.raises(RefusalError, match="of a class that the policy has not"):
            permit(Plan(DUE, (step,), ()), policy, DUE)


def test_guard_refuses_a_policy_without_classes(policy: Policy) -> None:
    with pytest.raises(RefusalError, match="no classes"):
        permit(Plan(DUE, (), ()), policy.model_copy(update={"classes": {}}), DUE)


def test_guard_asks_whether_the_clock_is_ahead_when_no_purge_ran_for_long(
    policy: Policy, partition: Callable[..., Partition]
) -> None:
    there = (partition("basic", "2026-11-05"),)
    for days, doubtful in ((1, False), (7, False), (8, True), (400, True), (-5, False)):
        now = DUE + timedelta(days=1)
        plan = make_plan(Database(there, last_run=now - timedelta(days=days)), policy, now)
        rest = frozenset(Allowance) - {Allowance.CLOCK}
        if doubtful:
            with pytest.raises(RefusalError, match=rf"the last purge was {days} d ago, .* is ahead; .* --allow clock$"):
                permit(plan, policy, now, rest)
        else:
            permit(plan, policy, now, rest)
        permit(plan, policy, now, frozenset(Allowance))
    permit(make_plan(Database((), last_run=DUE - timedelta(days=99)), policy, DUE), policy, DUE)


def test_guard_lets_a_purge_take_what_became_due_and_asks_about_a_share_that_was_due_before(
    policy: Policy, partition: Make
) -> None:
    days = [partition("basic", f"2026-10-{day}") for day in range(10, 20)]
    kept = [partition("basic", "2026-11-15") for _ in range(20)]
    last = make_plan([days[-1], partition("basic", "2026-11-01")], policy, datetime(2026, 11, 3, 1, tzinfo=UTC))
    permit(last, policy, last.now)
    plan = make_plan([*days, *kept], policy, DUE)
    with pytest.raises(
        RefusalError, match=r"70 of 210 rows \(33%\) would go .* 7,000 of 21,000 octets .* --allow share$"
    ):
        permit(plan, policy, DUE)
    permit(plan, policy, DUE, frozenset({Allowance.SHARE}))
    few = policy.model_copy(update={"purge": PurgeSettings(limits=Limits(rows=1, bytes=1, partitions=9))})
    with pytest.raises(RefusalError, match=r"10 partitions would go"):
        permit(plan, few, DUE)


def test_guard_asks_about_a_review_that_is_long_past(policy: Policy, partition: Make) -> None:
    now = datetime(2027, 12, 1, tzinfo=UTC)
    plan = make_plan([partition("basic", "2027-11-16")], policy, now)
    assert len(plan.steps) == 1
    with pytest.raises(RefusalError, match=r"the review of basic, .* is overdue by more than 90 d.* --allow review"):
        permit(plan, policy, now)
    permit(plan, policy, now, frozenset({Allowance.REVIEW}))


def test_guard_passes_no_step_whose_held_rows_have_no_verified_copy(policy: Policy, partition: Make) -> None:
    (step,) = make_plan([partition("basic", "2026-11-01")], policy, DUE).steps
    permit_drop(step)
    permit_drop(replace(step, holds=("h1",), held=3, copied=True))
    with pytest.raises(RefusalError, match=r"3 rows are under hold h1, and there is no verified copy"):
        permit_drop(replace(step, holds=("h1",), held=3, copied=False))
