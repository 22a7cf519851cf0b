"""Counters: whose host, machine or interface they are of, also through the adaptors of virtual machines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.batch import Array, Flows, Nullable, Rows, Symbols
from schema.columns import DIRECTIONS
from tenants.adaptors import Adaptors, Memory, data_sources
from tenants.attribution import Attribution
from tenants.counters import CounterAttributor
from tests.tenants.counter_rows import (
    INTERFACE,
    LOGICAL,
    NOON,
    PHYSICAL,
    allocations_of,
    interfaces,
    rows_of,
    symbols,
    texts,
)  # fmt: skip
from tests.tenants.test_attribute import ThreeClasses, octets

UUID = "abcdef00-2222-1111-4444-555555555555"
TEN_MINUTES = 600_000


@pytest.fixture
def attributor(tmp_path: Path) -> CounterAttributor:
    lines = (
        f"192.0.2.1/32,acme,{UUID},,", "192.0.2.2/32,acme,vm-1,,", "192.0.2.3/32,umbrella,vm-2,,",
        "192.0.2.4/32,umbrella,swp1,,", "192.0.2.5/32,acme,rack-1,,", "192.0.2.6/32,umbrella,rack-1,,",
    )  # fmt: skip
    return CounterAttributor(allocations_of(tmp_path, *lines))


def whose(rows: Rows) -> list[tuple[str, ...]]:
    return texts(rows, "tenant", "resource")


NOBODYS = ("", "")


@pytest.mark.parametrize("table", ["counters_host", "counters_virtual", "counters_adaptor"])
def test_machines_go_by_uuid_then_by_name(attributor: CounterAttributor, table: str) -> None:
    given = [(UUID.upper(), "vm-2"), ("", "vm-2"), ("unknown", "vm-1"), ("", ""), ("", "rack-1"), ("", "vm-9")]
    found = attributor.attribute({table: rows_of(*given)}, Adaptors())[table]
    assert whose(found) == [("acme", UUID), ("umbrella", "vm-2"), ("acme", "vm-1"), NOBODYS, NOBODYS, NOBODYS]
    assert texts(found, "retention_class") == [("counters",)] * 6


def test_attribution_is_as_of_the_time_received(tmp_path: Path) -> None:
    noon = "2026-11-01T12:00:00Z"
    lines = (f"192.0.2.1/32,acme,vm-1,,{noon}", f"192.0.2.1/32,umbrella,vm-1,{noon},")
    attributor = CounterAttributor(allocations_of(tmp_path, *lines))
    rows = rows_of(("", "vm-1"), ("", "vm-1"))
    rows.columns["time_received"] = np.array([NOON - 1, NOON], np.int64)
    found = attributor.attribute({"counters_host": rows}, Adaptors())["counters_host"]
    assert [tenant for tenant, _ in whose(found)] == ["acme", "umbrella"]


def test_an_interface_goes_by_its_own_name_where_it_is_no_machines(attributor: CounterAttributor) -> None:
    rows = interfaces(1, 2, names=["swp1", "swp2"])
    found = attributor.attribute({"counters_interface": rows}, Adaptors())["counters_interface"]
    assert whose(found) == [("umbrella", "swp1"), NOBODYS]


def test_an_interface_is_the_machines_whose_adaptor_it_is(attributor: CounterAttributor) -> None:
    machines = rows_of(("", "vm-1"), ("", "vm-1"), ("", "vm-2"), source_class=LOGICAL, if_indexes=[7, 8, 9])
    ports = interfaces(9, 8, 7, 6, names=["swp1", "", "", ""])
    adaptors = Adaptors()
    found = attributor.attribute({"counters_interface": ports, "counters_adaptor": machines}, adaptors)
    assert whose(found["counters_interface"]) == [("umbrella", "vm-2"), ("acme", "vm-1"), ("acme", "vm-1"), NOBODYS]
    later = attributor.attribute({"counters_interface": interfaces(8, time=NOON + 30_000)}, adaptors)
    assert whose(later["counters_interface"]) == [("acme", "vm-1")], "what an earlier block told"


def test_interfaces_of_other_agents_and_data_sources_are_others(attributor: CounterAttributor) -> None:
    adaptors = Adaptors()
    adaptors.learn(rows_of(("", "vm-1"), source_class=LOGICAL, if_indexes=[7]))
    adaptors.learn(rows_of(("", "vm-2"), source_class=PHYSICAL, if_indexes=[8]))
    for other in (
        interfaces(7, exporter="10.0.0.2"), interfaces(7, domain=1), interfaces(8),
        rows_of(("", ""), source_class=1, indexes=[7]),
    ):  # fmt: skip
        assert whose(attributor.attribute({"counters_interface": other}, adaptors)["counters_interface"]) == [NOBODYS]


def test_adaptors_whose_index_is_not_known_are_passed_over() -> None:
    adaptors = Adaptors()
    rows = rows_of(("", "vm-1"), ("", "vm-1"), ("", ""), source_class=LOGICAL, if_indexes=[0, 5, 6])
    rows.columns["if_index"] = Nullable(np.array([0, 5, 6], np.uint32), np.array([False, True, False]))
    adaptors.learn(rows)
    assert len(adaptors) == 0
    assert adaptors.machines(interfaces(0, 5, 6)) is None


def test_the_last_to_claim_an_interface_has_it() -> None:
    adaptors = Adaptors()
    adaptors.learn(rows_of(("", "vm-1"), ("", "vm-2"), source_class=LOGICAL, if_indexes=[7, 7]))
    assert machines(adaptors, 7) == ["vm-2"]
    adaptors.learn(rows_of(("", "vm-3"), source_class=LOGICAL, if_indexes=[7]))
    assert machines(adaptors, 7) == ["vm-3"]


def machines(adaptors: Adaptors, *indexes: int, time: int = NOON) -> list[str]:
    found = adaptors.machines(interfaces(*indexes, time=time))
    return [found.name.names[code] for code in found.name.codes.tolist()] if found else []


def test_a_machine_that_is_not_heard_of_for_ten_minutes_has_no_interfaces_any_more() -> None:
    adaptors = Adaptors()
    adaptors.learn(rows_of(("", "vm-1"), source_class=LOGICAL, if_indexes=[7]))
    assert machines(adaptors, 7, time=NOON + TEN_MINUTES - 1) == ["vm-1"]
    assert machines(adaptors, 7, time=NOON + TEN_MINUTES) == []


def test_memory_is_bounded_and_keeps_what_was_needed_last() -> None:
    adaptors = Adaptors(most=3)
    for index in (1, 2, 3):
        tell(adaptors, index)
    assert machines(adaptors, 1) == ["vm-1"]
    tell(adaptors, 4)
    assert len(adaptors) == 3
    assert machines(adaptors, 1, 2, 3, 4) == ["vm-1", "vm-3", "vm-4"]
    tell(adaptors, *range(10, 1010))
    assert len(adaptors) == 3


def tell(adaptors: Adaptors, *indexes: int, **more: str) -> None:
    names = [("", f"vm-{index}") for index in indexes]
    adaptors.learn(rows_of(*names, source_class=LOGICAL, if_indexes=list(indexes), **more))  # type: ignore[arg-type]


def test_an_exporter_that_tells_too_much_costs_no_other_its_machines() -> None:
    adaptors = Adaptors()
    tell(adaptors, 1, 2, exporter="10.0.0.2")
    for first in range(1, 66_561, 13_312):
        tell(adaptors, *range(first, first + 13_312))
    assert len(adaptors) == 4_096 + 2
    found = adaptors.machines(interfaces(1, 2, 3, exporter="10.0.0.2"))
    assert found
    assert found.rows.tolist() == [0, 1]


def test_where_all_are_too_many_those_that_have_the_most_lose_first() -> None:
    adaptors = Adaptors(most=10, each=6)
    few = {"10.0.0.3": 1, "10.0.0.4": 3}
    for exporter, count in few.items():
        tell(adaptors, *range(1, count + 1), exporter=exporter)
    for exporter in ("10.0.0.1", "10.0.0.2"):
        tell(adaptors, *range(1, 10), exporter=exporter)
    assert len(adaptors) == 10

    def kept(exporter: str) -> int:
        found = adaptors.machines(interfaces(*range(1, 10), exporter=exporter))
        return len(found.rows) if found else 0

    assert {exporter: kept(exporter) for exporter in few} == few
    assert (kept("10.0.0.1"), kept("10.0.0.2")) == (3, 3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=8)),
        max_size=12,
    )
)
def test_memory_is_a_dictionary_of_what_was_told_last_as_long_as_nothing_goes(
    turns: list[tuple[int, list[tuple[int, int]]]],
) -> None:
    memory, truth = Memory(1, lifetime=3), dict[tuple[int, int], tuple[int, str]]()
    ports = [(host, index) for host in range(4) for index in range(7)]
    now = 0
    for number, (passed, told) in enumerate(turns):
        now += passed
        names = np.array([[f"{number}-{place}"] for place in range(len(told))], object)
        memory.learn(keys_of(told), np.full(len(told), now), names)
        truth |= {port: (now, f"{number}-{place}") for place, port in enumerate(told)}
        found = memory.find(keys_of(ports), np.full(len(ports), now))
        [names_found] = found.texts if found else [symbols([])]
        seen = [names_found.names[code] for code in names_found.codes.tolist()]
        at = [ports[row] for row in found.rows.tolist()] if found else []
        assert dict(zip(at, seen, strict=True)) == {p: name for p, (when, name) in truth.items() if now - when < 3}


def keys_of(ports: list[tuple[int, int]]) -> Array:
    rows = [
        data_sources(each, np.zeros(1, np.uint32), np.array([index], np.uint32))
        for host, index in ports
        for each in [rows_of(("", ""), exporter=f"10.0.0.{host}")]
    ]
    return np.concatenate(rows)


def test_other_columns_are_kept_and_the_input_is_untouched(attributor: CounterAttributor) -> None:
    rows = rows_of(("", "vm-1"))
    rows.columns["load_one"] = Nullable(np.array([0.5], np.float32), np.array([False]))
    before = dict(rows.columns)
    found = attributor.attribute({"counters_host": rows}, Adaptors())["counters_host"]
    assert rows.columns == before
    assert found.columns["load_one"] is rows.columns["load_one"]


def test_no_rows_no_names_and_no_allocations_are_fine(tmp_path: Path) -> None:
    attributor = CounterAttributor(allocations_of(tmp_path))
    assert attributor.attribute({}, Adaptors()) == {}
    nameless = rows_of(("", "vm-1"), source_class=INTERFACE)
    for name in ("uuid", "name"):
        del nameless.columns[name]
    empty = Rows(0, {"time_received": np.zeros(0, np.int64), "name": Symbols(np.zeros(0, np.int32), [])})
    found = attributor.attribute({"counters_interface": nameless, "counters_vlan": empty}, Adaptors())
    assert whose(found["counters_interface"]) == [NOBODYS]
    assert (found["counters_vlan"].rows, whose(found["counters_vlan"])) == (0, [])


class WithDiscards(ThreeClasses):
    """The policy that names one of the two categories."""

    named = ("discards",)


def test_discarded_packets_have_tenants_like_flows_and_a_class_of_their_own(tmp_path: Path) -> None:
    attribution = Attribution(allocations_of(tmp_path, "192.0.2.0/24,acme,,,"), WithDiscards())
    assert attribution.kept == {"discards"}
    addresses = [np.frombuffer(octets(address), np.uint8).reshape(1, 16) for address in ("192.0.2.1", "8.8.8.8")]
    packets = Flows(
        1,
        {"time_received": np.array([NOON]), "src_addr": addresses[0], "dst_addr": addresses[1],
         "drops": np.array([3], np.uint32)},
        {"reason": symbols(["acl"])},
    )  # fmt: skip
    rows = attribution.discards(packets)
    assert texts(rows, "src_tenant", "dst_tenant", "retention_class", "reason") == [
        ("acme", "unassigned", "discards", "acl")
    ]
    direction, drops = rows.columns["direction"], rows.columns["drops"]
    assert isinstance(direction, np.ndarray)
    assert isinstance(drops, np.ndarray)
    assert (DIRECTIONS[direction[0]], drops.tolist()) == ("egress", [3])
