"""Explanations: until when, by which rule and version, in which case, and under which holds."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from retention.explain import Explanation, of_flow, of_partition, of_tenant
from retention.plan import due_at
from retention.policy import Policy
from settings.errors import ConfigError
from storage.observe import Partition
from tenants.allocations import Allocations, load_allocations
from tests.collector.site import flowkeep

CONFIGS = Path(__file__).parents[2] / "configs"
DAY = date(2026, 11, 1)
FOUR_WEEKS_ON = datetime(2026, 12, 2, tzinfo=UTC)  # the end of DAY and 30 d
LINES = (
    "192.0.2.0/25,acme,vps,eu,basic", "192.0.2.128/25,acme,vps,eu,basic", "198.51.100.0/24,acme,,,",
    "203.0.113.0/24,globex,ddos-protection,us,basic",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Covered:
    holds: tuple[str, ...]
    rows: int
    copied: bool


@pytest.fixture
def allocations(tmp_path: Path) -> Allocations:
    path = tmp_path / "allocations.csv"
    path.write_text("\n".join(("prefix,tenant,service,region,class", *LINES)))
    return load_allocations(path)


def cases(found: Explanation) -> list[tuple[str, str]]:
    return [(fate.case, fate.retention_class) for fate in found.fates]


def test_a_tenant_is_explained_for_each_kind_of_its_allocations(policy: Policy, allocations: Allocations) -> None:
    found = of_tenant(policy, allocations, "acme", None, None, DAY)
    assert found.policy == policy.edition
    assert cases(found) == [
        ("2 allocations with service 'vps' and region 'eu' and class 'basic', the first in line 2", "basic"),
        ("1 allocation with no service, region or class, the first in line 4", "standard"),
    ]
    basic, standard = found.fates
    assert basic.rule == "the class that the allocation names"
    assert standard.rule == f"default_class, line {policy.line_of('default_class')}"
    assert standard.source == f"classes.standard, line {policy.line_of('classes', 'standard')}"
    assert (standard.keep_for, standard.until) == (30, FOUR_WEEKS_ON)
    assert standard.ceiling == datetime(2026, 12, 4, tzinfo=UTC)
    assert cases(of_tenant(policy, allocations, "acme", "vps", None, DAY)) == cases(found)[:1]


def test_a_rule_by_service_beats_the_class_of_the_allocation(policy: Policy, allocations: Allocations) -> None:
    (fate,) = of_tenant(policy, allocations, "globex", None, None, DAY).fates
    line = policy.line_of("assign", 0)
    assert (fate.retention_class, fate.rule) == (
        "extended",
        f"the rule for service 'ddos-protection' (assign, line {line})",
    )


def test_a_tenant_without_such_an_allocation_is_explained_as_if_it_had_one(
    policy: Policy, allocations: Allocations
) -> None:
    assert cases(of_tenant(policy, allocations, "acme", "ddos-protection", "us", DAY)) == [
        ("no allocation is like this; if one were, and named no class", "extended")
    ]


@pytest.mark.parametrize(
    ("table", "name", "days"), [("flows", "basic", 14), ("counters_host", "counters", 90), ("as_1h", "rollups", 400)]
)
def test_a_partition_is_explained_as_it_is_planned(policy: Policy, table: str, name: str, days: int) -> None:
    (fate,) = of_partition(policy, table, name, DAY).fates
    assert fate.until == due_at(policy, Partition("id", name, DAY, 7, 700, None, None, table=table))
    assert (fate.key, fate.keep_for, fate.held) == ((table, name, DAY), days, None)


def test_a_partition_that_the_policy_does_not_explain_is_kept_until_a_person_decides(policy: Policy) -> None:
    for table, name in (("flows", "gold"), ("discards", "basic")):
        (fate,) = of_partition(policy, table, name, DAY).fates
        assert (fate.until, fate.ceiling, fate.rule) == (None, None, "the policy has no such class in this table")
    with pytest.raises(ConfigError, match="there is no table 'purges' with retention classes"):
        of_partition(policy, "purges", "basic", DAY)


def test_a_flow_has_a_case_for_each_class_that_the_other_end_can_make_it(
    policy: Policy, allocations: Allocations
) -> None:
    at = datetime(2026, 11, 1, 23, 59, tzinfo=UTC)
    found = of_flow(policy, "198.51.100.7", at, allocations[2])
    assert found.subject == (
        "flows of 198.51.100.7 at 2026-11-01T23:59:00Z, which tenant 'acme' held (198.51.100.0/24, line 4)"
    )
    assert cases(found) == [
        ("if the other end was nobody's, or if it was a tenant's of class standard or extended", "standard"),
        ("if it was a tenant's of class basic", "basic"),
    ]
    assert [fate.key for fate in found.fates] == [("flows", "standard", DAY), ("flows", "basic", DAY)]
    longest = policy.model_copy(update={"between_tenants": "longest"})
    assert cases(of_flow(longest, "198.51.100.7", at, allocations[2])) == [
        ("if the other end was nobody's, or if it was a tenant's of class basic or standard", "standard"),
        ("if it was a tenant's of class extended", "extended"),
    ]


def test_a_flow_of_an_address_that_nobody_held_is_of_the_other_ends_class(policy: Policy) -> None:
    found = of_flow(policy, "9.9.9.9", datetime(2026, 11, 1, tzinfo=UTC), None)
    assert cases(found) == [
        ("if the other end was nobody's, or if it was a tenant's of class basic", "basic"),
        ("if it was a tenant's of class standard", "standard"),
        ("if it was a tenant's of class extended", "extended"),
    ]


def test_holds_are_told_of_the_partitions_that_they_cover(policy: Policy) -> None:
    asked = of_flow(policy, "9.9.9.9", datetime(2026, 11, 1, tzinfo=UTC), None)
    found = asked.under({("flows", "standard", DAY): Covered(("H-7", "H-9"), 120, True)})
    held = [fate.held for fate in found.fates if fate.held]
    assert [(one.holds, one.rows, one.copied) for one in held] == [
        ((), 0, False), (("H-7", "H-9"), 120, True), ((), 0, False)
    ]  # fmt: skip


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run a command with the configuration of the examples, and changes to the example policy."""

    def run(*arguments: str, change: tuple[str, str] = ("", "")) -> tuple[int, str, str]:
        (tmp_path / "retention.yaml").write_text((CONFIGS / "retention.yaml").read_text().replace(*change))
        config = tmp_path / "flowkeep.yaml"
        config.write_text(
            f"data_dir: data\nlisten: ['127.0.0.1:2055']\nexporters: [{{prefix: 127.0.0.0/8, name: lab}}]\n"
            f"tenants: {CONFIGS / 'tenants.csv'}\nretention: retention.yaml\nstorage: {{mode: embedded}}\n"
            "metrics: 127.0.0.1:9477\n"
        )
        done = flowkeep(*arguments, "-c", str(config))
        return done.returncode, done.stdout, done.stderr

    return run


