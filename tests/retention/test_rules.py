"""Which class a tenant's flows are of: the most specific rule wins, and no two may say the same."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.policy import Policy, load_policy
from retention.rules import Assignment, Assignments
from settings.errors import ConfigError
from tests.retention.test_policy import EXAMPLE, faults

RULES = """assign:
  - {tenant: acme, service: vps, region: eu, class: basic}
  - {tenant: acme, service: vps, class: extended}
  - {tenant: acme, region: eu, class: basic}
  - {service: vps, region: eu, class: standard}
  - {service: vps, class: basic}
  - {region: eu, class: extended}
tenants:
  acme: standard
"""
"""A rule of each shape, the heaviest first; the one by tenant alone comes last, in its short form."""


@pytest.mark.parametrize(
    ("asked", "expected", "rule"),
    [
        (("acme", "vps", "eu"), "basic",
         "the rule for tenant 'acme' and service 'vps' and region 'eu' (assign, line 2)"),
        (("acme", "vps", "us"), "extended", "the rule for tenant 'acme' and service 'vps' (assign, line 3)"),
        (("acme", "colo", "eu"), "basic", "the rule for tenant 'acme' and region 'eu' (assign, line 4)"),
        (("acme", "colo", "us"), "standard", "the rule for tenant 'acme' (tenants, line 9)"),
        (("acme", None, None), "standard", "the rule for tenant 'acme' (tenants, line 9)"),
        (("umbrella", "vps", "eu"), "standard", "the rule for service 'vps' and region 'eu' (assign, line 5)"),
        (("umbrella", "vps", None), "basic", "the rule for service 'vps' (assign, line 6)"),
        (("umbrella", None, "eu"), "extended", "the rule for region 'eu' (assign, line 7)"),
        (("umbrella", "colo", "us"), "basic", "the class that the allocation names"),
    ],
)  # fmt: skip
def test_the_most_specific_rule_wins_and_is_told_with_its_line(
    tmp_path: Path, asked: tuple[str, str | None, str | None], expected: str, rule: str
) -> None:
    text = EXAMPLE.read_text()
    start, end = text.index("assign:\n"), text.index("# The purge drops")
    path = tmp_path / "retention.yaml"
    path.write_text(RULES + text[:start] + text[end:])
    chosen = load_policy(path, {}).class_for(*asked, allocation_class="basic")
    assert (chosen.retention_class, chosen.rule) == (expected, rule)


WEIGHTS = (4, 2, 1)
some = st.sampled_from((None, "a", "b"))


@settings(deadline=None)
@given(st.sets(st.tuples(some, some, some).filter(any)), st.tuples(st.sampled_from("ab"), some, some))
def test_no_lighter_rule_wins_over_a_heavier_one(rules: set[tuple[str | None, ...]], asked: tuple[str, ...]) -> None:
    assign = [
        Assignment(tenant=tenant, service=service, region=region, **{"class": "basic"})
        for tenant, service, region in rules
        if service or region
    ]
    assignments = Assignments(assign, {rule[0]: "basic" for rule in rules if rule[0] and not any(rule[1:])})
    fitting = [rule for rule in rules if all(want in (None, has) for want, has in zip(rule, asked, strict=True))]
    weight = {rule: sum(one for one, value in zip(WEIGHTS, rule, strict=True) if value) for rule in fitting}
    assert assignments.find(*asked) == max(fitting, key=weight.__getitem__, default=None)
    idle = {selectors for selectors, _ in assignments.idle({asked})}
    assert idle == rules - set(fitting)


def test_without_a_rule_the_allocation_decides_and_then_the_default(policy: Policy) -> None:
    assert policy.class_of("umbrella", None, None, "basic") == "basic"
    assert policy.class_of("umbrella", None, None, None) == "standard"
    copy = policy.model_copy(update={"tenants": {"umbrella": "extended"}})
    assert copy.class_of("umbrella", None, None, "basic") == "extended"
    assert policy.class_of("umbrella", None, None, "basic") == "basic"


def test_two_rules_for_the_same_are_refused_and_both_lines_named(tmp_path: Path) -> None:
    path = tmp_path / "retention.yaml"
    rules = (
        "  - {region: eu, service: vps, class: basic}\n  - {service: vps, region: eu, class: basic}\n"
        "  - {tenant: acme, class: basic}\n  - {tenant: acme, service: vps, class: basc}\n"
    )
    text = (
        EXAMPLE.read_text()
        .replace("tenants: {}", "tenants:\n  acme: extended")
        .replace("assign:\n", "assign:\n" + rules)
    )
    path.write_text(text)
    first = text.splitlines().index("assign:") + 2
    short = text.splitlines().index("  acme: extended") + 1
    with pytest.raises(ConfigError) as caught:
        load_policy(path, {})
    assert str(caught.value).splitlines() == [
        f"{path}:{first + 1}: assign.1: service 'vps' and region 'eu' has a rule already: assign, line {first}",
        f"{path}:{first + 2}: assign.2: tenant 'acme' has a rule already: tenants, line {short}",
        f"{path}:{first + 3}: assign.3.class: there is no class 'basc'; did you mean 'basic'?",
    ]


def test_a_rule_selects_something_and_names_a_class(tmp_path: Path) -> None:
    assert faults(
        tmp_path, ("  - {service: ddos-protection, class: extended}", "  - {class: basic}\n  - {tenant: acme}")
    ) == [
        "assign.0: names no tenant, service or region; the class of all the rest is 'default_class'",
        "the key 'class' is missing in 'assign.1'",
    ]
