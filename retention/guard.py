"""The one guard: nothing is destroyed that it has not passed, whoever planned it and whenever."""

from __future__ import annotations

from datetime import datetime

from retention.plan import Plan, Step, due_at, kind_of, whose
from retention.policy import Policy
from settings.errors import RefusalError


def permit(plan: Plan, policy: Policy, now: datetime) -> None:
    """Return if every step of the plan may be taken at `now` under `policy`; RefusalError names those that may not.

    It goes by the policy and the time it is given, not by those the plan was made with: a plan can be stale.
    """
    if not policy.classes:
        raise RefusalError("the retention policy has no classes; nothing is dropped without one")
    refusals = [refusal for step in plan.steps if (refusal := _refusal(step, policy, now))]
    if refusals:
        raise RefusalError("nothing was dropped: " + "; ".join(refusals) + "; make a new plan")


def _refusal(step: Step, policy: Policy, now: datetime) -> str:
    partition = step.partition
    what = f"day {partition.day} of {whose(partition)}"
    due = due_at(policy, partition)
    if due is None:
        return f"{what} is of a {kind_of(partition)} that the policy has not"
    return f"{what} is not due before {due.isoformat()}" if due > now else ""