def test_explain_answers_people_and_programs(site: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = site("retention", "explain", "--flow", "203.0.113.10@2026-05-01T10:00Z")
    assert status == 0
    assert (
        "which tenant 'acme' and service 'ddos-protection' and region 'eu-central' held (203.0.113.10/32, line 5)"
        in out
    )
    assert "of 2026-05-01: until 2026-07-31T00:00Z; ClickHouse itself ends it by 2026-08-02T00:00Z" in out
    status, out, _ = site("retention", "explain", "--partition", "flows/gold/2026-11-01", "--json")
    assert (status, json.loads(out)["fates"][0]["until"]) == (1, None)
    status, _, err = site("retention", "explain", "--tenant", "acme", "--flow", "192.0.2.1@2026-05-01")
    assert (status, "ask by one of --tenant" in err) == (2, True)


def test_check_and_register_tell_what_wants_an_eye(site: Callable[..., tuple[int, str, str]]) -> None:
    status, out, _ = site("check", change=("service: ddos-protection", "service: dos-protection"))
    assert status == 1
    assert "look at this: no allocation is of service 'dos-protection', for which there is a rule (assign, line " in out
    status, out, _ = site("check", "--json", change=("review: 2027-06-30", "review: 2020-01-01"))
    assert (status, len(json.loads(out)["findings"])) == (1, 9)
    status, out, _ = site(
        "retention", "register", "--json", change=("  person: User names, where a firewall gives them.\n", "")
    )
    columns = {(one["table"], one["column"]): one for one in json.loads(out)["columns"]}
    assert status == 0
    assert columns["flows", "user_name"]["reason"] == "person is not disclosed"
    assert columns["flows", "src_addr"]["stored"]
    assert "person" not in json.loads(out)["notice"]
