"""Groups that lie in a file until they are stored: what is read is what was written, and a damaged file is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollups.group import group
from rollups.rollups import Rollups
from rollups.saved import dump, load
from tests.rollups.flow_dicts import batch, block, dicts
from tests.rollups.slow_sums import Flow
from tests.rollups.test_rollups import FLOW


def rows(*saved: bytes) -> dict[str, list[Flow]]:
    rollups = Rollups()
    for each in saved:
        rollups.add_groups(load(each))
    return {table: dicts(table, found) for table, found in rollups.rows().items()}


@given(st.lists(block(), min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_blocks_that_were_saved_come_to_what_they_come_to_at_once(
    drawn: list[tuple[list[Flow], frozenset[str], list[str]]],
) -> None:
    blocks = [flows for each in drawn if (flows := batch(*each)).rows]
    at_once = Rollups()
    for flows in blocks:
        at_once.add(flows)
    assert rows(*(dump(group(flows)) for flows in blocks)) == {
        table: dicts(table, found) for table, found in at_once.rows().items()
    }


def test_numbers_take_as_few_octets_as_they_need() -> None:
    rng = np.random.default_rng(1)
    flows = batch([FLOW | {"dst_as": int(number)} for number in rng.permutation(20_000)])
    groups = group(flows)
    assert groups.count == 1 + 1 + 20_000
    assert len(dump(groups)) < 20_000 * 25


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_octets_are_refused_or_harmless(data: st.DataObject) -> None:
    octets = bytearray(dump(group(batch([FLOW] * 3))))
    if data.draw(st.booleans()):
        del octets[data.draw(st.integers(0, len(octets) - 1)) :]
    for _ in range(data.draw(st.integers(0, 3))):
        if octets:
            octets[data.draw(st.integers(0, len(octets) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = load(bytes(octets))
    except ValueError:
        return
    assert found.traffic.count == 1


@pytest.mark.parametrize("octets", [b"", b"PK", b"{}", bytes(1000)])
def test_what_is_no_archive_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match="no groups of rollups"):
        load(octets)
