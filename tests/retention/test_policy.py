"""The policy file: what it says, and what it may not say."""

from pathlib import Path

import pytest

from retention.policy import Categories, Policy, load_policy
from schema.tables import Category
from settings.errors import ConfigError
from tenants.allocations import load_allocations

EXAMPLE = Path(__file__).parents[2] / "configs" / "retention.yaml"


def faults(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    text = EXAMPLE.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "retention.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_policy(path, {})
    lines = str(caught.value).replace(f"{path}:", "").splitlines()
    return [line.partition(": ")[2] for line in lines if int(line.partition(":")[0]) > 1]


def test_example_gives_ages_and_the_margin_of_the_ttl(policy: Policy) -> None:
    assert {name: kept.keep_for for name, kept in policy.classes.items()} == {
        "basic": 14,
        "standard": 30,
        "extended": 90,
    }
    assert policy.ttl_days() == {"basic": 16, "standard": 32, "extended": 92}


def test_example_keeps_every_category_each_in_all_its_tables(policy: Policy) -> None:
    assert policy.category_days() == {"counters": 92, "discards": 9, "rollups": 402}
    assert policy.kept("counters_host", "counters") is policy.categories.counters
    assert policy.kept("discards", "discards") is policy.categories.discards
    assert policy.kept("as_1h", "rollups") is policy.kept("traffic_1m", "rollups") is policy.categories.rollups
    assert policy.kept("flows", "basic") is policy.classes["basic"]


@pytest.mark.parametrize(
    ("table", "name"),
    [("flows", "counters"), ("counters_host", "discards"), ("counters_host", "basic"), ("purges", "counters")],
)
def test_rows_of_a_class_that_their_table_has_not_are_unexplained(policy: Policy, table: str, name: str) -> None:
    assert policy.kept(table, name) is None


def test_every_category_can_be_named() -> None:
    assert set(Categories.model_fields) == set(Category)


@pytest.mark.parametrize("section", ["", "categories: {}\n"])
def test_a_policy_may_name_no_category(tmp_path: Path, section: str) -> None:
    path = tmp_path / "retention.yaml"
    path.write_text(without_categories() + section)
    policy = load_policy(path, {})
    assert (policy.named, policy.category_days()) == ({}, {})
    assert policy.kept("discards", "discards") is None


def without_categories() -> str:
    """The example without its section of categories."""
    before, _, rest = EXAMPLE.read_text().partition("categories:\n")
    return before + rest[rest.index("# A tenant's class") :]


def test_a_class_may_not_have_the_name_of_a_category_and_the_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "retention.yaml"
    path.write_text(EXAMPLE.read_text().replace("  basic:", "  counters:", 1).replace(": basic\n", ": counters\n"))
    line = path.read_text().splitlines().index("  counters:") + 1
    with pytest.raises(ConfigError) as caught:
        load_policy(path, {})
    assert str(caught.value) == (
        f"{path}:{line}: classes.counters: this is the name of a category; name the class otherwise, or move it to "
        "'categories'"
    )


def test_faults_of_categories_have_their_lines(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace("  discards:", "  discard:").replace("purpose: capacity", "purpose: profit", 1)
    path = tmp_path / "retention.yaml"
    path.write_text(text)
    lines = text.splitlines()
    with pytest.raises(ConfigError) as caught:
        load_policy(path, {})
    purpose, name = str(caught.value).splitlines()
    assert purpose.startswith(f"{path}:{lines.index('    purpose: profit') + 1}: categories.counters.purpose: expected")
    assert name == f"{path}:{lines.index('  discard:') + 1}: unknown key 'discard'; did you mean 'discards'?"


def test_tenant_entry_wins_over_the_allocation_and_that_over_the_default(policy: Policy) -> None:
    policy = policy.model_copy(update={"tenants": {"acme": "extended"}})
    assert policy.class_of("acme", "basic") == "extended"
    assert policy.class_of("umbrella", "basic") == "basic"
    assert policy.class_of("umbrella", None) == "standard"


def test_flows_between_tenants_keep_the_shorter_or_the_longer_age(policy: Policy) -> None:
    longest = policy.model_copy(update={"between_tenants": "longest"})
    for one, other in (("basic", "extended"), ("extended", "basic")):
        assert policy.between(one, other) == "basic"
        assert longest.between(one, other) == "extended"


@pytest.mark.parametrize("age", ["forever", "14", "2w", "0d", "3651d", "14.5d", "-1d", "null"])
def test_ages_are_whole_days_within_bounds(tmp_path: Path, age: str) -> None:
    (fault,) = faults(tmp_path, ("keep_for: 14d", f"keep_for: {age}"))
    assert fault.startswith("classes.basic.keep_for: ")


def test_margin_leaves_room_for_the_purge_to_come_first(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, ("ttl_margin: 2d", "ttl_margin: 1d"))
    assert fault.startswith("ttl_margin: ")


def test_unknown_classes_are_named_where_they_stand(tmp_path: Path) -> None:
    assert faults(
        tmp_path,
        ("default_class: standard", "default_class: standrad"),
        ("unassigned_class: basic", "unassigned_class: gold"),
        ("tenants: {}", "tenants:\n  acme: extened"),
    ) == [
        "default_class: there is no class 'standrad'; did you mean 'standard'?",
        "unassigned_class: there is no class 'gold'; the policy has basic, standard, extended",
        "tenants.acme: there is no class 'extened'; did you mean 'extended'?",
    ]


def test_purpose_and_legal_basis_come_from_closed_lists(tmp_path: Path) -> None:
    found = faults(tmp_path, ("purpose: attack_detection", "purpose: marketing"), ("basis: contract", "basis: none"))
    assert [fault.partition(": ")[0] for fault in found] == ["classes.extended.purpose", "classes.extended.legal_basis"]
    assert "attack_detection" in found[0]


def test_class_without_a_justification_is_refused(tmp_path: Path) -> None:
    justification = next(line for line in EXAMPLE.read_text().splitlines() if line.startswith("    justification"))
    assert faults(tmp_path, (justification, "")) == ["the key 'justification' is missing in 'classes.basic'"]


def test_policy_without_classes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "retention.yaml"
    path.write_text("version: 1\nttl_margin: 2d\nclasses: {}\n")
    with pytest.raises(ConfigError, match=r"retention\.yaml:3: classes: "):
        load_policy(path, {})


def test_allocation_of_an_unknown_class_is_named_with_file_and_line(tmp_path: Path, policy: Policy) -> None:
    path = tmp_path / "allocations.csv"
    path.write_text("prefix,tenant,class\n192.0.2.0/25,acme,basic\n192.0.2.128/25,acme,basc\n2001:db8::/32,acme,\n")
    with pytest.raises(ConfigError) as caught:
        policy.check_classes(load_allocations(path))
    assert str(caught.value) == f"{path}:3: there is no class 'basc'; did you mean 'basic'?"
