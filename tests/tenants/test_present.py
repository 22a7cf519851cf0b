"""What sources tell, merged with what is known: times of changes, history that stays, and sources that are broken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as with_
from ipaddress import IPv4Address, ip_network
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.addresses import packed
from settings.errors import RefusalError
from tenants.allocations import Allocation, load_allocations
from tenants.cells import ALWAYS, FOREVER, parse_time
from tenants.present import Merge, Present, merge
from tenants.ranges import Ranges
from tenants.spans import Holding, allocation_of, span_of, time_text
from tenants.writing import render

OCT, NOV, DEC = (parse_time(f"2026-{month}-01") for month in (10, 11, 12))
DAY = 86_400_000
X = "192.0.2.7/32"


def told(
    prefix: str, tenant: str, valid_from: int | None = None, valid_to: int | None = None, resource: str | None = None
) -> Present:
    return Present(ip_network(prefix), Holding(tenant, resource), valid_from, valid_to, f"item of {tenant}")


def row(prefix: str, tenant: str, valid_from: int | None = None, valid_to: int | None = None) -> Allocation:
    return Allocation(ip_network(prefix), tenant, None, None, valid_from, valid_to, 0)


def said(merged: Merge) -> list[str]:
    return [change.words for change in merged.changes]


def test_the_first_fetch_holds_for_ever_unless_the_source_says_since_when() -> None:
    first = merge([], [told(X, "a"), told("192.0.2.0/24", "b", OCT)], NOV)
    assert first.rows == (row("192.0.2.0/24", "b", OCT), row(X, "a"))
    assert said(first) == [
        "192.0.2.0/24 added to 'b', from 2026-10-01T00:00:00Z",
        "192.0.2.7/32 added to 'a', always",
    ]


def test_what_is_new_later_begins_when_it_is_learnt() -> None:
    merged = merge([row("192.0.2.0/24", "a")], [told("192.0.2.0/24", "a"), told(X, "b")], NOV)
    assert merged.rows == (row("192.0.2.0/24", "a"), row(X, "b", NOV))
    assert [change.kind for change in merged.changes] == ["added"]


def test_a_prefix_that_moves_ends_where_the_new_one_begins() -> None:
    now = merge([row(X, "a", OCT)], [told(X, "b")], NOV)
    assert now.rows == (row(X, "a", OCT, NOV), row(X, "b", NOV))
    assert said(now) == ["192.0.2.7/32 moved from 'a' to 'b' at 2026-11-01T00:00:00Z"]
    (change,) = now.changes
    assert (change.kind, change.tenant, change.former, change.at) == ("moved", "b", "a", NOV)
    dated = merge([row(X, "a", OCT)], [told(X, "b", OCT + DAY)], NOV)
    assert dated.rows == (row(X, "a", OCT, OCT + DAY), row(X, "b", OCT + DAY))
    planned = merge([row(X, "a", OCT)], [told(X, "b", DEC)], NOV)
    assert planned.rows == (row(X, "a", OCT, DEC), row(X, "b", DEC))


def test_a_move_that_is_dated_before_what_is_known_takes_nothing_from_it() -> None:
    merged = merge([row(X, "a", OCT)], [told(X, "b", OCT - DAY)], NOV)
    assert merged.rows == (row(X, "b", OCT - DAY, OCT), row(X, "a", OCT, NOV), row(X, "b", NOV))
    assert merge(merged.rows, [told(X, "b", OCT - DAY)], DEC).changes == ()


def test_another_label_is_a_new_row() -> None:
    merged = merge([row(X, "a")], [told(X, "a", resource="vm-7")], NOV)
    assert merged.rows == (row(X, "a", None, NOV), allocation_of(ip_network(X), span_of(merged.rows[1])))
    assert (merged.rows[1].resource, merged.rows[1].valid_from) == ("vm-7", NOV)
    assert said(merged) == ["192.0.2.7/32 of 'a' changed at 2026-11-01T00:00:00Z: resource none to 'vm-7'"]


def test_labels_that_the_source_does_not_tell_are_the_files() -> None:
    known = [Allocation(ip_network(X), "a", "vm-7", "basic", OCT, None, 0)]
    silent = Present(ip_network(X), Holding("a"), None, None, "item", frozenset({"resource", "retention_class"}))
    assert merge(known, [silent], NOV).changes == ()
    assert [row.resource for row in merge(known, [told(X, "a")], NOV).rows] == ["vm-7", None]
    moved = with_(silent, holding=Holding("b"))
    assert merge(known, [moved], NOV).rows[1] == row(X, "b", NOV)
    half = with_(silent, holding=Holding("a", "vm-8"), untold=frozenset({"retention_class"}))
    assert merge(known, [half], NOV).rows[1] == Allocation(ip_network(X), "a", "vm-8", "basic", NOV, None, 0)


def test_what_is_gone_ends_now_and_what_ended_is_never_touched() -> None:
    known = [row(X, "c", None, OCT), row(X, "a", OCT), row("192.0.2.0/24", "b")]
    merged = merge(known, [told("192.0.2.0/24", "b")], NOV)
    assert merged.rows == (row("192.0.2.0/24", "b"), row(X, "c", None, OCT), row(X, "a", OCT, NOV))
    assert said(merged) == ["192.0.2.7/32 of 'a' ended at 2026-11-01T00:00:00Z"]
    again = merge(merged.rows, [told("192.0.2.0/24", "b"), told(X, "d", OCT - DAY)], DEC)
    assert again.rows[1:] == (row(X, "c", None, OCT), row(X, "a", OCT, NOV), row(X, "d", NOV))


def test_what_is_planned_in_the_file_stays() -> None:
    known = [row(X, "a", OCT, DEC), row(X, "b", DEC)]
    for source in ([told(X, "a")], [told(X, "a", OCT)], [told(X, "a", None, FOREVER)]):
        assert merge(known, source, NOV).rows == tuple(known)
    assert merge(known, [told(X, "c")], NOV).rows == (row(X, "a", OCT, NOV), row(X, "c", NOV, DEC), row(X, "b", DEC))
    assert merge(known, [told("192.0.2.0/24", "a")], NOV).rows[1:] == (row(X, "a", OCT, NOV), row(X, "b", DEC))


def test_a_source_that_plans_may_change_its_plan() -> None:
    known = [row(X, "a", OCT, DEC), row(X, "b", DEC)]
    merged = merge(known, [told(X, "a"), told(X, "b", DEC + DAY)], NOV)
    assert merged.rows == (row(X, "a", OCT, DEC), row(X, "b", DEC + DAY))
    open_ended = merge(known, [told(X, "a", None, FOREVER), told(X, "b", DEC + DAY, FOREVER)], NOV)
    assert open_ended.rows == (row(X, "a", OCT, DEC + DAY), row(X, "b", DEC + DAY))
    withdrawn = merge(known, [told(X, "a"), told(X, "c", DEC + DAY)], NOV)
    assert "192.0.2.7/32 of 'b', from 2026-12-01T00:00:00Z, is withdrawn" in said(withdrawn)


def test_times_of_the_source_are_kept_as_told() -> None:
    source = [told(X, "a", OCT - DAY, OCT), told(X, "b", OCT, NOV + DAY), told(X, "c", DEC, FOREVER)]
    first = merge([], source, NOV)
    assert first.rows == (row(X, "a", OCT - DAY, OCT), row(X, "b", OCT, NOV + DAY), row(X, "c", DEC))
    assert merge(first.rows, source, NOV + 5 * DAY).changes == ()
    corrected = merge([row(X, "a")], [told(X, "a", OCT)], NOV)
    assert corrected.rows == (row(X, "a", OCT),)
    assert said(corrected) == ["192.0.2.7/32 of 'a' is held from 2026-10-01T00:00:00Z"]


def test_an_end_that_the_source_tells_holds_and_one_that_it_does_not_is_the_files() -> None:
    known = [row(X, "a", OCT, DEC)]
    assert merge(known, [told(X, "a")], NOV).rows == tuple(known)
    assert merge(known, [told(X, "a", None, FOREVER)], NOV).rows == (row(X, "a", OCT),)
    assert merge(known, [told(X, "a", None, DEC + DAY)], NOV).rows == (row(X, "a", OCT, DEC + DAY),)
    ended = merge(known, [told(X, "a", None, NOV - DAY)], NOV)
    assert ended.rows == (row(X, "a", OCT, NOV - DAY),)
    assert said(ended) == ["192.0.2.7/32 of 'a' ended at 2026-10-31T00:00:00Z"]
    assert merge([row("192.0.2.0/24", "b")], [told(X, "a", None, OCT)], NOV).rows[1:] == (row(X, "a", None, OCT),)


def test_two_holders_at_one_time_are_refused_with_both_origins() -> None:
    with pytest.raises(RefusalError) as refused:
        merge(
            [], [told(X, "a"), told(X, "b"), told("192.0.2.0/24", "c", OCT, DEC), told("192.0.2.0/24", "d", NOV)], NOV
        )
    assert str(refused.value).splitlines() == [
        "the source contradicts itself:",
        "192.0.2.0/24 is held by 'c' (item of c) and 'd' (item of d) at the same time",
        "192.0.2.7/32 is held by 'a' (item of a) and 'b' (item of b) at the same time",
    ]
    with pytest.raises(RefusalError, match=r"'a' \(item of a\) and 'b' \(item of b\)"):
        merge([], [told(X, "a", DEC), told(X, "b", DEC)], NOV)
    many = [told(f"10.0.{n}.0/24", tenant) for n in range(30) for tenant in "ab"]
    with pytest.raises(RefusalError, match="and 10 more"):
        merge([], many, NOV)
    assert len(merge([], [told(X, "a"), told(X, "a")], NOV).rows) == 1


def test_a_broken_source_is_not_believed() -> None:
    known = [row(f"10.0.{n}.0/24", "a") for n in range(4)] + [row(X, "b", None, OCT), row("192.0.2.0/24", "b", DEC)]
    half = merge(known, [told(f"10.0.{n}.0/24", "b") for n in range(2)], NOV)
    half.guard(0.5)
    assert (half.held, half.gone) == (4, 2)
    with pytest.raises(RefusalError, match=r"2 of 4 prefixes that are held would end at once.*--force"):
        half.guard(0.4)
    merge(known[4:], [told("198.51.100.0/24", "a")], NOV).guard(0.5)
    for before in (known, []):
        with pytest.raises(RefusalError, match="it tells no allocation at all"):
            merge(before, [], NOV).guard(1)


PREFIXES = ("10.0.0.0/30", "10.0.0.0/31", "10.0.0.0/32", "10.0.0.2/32", "10.0.0.3/32")
ADDRESSES = [IPv4Address("10.0.0.0") + n for n in range(4)]
STATES = st.dictionaries(st.sampled_from(PREFIXES), st.sampled_from("abc"), max_size=5)
GAPS = st.integers(1, 3)


def holder(state: dict[str, str], address: IPv4Address) -> str:
    around = [ip_network(prefix) for prefix in state if address in ip_network(prefix)]
    return state[str(max(around, key=lambda network: network.prefixlen))] if around else ""


def attributed(rows: Sequence[Allocation], times: Sequence[int], path: Path) -> list[list[str]]:
    """Return who held each of `ADDRESSES` at each of the times."""
    path.write_text(render(rows, ".csv"))
    allocations = load_allocations(path)
    names = [*(allocations.tenants.names[code] for code in allocations.tenants.codes), ""]
    octets = np.frombuffer(b"".join(map(packed, ADDRESSES)), np.uint8).reshape(-1, 16)
    ranges = Ranges(allocations)
    found = [ranges.owners(np.full(len(ADDRESSES), time, np.int64), octets)[0] for time in times]
    return [[names[owner] for owner in owners] for owners in found]


@settings(max_examples=50, deadline=None)
@given(states=st.lists(st.tuples(GAPS, STATES), min_size=1, max_size=6))
def test_at_any_time_they_hold_it_who_were_told_to(
    tmp_path_factory: pytest.TempPathFactory, states: list[tuple[int, dict[str, str]]]
) -> None:
    now = 1000
    known: tuple[Allocation, ...] = ()
    truth: list[tuple[int, dict[str, str]]] = []
    for gap, state in states:
        now += gap
        source = [told(prefix, tenant) for prefix, tenant in state.items()]
        known = (merged := merge(known, source, now)).rows
        truth.append((now, state) if known or truth else (now, {}))
        assert merge(merged.rows, source, now).changes == ()
        assert merge(merged.rows, source, now + 1).changes == ()
    times = range(998, now + 3)
    found = attributed(known, times, tmp_path_factory.getbasetemp() / "present.csv")
    first = next((state for _, state in truth if state), {})
    nothing_before = [state for _, state in truth].index(first) if first else 0
    for time, owners in zip(times, found, strict=True):
        past = [state for began, state in truth if began <= time]
        expected = past[-1] if len(past) > nothing_before else first
        assert owners == [holder(expected, address) for address in ADDRESSES]


SPANS = st.lists(st.integers(0, 20), min_size=2, max_size=6, unique=True).map(sorted)


@st.composite
def dated(draw: st.DrawFn) -> list[Present]:
    """Allocations with times of their own, those of a prefix one after another."""
    found = []
    for prefix in draw(st.lists(st.sampled_from(PREFIXES), max_size=3, unique=True)):
        times = draw(SPANS)
        for start, end in zip(times[::2], times[1::2], strict=False):
            found.append(told(prefix, draw(st.sampled_from("ab")), start, end))
        if draw(st.booleans()):
            found.append(told(prefix, draw(st.sampled_from("ab")), times[-1], draw(st.sampled_from((None, FOREVER)))))
    silent = draw(st.sets(st.integers(0, len(found))))
    labelled = [with_(one, holding=one.holding._replace(resource=draw(st.sampled_from((None, "r"))))) for one in found]
    return [
        with_(one, holding=Holding(one.holding.tenant), untold=frozenset({"resource"})) if number in silent else one
        for number, one in enumerate(labelled)
    ]


@settings(max_examples=100, deadline=None)
@given(before=dated(), later=dated(), now=st.integers(0, 20), gap=st.integers(0, 5))
def test_dated_sources_are_kept_as_told_and_history_stays(
    before: list[Present], later: list[Present], now: int, gap: int
) -> None:
    first = merge([], before, now)
    spans = {
        (one.prefix, one.valid_from, FOREVER if one.valid_to is None else one.valid_to, one.holding) for one in before
    }
    assert {(row.prefix, *span_of(row)) for row in first.rows} == spans
    merged = merge(first.rows, later, now + gap)
    assert merge(merged.rows, later, now + gap).changes == ()
    ended = [row for row in first.rows if span_of(row).end <= now + gap]
    assert set(map(repr, ended)) <= set(map(repr, merged.rows))
    for one, other in zip(merged.rows, merged.rows[1:], strict=False):
        assert one.prefix != other.prefix or span_of(one).end <= span_of(other).start


def test_the_earliest_and_latest_times_are_no_times() -> None:
    merged = merge([row(X, "a")], [told(X, "a", ALWAYS, FOREVER)], NOV)
    assert merged.changes == ()
    with pytest.raises(ValueError, match="beyond what an allocation file can say"):
        time_text(FOREVER)
