"""The policy file: what it says, and what it may not say."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from retention.classes import MOST_DAYS, MOST_MARGIN, Categories
from retention.policy import Policy, load_policy
from schema.tables import Category
from settings.errors import ConfigError
from storage.embedded import Node
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
    assert set(Categories.model_fields) == {*Category, "ledger", "logs", "cases"}


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


def test_no_age_outlasts_the_32_bits_of_clickhouses_expiry(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, ("keep_for: 14d", "keep_for: 36500d"))
    assert "ClickHouse keeps the time of expiry in 32 bits" in fault
    load_policy(EXAMPLE, {}, date(2095, 1, 1) - timedelta(days=400))
    with pytest.raises(ConfigError) as caught:
        load_policy(EXAMPLE, {}, date(2105, 12, 31))
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "classes.extended.keep_for",
        "categories.counters.keep_for",
        "categories.rollups.keep_for",
        "categories.logs.keep_for",  # but not the ledger's and the cases', which are no tables
    ]


def test_clickhouse_tells_the_longest_expiry_of_a_policy_and_wraps_a_longer_one(database: Node) -> None:
    """Trap L6: an expiry past 2106 is stored as one long ago."""
    now = datetime.now(UTC).replace(microsecond=0)
    with database.connect("admin") as admin:
        found = []
        for days in (MOST_DAYS + MOST_MARGIN, 36_500):
            ttl = f"t + toIntervalDay({days})"
            admin.command("DROP TABLE IF EXISTS longest SYNC")
            admin.command(f"CREATE TABLE longest (t DateTime64(3, 'UTC')) ENGINE MergeTree ORDER BY t TTL {ttl}")
            admin.command("SYSTEM STOP TTL MERGES longest")
            admin.command(f"INSERT INTO longest VALUES ('{now:%Y-%m-%d %H:%M:%S}')")
            ((expiry,),) = admin.query(
                "SELECT toUnixTimestamp(delete_ttl_info_max) FROM system.parts WHERE active AND table = 'longest'"
            ).rows
            found.append(datetime.fromtimestamp(expiry, UTC))
        admin.command("DROP TABLE longest SYNC")
    assert found[0] == now + timedelta(days=MOST_DAYS + MOST_MARGIN)
    assert found[1] < now


def test_the_purges_settings_have_defaults_and_bounds(tmp_path: Path, policy: Policy) -> None:
    path = tmp_path / "retention.yaml"
    path.write_text(EXAMPLE.read_text().partition("# The purge drops")[0])
    assert load_policy(path, {}).purge == policy.purge.model_copy(update={"schedule": None})
    assert policy.purge.schedule == time(3, 15)
    assert (policy.purge.grace, policy.purge.review_grace) == (0, 90)
    found = faults(
        tmp_path,
        ('"03:15"', "24:00"),
        ("    rows: 0.2", "    rows: 20"),
        ("partitions: 200", "partitions: 0"),
        ("grace: 0d", "grace: 31d"),
    )
    assert found == [
        "purge.schedule: expected a time of day, UTC, such as 03:15, not '24:00'",
        "purge.limits.rows: expected at most 1",
        "purge.limits.partitions: expected at least 1",
        "purge.grace: expected at most 30",
    ]


def test_ledger_and_logs_have_ages_of_their_own_and_others_where_they_are_not_named(
    tmp_path: Path, policy: Policy
) -> None:
    assert (policy.ledger_days, policy.log_days) == (1095, 90)
    path = tmp_path / "retention.yaml"
    path.write_text(without_categories())
    none = load_policy(path, {})
    assert (none.ledger_days, none.log_days) == (3650, 90)
    assert set(policy.named) == set(Category)
    (fault,) = faults(tmp_path, ("starts: recorded\n    purpose: audit", "starts: received\n    purpose: audit"))[:1]
    assert fault == "categories.ledger.starts: expected 'recorded'"


def test_reviews_that_are_overdue_are_told_longest_ago_first(policy: Policy) -> None:
    assert policy.overdue(date(2027, 6, 30)) == []
    early = policy.classes["basic"].model_copy(update={"review": date(2027, 1, 1)})
    found = policy.model_copy(update={"classes": policy.classes | {"basic": early}}).overdue(date(2027, 7, 1))
    assert (found[0].what, found[0].name, found[0].days) == ("class", "basic", 181)
    assert {(one.what, one.days) for one in found[1:]} == {("class", 1), ("category", 1)}
    assert {one.name for one in found} == {*policy.classes, *Categories.model_fields}


def test_the_fingerprint_is_of_the_meaning_and_not_of_the_spelling(tmp_path: Path, policy: Policy) -> None:
    path = tmp_path / "retention.yaml"
    text = EXAMPLE.read_text()
    bare = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    path.write_text(
        bare.replace("    starts: received\n", "").replace("  grace: 0d\n", "").replace("limits:\n", "limits: # x\n")
    )
    assert load_policy(path, {}).fingerprint == policy.fingerprint
    assert (len(policy.fingerprint), policy.edition) == (64, policy.fingerprint[:12])
    short = text.replace("tenants: {}", "tenants: {acme: basic, umbrella: extended}")
    long = text.replace(
        "assign:\n", "assign:\n  - {class: extended, tenant: umbrella}\n  - {tenant: acme, class: basic}\n"
    )
    editions = []
    for changed in (
        short,
        long,
        text.replace("keep_for: 14d", "keep_for: 15d"),
        text.replace("Packet counts", "Counts"),
    ):
        path.write_text(changed)
        editions.append(load_policy(path, {}).edition)
    assert editions[0] == editions[1]
    assert len({*editions, policy.edition}) == 4
