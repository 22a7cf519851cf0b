"""Names of ports that agents tell now and then: remembered, given to rows that have none, and tied to tenants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from collector.measurements import measure
from decoders import Decoded
from decoders.block import Name, Naming
from schema.batch import Flows, Rows, Symbols
from tenants.adaptors import Adaptors
from tenants.attribution import Attribution
from tenants.port_names import PortNames
from tests.decoders.counter_wire import datagram, decoded, distinct, record, sample, string, structure
from tests.tenants.counter_rows import HYPERVISOR, NOON, allocations_of, interfaces, rows_of, texts
from tests.tenants.test_attribute import ThreeClasses, octets

DAY = 86_400_000


def names(known: PortNames, rows: Rows, table: str = "counters_interface") -> list[str]:
    """What the rows are called, after all that is known."""
    return [name for (name,) in texts(known.name({table: rows})[table], "name")]


@pytest.mark.parametrize("table", ["counters_interface", "counters_vlan", "counters_lane"])
def test_rows_without_a_name_have_the_last_one_told(table: str) -> None:
    known = PortNames()
    assert names(known, interfaces(1, 2, names=["swp1", "swp2"]), table) == ["swp1", "swp2"]
    assert names(known, interfaces(2, 3, 1), table) == ["swp2", "", "swp1"]
    assert names(known, interfaces(1, names=["swp9"])) == ["swp9"], "a row's own name is kept and learnt"
    assert names(known, interfaces(1, 2), table) == ["swp9", "swp2"]


def test_what_a_block_tells_serves_its_earlier_rows() -> None:
    rows = interfaces(1, 1, 1, 1, names=["", "swp1", "swp9", ""])
    assert names(PortNames(), rows) == ["swp9", "swp1", "swp9", "swp9"]


def test_what_an_interfaces_row_tells_serves_its_lanes() -> None:
    found = PortNames().name({"counters_lane": interfaces(1, 1), "counters_interface": interfaces(1, names=["swp1"])})
    assert texts(found["counters_lane"], "name") == [("swp1",)] * 2


def test_other_exporters_domains_and_classes_are_others() -> None:
    known = PortNames()
    names(known, interfaces(7, names=["swp7"]))
    for other in (interfaces(7, exporter="10.0.0.2"), interfaces(7, domain=1), rows_of(("", ""), source_class=1,
                  indexes=[7])):  # fmt: skip
        assert names(known, other) == [""]
    assert names(known, rows_of(("", ""), source_class=1, indexes=[7]), "counters_vlan") == [""]


def test_hosts_and_machines_are_not_named_by_others() -> None:
    rows = rows_of(("", "rack-1"), ("", ""))
    known = PortNames()
    assert known.name({"counters_host": rows})["counters_host"] is rows
    assert len(known) == 0


def test_a_name_holds_for_a_day() -> None:
    known = PortNames()
    names(known, interfaces(1, names=["swp1"]))
    assert names(known, interfaces(1, time=NOON + DAY - 1)) == ["swp1"]
    assert names(known, interfaces(1, time=NOON + DAY)) == [""]


def test_memory_is_bounded_for_each_exporter_and_for_all() -> None:
    known = PortNames(most=5, each=3)
    names(known, interfaces(1, 2, names=["swp1", "swp2"], exporter="10.0.0.2"))
    many = list(range(1, 1001))
    names(known, interfaces(*many, names=[f"swp{index}" for index in many]))
    assert len(known) == 5
    assert names(known, interfaces(1, 2, exporter="10.0.0.2")) == ["swp1", "swp2"]
    names(known, interfaces(1, 2, 3, names=["a", "b", "c"], exporter="10.0.0.3"))
    assert len(known) == 5


def test_rows_without_any_names_and_no_rows_are_fine() -> None:
    known = PortNames()
    names(known, interfaces(1, names=["swp1"]))
    nameless = interfaces(1, 2)
    del nameless.columns["name"]
    assert names(known, nameless) == ["swp1", ""]
    empty = Rows(0, {"name": Symbols(np.zeros(0, np.int32), [])})
    assert known.name({"counters_vlan": empty}) == {"counters_vlan": empty}
    assert known.name({}) == {}


def test_the_input_is_untouched_and_other_columns_are_shared() -> None:
    known = PortNames()
    names(known, interfaces(1, names=["swp1"]))
    rows = interfaces(1, 2)
    before = texts(rows, "name")
    found = known.name({"counters_interface": rows})["counters_interface"]
    assert texts(rows, "name") == before
    assert found.columns["source_index"] is rows.columns["source_index"]


class WithCounters(ThreeClasses):
    named = ("counters",)


@pytest.fixture
def attribution(tmp_path: Path) -> Attribution:
    lines = ("192.0.2.1/32,umbrella,swp1,,", "192.0.2.2/32,acme,swp2,,")
    return Attribution(allocations_of(tmp_path, *lines), WithCounters())


def whose(rows: Rows) -> list[tuple[str, ...]]:
    return texts(rows, "name", "tenant")


def test_an_interface_is_its_tenants_by_a_name_that_an_earlier_datagram_told_alone(attribution: Attribution) -> None:
    counters = record((0, 1), structure((0, 1), distinct((0, 1))))
    adaptors, known = Adaptors(), PortNames()
    name = decoded(datagram(sample(record((0, 1005), string(b"swp1")))))
    assert measure(name, name.flows, attribution, adaptors, known).kept == {}
    told = decoded(datagram(sample(counters)))
    found = measure(told, told.flows, attribution, adaptors, known).kept["counters_interface"]
    assert whose(found) == [("swp1", "umbrella")]


def test_options_data_of_the_same_exporter_names_interfaces(attribution: Attribution) -> None:
    def name(index: int, text: str, naming: Naming = Naming.INTERFACE, domain: int = 0) -> Name:
        return Name(octets(HYPERVISOR), domain, naming, index, text, "uplink", NOON)

    told = [
        name(1, "swp9"), name(1, "swp1"), name(2, "swp2", Naming.VRF), name(3, "swp2", domain=1), name(4, ""),
        name(2**32 - 1, "swp2"),
    ]  # fmt: skip
    block = Decoded(Flows(0), names=told, counters={"counters_interface": interfaces(1, 2, 3, 4, 2**32 - 1)})
    found = measure(block, block.flows, attribution, Adaptors(), PortNames()).kept["counters_interface"]
    assert whose(found) == [("swp1", "umbrella"), ("", ""), ("", ""), ("", ""), ("swp2", "acme")]
