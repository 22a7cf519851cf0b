"""Equal rows are found and others kept apart, however their keys hash and however wide their columns are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollups.keys import Distinct, Keys, Packed, distinct

ROUNDS = 4


def check(keys: Keys) -> Distinct:
    found = distinct(keys)
    used, which, counts = np.unique(keys, return_inverse=True, return_counts=True)
    assert sorted(found.keys.tolist()) == used.tolist()
    order = np.argsort(found.keys)
    assert (found.counts[order] == counts).all()
    assert (found.spread(found.keys) == keys).all()
    assert (found.sums(which + 1)[order] == counts * np.arange(1, len(used) + 1)).all()
    return found


@pytest.mark.parametrize("rows", [0, 1, 2, 255, 3000, 100_000])
@pytest.mark.parametrize("kinds", [1, 40, 2**63])
def test_equal_keys_are_found(rows: int, kinds: int) -> None:
    check(np.random.default_rng(rows).integers(0, kinds, rows).astype(np.uint64))


def test_more_keys_than_all_rounds_have_room_for_are_told_apart() -> None:
    found = check(np.arange(5000, dtype=np.uint64) << np.uint64(40))
    assert found.size > ROUNDS * 512


def test_keys_that_were_made_to_collide_are_told_apart() -> None:
    candidates = np.arange(2**20, dtype=np.uint64) * np.uint64(0xF1DE83E19937733D)  # the first multiplier's inverse
    collide = candidates[:2000] >> np.uint64(0)
    assert len(np.unique((collide * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56))) == 1
    check(np.repeat(collide, 3))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_columns_of_any_width_are_packed_and_come_back(data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 30))
    widths = data.draw(st.lists(st.sampled_from([0, 1, 7, 31, 32, 33, 63, 64]), max_size=8))
    columns = {}
    for place, width in enumerate(widths):
        values = st.sampled_from([0, 1, 2**width - 1, 2**width // 2]) if width else st.just(0)
        dtype = np.dtype("u1" if width <= 7 else "i4" if width == 31 else "u4" if width == 32 else "u8")
        columns[f"c{place}"] = np.array(data.draw(st.lists(values, min_size=rows, max_size=rows)), "u8").astype(dtype)
    packed = Packed(rows, columns)
    lines = list(zip(*(values.tolist() for values in columns.values()), strict=True)) if columns else [()] * rows
    assert len(np.unique(packed.keys)) == len(set(lines))
    back = packed.unpack(packed.keys)
    assert back.keys() == columns.keys()
    for name, values in columns.items():
        assert back[name].tolist() == values.tolist()


@pytest.mark.parametrize("values", [[2**64 - 1, 1], [2**63, 2**63], [0, 0]])
def test_sums_are_modulo_two_to_the_64th(values: list[int]) -> None:
    found = distinct(np.zeros(2, np.uint64))
    assert found.sums(np.array(values, np.uint64)).tolist() == [sum(values) % 2**64]
