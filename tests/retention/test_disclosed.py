"""What a policy discloses, what it must, and the register of columns that follows."""

import re
from pathlib import Path

import pytest

from retention.disclosed import register
from retention.policy import Policy, load_policy
from schema.disclosure import CATEGORIES, NEEDED, REGISTER
from schema.tables import Category
from settings.errors import ConfigError
from storage.ddl import wanted
from tests.retention.test_policy import EXAMPLE

PASTE = "[time, device, addresses, ports, protocol, volume, routing, link_layer, translation, person, attribution]"


def disclosing(tmp_path: Path, text: str) -> Path:
    """The example with another section `disclosed`."""
    example = EXAMPLE.read_text()
    start, end = example.index("disclosed:\n"), example.index("# What there is beside flows")
    path = tmp_path / "retention.yaml"
    path.write_text(example[:start] + text + example[end:])
    return path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [f"the key 'disclosed' is missing; take from this list what your notice names: disclosed: {PASTE}"]),
        ("disclosed: all\n", [
            "disclosed: expected a list of disclosure categories; take from this list what your notice names: "
            f"disclosed: {PASTE}"
        ]),
        ("disclosed: [prots, time, attribution, time, money]\n", [
            "disclosed.0: there is no disclosure category 'prots'; did you mean 'ports'?",
            f"disclosed.4: there is no disclosure category 'money'; they are {PASTE}",
            "disclosed.3: 'time' is given twice",
        ]),
        ("disclosed: {time: '', attribution: Yours.}\n", [
            "disclosed.time: expected the sentence of your notice, as text"
        ]),
        ("disclosed: [attribution, device, protocol, routing, volume]\n", [
            "disclosed: no flow can be kept without the category time: flows are partitioned and sorted by them"
        ]),
        ("disclosed: [time, attribution, addresses, volume, protocol]\n", [
            "disclosed: " + "; ".join(
                f"no rows of 'categories.{name}' can be kept without the category device: they are partitioned and "
                f"sorted by them; add them, or take 'categories.{name}' out" for name in Category
            )
        ]),
    ],
)  # fmt: skip
def test_what_is_disclosed_is_said_and_suffices(tmp_path: Path, text: str, found: list[str]) -> None:
    path = disclosing(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_policy(path, {})
    assert [line.split(": ", 1)[1] for line in str(caught.value).splitlines()] == found


def test_a_list_discloses_as_the_notice_does(tmp_path: Path, policy: Policy) -> None:
    listed = load_policy(disclosing(tmp_path, f"disclosed: {PASTE}\n"), {})
    assert listed.disclosed == policy.disclosed == set(CATEGORIES)
    assert policy.notice["addresses"] == "Source and destination IP addresses."


def test_the_register_says_of_each_column_whether_it_is_stored_and_why_not() -> None:
    columns = {(one.table, one.column): one for one in register(set(CATEGORIES) - {"ports", "protocol"}, {"rollups"})}
    assert set(columns) == {(one.table, one.name) for one in REGISTER}
    assert {key: columns[key].reason for key in [
        ("flows", "src_addr"), ("flows", "dst_port"), ("discards", "src_addr"), ("traffic_1h", "exporter"),
        ("traffic_1h", "proto"), ("as_1h", "src_as"), ("names", "name"),
    ]} == {
        ("flows", "src_addr"): "",
        ("flows", "dst_port"): "ports is not disclosed",
        ("discards", "src_addr"): "the policy keeps no discards",
        ("traffic_1h", "exporter"): "traffic_1h needs the category protocol, not disclosed",
        ("traffic_1h", "proto"): "protocol is not disclosed",
        ("as_1h", "src_as"): "",
        ("names", "name"): "",
    }  # fmt: skip
    assert all(one.stored == (not one.reason) for one in columns.values())


def test_every_column_of_the_database_is_in_the_register_and_each_table_needs_what_sorts_it() -> None:
    ours = ("purge", "partitions_seen", "hold", "held", "allocation")  # what is done about the data, copies, the file
    tables = {table.name: table for table in wanted({"basic": 16}, {}).tables if not table.name.startswith(ours)}
    found = {(table.name, field.name) for table in tables.values() for field in table.fields if not field.alias}
    assert {(one.table, one.name) for one in REGISTER} == found
    assert {one.category for one in REGISTER} == set(CATEGORIES)
    for name, table in tables.items():
        keys = set(re.findall(r"[a-z_]\w*", f"{table.order_by} {table.partition_by} {table.engine}")) & {
            field.name for field in table.fields
        }
        assert NEEDED[name] == {one.category for one in REGISTER if one.table == name and one.name in keys}, name
