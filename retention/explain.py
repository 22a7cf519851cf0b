"""Until when something is kept, by which rule and version of the policy, and under which holds, with reasons. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np

from retention.plan import Cover, Key
from retention.policy import CATEGORIES, Policy
from retention.rules import Chosen, place, selected
from settings.errors import ConfigError
from storage.ddl import FLOWS
from tenants.allocations import Allocation, Allocations


@dataclass(frozen=True, slots=True)
class Held:
    """Holds on a partition: how many of its rows they cover, and whether these are copied."""

    holds: tuple[str, ...]
    rows: int
    copied: bool


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of the rows of a partition, in the case `case`, and why they are of its class, `rule`.

    The purge drops them at `until`, and ClickHouse itself at `ceiling` at the latest; both are None, and `keep_for`
    (days) too, where the policy does not explain the class. `source` is where the policy says it. `held` is None where
    nobody has looked for holds.
    """

    case: str
    table: str
    retention_class: str
    day: date
    rule: str
    source: str
    keep_for: int | None
    until: datetime | None
    ceiling: datetime | None
    purpose: str
    legal_basis: str
    owner: str
    review: date | None
    held: Held | None = None

    @property
    def key(self) -> Key:
        """The partition."""
        return self.table, self.retention_class, self.day


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was asked about, the version of the policy that answers, each case, and what else is to be known."""

    subject: str
    policy: str
    fates: tuple[Fate, ...]
    notes: tuple[str, ...] = ()

    def under(self, covers: Mapping[Key, Cover]) -> Explanation:
        """Return the same with the holds on each partition; of one that `covers` lacks there are none."""
        return replace(self, fates=tuple(replace(fate, held=_held(covers.get(fate.key))) for fate in self.fates))


def of_partition(policy: Policy, table: str, retention_class: str, day: date) -> Explanation:
    """Explain one partition; ConfigError for a table that has no retention classes."""
    if table != FLOWS and table not in CATEGORIES:
        raise ConfigError(
            f"there is no table '{table}' with retention classes; there are {', '.join((FLOWS, *CATEGORIES))}"
        )
    kept = policy.kept(table, retention_class)
    rule = "its rows were stored with this class" if kept else "the policy has no such class in this table"
    notes = () if kept else ("no purge drops what the policy does not explain; ClickHouse ends it by the TTL it has",)
    fate = _fate(policy, "every row", table, Chosen(retention_class, rule), day)
    return Explanation(f"partition {table}/{retention_class}/{day}", policy.edition, (fate,), notes)


def of_tenant(
    policy: Policy, allocations: Allocations, tenant: str, service: str | None, region: str | None, day: date
) -> Explanation:
    """Explain flows of a tenant that are received on `day`, for each kind of its allocations.

    With `service` or `region` only for those of them; where there is none, as if there were one.
    """
    kinds = _kinds(allocations, tenant, service, region)
    cases = {
        kind: f"{_counted(len(lines))} with {_kind(kind)}, the first in line {lines[0]}"
        for kind, lines in kinds.items()
    }
    if not cases:
        cases = {(service, region, None): "no allocation is like this; if one were, and named no class"}
    fates = tuple(_fate(policy, case, FLOWS, policy.class_for(tenant, *kind), day) for kind, case in cases.items())
    return Explanation(
        f"flows of {selected((tenant, service, region))}", policy.edition, fates, (_between(policy), *_grace(policy))
    )


def of_flow(policy: Policy, address: str, moment: datetime, holder: Allocation | None) -> Explanation:
    """Explain flows of an address at `moment`, when `holder` held it, None if nobody did.

    The other end may have been nobody's, or of a tenant with a class of its own: each class that can come of it is a
    case.
    """
    day = moment.astimezone(UTC).date()
    if holder is None:
        own, subject = Chosen(policy.unassigned_class, place(policy.line_of, "unassigned_class")), "which nobody held"
    else:
        own = policy.class_for(holder.tenant, holder.service, holder.region, holder.retention_class)
        who = selected((holder.tenant, holder.service, holder.region))
        subject = f"which {who} held ({holder.prefix}, line {holder.line})"
    with_nobody = own.retention_class
    others: dict[str, list[str]] = {with_nobody: []}
    for name in policy.classes:
        others.setdefault(policy.between(with_nobody, name) if holder else name, []).append(name)
    fates = []
    for name, classes in others.items():
        alone = name == with_nobody
        cases = [*(["if the other end was nobody's"] if alone else []), *_spoke(classes)]
        by = "the class of the tenant at the other end" if not holder else place(policy.line_of, "between_tenants")
        fates.append(_fate(policy, ", or ".join(cases), FLOWS, own if alone else Chosen(name, by), day))
    notes = ("a flow is of the day on which the collector received it, which near midnight may be the next",)
    when = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Explanation(
        f"flows of {address} at {when}, {subject}", policy.edition, tuple(fates), (*notes, *_grace(policy))
    )


def _fate(policy: Policy, case: str, table: str, chosen: Chosen, day: date) -> Fate:
    name = chosen.retention_class
    kept, until = policy.kept(table, name), policy.due(table, name, day)
    section = "classes" if table == FLOWS else "categories"
    return Fate(
        case=case,
        table=table,
        retention_class=name,
        day=day,
        rule=chosen.rule,
        source=place(policy.line_of, section, name) if kept else "",
        keep_for=kept.keep_for if kept else None,
        until=until,
        ceiling=until + timedelta(days=policy.ttl_margin) if until else None,
        purpose=kept.purpose if kept else "",
        legal_basis=kept.legal_basis if kept else "",
        owner=kept.owner if kept else "",
        review=kept.review if kept else None,
    )


def _held(cover: Cover | None) -> Held:
    return Held(cover.holds, cover.rows, cover.copied) if cover else Held((), 0, False)


_Kind = tuple[str | None, str | None, str | None]  # service, region and class of an allocation


def _kinds(allocations: Allocations, tenant: str, service: str | None, region: str | None) -> dict[_Kind, list[int]]:
    """Return the lines of a tenant's allocations by what decides on their class, of those asked for."""
    kinds: dict[_Kind, list[int]] = {}
    if tenant not in allocations.tenants.names:
        return kinds
    code = list(allocations.tenants.names).index(tenant)
    for index in np.flatnonzero(allocations.tenants.codes == code).tolist():
        one = allocations[index]
        if (service or one.service) == one.service and (region or one.region) == one.region:
            kinds.setdefault((one.service, one.region, one.retention_class), []).append(one.line)
    return kinds


def _counted(count: int) -> str:
    return "1 allocation" if count == 1 else f"{count} allocations"


def _kind(kind: _Kind) -> str:
    words = zip(("service", "region", "class"), kind, strict=True)
    return " and ".join(f"{what} '{value}'" for what, value in words if value) or "no service, region or class"


def _spoke(classes: Collection[str]) -> list[str]:
    return [f"if it was a tenant's of class {' or '.join(classes)}"] if classes else []


def _between(policy: Policy) -> str:
    return (
        f"flows with another tenant are of that class of the two which is kept {policy.between_tenants} "
        f"({place(policy.line_of, 'between_tenants')})"
    )


def _grace(policy: Policy) -> tuple[str, ...]:
    days = policy.purge.grace
    return (
        (f"what the purge drops can be undone for {days} days ({place(policy.line_of, 'purge', 'grace')})",)
        if days
        else ()
    )
