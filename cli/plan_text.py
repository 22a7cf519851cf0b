"""A retention plan as text that a person who has never seen one can follow: what, whose, why, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from retention.plan import Plan, Step, TtlStep, minute
from retention.policy import Policy
from storage.observe import Partition

_SHOWN = 4
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def plan_lines(
    made: Plan, tenants: Mapping[Partition, Sequence[tuple[str, int]]], policy: Policy, name: str, refusal: str | None
) -> Iterator[str]:
    """Yield the lines of a plan."""
    yield f"Retention plan {name}, by policy {policy.edition}, at {minute(made.now)}"
    yield ""
    if made.is_empty:
        yield "Nothing is due."
    if made.steps:
        rows, size = (sum(getattr(step.partition, what) for step in made.steps) for what in ("rows", "bytes"))
        yield (
            f"To be deleted, {_finality(made.grace)}: {len(made.steps)} day{'s' * (len(made.steps) != 1)} of data, "
            f"{rows:,} rows, {octets(size)} of {octets(made.bytes)} stored."
        )
        for step in made.steps:
            yield from _step(step, tenants.get(step.partition, ()))
    if made.destroy:
        yield ""
        yield "Deleted before, and to be destroyed now that the time to undo it is over:"
        yield from (line for step in made.destroy for line in _step(step, tenants.get(step.partition, ())))
    if made.expiry:
        yield ""
        yield "ClickHouse's own expiry, the net under the purge, is to change:"
        yield from (line for change in made.expiry for line in _expiry(change))
    if made.findings:
        yield ""
        yield "Not explained by the policy; stays, and a person has to look:"
        yield from (f"  {finding.text}" for finding in made.findings)
    yield ""
    if refusal:
        yield f"A scheduled purge would refuse: {refusal}"
    if not made.is_empty:
        yield f"To do it: flowkeep retention apply --plan {name}"
        yield "It looks again first, and refuses if anything of this has changed."


def _finality(grace: int) -> str:
    return f"and for {grace} days it can be undone (flowkeep retention undo)" if grace else "for good"


def _step(step: Step, tenants: Sequence[tuple[str, int]]) -> Iterator[str]:
    partition = step.partition
    where = f"{partition.day}  {partition.table}, {partition.retention_class}"
    yield f"  {where}: {partition.rows:,} rows, {octets(partition.bytes)}"
    if tenants:
        named = ", ".join(f"{tenant or 'no tenant'} ({rows:,})" for tenant, rows in tenants[:_SHOWN])
        more = f" and {len(tenants) - _SHOWN} more" if len(tenants) > _SHOWN else ""
        yield f"    of {named}{more}"
    yield f"    because {step.reason}"
    if step.holds:
        done = "are copied already" if step.copied else "are copied first"
        yield f"    {step.held:,} rows stay: they are under {', '.join(step.holds)} and {done}"


def _expiry(change: TtlStep) -> Iterator[str]:
    yield f"  {change.reason}"
    if change.shortened:
        yield f"    sooner for {', '.join(change.shortened)}: what is older is deleted by ClickHouse within hours"


def octets(count: int) -> str:
    """Return octets in the unit that people read."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"
