"""Resources by name: who held them when, and what nobody is said to hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.batch import Symbols
from tenants.allocations import Allocations
from tenants.cells import ALWAYS, FOREVER
from tenants.resources import Resources
from tenants.timelines import NOBODY
from tests.tenants.counter_rows import NOON, allocations_of, symbols

Allocate = Callable[..., Allocations]


@pytest.fixture
def allocate(tmp_path: Path) -> Allocate:
    return lambda *lines: allocations_of(tmp_path, *lines)


def holders(allocations: Allocations, *asked: tuple[str, int]) -> list[str | None]:
    """The tenants that held the resources of these names at these times."""
    resources = Resources(allocations)
    numbers = resources.find(symbols([name for name, _ in asked]))
    codes = resources.holders(numbers, np.array([time for _, time in asked], np.int64)).tolist()
    return [None if code == NOBODY else allocations.tenants.names[code] for code in codes]


def test_a_resource_is_whose_allocation_names_it(allocate: Allocate) -> None:
    allocations = allocate("192.0.2.1/32,acme,vm-1,,", "192.0.2.2/32,umbrella,vm-2,,", "192.0.2.3/32,acme,,,")
    asked = [(name, NOON) for name in ("vm-2", "vm-1", "vm-3", "")]
    assert holders(allocations, *asked) == ["umbrella", "acme", None, None]


def test_times_of_validity_count_start_inclusive_end_exclusive(allocate: Allocate) -> None:
    noon = "2026-11-01T12:00:00Z"
    allocations = allocate(f"192.0.2.1/32,acme,vm-1,,{noon}", f"192.0.2.1/32,umbrella,vm-1,{noon},")
    assert holders(allocations, ("vm-1", NOON - 1), ("vm-1", NOON)) == ["acme", "umbrella"]
    once = allocate(f"192.0.2.1/32,acme,vm-1,2026-10-01,{noon}")
    day = 86_400_000
    assert holders(once, ("vm-1", NOON - 40 * day), ("vm-1", NOON - day), ("vm-1", NOON)) == [None, "acme", None]


def test_several_prefixes_of_one_tenant_are_one_resource(allocate: Allocate) -> None:
    noon = "2026-11-01T12:00:00Z"
    allocations = allocate(f"192.0.2.1/32,acme,vm-1,,{noon}", "2001:db8::1/128,acme,vm-1,2026-10-01,")
    assert holders(allocations, ("vm-1", NOON - 1), ("vm-1", NOON), ("vm-1", 0)) == ["acme", "acme", "acme"]


def test_a_resource_of_two_tenants_at_once_is_nobodys_as_long_as_it_is(allocate: Allocate) -> None:
    noon = "2026-11-01T12:00:00Z"
    allocations = allocate("192.0.2.1/32,acme,rack-1,,", f"192.0.2.2/32,umbrella,rack-1,2026-10-31,{noon}")
    asked = [("rack-1", NOON - 2 * 86_400_000), ("rack-1", NOON - 1), ("rack-1", NOON)]
    assert holders(allocations, *asked) == ["acme", None, "acme"]


@pytest.mark.parametrize(
    "told",
    [
        "abcdef00-2222-1111-4444-555555555555",
        "abcdef00222211114444555555555555",
        "ABCDEF00-2222-1111-4444-555555555555",
    ],
)
def test_uuids_are_the_same_however_they_are_written(allocate: Allocate, told: str) -> None:
    for written in ("abcdef00-2222-1111-4444-555555555555", "abcdef00222211114444555555555555"):
        assert holders(allocate(f"192.0.2.1/32,acme,{written},,"), (told, NOON)) == ["acme"]
    assert holders(allocate("192.0.2.1/32,acme,VM-1,,"), ("vm-1", NOON)) == [None]


def test_no_allocations_and_no_names_are_fine(allocate: Allocate) -> None:
    assert holders(allocate(), ("vm-1", NOON)) == [None]
    resources = Resources(allocate("192.0.2.1/32,acme,vm-1,,"))
    none = resources.find(Symbols(np.zeros(0, np.int32), []))
    assert resources.holders(none, np.zeros(0, np.int64)).tolist() == []


SPANS = st.tuples(st.integers(0, 6), st.integers(1, 7), st.sampled_from("abc"), st.sampled_from(("vm", "rack")))


@settings(deadline=None)
@given(st.lists(SPANS.filter(lambda span: span[0] < span[1]), max_size=8))
def test_the_holder_is_the_only_tenant_whose_allocation_is_valid(spans: list[tuple[int, int, str, str]]) -> None:
    count = len(spans)
    allocations = Allocations(
        path=Path("drawn"),
        first=np.zeros((count, 16), np.uint8),
        length=np.full(count, 128, np.uint8),
        valid_from=np.array([ALWAYS if start == 0 else start for start, *_ in spans], np.int64),
        valid_to=np.array([FOREVER if end == 7 else end for _, end, *_ in spans], np.int64),
        tenants=symbols([tenant for *_, tenant, _ in spans]),
        resources=symbols([resource for *_, resource in spans]),
        classes=symbols([""] * count),
        services=symbols([""] * count),
        regions=symbols([""] * count),
        lines=np.arange(count, dtype=np.int32),
    )
    asked = [(name, time) for name in ("vm", "rack") for time in range(8)]
    for (name, time), found in zip(asked, holders(allocations, *asked), strict=True):
        valid = {
            tenant
            for start, end, tenant, resource in spans
            if resource == name and (start == 0 or start <= time) and (end == 7 or time < end)
        }
        assert found == (valid.pop() if len(valid) == 1 else None)
