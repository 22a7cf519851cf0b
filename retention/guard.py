"""The one guard: nothing is destroyed that it has not passed, whoever planned it and whenever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from retention.plan import Plan, Step, due_at, kind_of, whose
from retention.policy import Policy
from settings.errors import RefusalError

_LONGEST_PAUSE = timedelta(days=7)
"""From one purge to the next. After a longer one either none ran, or the clock is ahead: a person has to say which."""
_USUAL = timedelta(days=2)
"""What became due within this time is what a daily purge is there for, however much of all it is; more than that is due
where the policy was shortened, or no purge ran.
"""


class Allowance(StrEnum):
    """What a person may allow for one plan that the policy does not allow a scheduled purge."""

    SHARE = "share"
    SHORTER = "shorter"
    REVIEW = "review"
    CLOCK = "clock"


def permit(plan: Plan, policy: Policy, now: datetime, allowed: frozenset[Allowance] = frozenset()) -> None:
    """Return if every step of the plan may be taken at `now` under `policy`; RefusalError names those that may not.

    It goes by the policy and the time it is given, not by those the plan was made with: a plan can be stale. `allowed`
    is what a person has allowed for this plan.
    """
    if not policy.classes:
        raise RefusalError("the retention policy has no classes; nothing is dropped without one")
    refusals = [refusal for step in plan.steps if (refusal := _refusal(step, policy, now))]
    refusals += [f"day {step.partition.day} of {whose(step.partition)} can be undone until {step.due.isoformat()}"
                 for step in plan.destroy if step.due > now]  # fmt: skip
    if refusals:
        raise RefusalError("nothing was dropped: " + "; ".join(refusals) + "; make a new plan")
    doubts = [(kind, text) for kind, text in _doubts(plan, policy, now) if kind not in allowed]
    if doubts:
        how = " ".join(f"--allow {kind}" for kind in dict.fromkeys(kind for kind, _ in doubts))
        raise RefusalError(
            "nothing was dropped: "
            + "; ".join(text for _, text in doubts)
            + "; look at `flowkeep retention plan`, and if it is "
            f"what you want: flowkeep retention apply --plan FINGERPRINT {how}"
        )


def clock_doubt(last_run: datetime | None, now: datetime) -> str:
    """Return why the clock may be wrong, going by when a purge last came to its end; empty where nothing says so.

    A clock that is ahead makes everything due, and holds and the ledger's entries lapse.
    """
    if last_run is None or now - last_run <= _LONGEST_PAUSE:
        return ""
    return (
        f"the last purge was {(now - last_run).days} d ago, on {last_run:%Y-%m-%d}: either none has run since, or the "
        f"clock, which says {now:%Y-%m-%d}, is ahead"
    )


def permit_drop(step: Step) -> None:
    """Return if a step's partition may go as far as holds are concerned, as they are now; RefusalError otherwise."""
    if step.holds and not step.copied:
        raise RefusalError(
            f"day {step.partition.day} of {whose(step.partition)} was not dropped: {step.held} rows are under "
            f"{_holds(step)}, and there is no verified copy of them; run `flowkeep hold copy`"
        )


def _holds(step: Step) -> str:
    return f"hold{'s' if len(step.holds) > 1 else ''} {', '.join(step.holds)}"


def _refusal(step: Step, policy: Policy, now: datetime) -> str:
    partition = step.partition
    what = f"day {partition.day} of {whose(partition)}"
    due = due_at(policy, partition)
    if due is None:
        return f"{what} is of a {kind_of(partition)} that the policy has not"
    return f"{what} is not due before {due.isoformat()}" if due > now else ""


def _doubts(plan: Plan, policy: Policy, now: datetime) -> Iterator[tuple[Allowance, str]]:
    """Yield what no scheduled purge may do by itself."""
    limits = policy.purge.limits
    if plan.rows and (doubt := clock_doubt(plan.last_run, now)):
        yield Allowance.CLOCK, doubt
    unusual = [step.partition for step in plan.steps if step.due <= now - _USUAL]
    rows, size = (sum(getattr(partition, name) for partition in unusual) for name in ("rows", "bytes"))
    for what, part, whole, most in (("rows", rows, plan.rows, limits.rows), ("octets", size, plan.bytes, limits.bytes)):
        if whole and part / whole > most:
            yield (
                Allowance.SHARE,
                f"{part:,} of {whole:,} {what} ({part / whole:.0%}) would go that are due for more than "
                f"{_USUAL.days} d, and the policy lets a purge take {most:.0%} of such",
            )
    if len(plan.steps) > limits.partitions:
        yield (
            Allowance.SHARE,
            f"{len(plan.steps)} partitions would go, and the policy lets a purge take {limits.partitions}",
        )
    for step in plan.expiry:
        if step.shortened:
            yield (
                Allowance.SHORTER,
                f"ClickHouse's own expiry of {step.table} would come sooner for {', '.join(step.shortened)}",
            )
    overdue = policy.overdue(now.date() - timedelta(days=policy.purge.review_grace))
    if overdue and plan.steps:
        names = ", ".join(sorted(each.name for each in overdue))
        yield Allowance.REVIEW, f"the review of {names} is overdue by more than {policy.purge.review_grace} d"
